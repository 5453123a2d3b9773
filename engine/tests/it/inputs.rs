//! Faults of the input: what arrives late, again or never, worked out by hand.

use highwater_engine::seeded::plant;
use highwater_engine::session::{Every, Guarantee, Session, Victim};
use highwater_engine::time::EventTime;
use highwater_engine::trace::{Event, What};

use crate::drivers::{open, options};

/// 2024-05-01 00:00:00 UTC, milliseconds.
const BEGIN: i64 = 1_714_521_600_000;
const IDLE: &str = "SET 'table.exec.source.idle-timeout' = '3 s';";

/// Two partitions with a record each second up to the 30th: the first at the full ones, the second half a second
/// later. Event times are the full seconds. Windows of 10 s count.
pub fn scenario(settings: &str, faults: &str) -> String {
    let mut text = format!(
        "```sql\nSET 'execution.checkpointing.interval' = '4 s';\n{settings}\n\
         CREATE TABLE t (v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'inline');\n\
         SELECT window_end, COUNT(*) AS n, SUM(v) AS s \
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
         GROUP BY window_start, window_end;\n```\n\n```faults\n{faults}\n```\n\n```jsonl t\n"
    );
    for second in 0..=30 {
        for (partition, later) in [(0, 0), (1, 500)] {
            let ts = EventTime(BEGIN + second * 1_000);
            let at = EventTime(BEGIN + second * 1_000 + later);
            text += &format!(
                "{{\"@at\": \"{at}\", \"@partition\": {partition}, \"v\": {second}, \"ts\": \"{ts}\"}}\n"
            );
        }
    }
    text + "```\n"
}

fn finished(settings: &str, faults: &str) -> Session {
    let mut session = open(&scenario(settings, faults), &options(1, 1));
    let status = session.finish();
    assert!(status.finished, "{:?}", status.failed);
    session
}

/// Tenths of a second since the first record.
fn tenths(at: u64) -> u64 {
    (at - BEGIN as u64 * 1_000) / 100_000
}

/// When the records of a partition arrive.
fn arrivals(session: &Session, wanted: u16) -> Vec<u64> {
    let at = session.events().iter().filter_map(|e| match e.what {
        What::Arrive { partition, .. } if partition == wanted => Some(tenths(e.at)),
        _ => None,
    });
    at.collect()
}

/// What each window has counted, and when it has fired.
fn windows(session: &Session) -> Vec<(String, u64)> {
    let fired = session.events().iter().filter_map(|e| match e.what {
        What::WindowFire { .. } => Some(tenths(e.at)),
        _ => None,
    });
    let tables = session.tables();
    let counts = tables[0].rows.iter().map(|(_, _, row)| row[1].to_text());
    counts.zip(fired).collect()
}

fn told(windows: &[(&str, u64)]) -> Vec<(String, u64)> {
    windows.iter().map(|(count, at)| ((*count).to_owned(), *at)).collect()
}

fn late(session: &Session) -> usize {
    session.events().iter().filter(|e| matches!(e.what, What::Late { .. })).count()
}

/// Records that were thrown away: partition, offset, how many.
fn known(session: &Session) -> Vec<(u16, u64, u64)> {
    let known = session.events().iter().filter_map(|e| match e.what {
        What::SourceRead { partition, offset, records, .. } => Some((partition, offset, records)),
        _ => None,
    });
    known.collect()
}

#[test]
fn a_stalled_partition_holds_windows_back_unless_it_may_be_idle() {
    let calm = finished("", "");
    assert_eq!(windows(&calm), told(&[("20", 105), ("20", 205), ("20", 305), ("2", 305)]));
    let stall = "at 5s source-stall t/1 for 15s";
    let waits = finished("", stall);
    let mut expected: Vec<u64> = (0..5).map(|s| s * 10 + 5).collect();
    expected.extend([200; 15]);
    expected.extend((20..=30).map(|s| s * 10 + 5));
    assert_eq!(arrivals(&waits, 1), expected);
    assert_eq!(arrivals(&waits, 0), arrivals(&calm, 0));
    assert_eq!(windows(&waits), told(&[("20", 200), ("20", 205), ("20", 305), ("2", 305)]));
    assert_eq!(late(&waits), 0);
    // The first window has fired with 5 records of the second partition. The next has all: what comes at 20 s comes in the
    // order in which it would have come, so in front of the first partition's record of that second.
    let idles = finished(IDLE, stall);
    assert_eq!(windows(&idles), told(&[("15", 100), ("20", 205), ("20", 305), ("2", 305)]));
    assert_eq!(late(&idles), 5);
    // Of both partitions at once: nothing arrives, so time stands still.
    let whole = finished(IDLE, "at 4700ms source-stall t for 5s");
    assert_eq!(arrivals(&whole, 0)[4..11], [40, 97, 97, 97, 97, 97, 100]);
    assert_eq!(late(&whole), 0);
}

