;; A join of rows whose `b` does not fall.
(@custom "highwater.manifest" "{\"abi\":1,\"kind\":\"join\",\"name\":\"pairing\",\"version\":\"1.0.0\",\"description\":\"Pairs of rows in which b does not fall.\",\"inputs\":[{\"name\":\"early\",\"columns\":[{\"name\":\"b\",\"type\":\"BIGINT\"}]},{\"name\":\"late\",\"columns\":[{\"name\":\"b\",\"type\":\"BIGINT\"}]}],\"output\":[],\"state\":[],\"parameters\":[]}")

;; Columns 0 to 3 hold the sides' times and their `b`, 4 and 5 which rows make a pair: the row of a side.
(func $row (param $frame i32) (param $side i32) (param $pair i32) (result i32)
  (i32.load (i32.add (call $values (local.get $frame) (i32.add (i32.const 4) (local.get $side)))
    (i32.mul (local.get $pair) (i32.const 4)))))

;; Whether its `b` is there: a bitmap says so, or there is none.
(func $there (param $frame i32) (param $side i32) (param $row i32) (result i32)
  (local $bits i32)
  (local.set $bits (i32.load offset=52 (i32.add (local.get $frame)
    (i32.mul (i32.add (i32.mul (local.get $side) (i32.const 2)) (i32.const 1)) (i32.const 24)))))
  (if (i32.eqz (local.get $bits)) (then (return (i32.const 1))))
  (i32.and (i32.const 1) (i32.shr_u
    (i32.load8_u (i32.add (i32.add (local.get $frame) (local.get $bits))
      (i32.shr_u (local.get $row) (i32.const 3))))
    (i32.and (local.get $row) (i32.const 7)))))

(func $b (param $frame i32) (param $side i32) (param $row i32) (result i64)
  (i64.load (i32.add (i32.mul (local.get $row) (i32.const 8))
    (call $values (local.get $frame) (i32.add (i32.mul (local.get $side) (i32.const 2)) (i32.const 1))))))

(func $rises (param $frame i32) (param $pair i32) (result i32)
  (local $early i32) (local $late i32)
  (local.set $early (call $row (local.get $frame) (i32.const 0) (local.get $pair)))
  (local.set $late (call $row (local.get $frame) (i32.const 1) (local.get $pair)))
  (i32.and
    (i32.and
      (call $there (local.get $frame) (i32.const 0) (local.get $early))
      (call $there (local.get $frame) (i32.const 1) (local.get $late)))
    (i64.le_s
      (call $b (local.get $frame) (i32.const 0) (local.get $early))
      (call $b (local.get $frame) (i32.const 1) (local.get $late)))))

(func $match (param $frame i32) (result i32)
  (local $n i32) (local $i i32) (local $at i32) (local $bytes i32) (local $byte i32)
  (local.set $n (i32.load offset=8 (local.get $frame)))
  (local.set $bytes (i32.shl (i32.shr_u (i32.add (local.get $n) (i32.const 63)) (i32.const 6)) (i32.const 3)))
  (if (i32.eqz (call $fits (local.get $frame) (i32.add (i32.const 40) (local.get $bytes))))
    (then (return (i32.const 1))))
  (local.set $at (i32.add (i32.load offset=32 (local.get $frame)) (i32.const 40)))
  (call $describe (local.get $frame) (i32.const 0) (i32.const 1) (local.get $at) (local.get $bytes) (local.get $n))
  (call $head (local.get $frame) (local.get $n) (i32.const 1))
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
    (if (call $rises (local.get $frame) (local.get $i))
      (then
        (local.set $byte (i32.add (i32.add (local.get $frame) (local.get $at))
          (i32.shr_u (local.get $i) (i32.const 3))))
        (i32.store8 (local.get $byte) (i32.or (i32.load8_u (local.get $byte))
          (i32.shl (i32.const 1) (i32.and (local.get $i) (i32.const 7)))))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next)))
  (i32.const 0))
