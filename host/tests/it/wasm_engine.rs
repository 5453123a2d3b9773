//! A tiny engine in the text format that speaks the C ABI: does the host read and write it rightly?

use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater::table::Row;
use highwater::wasm_engine::{WasmEngine, WireNeed};
use highwater_engine::session::Options;

/// Answers each call with a JSON text of its own; allocates upwards and checks that buffers come back.
fn tiny(answers: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut data = String::new();
    let mut functions = String::new();
    let mut at = 1024;
    for (signature, result, answer) in answers {
        let escaped: String = answer.bytes().map(|b| format!("\\{b:02x}")).collect();
        data += &format!("(data (i32.const {at}) \"{escaped}\")\n");
        functions += &format!(
            "(func {signature} (global.set $ptr (i32.const {at})) (global.set $len (i32.const {}))
              {result})\n",
            answer.len()
        );
        at += answer.len().next_multiple_of(8);
    }
    let wat = format!(
        r#"(module
          (import "highwater" "guest_new" (func $new (param i32 i32) (result i32)))
          (import "highwater" "guest_call" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
          (import "highwater" "guest_read" (func $read (param i32 i32 i32 i32) (result i32)))
          (import "highwater" "guest_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "highwater" "guest_log" (func $log (param i32 i32 i32) (result i32)))
          (import "highwater" "guest_drop" (func $drop (param i32)))
          (memory (export "memory") 2)
          (global $ptr (mut i32) (i32.const 0)) (global $len (mut i32) (i32.const 0))
          (global $heap (mut i32) (i32.const 65536)) (global $live (mut i32) (i32.const 0))
          (data (i32.const 64) "bump") (data (i32.const 72) "die")
          {data}
          (func (export "hw_abi") (result i32) (i32.const 1))
          (func (export "hw_alloc") (param $n i32) (result i32)
            (global.set $live (i32.add (global.get $live) (i32.const 1)))
            (global.get $heap)
            (global.set $heap (i32.add (global.get $heap) (local.get $n))))
          (func (export "hw_free") (param i32 i32)
            (global.set $live (i32.sub (global.get $live) (i32.const 1))))
          (func (export "hw_result_ptr") (result i32) (global.get $ptr))
          (func (export "hw_result_len") (result i32) (global.get $len))
          ;; Keeps the guest given as a file and its handle, uses it, and answers what came of it.
          (func (export "hw_file") (param i32 i32 i32 i32)
            (i32.store (i32.const 0) (call $new (local.get 2) (local.get 3))))
          (func (export "hw_explain") (param i32) (result i32) (local $g i32)
            (local.set $g (i32.load (i32.const 0)))
            ;; memory[100] of the guest = "abcd", bump(100) adds 1 to its first byte, read it back
            (i32.store (i32.const 16) (i32.const 0x64636261))
            (if (i32.ne (i32.const 1) (call $write (local.get $g) (i32.const 100) (i32.const 16) (i32.const 4))) (then (unreachable)))
            (i32.store (i32.const 20) (i32.const 100))
            (if (call $call (local.get $g) (i32.const 64) (i32.const 4) (i32.const 20) (i32.const 1) (i32.const 24)) (then (unreachable)))
            (if (i32.ne (i32.load (i32.const 24)) (i32.const 77)) (then (unreachable)))
            (if (i32.eqz (call $call (local.get $g) (i32.const 72) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 24))) (then (unreachable)))
            (if (call $read (local.get $g) (i32.const -4) (i32.const 16) (i32.const 8)) (then (unreachable)))
            (if (i32.eqz (call $read (local.get $g) (i32.const 100) (i32.const 32) (i32.const 4))) (then (unreachable)))
            (global.set $len (i32.add (i32.const 4)
              (call $log (local.get $g) (i32.const 36) (i32.const 20))))
            (global.set $ptr (i32.const 32))
            (call $drop (local.get $g))
            (i32.const 0))
          (func (export "hw_close") (param i32) (if (global.get $live) (then (unreachable))))
          {functions})"#
    );
    wat::parse_str(&wat)
        .unwrap_or_else(|e| panic!("the test's own engine is well formed: {e}\n{wat}"))
}

fn load(bytes: &[u8]) -> WasmEngine {
    WasmEngine::load(bytes, Arc::new(WasmtimeSandbox::default())).expect("the engine starts")
}

const OPEN: &str = r#"(export "hw_open") (param i32 i32 i32 i32 i32 i32) (result i32)"#;
const STATUS: &str = r#"(export "hw_status") (param i32) (result i32)"#;

