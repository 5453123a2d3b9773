//! One job, three hosts: the engine compiled in, `engine.wasm` under wasmtime, and, through the list this
//! writes, `engine.wasm` in the browser. Traces, rows, snapshots and fuel must be equal.

use std::fs;
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater::simulation;
use highwater::wasm_engine::WasmEngine;
use highwater_builder::{artifacts, workspace};
use highwater_engine::session::{Guarantee, Options, Session, Status};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::example::{self, Example};

/// Crashes tried on every example.
const CRASHES: u64 = 50;
/// Seeds from which jobs and faults are drawn.
const SEEDS: u64 = 200;

fn mix(x: u64) -> u64 {
    let x = x.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 31)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A fault at a step; `None`: a run without faults.
type Crash = Option<(u64, String)>;

fn native(example: &Example) -> Session {
    let sandbox = Arc::new(WasmtimeSandbox::default());
    Session::open(&example.name, &example.text, &example.files, sandbox, &Options::default())
        .expect("the example opens")
}

/// What a run gives, as the three hosts are compared by.
fn on_native(start: &Session, crash: &Crash) -> Value {
    let mut session = start.fork();
    if let Some((step, fault)) = crash {
        session.step(*step);
        session.inject(fault).expect("a fault");
    }
    let status = session.finish();
    assert!(status.finished, "{:?}", status.failed);
    digest(&status, &session)
}

fn digest(status: &Status, session: &Session) -> Value {
    let rows: String = session.tables().iter().map(|t| t.jsonl()).collect();
    json!({
        "step": status.step,
        "hash": status.hash,
        "fuel": status.fuel,
        "committed_rows": status.committed_rows,
        "rows": hex(rows.as_bytes()),
        "snapshot": session.snapshot().map(|s| hex(&s)),
    })
}

fn on_wasm(engine: &mut WasmEngine, example: &Example, crash: &Crash) -> Value {
    let (handle, _) =
        engine.open(&example.name, &example.text, &Options::default()).expect("it opens");
    if let Some((step, fault)) = crash {
        engine.step(handle, u32::try_from(*step).expect("few steps")).expect("steps");
        engine.inject(handle, fault).expect("a fault");
    }
    let status = engine.step(handle, u32::MAX).expect("steps");
    let rows = engine.rows(handle).expect("rows");
    let snapshot = engine.snapshot(handle).expect("a snapshot");
    engine.close(handle).expect("closed");
    json!({
        "step": status.step,
        "hash": status.hash,
        "fuel": status.fuel,
        "committed_rows": status.committed_rows,
        "rows": hex(rows.as_bytes()),
        "snapshot": snapshot.map(|s| hex(&s)),
    })
}

/// Fault-free, then crashes at seeded steps of seeded tasks.
fn crashes(steps: u64, tasks: &[String], salt: u64) -> Vec<Crash> {
    let seeded = (0..CRASHES).map(|i| {
        let step = 1 + mix(salt ^ (2 * i + 1)) % (steps - 1);
        let task = &tasks[(mix(salt ^ (2 * i + 2)) % tasks.len() as u64) as usize];
        Some((step, format!("at now crash {task}")))
    });
    [None].into_iter().chain(seeded).collect()
}

#[test]
fn examples_are_equal_natively_and_in_wasmtime_with_and_without_crashes() {
    let bytes = fs::read(artifacts::engine().expect("engine.wasm builds")).expect("engine.wasm");
    let mut listed = Vec::new();
    for (e, example) in example::all().iter().enumerate() {
        let mut engine =
            WasmEngine::load(&bytes, Arc::new(WasmtimeSandbox::default())).expect("it loads");
        for name in example.files.paths() {
            let file = example.files.get(name).expect("listed");
            engine.file(name, &file).expect("a file");
        }
        let start = native(example);
        let steps = {
            let mut once = start.fork();
            once.finish().step
        };
        let tasks: Vec<String> = start.header().tasks.iter().map(|t| t.name.clone()).collect();
        for crash in crashes(steps, &tasks, e as u64) {
            let expected = on_native(&start, &crash);
            let found = on_wasm(&mut engine, example, &crash);
            assert_eq!(found, expected, "{} with {crash:?}", example.name);
            let injections: Vec<Value> =
                crash.iter().map(|(step, fault)| json!({ "step": step, "fault": fault })).collect();
            listed.push(json!({
                "example": example.name,
                "options": {},
                "injections": injections,
                "result": expected,
            }));
        }
    }
    let list = json!({ "runs": listed }).to_string();
    fs::write(workspace::output().join("replay.json"), list).expect("the list for the browser");
}

