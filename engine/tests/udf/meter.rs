//! The meter changes nothing but what it is for.

use std::sync::Arc;

use highwater_engine::udf::{Guest, GuestModule, Instance, Limits, Sandbox, Trap};
use highwater_hostile::assemble;

use crate::sandbox::Interpreter;

/// Programs of one i32 to one i32, `$p`, with every kind of control flow.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "gcd",
        "(func $p (param i32) (result i32) (local $a i32) (local $b i32) (local $t i32)
        (local.set $a (i32.mul (local.get 0) (i32.const 12)))
        (local.set $b (i32.const 90))
        (loop $l (if (local.get $b) (then
            (local.set $t (i32.rem_u (local.get $a) (local.get $b)))
            (local.set $a (local.get $b)) (local.set $b (local.get $t)) (br $l))))
        (local.get $a))",
    ),
    (
        "fib",
        "(func $p (param i32) (result i32)
        (if (i32.lt_u (local.get 0) (i32.const 2)) (then (return (local.get 0))))
        (i32.add (call $p (i32.sub (local.get 0) (i32.const 1)))
                 (call $p (i32.sub (local.get 0) (i32.const 2)))))",
    ),
    (
        "returns from the depth",
        "(func $one (param i32) (result i32) (local.get 0))
      (func $p (param i32) (result i32)
        (block (result i32) (block (loop
          (i32.eqz (i32.and (local.get 0) (i32.const 1)))
          (if (then (br 2)) (else (return (call $one (i32.const 77)))))))
          (br_if 1 (i32.const 5) (i32.gt_s (local.get 0) (i32.const 6)))
          (drop)
          (br_table 1 0 1 (call $one (i32.const 9)) (local.get 0))))",
    ),
    (
        "two results",
        "(func $two (param i32) (result i32 i64)
        (if (i32.gt_u (local.get 0) (i32.const 3)) (then (return (call $two (i32.const 1)))))
        (local.get 0) (i64.extend_i32_u (local.get 0)))
      (func $p (param i32) (result i32) (call $two (local.get 0)) (i32.wrap_i64) (i32.add))",
    ),
    (
        "many early ways out",
        "(func $q (param i32) (result i32)
        (block (br_if 0 (i32.and (local.get 0) (i32.const 1))) (return (call $r (i32.const 1))))
        (br_if 0 (call $r (i32.const 2)) (i32.and (local.get 0) (i32.const 2)))
        (drop) (block (result i32) (br_table 0 1 (i32.const 7) (i32.const 1))))
      (func $r (param i32) (result i32) (local.get 0))
      (func $p (param i32) (result i32) (local $i i32) (local $sum i32)
        (loop $next
          (local.set $sum (i32.add (local.get $sum) (call $q (local.get $i))))
          (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9000))))
        (local.get $sum))",
    ),
    (
        "dead code",
        "(func $p (param i32) (result i32)
        (block $b (br $b) (f64.store (i32.const 0) (f64.const 1)) (unreachable)
          (drop (i32.reinterpret_f32 (f32.const nan))))
        (call $q) (return (i32.const 3)) (drop) (loop (br 0)))
      (func $q)",
    ),
    (
        "indirect",
        "(type $t (func (param i32) (result i32)))
      (table 2 2 funcref) (elem (i32.const 0) $a $b)
      (func $a (type $t) (i32.add (local.get 0) (i32.const 1)))
      (func $b (type $t) (i32.mul (local.get 0) (i32.const 3)))
      (func $p (param i32) (result i32)
        (call_indirect (type $t) (local.get 0) (i32.and (local.get 0) (i32.const 1))))",
    ),
    (
        "floats",
        "(func $p (param i32) (result i32) (local $x f64) (local $y f32)
        (local.set $x (f64.sqrt (f64.convert_i32_s (local.get 0))))
        (local.set $y (f32.copysign (f32.demote_f64 (local.get $x)) (f32.const -1)))
        (f64.store (i32.const 8) (local.get $x))
        (f32.store (i32.const 20) (local.get $y))
        (i32.add (i32.load (i32.const 20)) (i32.add (i32.load (i32.const 12))
          (i32.wrap_i64 (i64.reinterpret_f64 (f64.mul (local.get $x) (f64.const 1.1)))))))",
    ),
    (
        "memory",
        "(func $p (param i32) (result i32)
        (memory.fill (i32.const 100) (local.get 0) (i32.const 33))
        (memory.copy (i32.const 120) (i32.const 101) (i32.const 20))
        (i32.add (i32.mul (memory.grow (i32.const 1)) (i32.const 100))
          (i32.add (memory.size) (i32.load (i32.const 137)))))",
    ),
    (
        "traps",
        "(func $p (param i32) (result i32) (i32.div_s (i32.const 12) (i32.sub (local.get 0) (i32.const 5))))",
    ),
];

