;; Returns a status there is not.
(func (export "win_accumulate") (param i32) (result i32) (i32.const -7))
