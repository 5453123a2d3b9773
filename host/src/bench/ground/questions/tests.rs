//! The loops and the engine against each other: on the stream, and where time jumps.

use super::super::loops::tests::jumpy;
use super::super::{Workload, loops, native};

#[test]
fn the_engine_and_the_loops_agree_on_further_features() {
    for workload in Workload::features() {
        let columns = workload.input(120_000);
        let expected = loops::run(workload, &columns);
        for (batch_rows, threads) in [(1_000, 1), (8_192, 1), (1_000, 2), (8_192, 3)] {
            let found = native::run(workload, &columns, batch_rows, threads);
            let found = found.unwrap_or_else(|e| panic!("{}: {e:?}", workload.name()));
            let name = workload.name();
            assert_eq!(found, expected, "{name}, batches of {batch_rows}, {threads} threads");
        }
        assert!(expected.rows > 0 && expected.counts > 0, "{}: {expected:?}", workload.name());
    }
}

#[test]
fn the_engine_and_the_loops_agree_where_time_jumps() {
    for workload in Workload::features() {
        let (mut late, mut rows) = (0, 0);
        for seed in 0..60 {
            let columns = workload.columns_of(&jumpy(seed));
            let expected = loops::run(workload, &columns);
            let found = native::run(workload, &columns, 7, 1).expect("runs");
            assert_eq!(found, expected, "{}, seed {seed}", workload.name());
            late += found.late;
            rows += found.rows;
        }
        let timed = !matches!(workload.name(), "join" | "top-n" | "last");
        assert!(rows > 200 && (late > 100) == timed, "{}: {late}, {rows}", workload.name());
    }
}
