;; A guest without an allocator and without an SDK: windows of one length that count their records. NAME and LENGTH,
;; milliseconds, are put in before it is assembled, and what is exported stands behind it.
(@custom "highwater.manifest" "{\"abi\":1,\"kind\":\"window\",\"name\":\"NAME\",\"version\":\"1.0.0\",\"description\":\"Counts the records of windows of LENGTH ms.\",\"inputs\":[{\"name\":\"data\",\"columns\":[]}],\"output\":[{\"name\":\"n\",\"type\":\"BIGINT\"}],\"state\":[{\"name\":\"n\",\"type\":\"BIGINT\"}],\"parameters\":[]}")
(import "hw" "abort" (func $abort (param i32 i32)))
(memory (export "memory") 2 16)
(global (export "hw_abi_1") i32 (i32.const 1))
(global $length i64 (i64.const LENGTH))

;; Frames lie behind the first page.
(func $arena (param $bytes i32) (result i32)
  (local $missing i32)
  (local.set $missing (i32.sub
    (i32.shr_u (i32.add (i32.add (local.get $bytes) (i32.const 65536)) (i32.const 65535)) (i32.const 16))
    (memory.size)))
  (if (i32.gt_s (local.get $missing) (i32.const 0))
    (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
      (then (return (i32.const 0))))))
  (i32.const 65536))

;; The address of a column's values.
(func $values (param $frame i32) (param $column i32) (result i32)
  (i32.add (local.get $frame)
    (i32.load offset=56 (i32.add (local.get $frame) (i32.mul (local.get $column) (i32.const 24))))))

;; Whether `need` bytes fit the output region; if not, asks for them.
(func $fits (param $frame i32) (param $need i32) (result i32)
  (local $out i32)
  (local.set $out (i32.add (local.get $frame) (i32.load offset=32 (local.get $frame))))
  (if (i32.ge_u (i32.load offset=36 (local.get $frame)) (local.get $need))
    (then (return (i32.const 1))))
  (i32.store (local.get $out) (i32.const 1))
  (i32.store offset=4 (local.get $out) (local.get $need))
  (i32.const 0))

;; Writes the descriptor of an output column; `at` is where its values are, from the frame's start.
(func $describe (param $frame i32) (param $column i32) (param $type i32) (param $at i32) (param $len i32) (param $rows i32)
  (local $d i32)
  (local.set $d (i32.add
    (i32.add (local.get $frame) (i32.load offset=32 (local.get $frame)))
    (i32.add (i32.const 16) (i32.mul (local.get $column) (i32.const 24)))))
  (i32.store (local.get $d) (local.get $type))
  (i32.store offset=4 (local.get $d) (i32.const 0))
  (i32.store offset=8 (local.get $d) (local.get $at))
  (i32.store offset=12 (local.get $d) (local.get $len))
  (i32.store offset=16 (local.get $d) (i32.const 0))
  (i32.store offset=20 (local.get $d) (local.get $rows)))

;; Writes the head of the answer: so many rows and columns, all well.
(func $head (param $frame i32) (param $rows i32) (param $columns i32)
  (local $out i32)
  (local.set $out (i32.add (local.get $frame) (i32.load offset=32 (local.get $frame))))
  (i32.store (local.get $out) (i32.const 0))
  (i32.store offset=8 (local.get $out) (local.get $rows))
  (i32.store offset=12 (local.get $out) (local.get $columns)))

(func $wide (param $rows i32) (result i32)
  (i32.and (i32.add (i32.mul (local.get $rows) (i32.const 4)) (i32.const 7)) (i32.const -8)))