#[test]
fn a_slow_partition_works_its_backlog_off() {
    let slow = finished("", "at 5s source-slow t/1 every 3s for 10s");
    let mut expected: Vec<u64> = (0..5).map(|s| s * 10 + 5).collect();
    expected.extend([75, 105, 135]);
    expected.extend([150; 7]);
    expected.extend((15..=30).map(|s| s * 10 + 5));
    assert_eq!(arrivals(&slow, 1), expected);
    let to_the_end = finished("", "at 5s source-slow t/1 every 2s");
    let mut expected: Vec<u64> = (0..5).map(|s| s * 10 + 5).collect();
    expected.extend((1..=26).map(|nth| 45 + nth * 20));
    assert_eq!(arrivals(&to_the_end, 1), expected);
    let counts: Vec<String> = windows(&to_the_end).into_iter().map(|w| w.0).collect();
    assert_eq!(counts, ["20", "20", "20", "2"]);
}

/// What a partition's records say, with their offsets.
fn values(session: &Session, wanted: u16) -> Vec<(u64, String)> {
    let values = session.events().iter().filter_map(|e| match &e.what {
        What::Arrive { partition, offset, row, .. } if *partition == wanted => {
            let value = row.split(',').next().and_then(|first| first.strip_prefix("v="));
            Some((*offset, value.expect("`v` is the first column").to_owned()))
        }
        _ => None,
    });
    values.collect()
}

/// Records of 5 to 9 s come 12 s later, between those of 17 to 21 s, and are late: no partition and no timeout is needed.
#[test]
fn a_storm_of_late_data_stands_behind_what_came_in_the_meantime() {
    let fault = "at 5s source-late t/1 by 12s for 5s";
    let run = finished("", fault);
    let mut arrival: Vec<u64> = (0..5).chain(10..17).map(|s| s * 10 + 5).collect();
    arrival.extend((17..22).flat_map(|s| [s * 10 + 5; 2]));
    arrival.extend((22..=30).map(|s| s * 10 + 5));
    assert_eq!(arrivals(&run, 1), arrival);
    let mut order: Vec<u64> = (0..5).chain(10..17).collect();
    // Who has been on the way for longer is there first.
    order.extend((17..22).flat_map(|s| [s - 12, s]));
    order.extend(22..=30);
    let order: Vec<_> = (0..).zip(order.iter().map(u64::to_string)).collect();
    assert_eq!(values(&run, 1), order);
    assert_eq!(arrivals(&run, 0), (0..=30).map(|s| s * 10).collect::<Vec<u64>>());
    // The watermark passes 10 s when the second partition has its record of that second, as without the storm.
    assert_eq!(windows(&run), told(&[("15", 105), ("20", 205), ("20", 305), ("2", 305)]));
    assert_eq!(late(&run), 5);
    // Of a whole source: between 5 and 9.5 s nothing arrives, and the records come 20 s later.
    let whole = finished("", "at 5s source-late t by 20s for 5s");
    assert_eq!(arrivals(&whole, 0)[4..7], [40, 100, 110]);
    assert_eq!((late(&whole), windows(&whole)[0].clone()), (10, ("10".to_owned(), 105)));
    // What is late at the end comes when nothing else does.
    let end = finished("", "at 29s source-late t/0 by 1m");
    assert_eq!(arrivals(&end, 0)[28..], [280, 890, 900]);
    // A second storm does not know of the first; a record that both strike is late by both.
    let twice = finished("", &format!("{fault}\nat 9s source-late t/1 by 3s for 2s"));
    let of = |value: &str| {
        let place = values(&twice, 1).iter().position(|v| v.1 == value).expect("it arrives");
        arrivals(&twice, 1)[place]
    };
    assert_eq!(["8", "9", "10", "11"].map(of), [205, 245, 135, 115]);
}

