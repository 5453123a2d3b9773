;; Traps.
(func (export "win_accumulate") (param i32) (result i32) (unreachable))
