;; Puts records into a window that does not hold them.
(func (export "win_assign") (param $frame i32) (result i32)
  (drop (call $assign (local.get $frame)))
  (i64.store
    (i32.add (local.get $frame)
      (i32.load offset=72 (i32.add (local.get $frame) (i32.load offset=32 (local.get $frame)))))
    (i64.const -9000000000000000000))
  (i32.const 0))
