;; Never ends, in few but large instructions.
(func (export "win_accumulate") (param i32) (result i32)
  (loop $again
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 60000))
    (br $again))
  (i32.const 0))
