;; Promises a BIGINT and answers a DOUBLE.
(func (export "win_result") (param $frame i32) (result i32)
  (drop (call $result (local.get $frame)))
  (i32.store8 offset=40
    (i32.add (local.get $frame) (i32.load offset=32 (local.get $frame)))
    (i32.const 5))
  (i32.const 0))