fn program(text: &str) -> Vec<u8> {
    let text = format!(
        "{text} (func (export \"win_accumulate\") (param i32) (result i32) (call $p (local.get 0)))"
    );
    assemble("program", &text).unwrap_or_else(|e| panic!("{e}"))
}

fn start(module: &[u8]) -> Box<dyn Instance> {
    Interpreter.instantiate(module).unwrap_or_else(|e| panic!("{e}"))
}

fn begin(guest: &mut dyn Instance, fuel: u64) {
    let args = [fuel as u32 as i32, (fuel >> 32) as u32 as i32];
    assert_eq!(guest.call("__hw_begin", &args), Ok(0));
}

fn left(guest: &mut dyn Instance) -> i64 {
    let half = |guest: &mut dyn Instance, name| guest.call(name, &[]).expect("a number") as u32;
    let low = half(guest, "__hw_fuel_lo");
    (u64::from(half(guest, "__hw_fuel_hi")) << 32 | u64::from(low)) as i64
}

#[test]
fn metered_programs_compute_the_same() {
    for (name, text) in PROGRAMS {
        let module = program(text);
        let metered = GuestModule::admit(&module, Limits::default());
        let metered = metered.unwrap_or_else(|e| panic!("{name}: {e}"));
        for argument in [0, 1, 2, 5, 7, 12, 16] {
            let (mut plain, mut counted) = (start(&module), start(metered.metered()));
            begin(&mut *counted, 1 << 40);
            let wanted = plain.call("win_accumulate", &[argument]);
            assert_eq!(counted.call("win_accumulate", &[argument]), wanted, "{name} {argument}");
            assert_eq!(counted.call("__hw_reason", &[]), Ok(0));
            assert!(left(&mut *counted) < 1 << 40);
            let (mut a, mut b) = ([0; 4096], [0; 4096]);
            assert!(plain.read(0, &mut a) && counted.read(0, &mut b));
            assert_eq!(a, b, "{name}: the same memory");
            let again = counted.call("win_accumulate", &[argument]);
            assert!(wanted != Err(Trap) || again == Err(Trap));
        }
    }
}

#[test]
fn a_hand_count_of_fuel_and_depth() {
    // Entry 1, local.get 1, i32.const 1, i32.add 1: 4. The exported wrapper: entry 1, local.get 1, call 4.
    let module =
        program("(func $p (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))");
    let metered = GuestModule::admit(&module, Limits::default()).expect("admitted");
    let mut guest = start(metered.metered());
    begin(&mut *guest, 100);
    assert_eq!(guest.call("win_accumulate", &[41]), Ok(42));
    assert_eq!(left(&mut *guest), 90);
    for fuel in 0..10 {
        begin(&mut *guest, fuel);
        assert_eq!(guest.call("win_accumulate", &[41]), Err(Trap), "{fuel} is too little");
        assert_eq!(guest.call("__hw_reason", &[]), Ok(1));
    }
    begin(&mut *guest, 10);
    assert_eq!(guest.call("win_accumulate", &[41]), Ok(42), "10 is just enough");
}

