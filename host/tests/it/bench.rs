//! The benchmark's workloads on `engine.wasm` give what the loops give; the browser gets the same list.

use std::fs;

use highwater::bench::ground::{Workload, loops};
use highwater::bench::module::Module;
use highwater::bench::seek;
use highwater_builder::{artifacts, workspace};
use serde_json::{Value, json};

/// Enough for some windows to close and some records to be late.
const RECORDS: u64 = 120_000;

/// What a workload must give.
fn expected(workload: Workload, records: u64) -> Value {
    let published = workload.published().filter(|_| records == highwater::bench::PUBLISHED_RECORDS);
    let t = published.unwrap_or_else(|| loops::run(workload, &workload.input(records)));
    json!({
        "records": records, "rows": t.rows, "late": t.late, "counts": t.counts, "sums": t.sums,
        "maxima": t.maxima,
    })
}

/// A long trace to seek in, and where the start of it leads.
fn seeks() -> Value {
    let short = seek::simulated(4_000).expect("it runs").status();
    json!({
        "sql": seek::SQL, "options": { "parallelism": 2, "batch_rows": 1 },
        "small": {
            "beyond": 4_000, "seeks": 30, "events": short.events, "step": short.step, "hash": short.hash,
        },
        "full": { "beyond": 1_000_000, "seeks": 200 },
    })
}

#[test]
fn the_workloads_on_engine_wasm_give_what_the_loops_give() {
    let path = artifacts::engine().expect("engine.wasm builds");
    let mut module = Module::load(Some(&path)).expect("it is an engine");
    let mut list = Vec::new();
    for workload in Workload::ALL.into_iter().chain(Workload::features()) {
        let columns = workload.input(RECORDS);
        let loops = loops::run(workload, &columns);
        for batch_rows in [1_000, 8_192] {
            let found = module.run(workload, &columns, batch_rows).expect("runs");
            assert_eq!(found, loops, "{}, batches of {batch_rows}", workload.name());
        }
        // The browser makes the columns of W1 to W5 alone.
        if !Workload::ALL.contains(&workload) {
            continue;
        }
        list.push(json!({
            "workload": workload.name(),
            "sql": workload.sql("push"),
            "small": expected(workload, RECORDS),
            "full": expected(workload, highwater::bench::PUBLISHED_RECORDS),
        }));
    }
    let list = json!({ "workloads": list, "seek": seeks() }).to_string();
    fs::write(workspace::output().join("bench.json"), list).expect("the list for the browser");
}
