//! Small guests in the text format against the sandbox: what they can do, and what they cannot.

use std::time::{Duration, Instant};

use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::udf::{Instance, LogLine, Sandbox, Trap};

fn start(wat: &str) -> Box<dyn Instance> {
    try_start(wat).expect("the guest starts")
}

fn try_start(wat: &str) -> highwater_engine::error::Result<Box<dyn Instance>> {
    let bytes = wat::parse_str(wat).expect("the test's own guest is well formed");
    WasmtimeSandbox::default().instantiate(&bytes)
}

#[test]
fn calls_pass_numbers_and_memory_both_ways() {
    let mut guest = start(
        r#"(module (memory (export "memory") 1 4)
             (func (export "add") (param i32 i32) (result i32)
               (i32.add (local.get 0) (local.get 1)))
             (func (export "twice") (param i32) (result i32)
               (i32.store (local.get 0) (i32.mul (i32.load (local.get 0)) (i32.const 2)))
               (i32.const 0)))"#,
    );
    assert_eq!(guest.call("add", &[i32::MAX, 1]), Ok(i32::MIN));
    assert!(guest.write(100, &21_u32.to_le_bytes()));
    assert_eq!(guest.call("twice", &[100]), Ok(0));
    let mut bytes = [0; 4];
    assert!(guest.read(100, &mut bytes));
    assert_eq!(u32::from_le_bytes(bytes), 42);
}

#[test]
fn ranges_outside_memory_are_refused_not_wrapped() {
    let mut guest = start(r#"(module (memory (export "memory") 1 1))"#);
    let mut bytes = [0; 4];
    assert!(guest.read(65_532, &mut bytes));
    assert!(!guest.read(65_533, &mut bytes));
    assert!(!guest.read(u32::MAX, &mut bytes));
    assert!(!guest.write(u32::MAX - 1, &bytes));
    assert!(guest.write(65_536, &[]), "an empty range at the end is inside");
}

#[test]
fn traps_and_missing_exports_are_traps_and_the_instance_can_still_be_asked() {
    let mut guest = start(
        r#"(module (memory (export "memory") 1 1) (global $why (mut i32) (i32.const 0))
             (func (export "die") (result i32) (global.set $why (i32.const 7)) (unreachable))
             (func (export "wide") (param i64) (result i32) (i32.const 1))
             (func (export "why") (result i32) (global.get $why)))"#,
    );
    assert_eq!(guest.call("die", &[]), Err(Trap));
    assert_eq!(guest.call("why", &[]), Ok(7));
    assert_eq!(guest.call("nothing", &[]), Err(Trap));
    assert_eq!(guest.call("wide", &[1]), Err(Trap), "an i64 parameter is none of ours");
    assert_eq!(guest.call("why", &[1, 2]), Err(Trap), "too many arguments");
}

#[test]
fn logs_are_kept_in_order_and_capped() {
    let mut guest = start(
        r#"(module (import "hw" "log" (func $log (param i32 i32 i32)))
             (memory (export "memory") 1 1) (data (i32.const 0) "hi\ff")
             (func (export "say") (param i32 i32 i32) (result i32)
               (call $log (local.get 0) (local.get 1) (local.get 2)) (i32.const 0))
             (func (export "flood") (result i32) (local $n i32)
               (loop $more
                 (call $log (i32.const 1) (i32.const 0) (i32.const 60000))
                 (local.set $n (i32.add (local.get $n) (i32.const 1)))
                 (br_if $more (i32.lt_u (local.get $n) (i32.const 1000))))
               (i32.const 0)))"#,
    );
    assert_eq!(guest.call("say", &[2, 0, 2]), Ok(0));
    assert_eq!(guest.call("say", &[99, 0, 3]), Ok(0));
    let line = |level, text: &str| LogLine { level, text: text.into() };
    assert_eq!(guest.take_log(), [line(2, "hi"), line(4, "hi\u{fffd}")]);
    assert_eq!(guest.take_log(), [], "taken once");
    assert_eq!(guest.call("flood", &[]), Ok(0));
    let log = guest.take_log();
    assert_eq!(log.len(), 64);
    assert!(log.iter().all(|l| l.text.len() <= 1024));
    assert_eq!(guest.call("say", &[0, 65_535, 2]), Err(Trap), "a text outside memory");
    assert_eq!(guest.call("say", &[0, -1, -1]), Err(Trap), "lengths do not wrap");
}

