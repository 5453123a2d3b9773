//! Delivery guarantees: what a crash at any step costs under each of them, counted from the trace.

use std::collections::BTreeSet;

use highwater_engine::session::{Delivery, Every, Guarantee, Session, Victim, broken};
use highwater_engine::trace::{Event, What};

use crate::drivers::{open, options};
use crate::stream::{records, scenario};

const ROWS: &str = "SELECT k, g, v, ts FROM t WHERE g < 2;";
const WINDOWS: &str = "SELECT k, window_end, COUNT(*) AS n, LISTAGG(CAST(ts AS STRING)) AS who \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";
const GROUPS: &str = "SELECT k, COUNT(*) AS n FROM t GROUP BY k;";
const JOIN: &str = "SELECT a.k, a.ts, b.ts AS other FROM t AS a JOIN t AS b \
    ON a.k = b.k AND a.g < b.g AND a.ts BETWEEN b.ts - INTERVAL '5' SECOND AND b.ts;";

fn session(script: &str, guarantee: Guarantee, (parallelism, batch): (u32, u32)) -> Session {
    let set = format!("SET 'highwater.guarantee' = '{}';\n{script}", guarantee.name());
    open(&scenario(&records(60, 2), &set), &options(parallelism, batch))
}

fn one(delivery: &[Delivery]) -> &Delivery {
    assert_eq!(delivery.len(), 1, "{delivery:?}");
    &delivery[0]
}

/// Rows that a run has made visible, by the place of their record.
fn visible(session: &Session) -> Vec<u64> {
    session.tables()[0].rows.iter().map(|row| row.1).collect()
}

/// A row a record: what is lost, and what comes twice, is told by what had been read and was visible.
#[test]
fn a_crash_costs_what_had_been_read_or_shown() {
    let (mut lost, mut again) = (0, 0);
    for (parallelism, batch) in [(1, 1), (3, 5)] {
        let steps = session(ROWS, Guarantee::ExactlyOnce, (parallelism, batch)).finish().step;
        for guarantee in Guarantee::ALL {
            for step in 0..steps {
                let mut run = session(ROWS, guarantee, (parallelism, batch));
                run.step(step);
                run.inject("at now crash result/0").expect("it is a fault");
                // What happens at the same moment comes first, be it the end.
                let crashed = |e: &Event| matches!(e.what, What::Crash { .. });
                while !run.events().iter().any(crashed) && !run.step(1).finished {}
                let read = run.events().iter().filter_map(|e| match e.what {
                    What::Arrive { seq, .. } => Some(seq),
                    _ => None,
                });
                let (read, shown) = (read.collect::<BTreeSet<u64>>(), visible(&run));
                let status = run.finish();
                assert!(status.finished, "{:?}", status.failed);
                let from = run.events().iter().find_map(|e| match e.what {
                    What::Replay { from, .. } => Some(from),
                    _ => None,
                });
                let found = run.delivery();
                let found = one(&found);
                let (missing, twice) = match guarantee {
                    Guarantee::AtMostOnce => (read.len() - shown.len(), 0),
                    Guarantee::AtLeastOnce => {
                        (0, shown.iter().filter(|seq| from.is_some_and(|f| **seq >= f)).count())
                    }
                    Guarantee::ExactlyOnce => (0, 0),
                };
                let place = format!("{} after step {step}", guarantee.name());
                assert_eq!(
                    (found.lost, found.duplicated),
                    (missing as u64, twice as u64),
                    "{place}"
                );
                assert_eq!((found.reordered, found.wrong), (0, 0), "{place}");
                assert_eq!(found.expected, 60);
                lost += missing;
                again += twice;
            }
        }
    }
    assert!(lost > 50 && again > 50, "{lost} {again}");
}