#[test]
fn large_frames_weigh_more() {
    let depth = |locals: usize| {
        let text = format!(
            "(global $n (mut i32) (i32.const 0))
             (func (export \"n\") (result i32) (global.get $n))
             (func $p (param i32) (result i32) {}
               (global.set $n (i32.add (global.get $n) (i32.const 1)))
               (i32.add (i32.const 1) (call $p (local.get 0))))",
            "(local i64)".repeat(locals)
        );
        let metered = GuestModule::admit(&program(&text), Limits::default()).expect("admitted");
        let mut guest = start(metered.metered());
        begin(&mut *guest, 1 << 40);
        assert_eq!(guest.call("win_accumulate", &[0]), Err(Trap));
        assert_eq!(guest.call("__hw_reason", &[]), Ok(2));
        guest.call("n", &[]).expect("a number")
    };
    // 2,000 in all, 1 for the wrapper. Locals, the parameter and two operands at once: eight of them
    // weigh one more.
    assert_eq!(depth(0), 1999);
    assert_eq!(depth(5), 999);
    assert_eq!(depth(900), 1999 / (1 + 903 / 8));
}

#[test]
fn a_refused_page_is_remembered() {
    let module = program("(func $p (param i32) (result i32) (memory.grow (local.get 0)))");
    let metered = GuestModule::admit(&module, Limits::default()).expect("admitted");
    let mut guest = start(metered.metered());
    for (pages, wanted, refused) in [(3, 2, 0), (12, -1, 1), (-1, -1, 1), (11, 5, 0), (0, 16, 0)] {
        begin(&mut *guest, 1 << 40);
        assert_eq!(guest.call("win_accumulate", &[pages]), Ok(wanted), "{pages}");
        assert_eq!(guest.call("__hw_grow_refused", &[]), Ok(refused));
    }
}

#[test]
fn no_bits_of_a_nan_get_through() {
    let makes = [
        (
            "a store",
            "(f64.store (i32.const 0) (f64.div (local.get $z) (local.get $z))) (i32.load (i32.const 4))",
        ),
        ("a payload", "(f64.store (i32.const 0) (f64.const -nan:0x123)) (i32.load (i32.const 4))"),
        (
            "reinterpretation",
            "(i32.wrap_i64 (i64.shr_u (i64.reinterpret_f64 (f64.neg (f64.div (local.get $z) (local.get $z)))) (i64.const 32)))",
        ),
        (
            "a sign",
            "(i32.sub (i32.const 0x7ff80001) (i32.trunc_f64_s (f64.copysign (f64.const 1) (f64.const -nan))))",
        ),
        (
            "a written sign",
            "(i32.wrap_i64 (i64.shr_u (i64.reinterpret_f64 (f64.const -nan)) (i64.const 32)))",
        ),
    ];
    for (name, text) in makes {
        let text = format!("(func $p (param i32) (result i32) (local $z f64) {text})");
        let metered = GuestModule::admit(&program(&text), Limits::default()).expect("admitted");
        let mut guest = start(metered.metered());
        begin(&mut *guest, 1 << 20);
        assert_eq!(guest.call("win_accumulate", &[0]), Ok(0x7ff8_0000), "{name}");
    }
    let single = "(func $p (param i32) (result i32) (local $z f32)
        (i32.reinterpret_f32 (f32.neg (f32.div (local.get $z) (local.get $z)))))";
    let metered = GuestModule::admit(&program(single), Limits::default()).expect("admitted");
    let mut guest = start(metered.metered());
    begin(&mut *guest, 1 << 20);
    assert_eq!(guest.call("win_accumulate", &[0]), Ok(0x7fc0_0000));
}

#[test]
fn the_same_module_is_always_metered_the_same() {
    let module = highwater_hostile::honest();
    let admit = || GuestModule::admit(&module, Limits::default()).expect("admitted");
    assert_eq!(admit().metered(), admit().metered());
    let guest = Guest::new(admit().into(), Arc::new(Interpreter), &[]);
    assert_eq!(guest.module().identity(), admit().identity());
}