/// It says so at once: the timeout would be 3 s, or never.
#[test]
fn an_idle_partition_holds_nothing_back() {
    for settings in ["", IDLE] {
        let run = finished(settings, "at 5s source-idle t/1 for 15s");
        let mut expected: Vec<u64> = (0..5).map(|s| s * 10 + 5).collect();
        expected.extend([200; 15]);
        expected.extend((20..=30).map(|s| s * 10 + 5));
        assert_eq!(arrivals(&run, 1), expected);
        assert_eq!(windows(&run), told(&[("15", 100), ("20", 205), ("20", 305), ("2", 305)]));
        assert_eq!(late(&run), 5);
        let idle = run.events().iter().filter_map(|e| match e.what {
            What::Idle { partition, idle } => Some((partition, idle, tenths(e.at))),
            _ => None,
        });
        assert_eq!(idle.collect::<Vec<_>>(), [(1, true, 50), (1, false, 200)]);
    }
    // Of all of them: there is no time that goes on.
    let all = finished("", "at 4700ms source-idle t for 5s");
    assert_eq!((late(&all), arrivals(&all, 0)[4..7].to_vec()), (0, vec![40, 97, 97]));
    // However long: what has been held up comes in the order in which it was, not a partition behind the other.
    for fault in ["source-idle", "source-stall"] {
        let all = finished(IDLE, &format!("at 4700ms {fault} t for 15s"));
        assert_eq!((late(&all), windows(&all)[1].clone()), (0, ("20".to_owned(), 205)), "{fault}");
        assert_eq!(arrivals(&all, 1)[4..7], [45, 197, 197]);
    }
}

#[test]
fn what_comes_again_counts_nothing_twice() {
    let calm = finished("", "");
    let again = finished("", "at 12s source-redeliver t/1 4");
    assert_eq!(known(&again), [(1, 8, 4)]);
    assert_eq!(windows(&again), windows(&calm));
    assert_eq!(arrivals(&again, 1), arrivals(&calm, 1));
    let all = finished("", "at 12300ms source-redeliver t 100");
    assert_eq!(known(&all), [(0, 0, 13), (1, 0, 12)]);
    assert_eq!(windows(&all), windows(&calm));
    for guarantee in Guarantee::ALL {
        let set = format!("SET 'highwater.guarantee' = '{}';", guarantee.name());
        // At the same moment, and when they have been thrown away.
        for crash in ["12s", "12700ms"] {
            let faults = format!(
                "at 12s source-redeliver t/1 7\nat {crash} crash window/0\nat 16s source-redeliver t 2"
            );
            let run = finished(&set, &faults);
            let delivery = run.delivery();
            assert!(delivery[0].keeps(guarantee), "{delivery:?}");
            if guarantee == Guarantee::AtMostOnce {
                assert_eq!(delivery[0].duplicated, 0);
                assert!(arrivals(&run, 1).len() == 31, "none of them counts again");
            }
            assert!(known(&run).ends_with(&[(0, 14, 2), (1, 14, 2)]), "{:?}", known(&run));
        }
    }
}

#[test]
fn a_gap_stops_the_job() {
    let failed = |faults: &str| {
        let mut session = open(&scenario("", faults), &options(1, 1));
        let failed = session.finish().failed.expect("it stops");
        assert_eq!(failed.code, "source.gap");
        assert!(failed.hint.is_some());
        (failed.message, tenths(session.status().at))
    };
    let (message, at) = failed("at 12s source-gap t/1 3");
    assert_eq!(
        message,
        "partition t/1 goes on with offset 15 where offset 12 comes next: the source has lost records 12 to 14"
    );
    // The turn of the first of them would have come then.
    assert_eq!(at, 125);
    let (message, at) = failed("at 28700ms source-gap t/1 9");
    assert_eq!(
        message,
        "partition t/1 ends at offset 31 where offset 29 comes next: the source has lost records 29 to 30"
    );
    assert_eq!(at, 295);
    assert!(
        failed("at 12700ms source-gap t").0.starts_with("partition t/0 goes on with offset 14")
    );
    // No crash brings the records back.
    for crash in ["at 12s crash window/0", "at 12100ms crash t/0", "at 12200ms crash coordinator"] {
        let (message, _) = failed(&format!("at 12s source-gap t/1 3\n{crash}"));
        assert!(message.contains("has lost records 12 to 14"), "{message}");
    }
    // What has been read cannot be lost.
    finished("", "at 31s source-gap t 5");
}