#[test]
fn abort_traps_and_leaves_its_message() {
    let mut guest = start(
        r#"(module (import "hw" "abort" (func $abort (param i32 i32)))
             (memory (export "memory") 1 1) (data (i32.const 8) "no luck")
             (func (export "die") (result i32) (call $abort (i32.const 8) (i32.const 7)) (i32.const 0)))"#,
    );
    assert_eq!(guest.call("die", &[]), Err(Trap));
    assert_eq!(guest.take_log(), [LogLine { level: 255, text: "no luck".into() }]);
}

#[test]
fn assemblyscript_aborts_are_read_as_utf16() {
    let mut guest = start(
        r#"(module (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
             (memory (export "memory") 1 1)
             (data (i32.const 4) "\04\00\00\00n\00o\00") (data (i32.const 28) "\08\00\00\00a\00.\00t\00s\00")
             (func (export "die") (param i32) (result i32)
               (call $abort (local.get 0) (i32.const 32) (i32.const 3) (i32.const 9)) (i32.const 0)))"#,
    );
    assert_eq!(guest.call("die", &[8]), Err(Trap));
    assert_eq!(guest.call("die", &[2]), Err(Trap), "no room for a length before the text");
    let texts: Vec<String> = guest.take_log().into_iter().map(|l| l.text).collect();
    assert_eq!(texts, ["no (a.ts:3:9)", " (a.ts:3:9)"]);
}

#[test]
fn modules_beyond_the_sandbox_are_refused() {
    let memory = r#"(memory (export "memory") 1 1)"#;
    for (what, body) in [
        ("an unknown import", format!(r#"(import "hw" "clock" (func)) {memory}"#)),
        (
            "WASI",
            format!(
                r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) {memory}"#
            ),
        ),
        (
            "a known import of another type",
            format!(r#"(import "hw" "log" (func (param i64))) {memory}"#),
        ),
        ("no memory", String::new()),
        ("a 64-bit memory", r#"(memory (export "memory") i64 1 1)"#.into()),
        ("two memories", format!("{memory} (memory 1 1)")),
        ("a shared memory", r#"(memory (export "memory") 1 1 shared)"#.into()),
        ("SIMD", format!("{memory} (func (result v128) (v128.const i64x2 0 0))")),
        ("a tail call", format!("{memory} (func $f (return_call $f))")),
        ("an exception", format!("{memory} (tag) (func (throw 0))")),
        ("a GC type", format!("{memory} (type (struct (field i32)))")),
        ("more memory than any guest may have", r#"(memory (export "memory") 4096 4096)"#.into()),
        ("a large table", format!("{memory} (table 20000 funcref)")),
    ] {
        assert!(try_start(&format!("(module {body})")).is_err(), "{what} was let in");
    }
    for bytes in [&b""[..], b"not wasm", b"\0asm\x0d\0\x01\0"] {
        assert!(WasmtimeSandbox::default().instantiate(bytes).is_err(), "{bytes:?} was let in");
    }
}

#[test]
fn a_loop_the_meter_missed_ends_by_the_clock() {
    let bytes = wat::parse_str(
        r#"(module (memory (export "memory") 1 1)
             (func (export "spin") (result i32) (loop $l (br $l)) (i32.const 0))
             (func (export "fine") (result i32) (i32.const 5)))"#,
    )
    .expect("well formed");
    let sandbox = WasmtimeSandbox::with_timeout(Duration::from_millis(500));
    let mut guest = sandbox.instantiate(&bytes).expect("starts");
    let began = Instant::now();
    assert_eq!(guest.call("spin", &[]), Err(Trap));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(guest.take_log().iter().any(|l| l.level == 255 && l.text.contains("clock")));
    assert_eq!(guest.call("fine", &[]), Ok(5), "each call has its own time");
}

#[test]
fn runaway_recursion_is_a_trap_on_a_small_stack() {
    let mut guest = start(
        r#"(module (memory (export "memory") 1 1)
             (func $f (export "f") (param i32) (result i32)
               (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))"#,
    );
    assert_eq!(guest.call("f", &[0]), Err(Trap));
}
