//! Two runs compared: what is known of small scenarios by hand, and what other parts of the engine say of the same runs.

use highwater_engine::session::{Comparison, Files, Guarantee, Latency, Session, TableDiff};
use highwater_engine::time::parse_timestamp;
use highwater_engine::trace::What;

use crate::sandbox::Interpreter;
use crate::stream::{records, scenario};

const GUARANTEES: &str = include_str!("../../../examples/three-guarantees.md");

fn set(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A run to its end under some settings.
fn run(text: &str, settings: &[(&str, &str)]) -> Session {
    let (files, sandbox) = (Files::default(), Interpreter::shared());
    let opened = Session::to_compare("job.md", text, &files, sandbox, &set(settings));
    let mut session = opened.expect("it opens");
    session.finish();
    session
}

/// Why a file does not open, under some settings: codes, messages and hints.
fn refused(text: &str, settings: &[(&str, &str)]) -> String {
    let (files, sandbox) = (Files::default(), Interpreter::shared());
    match Session::to_compare("job.md", text, &files, sandbox, &set(settings)) {
        Ok(_) => panic!("{settings:?} is refused"),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    }
}

fn one(found: &Comparison) -> &TableDiff {
    assert_eq!(found.tables.len(), 1);
    &found.tables[0]
}

/// Sums of ten seconds. Record 3 closes the first window at 12:00:13; record 4 of that window is a second late.
fn sums(delay: u32, more: &str, blocks: &str) -> String {
    let table = format!(
        "CREATE TABLE t (v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '{delay}' SECOND);"
    );
    let records: String = [1, 5, 13, 4, 25]
        .iter()
        .zip([1, 5, 13, 14, 25])
        .map(|(ts, at)| {
            let time = |second: i32| format!("2024-05-01 12:00:{second:02}");
            format!("{{\"@at\": \"{}\", \"v\": 1, \"ts\": \"{}\"}}\n", time(at), time(*ts))
        })
        .collect();
    format!(
        "```sql\n{table}\n\
         CREATE TABLE sums (closes TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');\n\
         SET 'execution.checkpointing.interval' = '60 s';\n{more}\n\
         INSERT INTO sums SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
         INTERVAL '10' SECONDS)) GROUP BY window_start, window_end;\n```\n\n\
         ```jsonl t\n{records}```\n\n{blocks}"
    )
}

/// The rows that only one run has: its sign, the row's kind, when its window closes, the count.
fn differing(table: &TableDiff) -> Vec<String> {
    let rows = table.differing.iter().map(|row| {
        let sign = ["-", "+"][row.run];
        let values: Vec<String> = row.values.iter().map(|value| value.to_text()).collect();
        format!("{sign} {} {}", row.kind.symbol(), values.join(" "))
    });
    rows.collect()
}

#[test]
fn a_run_is_no_different_from_itself() {
    let query = "SELECT k, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
        INTERVAL '10' SECONDS)) GROUP BY k, window_start, window_end;";
    for text in [GUARANTEES.to_owned(), sums(2, "", ""), scenario(&records(60, 2), query)] {
        let found = Comparison::of(&run(&text, &[]), &run(&text, &[]));
        assert!(!found.rows_differ() && found.parted.is_none());
        assert!(!found.tables.is_empty());
        for table in &found.tables {
            assert_eq!(table.rows, [Some(table.both); 2], "{}", table.table);
            assert!(table.both > 0 && table.differing.is_empty() && table.same_columns());
            assert_eq!(table.latency[0], table.latency[1]);
        }
        assert!(found.dropped.iter().all(|d| d.records[0] == d.records[1]));
        assert_eq!(found.runs[0], found.runs[1]);
        assert!(found.runs[0].finished && found.runs[0].steps > 0 && found.runs[0].duration > 0);
    }
}

/// The same numbers as `expect delivery` of the example has them, and as the delivery checker counts them.
#[test]
fn a_guarantee_costs_what_the_delivery_checker_counts() {
    let by_hand = [
        (Guarantee::AtMostOnce, [[9, 1, 0], [2, 1, 0]]),
        (Guarantee::AtLeastOnce, [[13, 0, 3], [4, 0, 1]]),
        (Guarantee::ExactlyOnce, [[10, 0, 0], [3, 0, 0]]),
    ];
    let a = run(GUARANTEES, &[]);
    for (guarantee, expected) in by_hand {
        let b = run(GUARANTEES, &[("highwater.guarantee", guarantee.name())]);
        assert_eq!(b.guarantee(), guarantee);
        let found = Comparison::of(&a, &b);
        let counted = b.delivery();
        assert_eq!(found.tables.len(), counted.len());
        for ((table, counted), expected) in found.tables.iter().zip(&counted).zip(expected) {
            let [lost, more] = table.only();
            assert_eq!([table.rows[1].expect("it is there"), lost, more], expected);
            assert_eq!(table.table, counted.table);
            let wrong = counted.duplicated + counted.wrong;
            assert_eq!([lost, more], [counted.lost, wrong], "{}", guarantee.name());
            assert_eq!(table.reordered, counted.reordered);
            assert_eq!(table.differing.len() as u64, lost + more);
        }
        assert_eq!(found.rows_differ(), guarantee != Guarantee::ExactlyOnce);
        assert_eq!(found.parted.is_none(), guarantee == Guarantee::ExactlyOnce);
        assert_eq!([found.runs[0].restarts, found.runs[1].restarts], [1, 1]);
    }
}

#[test]
fn a_longer_lateness_takes_the_late_record_in() {
    let text = sums(2, "", "");
    let (a, b) = (run(&text, &[]), run(&text, &[("table.exec.emit.allow-lateness", "5 s")]));
    let found = Comparison::of(&a, &b);
    let table = one(&found);
    assert_eq!((table.rows, table.both, table.only()), ([Some(3), Some(5)], 3, [0, 2]));
    assert_eq!(table.reordered, 0);
    let closes = "2024-05-01 12:00:10.000";
    let changes = [format!("+ -U {closes} 2"), format!("+ +U {closes} 3")];
    assert_eq!(differing(table), changes);
    let [dropped] = found.dropped.as_slice() else { panic!("{:?}", found.dropped) };
    assert_eq!((dropped.unreadable, dropped.records), (false, [Some(1), Some(0)]));
    let parted = found.parted.as_ref().expect("the traces part");
    let [Some(late), Some(_)] = &parted.lines else { panic!("{parted:?}") };
    assert!(late.contains(" late seq=4 "), "{late}");
    let at = parted.event as usize - 1;
    assert_eq!(a.events()[..at], b.events()[..at]);
    assert_ne!(a.events()[at], b.events()[at]);
}

#[test]
fn a_longer_delay_of_the_watermark_makes_other_rows() {
    let found = Comparison::of(&run(&sums(2, "", ""), &[]), &run(&sums(8, "", ""), &[]));
    let table = one(&found);
    assert_eq!((table.rows, table.both, table.only()), ([Some(3); 2], 2, [1, 1]));
    let closes = "2024-05-01 12:00:10.000";
    assert_eq!(differing(table), [format!("- +I {closes} 2"), format!("+ +I {closes} 3")]);
    assert_eq!(found.dropped[0].records, [Some(1), Some(0)]);
}

/// One checkpoint at the end shows all rows. Two windows are closed by records 3 and 5, the third by the end.
#[test]
fn latency_is_from_the_first_reading_of_a_record_until_its_row_is_shown() {
    let text = sums(2, "", "");
    let a = run(&text, &[]);
    let shown = a.events().iter().find_map(|event| match event.what {
        What::Commit { rows: 3, .. } => Some(event.at),
        _ => None,
    });
    let since = |time: &str| {
        let at = parse_timestamp(&format!("2024-05-01 {time}")).expect("a time");
        shown.expect("all rows are shown at once") - at as u64 * 1_000
    };
    let (third, fifth) = (since("12:00:13"), since("12:00:25"));
    let expected = Latency { rows: 2, without_record: 1, p50: fifth, p99: third, max: third };
    let b = run(&text, &[("highwater.guarantee", "at-least-once")]);
    let found = Comparison::of(&a, &b);
    let [Some(waits), Some(at_once)] = one(&found).latency else { panic!("both have the table") };
    assert_eq!(waits, expected);
    // Shown as soon as they reach the sink: what is left is the way there.
    assert_eq!((at_once.rows, at_once.without_record), (2, 1));
    assert!(at_once.p50 <= at_once.max && at_once.max < 1_000_000, "{at_once:?}");
    let [a, b] = &found.runs;
    assert_eq!((a.checkpoints, a.failed_checkpoints, b.checkpoints), (1, 0, 1));
    assert!(a.most_bytes.is_some() && a.most_bytes == a.last_bytes);
}

/// The crash comes before any checkpoint: all is read again, and record 4 is late once more.
#[test]
fn what_a_replay_drops_again_counts_once() {
    let crash = "```faults\nat 20s crash sums/0\n```\n";
    let (calm, crashed) = (run(&sums(2, "", ""), &[]), run(&sums(2, "", crash), &[]));
    let late = |session: &Session| {
        session.events().iter().filter(|e| matches!(e.what, What::Late { .. })).count()
    };
    assert_eq!((late(&calm), late(&crashed)), (1, 2));
    let found = Comparison::of(&calm, &crashed);
    assert_eq!(found.dropped[0].records, [Some(1), Some(1)]);
    assert_eq!([found.runs[0].restarts, found.runs[1].restarts], [0, 1]);
    assert!(!found.rows_differ());
    // Record 3 is read at 12:00:13 and again after the restart; all rows are shown behind record 5, at 12:00:25.
    let [Some(a), Some(b)] = one(&found).latency else { panic!("both have the table") };
    assert!(a.max > 12_000_000 && b.max > 12_000_000, "{a:?} {b:?}");
    // A checkpoint that the crash cuts off is begun and never complete.
    let often = [("execution.checkpointing.interval", "1 s"), ("highwater.seed", "3")];
    let b = run(&sums(2, "", "```faults\non checkpoint-start 2 crash sums/0\n```\n"), &often);
    let found = Comparison::of(&calm, &b);
    assert_eq!(found.runs[1].failed_checkpoints, 1);
    let complete =
        |e: &&highwater_engine::trace::Event| matches!(e.what, What::CheckpointComplete { .. });
    assert_eq!(found.runs[1].checkpoints, b.events().iter().filter(complete).count() as u64);
}

/// A table of one column and one record a value, as an own table of rows.
fn plain(kind: &str, values: &[&str], more: &str) -> String {
    let records: String = values.iter().map(|v| format!("{{\"v\": {v}}}\n")).collect();
    format!(
        "```sql\nCREATE TABLE t (v {kind});\n\
         CREATE TABLE seen (v {kind}) WITH ('connector' = 'print');\n{more}\
         INSERT INTO seen SELECT v FROM t;\n```\n\n```jsonl t\n{records}```\n"
    )
}

#[test]
fn rows_are_paired_as_often_as_both_runs_have_them() {
    let a = run(&plain("INT", &["1", "2", "3", "3", "5"], ""), &[]);
    let b = run(&plain("INT", &["2", "1", "3", "6"], ""), &[]);
    let found = Comparison::of(&a, &b);
    let table = one(&found);
    assert_eq!((table.both, table.only(), table.reordered), (3, [2, 1], 1));
    assert_eq!(differing(table), ["- +I 3", "+ +I 6", "- +I 5"]);
    // The same rows in another order are not the same table.
    let b = run(&plain("INT", &["2", "1", "3", "3", "5"], ""), &[]);
    let found = Comparison::of(&a, &b);
    assert!(one(&found).differing.is_empty() && found.rows_differ());
}

#[test]
fn tables_are_the_same_by_name_and_columns_may_differ() {
    let other = "CREATE TABLE more (v INT) WITH ('connector' = 'print');\n\
        INSERT INTO more SELECT v FROM t;\nINSERT INTO seen SELECT v + 10 FROM t;\n";
    let a = run(&plain("INT", &["1", "2"], ""), &[]);
    let b = run(&plain("INT", &["1", "2"], other), &[]);
    let found = Comparison::of(&a, &b);
    let named: Vec<_> = found.tables.iter().map(|t| (t.table.as_str(), t.rows)).collect();
    // Two statements write to `seen` in B.
    assert_eq!(named, [("seen", [Some(2), Some(4)]), ("more", [None, Some(2)])]);
    assert_eq!((found.tables[0].both, found.tables[1].only()), (2, [0, 2]));
    assert!(found.tables[1].differs() && !found.tables[1].same_columns());
    let wide = run(&plain("BIGINT", &["1", "2"], ""), &[]);
    let found = Comparison::of(&a, &wide);
    let table = one(&found);
    assert!(!table.same_columns() && !table.differs());
    // 10 and 1.0 are the same digits.
    let tens = run(&plain("DECIMAL(2, 0)", &["10", "20"], ""), &[]);
    let ones = run(&plain("DECIMAL(2, 1)", &["1.0", "2.0"], ""), &[]);
    assert_eq!(one(&Comparison::of(&tens, &ones)).both, 0);
}

/// A setting from outside holds whatever the script and its settings block say.
#[test]
fn settings_from_outside_hold() {
    let query = "SET 'parallelism.default' = '3';\n\
        SELECT k, COUNT(*) AS n FROM t GROUP BY k;\n```\n\n```toml settings\nparallelism = 2\n";
    let text = scenario(&records(20, 1), query);
    let subtasks = |settings: &[(&str, &str)]| {
        let session = run(&text, settings);
        session.header().tasks.iter().filter(|task| task.kind == "aggregate").count()
    };
    assert_eq!(subtasks(&[]), 2);
    assert_eq!(subtasks(&[("parallelism.default", "4")]), 4);
    let twice = [("parallelism.default", "4"), ("parallelism.default", "1")];
    assert_eq!(subtasks(&twice), 1);
    let slower = run(&plain("INT", &["1", "2"], ""), &[("highwater.t.interval", "5 s")]);
    let found = Comparison::of(&run(&plain("INT", &["1", "2"], ""), &[]), &slower);
    assert!(found.runs[1].duration >= found.runs[0].duration + 4_000_000, "{:?}", found.runs);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let text = plain("INT", &["1"], "");
    for (key, value, told) in [
        ("highwater.guarante", "at-most-once", "did you mean `highwater.guarantee`?"),
        ("highwater.guarante", "at-most-once", "[sql.unknown-setting]"),
        ("something.else", "1", "`highwater help sql` lists them"),
        (
            "highwater.guarantee",
            "often",
            "'often' is no value of highwater.guarantee [sql.setting]",
        ),
        ("highwater.guarantee", "often", "it takes"),
        ("pipeline.max-parallelism", "32769", "[sql.setting]"),
        ("highwater.t.interval", "soon", "'soon' is no value of highwater.t.interval"),
        ("highwater.x.interval", "1 s", "no table `x` is read"),
    ] {
        let errors = refused(&text, &[(key, value)]);
        assert!(errors.contains(told), "{errors}");
    }
    // Each of several is told.
    let both = refused(&text, &[("highwater.guarantee", "often"), ("something.else", "1")]);
    assert_eq!(both.matches(" [sql.").count(), 2, "{both}");
    let nothing = "```sql\nCREATE TABLE t (v INT);\n```\n\n```jsonl t\n{\"v\": 1}\n```\n";
    assert!(refused(nothing, &[]).contains("nothing to run"));
    let shown = nothing.replace(");\n", ");\nEXPLAIN SELECT v FROM t;\n");
    assert!(refused(&shown, &[]).contains("[compare.no-rows]"));
    let endless =
        "```sql\nCREATE TABLE g (n INT) WITH ('connector' = 'datagen');\nSELECT n FROM g;\n```\n";
    let errors = refused(endless, &[]);
    assert!(errors.contains("job.md"), "{errors}");
}

/// A run that its settings make fail is something to compare.
#[test]
fn a_run_that_stops_is_compared_as_far_as_it_came() {
    let crash = "```faults\nat 20s crash sums/0\nat 21s crash sums/0\nat 23s crash sums/0\n```\n";
    let text = sums(2, "", crash);
    let limit = [("restart-strategy.fixed-delay.attempts", "1")];
    let found = Comparison::of(&run(&text, &[]), &run(&text, &limit));
    assert!(found.runs[0].finished && !found.runs[1].finished);
    let stopped = found.runs[1].stopped.as_ref().expect("it has stopped");
    assert_eq!(stopped.code, "run.restarts");
    assert_eq!(one(&found).only(), [3, 0]);
}

/// What operators hold is what their tasks write, subtasks together, at the checkpoint where that is most.
#[test]
fn state_is_told_operator_by_operator() {
    let text = scenario(
        &records(160, 2),
        "SELECT k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
         GROUP BY k, window_start, window_end;",
    );
    let keeps = ("table.exec.emit.allow-lateness", "1 h");
    let (a, b) = (run(&text, &[]), run(&text, &[("parallelism.default", "2"), keeps]));
    let found = Comparison::of(&a, &b);
    let window = found.held.iter().find(|held| held.operator == "window").expect("it has state");
    let [few, many] = window.bytes.map(|bytes| bytes.expect("both have it"));
    for (session, told) in [(&a, few), (&b, many)] {
        let checkpoints = session.events().iter().filter_map(|event| match event.what {
            What::CheckpointComplete { checkpoint, .. } => Some(checkpoint),
            _ => None,
        });
        let written = |wanted: u64| -> u64 {
            let names =
                |task: u16| session.header().tasks[usize::from(task)].name.starts_with("window/");
            let bytes = session.events().iter().filter_map(|event| match event.what {
                What::Snapshot { checkpoint, bytes }
                    if checkpoint == wanted && names(event.task) =>
                {
                    Some(bytes)
                }
                _ => None,
            });
            bytes.sum()
        };
        assert_eq!(checkpoints.map(written).max(), Some(told));
    }
    assert!(many > 2 * few, "{many} bytes of windows that stay, {few} of such that go");
    let other = run(
        &text.replace("GROUP BY k, window_start, window_end", "").replace("k, COUNT(*) AS n", "*"),
        &[],
    );
    let found = Comparison::of(&a, &other);
    let window = found.held.iter().find(|held| held.operator == "window");
    assert_eq!(window.map(|held| held.bytes), Some([Some(few), None]));
}
