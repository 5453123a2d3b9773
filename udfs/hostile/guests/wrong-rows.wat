;; Says its answer has four thousand million rows.
(func (export "win_result") (param $frame i32) (result i32)
  (drop (call $result (local.get $frame)))
  (i32.store offset=8
    (i32.add (local.get $frame) (i32.load offset=32 (local.get $frame)))
    (i32.const -1))
  (i32.const 0))
