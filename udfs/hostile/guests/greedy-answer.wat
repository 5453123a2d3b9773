;; Wants ever more room for its answer.
(func (export "win_result") (param $frame i32) (result i32)
  (call $fits (local.get $frame)
    (i32.add (i32.load offset=36 (local.get $frame)) (i32.const 8)))
  (drop)
  (i32.const 1))
