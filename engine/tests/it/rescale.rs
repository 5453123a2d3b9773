//! Jobs gone on from a savepoint with more or fewer subtasks: key groups move, and nobody can tell from the rows.

use highwater_engine::session::Session;

use crate::drivers::{open, options};
use crate::snapshots::SCRIPT;
use crate::stream::{records, scenario};

fn job(parallelism: u32) -> Session {
    let text = scenario(&records(160, 2), SCRIPT);
    open(&format!("{text}\n```toml settings\nseed = 5\n```\n"), &options(parallelism, 3))
}

/// From every other checkpoint on with another parallelism, and back: the rows are those that the job would have said.
#[test]
fn key_groups_move_with_their_state() {
    let mut points = 0;
    for (from, to) in [(1, 3), (3, 2), (2, 7), (7, 1)] {
        let mut run = job(from);
        assert!(run.finish().finished);
        let moved = run.goes_on_as(&job(to), 2);
        points += moved.unwrap_or_else(|wrong| panic!("{from} to {to}: {wrong}"));
    }
    assert!(points > 30, "{points}");
}

/// A savepoint is where the run stands, whatever checkpoints there are, and changes nothing of the run.
#[test]
fn a_savepoint_goes_on_with_any_parallelism() {
    let unaligned = "SET 'execution.checkpointing.unaligned.enabled' = 'true';\n";
    let text = scenario(&records(160, 2), &format!("{unaligned}{SCRIPT}"));
    let of = |parallelism| open(&text, &options(parallelism, 3));
    let mut whole = of(3);
    whole.finish();
    let ended = whole.savepoint().expect_err("there is nothing left to save");
    assert_eq!(ended.code, "savepoint.ended");
    let mut stands = of(3);
    stands.stand_after(Some(70)).expect("there are more records");
    let made = stands.savepoint().expect("it runs");
    assert_eq!(made, stands.savepoint().expect("it runs"), "taking one changes nothing");
    for parallelism in [1, 2, 3, 8] {
        let mut moved = of(parallelism);
        moved.restore(&made).expect("it is of this job");
        assert!(moved.finish().finished);
        for ((whole, shown), rest) in whole.tables().iter().zip(stands.tables()).zip(moved.tables())
        {
            let (whole, rest) = (whole.jsonl(), rest.jsonl());
            let left: Vec<&str> = whole.lines().skip(shown.rows.len()).collect();
            assert!(!left.is_empty(), "{}", shown.spec.table);
            assert_eq!(rest.lines().collect::<Vec<_>>(), left, "{parallelism} subtasks");
        }
    }
}

/// What overtaken records were on their way to cannot be dealt out anew: that is told.
#[test]
fn records_in_flight_hold_a_snapshot_to_its_parallelism() {
    let unaligned = "SET 'execution.checkpointing.unaligned.enabled' = 'true';\n";
    let text = scenario(&records(160, 2), &format!("{unaligned}{SCRIPT}"));
    let mut run = open(&text, &options(3, 3));
    let steps = run.fork().finish().step;
    run.step(steps / 2);
    let bytes = run.snapshot().expect("a checkpoint by then");
    open(&text, &options(3, 3)).restore(&bytes).expect("as many subtasks");
    let refused = open(&text, &options(2, 3)).restore(&bytes).expect_err("fewer");
    assert_eq!(refused.code, "snapshot.in-flight");
    assert!(refused.message.contains("3 subtasks"), "{refused}");
    let other = scenario(&records(160, 2), "SELECT k, COUNT(*) FROM t GROUP BY k;");
    let refused = open(&other, &options(2, 3)).restore(&bytes).expect_err("another plan");
    assert_eq!(refused.code, "snapshot.mismatch");
}

/// Records that a seed draws go on with that seed alone.
#[test]
fn drawn_records_hold_a_snapshot_to_their_seed() {
    let script = "CREATE TABLE d (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH \
                  ('connector' = 'datagen', 'number-of-rows' = '60', 'rows-per-second' = '1');\n\
                  SELECT k FROM d;";
    let with = |script: &str, seed: u64| {
        let text =
            format!("# Drawn\n\n```sql\n{script}\n```\n\n```toml settings\nseed = {seed}\n```\n");
        open(&text, &options(1, 1))
    };
    let of = |seed: u64| with(script, seed);
    let mut stands = of(5);
    stands.stand_after(Some(20)).expect("there are more records");
    let made = stands.savepoint().expect("it runs");
    let error = of(6).restore(&made).expect_err("records of another seed");
    assert_eq!(error.code, "snapshot.seed");
    assert!(error.message.contains("seed 5") && error.message.contains("seed 6"), "{error}");
    let mut moved = of(5);
    moved.restore(&made).expect("it is of this job");
    assert!(moved.finish().finished);
    // Whoever draws nothing may have any seed.
    let counted = script.replace(
        "'number-of-rows'",
        "'fields.k.kind' = 'sequence', 'fields.k.start' = '1', 'fields.k.end' = '90', 'number-of-rows'",
    );
    let mut stands = with(&counted, 5);
    stands.stand_after(Some(20)).expect("there are more records");
    let made = stands.savepoint().expect("it runs");
    with(&counted, 6).restore(&made).expect("its records are the same");
    let mut run = job(2);
    run.finish();
    let text = scenario(&records(160, 2), SCRIPT);
    let mut other = open(&format!("{text}\n```toml settings\nseed = 6\n```\n"), &options(2, 3));
    other.restore(&run.snapshot().expect("a checkpoint by then")).expect("its records are given");
}
