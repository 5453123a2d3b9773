//! `cargo crit`: each workload by the hand-written loop and by the engine, a million bids a run.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use highwater_criterion::ground::{Workload, loops, native};

const RECORDS: u64 = 1_000_000;
const BATCH_ROWS: usize = 8_192;

fn workloads(criterion: &mut Criterion) {
    for workload in Workload::ALL.into_iter().chain(Workload::features()) {
        let columns = workload.input(RECORDS);
        let expected = loops::run(workload, &columns);
        let mut group = criterion.benchmark_group(workload.name());
        group.throughput(Throughput::Elements(RECORDS)).sample_size(10);
        group.bench_function("loop", |b| b.iter(|| loops::run(workload, black_box(&columns))));
        for threads in [1, 2] {
            let run = |columns| native::run(workload, columns, BATCH_ROWS, threads);
            let found = run(&columns).expect("the engine runs it");
            assert_eq!(found, expected, "what is measured is the same work");
            group.bench_function(format!("native, {threads} threads"), |b| {
                b.iter(|| run(black_box(&columns)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, workloads);
criterion_main!(benches);