#[test]
fn guests_of_the_module_run_in_the_hosts_sandbox() {
    let mut engine = load(&tiny(&[(OPEN, "(i32.const 1)", "{}")]));
    let guest = wat::parse_str(
        r#"(module (import "hw" "log" (func $log (param i32 i32 i32)))
             (memory (export "memory") 1 1)
             (func (export "bump") (param i32) (result i32)
               (i32.store8 (local.get 0) (i32.add (i32.load8_u (local.get 0)) (i32.const 1)))
               (call $log (i32.const 3) (local.get 0) (i32.const 4))
               (i32.const 77))
             (func (export "die") (result i32) (unreachable)))"#,
    )
    .expect("well formed");
    engine.file("udfs/bump.wasm", &guest).expect("kept");
    let (job, _) = engine.open("a.sql", "SELECT 1", &Options::default()).expect("opens");
    let answer = engine.explain(job).expect("answers");
    assert_eq!(answer.as_bytes(), b"bbcd\x03\x04\0\0\0bbcd");
    assert!(
        engine.explain(job).is_err(),
        "the guest has been dropped: the engine's own bug, a trap"
    );
    let broken = engine.status(job).expect_err("an engine that trapped stays out of use");
    assert_eq!(broken[0].code, "host.engine-trapped");
}

#[test]
fn answers_and_refusals_become_types() {
    let status = r#"{"step":18446744073709551615,"at_us":2,"events":3,"finished":true,
        "failed":{"code":"udf.fuel","message":"out of fuel","hint":"h","source":"a.md","line":3,
        "column":4,"end_line":3,"end_column":9},"hash":"00ff","committed_rows":4,"checkpoints":5,
        "fuel":6,"horizon":7}"#;
    let tables = r#"{"tables":[{"name":"result","connector":"collect","updating":true,
        "columns":[{"name":"a","type":"BIGINT"}],"committed":[["1"],[null]],"kinds":["+I","-D"],
        "seqs":[4,5]}]}"#;
    let refusal = r#"{"diagnostics":[{"code":"sql.x","message":"m","hint":null,"source":null,
        "line":1,"column":2,"end_line":1,"end_column":3}]}"#;
    let warning = r#"{"warnings":[{"code":"sql.w","message":"mind"}]}"#;
    let needs = r#"{"needs":[{"path":"d.jsonl","kind":"data"},{"path":"g.wasm","kind":"guest"}]}"#;
    let one = r#"(export "hw_output") (param i32) (result i32)"#;
    let two = r#"(export "hw_inject") (param i32 i32 i32) (result i32)"#;
    let three = r#"(export "hw_needs") (param i32 i32 i32 i32) (result i32)"#;
    let seek = r#"(export "hw_seek") (param i32 i32 i32) (result i32)"#;
    let mut engine = load(&tiny(&[
        (OPEN, "(i32.const 1)", warning),
        (STATUS, "(i32.const 1)", status),
        (one, "(i32.const 0)", tables),
        (two, "(i32.const 0)", refusal),
        (three, "(i32.const 1)", needs),
        // The high half of the step must arrive as the second number.
        (
            seek,
            "(if (i32.ne (local.get 2) (i32.const 1)) (then (unreachable))) (i32.const 1)",
            status,
        ),
    ]));
    let (job, warnings) = engine
        .open("a.sql", "SELECT 1", &Options { seed: Some(7), ..Options::default() })
        .expect("opens");
    assert_eq!(warnings[0].message, "mind");
    let status = engine.status(job).expect("answers");
    assert_eq!((status.step, status.horizon, status.finished), (u64::MAX, 7, true));
    let failed = status.failed.expect("a failure");
    assert_eq!((failed.code, failed.span.expect("a place").end.column), ("udf.fuel", 9));
    let tables = engine.output(job).expect("answers");
    assert_eq!(tables[0].rows[1], Row { kind: "-D", cells: vec![None] });
    let errors = engine.inject(job, "at now crash x").expect_err("refused");
    assert_eq!(errors[0].code, "sql.x");
    let needs = engine.needs("a.sql", "SELECT 1").expect("answers");
    assert_eq!(needs[1], WireNeed { path: "g.wasm".into(), guest: true });
    engine.seek(job, 1 << 32).expect("goes there");
    engine.close(job).expect("every buffer has been freed");
}

#[test]
fn what_is_no_engine_is_refused_with_a_reason() {
    let sandbox = || Arc::new(WasmtimeSandbox::default());
    let code = |bytes: &[u8]| match WasmEngine::load(bytes, sandbox()) {
        Ok(_) => panic!("this is no engine"),
        Err(errors) => errors[0].code,
    };
    assert_eq!(code(b"nonsense"), "host.refused-module");
    assert_eq!(code(&wat::parse_str("(module)").expect("well formed")), "host.refused-engine");
    let newer = r#"(module (memory (export "memory") 1)
        (func (export "hw_abi") (result i32) (i32.const 2)))"#;
    assert_eq!(code(&wat::parse_str(newer).expect("well formed")), "host.engine-abi");
    let mut liar = load(&tiny(&[
        (OPEN, "(global.set $len (i32.const 0x7fffffff)) (i32.const 0)", "{}"),
        (STATUS, "(i32.const 1)", "[1,"),
    ]));
    let errors = liar.open("a.sql", "", &Options::default()).expect_err("a result outside memory");
    assert_eq!(errors[0].code, "host.refused-engine");
}
