;; What every guest here needs that has no allocator and no SDK: memory, and how answers are written. The manifest and what
;; is exported stand behind it.
(import "hw" "abort" (func $abort (param i32 i32)))
(memory (export "memory") 2 16)
(global (export "hw_abi_1") i32 (i32.const 1))

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