(func $assign (param $frame i32) (result i32)
  (local $n i32) (local $i i32) (local $at i32) (local $starts i32) (local $ends i32)
  (local $times i32) (local $start i64)
  (local.set $n (i32.load offset=8 (local.get $frame)))
  (if (i32.eqz (call $fits (local.get $frame)
      (i32.add (i32.add (i32.const 88) (call $wide (local.get $n))) (i32.mul (local.get $n) (i32.const 16)))))
    (then (return (i32.const 1))))
  (local.set $at (i32.add (i32.load offset=32 (local.get $frame)) (i32.const 88)))
  (local.set $starts (i32.add (local.get $at) (call $wide (local.get $n))))
  (local.set $ends (i32.add (local.get $starts) (i32.mul (local.get $n) (i32.const 8))))
  (call $describe (local.get $frame) (i32.const 0) (i32.const 2) (local.get $at) (i32.mul (local.get $n) (i32.const 4)) (local.get $n))
  (call $describe (local.get $frame) (i32.const 1) (i32.const 9) (local.get $starts) (i32.mul (local.get $n) (i32.const 8)) (local.get $n))
  (call $describe (local.get $frame) (i32.const 2) (i32.const 9) (local.get $ends) (i32.mul (local.get $n) (i32.const 8)) (local.get $n))
  (call $head (local.get $frame) (local.get $n) (i32.const 3))
  (local.set $times (call $values (local.get $frame) (i32.const 0)))
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
    (local.set $start (i64.load (i32.add (local.get $times) (i32.mul (local.get $i) (i32.const 8)))))
    (local.set $start (i64.sub (local.get $start) (i64.rem_s
      (i64.add (i64.rem_s (local.get $start) (global.get $length)) (global.get $length)) (global.get $length))))
    (i32.store (i32.add (i32.add (local.get $frame) (local.get $at)) (i32.mul (local.get $i) (i32.const 4))) (local.get $i))
    (i64.store (i32.add (i32.add (local.get $frame) (local.get $starts)) (i32.mul (local.get $i) (i32.const 8))) (local.get $start))
    (i64.store (i32.add (i32.add (local.get $frame) (local.get $ends)) (i32.mul (local.get $i) (i32.const 8)))
      (i64.add (local.get $start) (global.get $length)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next)))
  (i32.const 0))

(func $accumulate (param $frame i32) (result i32)
  (local $n i32) (local $i i32) (local $slots i32) (local $count i32)
  (local.set $n (i32.load offset=8 (local.get $frame)))
  (local.set $slots (call $values (local.get $frame)
    (i32.sub (i32.load16_u offset=12 (local.get $frame)) (i32.const 1))))
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
    (local.set $count (i32.add
      (i32.add (local.get $frame) (i32.load offset=24 (local.get $frame)))
      (i32.mul (i32.load offset=28 (local.get $frame))
        (i32.load (i32.add (local.get $slots) (i32.mul (local.get $i) (i32.const 4)))))))
    (i64.store (local.get $count) (i64.add (i64.load (local.get $count)) (i64.const 1)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next)))
  (i32.const 0))

(func $result (param $frame i32) (result i32)
  (local $n i32) (local $i i32) (local $at i32) (local $counts i32)
  (local.set $n (i32.load offset=20 (local.get $frame)))
  (if (i32.eqz (call $fits (local.get $frame)
      (i32.add (i32.add (i32.const 64) (call $wide (local.get $n))) (i32.mul (local.get $n) (i32.const 8)))))
    (then (return (i32.const 1))))
  (local.set $at (i32.add (i32.load offset=32 (local.get $frame)) (i32.const 64)))
  (local.set $counts (i32.add (local.get $at) (call $wide (local.get $n))))
  (call $describe (local.get $frame) (i32.const 0) (i32.const 2) (local.get $at) (i32.mul (local.get $n) (i32.const 4)) (local.get $n))
  (call $describe (local.get $frame) (i32.const 1) (i32.const 3) (local.get $counts) (i32.mul (local.get $n) (i32.const 8)) (local.get $n))
  (call $head (local.get $frame) (local.get $n) (i32.const 2))
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
    (i32.store (i32.add (i32.add (local.get $frame) (local.get $at)) (i32.mul (local.get $i) (i32.const 4))) (local.get $i))
    (i64.store
      (i32.add (i32.add (local.get $frame) (local.get $counts)) (i32.mul (local.get $i) (i32.const 8)))
      (i64.load (i32.add
        (i32.add (local.get $frame) (i32.load offset=24 (local.get $frame)))
        (i32.mul (local.get $i) (i32.load offset=28 (local.get $frame))))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next)))
  (i32.const 0))
