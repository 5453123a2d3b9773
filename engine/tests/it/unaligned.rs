//! Barriers that overtake: what is in flight is part of the checkpoint, and nothing else is.

use highwater_engine::seeded::plant;
use highwater_engine::session::Session;
use highwater_engine::trace::{Barriers, Event, What};

use crate::drivers::{open, options};
use crate::snapshots::SCRIPT;
use crate::stream::{records, scenario};

const EXAMPLE: &str = include_str!("../../../examples/slow-channel.md");
const ON: &str = "SET 'execution.checkpointing.unaligned.enabled' = 'true';\n";

fn events(mut job: Session) -> Vec<Event> {
    job.finish();
    job.events().to_vec()
}

/// When the first event comes for which this holds, virtual microseconds.
fn when(events: &[Event], holds: impl Fn(&What) -> bool) -> Option<u64> {
    events.iter().find(|event| holds(&event.what)).map(|event| event.at)
}

/// From the beginning of the first checkpoint to its commit point, and what the recovery starts from.
fn first_checkpoint(text: &str) -> (u64, u64) {
    let events = events(open(text, &options(1, 1)));
    let began = when(&events, |what| matches!(what, What::CheckpointStart { .. }));
    let done = when(&events, |what| matches!(what, What::CheckpointComplete { .. }));
    let restored = events.iter().find_map(|event| match event.what {
        What::Restore { checkpoint } => Some(checkpoint),
        _ => None,
    });
    let took = done.expect("a checkpoint is complete") - began.expect("it has begun");
    (took, restored.expect("the job crashes"))
}

#[test]
fn a_slow_channel_holds_up_aligned_barriers_only() {
    let (took, restored) = first_checkpoint(EXAMPLE);
    assert!(took < 20_000, "{took} µs");
    assert_eq!(restored, 1);
    let aligned = EXAMPLE.replace("unaligned.enabled' = 'true'", "unaligned.enabled' = 'false'");
    assert_ne!(aligned, EXAMPLE);
    // It is not complete when the crash comes, so that the job starts from nothing.
    assert_eq!(first_checkpoint(&aligned).1, 0);
    let calm = aligned.replace("at 1200ms crash takings/0", "at 9s crash takings/0");
    let events = events(open(&calm, &options(1, 1)));
    let began = when(&events, |what| matches!(what, What::CheckpointStart { .. })).expect("begun");
    let done = when(&events, |what| matches!(what, What::CheckpointComplete { .. }));
    assert!(done.expect("complete") - began >= 500_000);
    assert!(!events.iter().any(|event| matches!(event.what, What::InFlight { .. })));
}

/// A run that starts from a snapshot says what the run it is of says from there on, whatever was in flight.
#[test]
fn every_unaligned_checkpoint_restores_to_the_same_rest() {
    let slow = "\n```faults\nat 0s delay t/0->group/0 for 300s\nat 0s delay window/0->windows/0 for 300s\n```\n";
    let text = scenario(&records(160, 2), &format!("{ON}{SCRIPT}"));
    let text = format!("{text}\n```toml settings\nseed = 5\n```\n{slow}");
    let job = || open(&text, &options(2, 3));
    let mut whole = job();
    whole.finish();
    let (mut run, mut before, mut restored) = (job(), None, 0);
    let mut in_flight = 0;
    while !run.step(1).finished {
        let newest = run.snapshot();
        if newest == before {
            continue;
        }
        let bytes = newest.clone().expect("there is one from here on");
        before = newest;
        let mut resumed = job();
        resumed.restore(&bytes).expect("it is restored");
        assert!(resumed.finish().finished);
        for (whole, rest) in whole.tables().iter().zip(resumed.tables()) {
            assert!(whole.jsonl().ends_with(&rest.jsonl()), "{}", whole.spec.table);
        }
        restored += 1;
    }
    for event in run.events() {
        if let What::InFlight { rows, .. } = event.what {
            in_flight += rows;
        }
    }
    assert!(restored > 5, "{restored} checkpoints");
    assert!(in_flight > 5, "{in_flight} rows in flight");
}

/// Forty records within a millisecond, a checkpoint behind each in turn, and a crash behind that.
fn lost_in_bursts() -> Vec<u64> {
    let record = |i: u32| {
        let ts = format!("2024-05-01 12:00:00.{:03}", i * 20);
        format!(r#"{{"@at": "2024-05-01 12:00:01", "k": {}, "v": {i}, "ts": "{ts}"}}"#, i % 3)
    };
    let records: Vec<String> = (0..40).map(record).collect();
    let job = |faults: &str| {
        let text = format!(
            "```sql\nCREATE TABLE t (k INT, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);\n{ON}\
             SELECT k, COUNT(*) AS n, SUM(v) AS s FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
             INTERVAL '0.1' SECOND)) GROUP BY k, window_start, window_end;\n```\n\n\
             ```jsonl t\n{}\n```\n\n```faults\n{faults}```\n",
            records.join("\n")
        );
        open(&text, &options(2, 1))
    };
    let broken = |n: &u64| {
        let mut run =
            job(&format!("on arrive {n} checkpoint\non checkpoint-complete 1 crash t/0\n"));
        assert!(run.finish().finished, "a checkpoint behind record {n}");
        let unaligned = |event: &Event| {
            matches!(event.what, What::CheckpointStart { barriers: Barriers::Unaligned, .. })
        };
        assert!(*n == 40 || run.events().iter().any(unaligned), "behind record {n}");
        !run.delivery().iter().all(|found| found.keeps(run.guarantee()))
    };
    (1..=40).filter(broken).collect()
}

#[test]
fn a_checkpoint_in_a_burst_holds_what_came_before_it_and_nothing_else() {
    assert_eq!(lost_in_bursts(), [0_u64; 0]);
    let Some(planted) = plant("a-barrier-is-overtaken") else { return };
    assert!(!lost_in_bursts().is_empty(), "nothing shows that a barrier is overtaken");
    drop(planted);
}