/// Whatever the pipeline, a crash at every step keeps the guarantee; and each of the weaker ones is seen to cost
/// something.
#[test]
fn torture_finds_what_each_guarantee_allows_and_no_more() {
    for script in [ROWS, WINDOWS, GROUPS, JOIN] {
        for guarantee in Guarantee::ALL {
            let job = session(script, guarantee, (2, 4));
            let torture = job
                .torture(
                    Every { victims: &Victim::ALL.map(|(_, victim)| victim), step: 1, again: None },
                    &mut |_, _| {},
                )
                .expect("the job runs");
            assert_eq!(torture.violations, [], "{script}");
            assert_eq!((torture.single, torture.double), (3 * torture.steps, 0), "{script}");
            let [total] = torture.tables.as_slice() else { panic!("one table") };
            match guarantee {
                // A changelog that begins anew says the same again.
                Guarantee::AtMostOnce => {
                    assert!(total.lost > 0 && (total.duplicated == 0) == (script != GROUPS));
                }
                Guarantee::AtLeastOnce => assert!(total.lost == 0 && total.duplicated > 0),
                Guarantee::ExactlyOnce => {
                    assert_eq!(total.expected, total.delivered);
                    assert_eq!(total.lost + total.duplicated + total.reordered + total.wrong, 0);
                }
            }
        }
    }
}

/// A record counts at most once, and only where it would have counted: no window opens a second time.
#[test]
fn what_is_lost_at_most_once_counts_nowhere_else() {
    let whole = session(WINDOWS, Guarantee::AtMostOnce, (2, 4));
    let members = |session: &Session| -> Vec<(String, String)> {
        let tables = session.tables();
        let rows = tables[0].rows.iter();
        rows.flat_map(|(_, _, row)| {
            let (key, end) = (row[0].to_text(), row[1].to_text());
            let list = row[3].to_text();
            list.split(',').map(|who| (format!("{key} {end}"), who.to_owned())).collect::<Vec<_>>()
        })
        .collect()
    };
    let mut calm = whole.fork();
    let steps = calm.finish().step;
    let all = members(&calm);
    let mut fewer = 0;
    for step in 0..steps {
        let mut run = whole.fork();
        run.step(step);
        run.inject("at now crash window/0").expect("it is a fault");
        assert!(run.finish().finished);
        let mut left = all.clone();
        for member in members(&run) {
            let place = left.iter().position(|m| *m == member);
            let place = place.unwrap_or_else(|| panic!("{member:?} after step {step}"));
            left.swap_remove(place);
        }
        let windows: BTreeSet<String> = members(&run).into_iter().map(|m| m.0).collect();
        assert_eq!(windows.len(), run.tables()[0].rows.len(), "a window twice after step {step}");
        fewer += left.len();
    }
    assert!(fewer > 50, "{fewer}");
}

/// A second crash, behind every step of the recovery from the first.
#[test]
fn a_crash_in_a_recovery_keeps_the_guarantee() {
    let records = records(14, 1);
    for guarantee in Guarantee::ALL {
        let set = format!("SET 'highwater.guarantee' = '{}';\n{WINDOWS}", guarantee.name());
        let job = open(&scenario(&records, &set), &options(2, 3));
        let torture = job
            .torture(Every { victims: &[Victim::Task], step: 1, again: Some(1) }, &mut |_, _| {})
            .expect("the job runs");
        assert_eq!(torture.violations, []);
        // Without a replay the restart is all there is of a recovery.
        let steps = if guarantee.replays() { torture.single + 1 } else { torture.single };
        assert!(torture.double >= steps, "{torture:?}");
    }
}

/// The coordinator dies when all states are in, while a sink has yet to write what came before them: a checkpoint
/// that held neither those rows nor their records would lose them.
#[test]
fn a_dead_coordinator_completes_nothing_that_sinks_have_not_written() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let whole = session(ROWS, guarantee, (1, 1));
        let steps = whole.fork().finish().step;
        for step in 0..steps {
            let mut run = whole.fork();
            run.step(step);
            run.inject("at now sink-slow result/0 for 25 s").expect("it is a fault");
            run.inject("on snapshot 2 crash coordinator").expect("it is a fault");
            assert!(run.finish().finished);
            let found = run.delivery();
            assert!(one(&found).keeps(guarantee), "after step {step}: {found:?}");
        }
    }
}

