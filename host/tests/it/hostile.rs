//! Guests that misbehave, on every host: the same clear error at the same fuel, and life goes on.

use std::fs;
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater::wasm_engine::WasmEngine;
use highwater_builder::{artifacts, workspace};
use highwater_engine::error::Diagnostic;
use highwater_engine::session::{Fast, Files, Options, Session, Status};
use highwater_hostile::{ALL, honest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Two records of the hour from 08:00, then one whose watermark, 09:30, closes that hour.
const RECORDS: &str = r#"
```jsonl cars
{"@at": "2024-05-01 08:00:02", "lane": "north", "passed": "2024-05-01 08:00:01"}
{"@at": "2024-05-01 08:10:02", "lane": "north", "passed": "2024-05-01 08:10:01"}
{"@at": "2024-05-01 09:31:02", "lane": "north", "passed": "2024-05-01 09:30:01"}
```
"#;

const TABLE: &str = "
CREATE TABLE cars (lane STRING, passed TIMESTAMP(3),
  WATERMARK FOR passed AS passed - INTERVAL '1' SECOND);
SET 'execution.checkpointing.interval' = '10 min';
CREATE FUNCTION guest AS 'guest.wasm' LANGUAGE WASM;
";

const WINDOW: &str = "SELECT lane, window_start, n
FROM TABLE(guest(TABLE cars PARTITION BY lane, DESCRIPTOR(passed)));";

const JOIN: &str = "SELECT `first_passed`, `second_passed`
FROM TABLE(guest(first => TABLE cars, second => TABLE cars, UPPER => INTERVAL '1' HOUR));";

/// What the honest guest gives: the records of each hour counted.
const COUNTED: &str = r#"{"lane":"north","window_start":"2024-05-01 08:00:00.000","n":2}
{"lane":"north","window_start":"2024-05-01 09:00:00.000","n":1}
"#;

/// One job around a guest.
struct Case {
    name: String,
    script: String,
    guest: Vec<u8>,
}

impl Case {
    fn new(name: &str, query: &str, guest: Vec<u8>) -> Case {
        let script = format!("# A guest\n\n```sql{TABLE}{query}\n```\n{RECORDS}");
        Case { name: format!("{name}.md"), script, guest }
    }

    fn files(&self) -> Files {
        let mut files = Files::default();
        files.insert("guest.wasm", self.guest.as_slice());
        files
    }

    fn options(&self) -> Options {
        Options::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What the hosts are compared by.
fn result(status: &Status, rows: &str, snapshot: Option<&[u8]>) -> Value {
    json!({
        "step": status.step,
        "hash": status.hash,
        "fuel": status.fuel,
        "committed_rows": status.committed_rows,
        "failed": status.failed.as_ref().map(Diagnostic::to_json),
        "rows": hex(&Sha256::digest(rows.as_bytes())),
        "snapshot": snapshot.map(|s| hex(&Sha256::digest(s))),
    })
}

fn on_native(case: &Case) -> (Status, Value, String) {
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let mut session =
        Session::open(&case.name, &case.script, &case.files(), sandbox, &case.options())
            .unwrap_or_else(|e| panic!("{} is admitted: {e:?}", case.name));
    let status = session.finish();
    let rows: String = session.tables().iter().map(|t| t.jsonl()).collect();
    let result = result(&status, &rows, session.snapshot().as_deref());
    (status, result, rows)
}

fn on_wasm(engine: &mut WasmEngine, case: &Case) -> (Status, Value, String) {
    engine.file("guest.wasm", &case.guest).expect("a file");
    let (job, _) = engine
        .open(&case.name, &case.script, &case.options())
        .unwrap_or_else(|e| panic!("{} is admitted: {e:?}", case.name));
    let status = engine.step(job, u32::MAX).expect("the module lives");
    let rows = engine.rows(job).expect("rows");
    let snapshot = engine.snapshot(job).expect("a snapshot or none");
    engine.close(job).expect("closed");
    let result = result(&status, &rows, snapshot.as_deref());
    (status, result, rows)
}

/// The runner's failure, natively.
fn on_runner(case: &Case) -> Option<Diagnostic> {
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let fast = Fast::open(&case.name, &case.script, &case.files(), sandbox, &case.options())
        .unwrap_or_else(|e| panic!("{} is admitted: {e:?}", case.name));
    fast.run(&mut |_, _| Ok(()), &mut |_| {}).err().map(|e| *e)
}

/// The failure says which operator failed, at which record, and after how much fuel if fuel was why.
fn check_failure(case: &Case, code: &str, operator: &str, failed: &Diagnostic) {
    let message = &failed.message;
    assert_eq!(failed.code, code, "{}: {message}", case.name);
    assert!(message.starts_with(&format!("{operator}: record ")), "{}: {message}", case.name);
    // Only results are asked for when the third record has moved the watermark; all else is at the first.
    let record = if message.contains("`win_result`") { 3 } else { 1 };
    assert!(message.contains(&format!(": record {record}: ")), "{}: {message}", case.name);
    if record == 3 {
        let window = "(window 2024-05-01 08:00:00.000 to 2024-05-01 09:00:00.000)";
        assert!(message.ends_with(window), "{}: {message}", case.name);
    }
}

/// Runs a case on both hosts that live in this process and returns what they agree on.
fn agreed(engine: &mut WasmEngine, case: &Case) -> (Status, Value, String) {
    let (status, native, rows) = on_native(case);
    let (_, wasm, wasm_rows) = on_wasm(engine, case);
    assert_eq!(wasm, native, "{}", case.name);
    assert_eq!(wasm_rows, rows, "{}", case.name);
    (status, native, rows)
}

fn engine() -> WasmEngine {
    let bytes = fs::read(artifacts::engine().expect("engine.wasm builds")).expect("engine.wasm");
    WasmEngine::load(&bytes, Arc::new(WasmtimeSandbox::default())).expect("it loads")
}

fn listed(case: &Case, result: Value) -> Value {
    json!({
        "example": case.name,
        "script": case.script,
        "files": { "guest.wasm": hex(&case.guest) },
        "options": {},
        "injections": [],
        "result": result,
    })
}

/// A join of nothing but a memory and the given body of `join_match`.
fn join(body: &str) -> Vec<u8> {
    let manifest = r#"{\"abi\":1,\"kind\":\"join\",\"name\":\"pairs\",\"version\":\"1.0.0\",\"description\":\"Pairs.\",\"inputs\":[{\"name\":\"first\",\"columns\":[]},{\"name\":\"second\",\"columns\":[]}],\"output\":[],\"state\":[],\"parameters\":[]}"#;
    wat::parse_str(format!(
        r#"(module (@custom "highwater.manifest" "{manifest}")
            (memory (export "memory") 3 16)
            (global (export "hw_abi_1") i32 (i32.const 1))
            (func (export "hw_arena") (param i32) (result i32) (i32.const 65536))
            (func $deep (param i32) (result i32)
              (i32.add (call $deep (local.get 0)) (i32.const 1)))
            (func (export "join_match") (param i32) (result i32) {body}))"#
    ))
    .expect("well formed")
}

#[test]
fn every_hostile_guest_ends_alike_on_each_host_and_the_next_job_runs() {
    let mut engine = engine();
    let mut runs = Vec::new();
    for guest in ALL {
        let case = Case::new(guest.name, WINDOW, guest.module());
        let (status, result, rows) = agreed(&mut engine, &case);
        let by_runner = on_runner(&case);
        match guest.code {
            Some(code) => {
                let failed = status.failed.as_ref().unwrap_or_else(|| panic!("{}", case.name));
                check_failure(&case, code, "guest", failed);
                assert!(!status.finished, "{}", case.name);
                let by_runner = by_runner.unwrap_or_else(|| panic!("{} ends well", case.name));
                assert_eq!((by_runner.code, &by_runner.message), (code, &failed.message));
                assert_eq!(rows, "", "{}: nothing was final", case.name);
            }
            None => {
                assert!(status.finished && by_runner.is_none(), "{}: {status:?}", case.name);
            }
        }
        // What an instance spends on its own set-up depends on how long instances live: it does not count.
        let set_up = status.failed.as_ref().is_some_and(|f| f.message.contains("`hw_arena`"));
        assert!(status.fuel > 0 || set_up, "{}: {status:?}", case.name);
        runs.push(listed(&case, result));
        // The same process and the same engine.wasm serve an honest guest right after.
        let next = Case::new("honest", WINDOW, honest());
        let (status, _, rows) = agreed(&mut engine, &next);
        assert!(status.finished, "after {}: {status:?}", case.name);
        assert_eq!(rows, COUNTED, "after {}", case.name);
    }
    assert_eq!(runs.len(), ALL.len());
    runs.extend(joins(&mut engine));
    let list = json!({ "runs": runs }).to_string();
    fs::write(workspace::output().join("replay-hostile.json"), list).expect("the browser's list");
}

/// The same for joins: the first pair of candidates is decided when the first record, read by both sides,
/// meets itself.
fn joins(engine: &mut WasmEngine) -> Vec<Value> {
    let cases = [
        ("join-loop", "(loop $again (br $again)) (i32.const 0)", "guest.out-of-fuel"),
        ("join-recursion", "(call $deep (i32.const 0))", "guest.call-depth"),
        ("join-trap", "(unreachable)", "guest.trap"),
        ("join-silent", "(i32.const 0)", "guest.bad-output"),
    ];
    let run = |(name, body, code): (&str, &str, &str)| {
        let case = Case::new(name, JOIN, join(body));
        let (status, result, _) = agreed(engine, &case);
        let failed = status.failed.as_ref().unwrap_or_else(|| panic!("{name} ends well"));
        check_failure(&case, code, "guest", failed);
        let by_runner = on_runner(&case).unwrap_or_else(|| panic!("{name} ends well"));
        assert_eq!((by_runner.code, &by_runner.message), (code, &failed.message));
        listed(&case, result)
    };
    cases.into_iter().map(run).collect()
}

#[test]
fn fuel_is_spent_to_the_last_unit_and_told() {
    let loops = ALL.iter().find(|g| g.name == "endless-loop").expect("it is there");
    let (status, ..) = on_native(&Case::new(loops.name, WINDOW, loops.module()));
    let failed = status.failed.expect("it cannot end");
    let told: u64 = failed
        .message
        .split_whitespace()
        .filter_map(|w| w.parse().ok())
        .next_back()
        .expect("a number");
    // 5,000,000 a call and 50,000 a row; the check that finds the tank empty may overdraw by one block.
    assert!((5_050_000..5_050_100).contains(&told), "{}", failed.message);
    assert!(status.fuel >= told, "the trace's sum holds the failing call: {} {told}", status.fuel);
}