/// Jobs, knobs and faults drawn from seeds, under each guarantee in turn. Some of them stop before their end, on all
/// hosts alike.
#[test]
fn drawn_jobs_with_faults_are_equal_natively_and_in_wasmtime() {
    let bytes = fs::read(artifacts::engine().expect("engine.wasm builds")).expect("engine.wasm");
    let mut engine =
        WasmEngine::load(&bytes, Arc::new(WasmtimeSandbox::default())).expect("it loads");
    let mut listed = Vec::new();
    for (seed, guarantee) in (0..SEEDS).zip(Guarantee::ALL.into_iter().cycle()) {
        let name = format!("seed-{seed}.md");
        let text = simulation::scenario(seed, 0, guarantee).expect("the job is sound");
        let example = example::with_text(&name, &text);
        for path in example.files.paths() {
            let file = example.files.get(path).expect("listed");
            engine.file(path, &file).expect("a file");
        }
        let mut session = native(&example);
        let expected = digest(&session.finish(), &session);
        let found = on_wasm(&mut engine, &example, &None);
        assert_eq!(found, expected, "{name}");
        listed.push(json!({
            "example": name,
            "script": text,
            "files": {},
            "options": {},
            "injections": [],
            "result": expected,
        }));
    }
    let list = json!({ "runs": listed }).to_string();
    fs::write(workspace::output().join("replay-seeds.json"), list).expect("the browser's list");
}

/// Rows committed after a snapshot was taken, as the resumed run commits them: with the rows of the
/// snapshot's own checkpoint.
#[test]
fn a_snapshot_of_one_host_resumes_in_the_other() {
    let bytes = fs::read(artifacts::engine().expect("engine.wasm builds")).expect("engine.wasm");
    let example = example::open("earthquakes.md");
    let mut engine =
        WasmEngine::load(&bytes, Arc::new(WasmtimeSandbox::default())).expect("it loads");
    for name in example.files.paths() {
        let file = example.files.get(name).expect("listed");
        engine.file(name, &file).expect("a file");
    }
    let start = native(&example);
    let mut halfway = start.fork();
    let total = start.fork().finish().step;
    halfway.step(total / 2);
    let snapshot = halfway.snapshot().expect("a checkpoint by then");

    let mut resumed = start.fork();
    resumed.restore(&snapshot).expect("it resumes natively");
    let native_status = resumed.finish();
    let (handle, _) =
        engine.open(&example.name, &example.text, &Options::default()).expect("it opens");
    engine.restore(handle, &snapshot).expect("it resumes in wasmtime");
    let wasm_status = engine.step(handle, u32::MAX).expect("steps");
    assert!(native_status.finished && wasm_status.finished);
    assert_eq!(native_status.hash, wasm_status.hash);
    let rows: String = resumed.tables().iter().map(|t| t.jsonl()).collect();
    assert_eq!(engine.rows(handle).expect("rows"), rows);
    // The resumed rows are the end of what an uninterrupted run gives, table by table.
    let mut whole = start.fork();
    whole.finish();
    for (whole, resumed) in whole.tables().iter().zip(resumed.tables()) {
        assert!(whole.jsonl().ends_with(&resumed.jsonl()), "{}", resumed.spec.table);
        assert!(resumed.rows.len() < whole.rows.len(), "{} resumed from nothing", whole.spec.table);
    }
    // And the other way round: a snapshot made in wasmtime resumes natively.
    let made = engine.snapshot(handle).expect("a snapshot").expect("the last checkpoint");
    assert_eq!(Some(made), resumed.snapshot());
}

#[test]
fn a_planted_difference_of_a_millisecond_is_seen() {
    let example = example::open("first-window.md");
    let planted = example.text.replace("08:00:04\"}", "08:00:04.001\"}");
    assert_ne!(planted, example.text);
    let planted = example::with_text("first-window.md", &planted);
    let honest = on_native(&native(&example), &None);
    let other = on_native(&native(&planted), &None);
    assert_ne!(honest["hash"], other["hash"]);
    assert_eq!(honest["rows"], other["rows"], "no row shows it: only the trace does");
}