/// The checker itself, over rows changed by hand.
#[test]
fn deliveries_are_counted() {
    let mut job = session(ROWS, Guarantee::ExactlyOnce, (1, 1));
    job.finish();
    let expected = &job.tables()[0];
    let counted = |change: &dyn Fn(&mut Vec<usize>)| {
        let mut places: Vec<usize> = (0..expected.rows.len()).collect();
        change(&mut places);
        let mut delivered = expected.clone();
        delivered.rows = places.iter().map(|&place| expected.rows[place].clone()).collect();
        let found = Delivery::of(expected, &delivered);
        assert_eq!((found.expected, found.delivered), (60, places.len() as u64));
        (found.lost, found.duplicated, found.reordered, found.wrong)
    };
    assert_eq!(counted(&|_| {}), (0, 0, 0, 0));
    assert_eq!(counted(&|rows| rows.truncate(57)), (3, 0, 0, 0));
    assert_eq!(counted(&|rows| rows.insert(9, 5)), (0, 1, 0, 0));
    assert_eq!(counted(&|rows| rows.swap(20, 21)), (0, 0, 1, 0));
    assert_eq!(counted(&|rows| rows[30] = 2), (1, 1, 0, 0));
    let mut other = expected.clone();
    other.rows[7].2[3] = highwater_engine::value::Value::Null;
    let found = Delivery::of(expected, &other);
    assert_eq!((found.lost, found.wrong), (1, 1));
    assert!(found.keeps(Guarantee::AtMostOnce) && !found.keeps(Guarantee::AtLeastOnce));
}

/// Sources have what has arrived within their retention, and not what came a moment before.
#[test]
fn a_recovery_reads_what_sources_still_have() {
    let job = |retention: &str| {
        let row = |s: u32| {
            let at = format!("2024-01-01 00:00:{s:02}");
            format!("{{\"@at\": \"{at}\", \"a\": {s}, \"ts\": \"{at}\"}}\n")
        };
        let rows: String = (0..20).map(row).collect();
        let text = format!(
            "# Retention\n\n```sql\nCREATE TABLE t (a INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);\n\
             SET 'highwater.source.retention' = '{retention}';\n\
             SET 'execution.checkpointing.interval' = '1 h';\nSELECT a FROM t;\n```\n\n\
             ```jsonl t\n{rows}```\n\n```faults\nat 9s crash t/0\n```\n"
        );
        let mut job = open(&text, &options(1, 1));
        job.finish()
    };
    // It starts again a second later, and has to read the first record, which is ten seconds old by then.
    assert!(job("10 s").finished);
    let failed = job("9999 ms").failed.expect("the first record is gone");
    assert_eq!(failed.code, "source.retention");
    assert!(failed.message.contains("place 1 "), "{failed}");
}

/// What the settings say of a job that crashes over and over.
#[test]
fn a_job_starts_again_as_its_policy_says() {
    let job = |policy: &str| {
        let row = |s: u32| {
            let at = format!("2024-01-01 00:{:02}:{:02}", s / 60, s % 60);
            format!("{{\"@at\": \"{at}\", \"a\": {s}, \"ts\": \"{at}\"}}\n")
        };
        let rows: String = (0..200).map(row).collect();
        let faults: String = (1..4).map(|i| format!("at {}s crash t/0\n", 30 * i)).collect();
        let text = format!(
            "# Policy\n\n```sql\nCREATE TABLE t (a INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);\n{policy}\
             SELECT a FROM t;\n```\n\n```jsonl t\n{rows}```\n\n```faults\n{faults}```\n"
        );
        let mut job = open(&text, &options(1, 1));
        let status = job.finish();
        let when = |event: &Event| match event.what {
            What::Crash { .. } => Some((true, event.at)),
            What::Restore { .. } => Some((false, event.at)),
            _ => None,
        };
        let turns: Vec<_> = job.events().iter().filter_map(when).collect();
        let waits: Vec<u64> = turns
            .windows(2)
            .filter(|pair| pair[0].0 && !pair[1].0)
            .map(|pair| (pair[1].1 - pair[0].1) / 1_000)
            .collect();
        (status.failed.map(|failed| failed.code), waits)
    };
    let set = |key: &str, value: &str| format!("SET 'restart-strategy.{key}' = '{value}';\n");
    assert_eq!(job(""), (None, vec![1_000; 3]));
    let exponential = set("type", "exponential-delay");
    assert_eq!(job(&exponential), (None, vec![1_000, 1_500, 2_250]));
    let capped = exponential.clone()
        + &set("exponential-delay.backoff-multiplier", "10")
        + &set("exponential-delay.max-backoff", "4 s");
    assert_eq!(job(&capped), (None, vec![1_000, 4_000, 4_000]));
    let reset = exponential + &set("exponential-delay.reset-backoff-threshold", "20 s");
    assert_eq!(job(&reset), (None, vec![1_000; 3]));
    assert_eq!(job(&set("fixed-delay.attempts", "2")), (Some("run.restarts"), vec![1_000; 2]));
    assert_eq!(job(&set("type", "none")), (Some("run.restarts"), vec![]));
}