#[test]
fn a_source_that_has_become_shorter_stops_the_job() {
    let failed = |settings: &str, faults: &str| {
        let mut session = open(&scenario(settings, faults), &options(1, 1));
        let failed = session.finish().failed.expect("it stops");
        assert_eq!(failed.code, "source.regressed");
        assert!(failed.hint.is_some_and(|hint| hint.contains("start the job anew")));
        assert!(known(&session).is_empty(), "none of them counts as one that comes again");
        (failed.message, tenths(session.status().at))
    };
    let expected = "partition t/1 ends at offset 9 where the job has come to offset 12: the source has lost records \
                    9 to 11 and gives their offsets to others";
    for guarantee in Guarantee::ALL {
        let settings = format!("SET 'highwater.guarantee' = '{}';", guarantee.name());
        let (message, at) = failed(&settings, "at 12s source-regress t/1 3");
        // When it is asked for the next record.
        assert_eq!((message.as_str(), at), (expected, 125));
    }
    let (message, at) = failed("", "at 12700ms source-regress t");
    assert!(message.starts_with("partition t/0 ends at offset 8 where"), "{message}");
    assert_eq!(at, 130);
    // A redelivery does not hide it, and who has lost more than once has lost all of that.
    for again in ["source-redeliver t/1 3", "source-regress t/1 2"] {
        let faults = format!("at 12s source-regress t/1 3\nat 12100ms {again}");
        assert_eq!(failed("", &faults), (expected.to_owned(), 125));
    }
    // What has not been read cannot go back, and what has ended is not asked any more.
    finished("", "at 300ms source-regress t/1 5");
    finished("", "at 30200ms source-regress t/0 5");
    let Some(planted) = plant("a-regress-is-taken-for-a-redelivery") else { return };
    let run = finished("", "at 12s source-regress t/1 3");
    assert!(!run.delivery()[0].keeps(Guarantee::ExactlyOnce), "three records are lost");
    drop(planted);
}

/// Checkpoints are made at 8 s and 12 s, and have read 8 and 12 records of the partition; the restart is a second
/// behind the crash.
#[test]
fn a_recovery_sees_that_a_source_has_become_shorter() {
    let failed = |faults: &str| {
        let mut session = open(&scenario("", faults), &options(1, 1));
        let failed = session.finish().failed.expect("it stops");
        assert_eq!(failed.code, "source.regressed");
        let restored = |e: &&Event| matches!(e.what, What::Restore { .. });
        let behind = session.events().iter().rev().find(restored).expect("it restarts").step;
        (failed.message, tenths(session.status().at), behind == session.status().step)
    };
    // The checkpoint is behind the log's end: seen as the job goes back.
    let (message, at, at_once) = failed("at 12s source-regress t/1 3\nat 12300ms crash window/0");
    assert!(message.starts_with("partition t/1 ends at offset 9 where"), "{message}");
    assert_eq!((at, at_once), (133, true));
    let (message, at, at_once) = failed("at 11700ms crash window/0\nat 12s source-regress t/1 9");
    assert!(message.starts_with("partition t/1 ends at offset 3 where"), "{message}");
    assert_eq!((at, at_once), (127, true));
    // It is not: seen when all is read again that is left.
    let (message, at, at_once) = failed("at 11700ms crash window/0\nat 12s source-regress t/1 3");
    assert!(message.starts_with("partition t/1 ends at offset 9 where"), "{message}");
    assert_eq!((at, at_once), (127, false));
}

/// A crash behind every step of a job whose input is late: the replay has the same order.
#[test]
fn a_replay_knows_of_delays() {
    let faults = "at 5s source-stall t/1 for 8s\nat 14s source-slow t/0 every 2s for 9s\n\
                  at 16s source-idle t/1 for 2s\nat 20s source-late t/1 by 4s for 3s";
    for guarantee in Guarantee::ALL {
        let settings = format!("{IDLE}\nSET 'highwater.guarantee' = '{}';", guarantee.name());
        let job = open(&scenario(&settings, faults), &options(2, 3));
        let torture = |job: &Session| {
            job.torture(Every { victims: &[Victim::Task], step: 1, again: None }, &mut |_, _| {})
                .expect("the job runs")
        };
        assert_eq!(torture(&job).violations, []);
        for bug in ["a-replay-knows-of-no-delay", "a-replay-knows-of-no-storm"] {
            if guarantee == Guarantee::ExactlyOnce
                && let Some(planted) = plant(bug)
            {
                assert!(torture(&job).violated > 0, "{bug}");
                drop(planted);
            }
        }
    }
}

