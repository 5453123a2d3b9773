;; Counts with the bits of a NaN that the processor made: equal everywhere, or it is a leak.
(func (export "win_accumulate") (param $frame i32) (result i32)
  (local $zero f64)
  (i64.store
    (i32.add (local.get $frame) (i32.load offset=24 (local.get $frame)))
    (i64.reinterpret_f64 (f64.neg (f64.div (local.get $zero) (local.get $zero)))))
  (i32.const 0))
