;; Two functions call each other through a table.
(type $f (func (param i32) (result i32)))
(table 2 2 funcref)
(elem (i32.const 0) $ping $pong)
(func $ping (type $f) (i32.add (i32.const 1) (call_indirect (type $f) (local.get 0) (i32.const 1))))
(func $pong (type $f) (i32.add (i32.const 1) (call_indirect (type $f) (local.get 0) (i32.const 0))))
(func (export "win_accumulate") (param i32) (result i32) (call $ping (local.get 0)))