#[test]
fn runs_with_such_faults_can_be_run_again_sought_and_forked() {
    let faults = "at 5s..9s source-stall t/1 for 6s\nat 8s source-slow t/0 every 1500ms for 9s\n\
                  at 10s source-late t by 5s for 3s\nat 12s source-idle t/1 for 2s\n\
                  at 13s source-redeliver t 3\nat 14s crash window/0\nat 22s source-redeliver t/1\n\
                  at 25s crash t/0";
    let whole = finished(IDLE, faults);
    let status = whole.status();
    assert_eq!(finished(IDLE, faults).status().hash, status.hash);
    for step in (0..status.step).step_by(17) {
        let mut sought = whole.fork();
        sought.seek(step);
        sought.finish();
        assert_eq!(sought.status().hash, status.hash, "from step {step}");
        let mut forked = whole.fork();
        forked.seek(step);
        forked.inject("at now source-stall t for 2s").expect("it is a fault");
        forked.inject("at now source-late t/0 by 3s for 2s").expect("it is a fault");
        forked.inject("at now crash window/0").expect("it is a fault");
        assert!(forked.finish().finished);
        let delivery = forked.delivery();
        assert!(delivery[0].keeps(Guarantee::ExactlyOnce), "from step {step}: {delivery:?}");
    }
    assert!(whole.delivery()[0].keeps(Guarantee::ExactlyOnce));
}

/// What is given to a run on its way delays what has not arrived.
#[test]
fn a_delay_begins_where_the_run_is() {
    let mut run = open(&scenario(IDLE, ""), &options(1, 1));
    // The first step at 5.5 s takes in the record that arrives then.
    while tenths(run.status().at.max(BEGIN as u64 * 1_000)) < 55 {
        run.step(1);
    }
    run.inject("at now source-stall t/1 for 14s").expect("it is a fault");
    run.finish();
    let mut expected: Vec<u64> = (0..6).map(|s| s * 10 + 5).collect();
    expected.extend([195; 14]);
    expected.extend((20..=30).map(|s| s * 10 + 5));
    assert_eq!(arrivals(&run, 1), expected);
    assert_eq!(windows(&run)[0], ("16".to_owned(), 100));
    assert!(run.delivery()[0].keeps(Guarantee::ExactlyOnce), "its calm run is as late");
    assert_eq!(run.faultless().tables()[0].rows.len(), 0);
}

/// The second checkpoint starts at 8 s; a delay holds from the next millisecond on.
#[test]
fn a_delay_may_begin_behind_an_event() {
    let stall = "on checkpoint-start 2 source-stall t/1 for 4999ms";
    let mut expected: Vec<u64> = (0..8).map(|s| s * 10 + 5).collect();
    expected.extend([130; 5]);
    expected.extend((13..=30).map(|s| s * 10 + 5));
    assert_eq!(arrivals(&finished("", stall), 1), expected);
    // Others take no part in it, and what comes of a crash is judged by a run whose input is as late.
    let storm = "on crash source-late t by 12s for 3s\non restore source-idle t/1 for 5s";
    for guarantee in Guarantee::ALL {
        let set = format!("SET 'highwater.guarantee' = '{}';", guarantee.name());
        let run = finished(&set, &format!("at 9s crash window/0\n{storm}"));
        assert!(late(&run) > 5, "{}", late(&run));
        assert!(run.delivery()[0].keeps(guarantee), "{:?}", run.delivery());
        let lines: Vec<String> = ["at 9s crash window/0", &storm.replace('\n', ";")]
            .join(";")
            .split(';')
            .map(str::to_owned)
            .collect();
        let job = open(&scenario(&set, ""), &options(1, 1));
        let trial = job.trial(guarantee, &lines, 1_000).expect("they are faults");
        assert_eq!(
            trial.delays,
            ["at 9001000us source-late t by 12s for 3s", "at 10001000us source-idle t/1 for 5s"]
        );
        let calm =
            job.trial(Guarantee::ExactlyOnce, &trial.delays, 1_000).expect("they are faults");
        assert_eq!(calm.delays, trial.delays);
        assert!(trial.against(&calm)[0].keeps(guarantee));
    }
    // Nobody crashes: nothing is late.
    assert_eq!(
        arrivals(&finished("", "on crash source-late t"), 1),
        arrivals(&finished("", ""), 1)
    );
}