/// Where one of two sources was silent, the least of both does not say how far time was: a late record must not open a
/// window again that has fired before the crash.
#[test]
fn at_most_once_remembers_how_far_time_was_behind_a_silent_source() {
    let rows = |rows: &[(u32, u32)]| -> String {
        let row = |(at, ts): &(u32, u32)| {
            format!(
                "{{\"@at\": \"2024-05-01 12:00:{at:02}\", \"ts\": \"2024-05-01 12:00:{ts:02}\"}}\n"
            )
        };
        rows.iter().map(row).collect()
    };
    let script = "SET 'table.exec.source.idle-timeout' = '1 s';\n\
                  CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS ts);\n\
                  CREATE TABLE u (ts TIMESTAMP(3), WATERMARK FOR ts AS ts);\n\
                  CREATE VIEW z AS SELECT ts FROM t UNION ALL SELECT ts FROM u;\n\
                  SELECT window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE z, DESCRIPTOR(ts), \
                  INTERVAL '2' SECONDS)) GROUP BY window_start, window_end;";
    // Idle at the crash; awake again before it, and behind.
    for (t, crash) in [(&[(1, 1), (12, 12)][..], 5), (&[(1, 1), (6, 2), (12, 12)][..], 6)] {
        let text = format!(
            "# Silence\n\n```sql\n{script}\n```\n\n```jsonl t\n{}```\n\n```jsonl u\n{}```\n\n\
             ```faults\nat {crash}s crash window/0\n```\n",
            rows(t),
            rows(&[(1, 2), (5, 5), (8, 3), (9, 9)])
        );
        let mut job = open(&text, &options(1, 1)).promising(Guarantee::AtMostOnce);
        assert!(job.finish().finished);
        let table = job.tables().remove(0);
        let mut ends: Vec<String> = table.rows.iter().map(|(_, _, row)| row[0].to_text()).collect();
        let shown = ends.len();
        ends.sort();
        ends.dedup();
        assert_eq!(shown, ends.len(), "{}", table.jsonl());
        let found = broken(job.events(), job.header(), job.guarantee());
        assert_eq!(found, [""; 0]);
    }
}

/// Keys of one text, and idle partitions whose marks have places: nothing is wrong with these.
#[test]
fn what_looks_wrong_and_is_not() {
    let table = "CREATE TABLE t (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);\n";
    let windows = "SELECT k, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
                   INTERVAL '5' SECONDS)) GROUP BY k, window_start, window_end;";
    let row = |at: u32, partition: u32, key: &str, ts: u32| {
        format!(
            "{{\"@at\": \"2024-05-01 12:00:{at:02}\", \"@partition\": {partition}, \"k\": {key}, \
             \"ts\": \"2024-05-01 12:00:{ts:02}\"}}\n"
        )
    };
    let alike = row(1, 0, "null", 1) + &row(2, 0, "\"NULL\"", 2);
    let mut idle = String::new();
    for (partition, ts) in [(0, 1), (1, 2), (2, 12)] {
        idle += &row(1, partition, "\"a\"", ts);
    }
    for partition in 0..3 {
        idle += &row(12, partition, "\"a\"", 12);
    }
    let timeout = "SET 'table.exec.source.idle-timeout' = '1 s';\n";
    for (set, rows) in [("", alike), (timeout, idle)] {
        let text =
            format!("# Alike\n\n```sql\n{set}{table}{windows}\n```\n\n```jsonl t\n{rows}```\n");
        let job = open(&text, &options(1, 1));
        for guarantee in Guarantee::ALL {
            let every = Every { victims: &[Victim::Task], step: 1, again: None };
            let found = job.promising(guarantee).torture(every, &mut |_, _| {}).expect("it runs");
            assert_eq!(found.violations, [], "{set}{}", guarantee.name());
        }
    }
}
