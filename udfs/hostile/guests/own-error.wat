;; Reports an error of its own, in bytes that are not UTF-8.
(func (export "win_accumulate") (param $frame i32) (result i32)
  (local $out i32)
  (local.set $out (i32.add (local.get $frame) (i32.load offset=32 (local.get $frame))))
  (i32.store (local.get $out) (i32.const 17))
  (i32.store offset=4 (local.get $out) (i32.const 4))
  (i32.store offset=16 (local.get $out) (i32.const 0xff6f6e1b))
  (i32.const 17))
