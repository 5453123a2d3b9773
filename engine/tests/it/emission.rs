//! Windows that fire early, again and late: against panes counted by hand, and by what must be left of a changelog
//! whatever the trigger.

use std::collections::BTreeMap;

use crate::changelog::{left, sorted};
use crate::drivers::{agree, options, survives, tables, watermarks};
use crate::stream::{Record, or_null, records, scenario, time};

const TUMBLE: &str = "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)";
const HOP: &str = "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '4' SECONDS, INTERVAL '12' SECONDS)";
const CUMULATE: &str =
    "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECONDS, INTERVAL '15' SECONDS)";
const SESSION: &str = "SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS)";

/// Sums of windows, with what is known of each pane.
fn panes(settings: &[(&str, &str)], window: &str) -> String {
    format!(
        "{}SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, PANE_TIMING() AS timing, \
         PANE_INDEX() AS pane, PANE_ON_TIME_INDEX() AS later, PANE_IS_LAST() AS last \
         FROM TABLE({window}) GROUP BY k, window_start, window_end;",
        set(settings)
    )
}

/// The same without.
fn sums(settings: &[(&str, &str)], window: &str) -> String {
    format!(
        "{}SELECT k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, COUNT(DISTINCT g) AS gs \
         FROM TABLE({window}) GROUP BY k, window_start, window_end;",
        set(settings)
    )
}

fn set(settings: &[(&str, &str)]) -> String {
    let one =
        |(key, value): &(&str, &str)| format!("SET '{key}' = '{}';\n", value.replace('\'', "''"));
    settings.iter().map(one).collect()
}

const TRIGGER: &str = "highwater.emit.trigger";
const LATENESS: &str = "table.exec.emit.allow-lateness";
const PANES: &str = "highwater.emit.panes";
const EARLY: &str = "table.exec.emit.early-fire.enabled";
const BATCHED: &str = "table.exec.mini-batch.enabled";
const LATENCY: &str = "table.exec.mini-batch.allow-latency";
const SIZE: &str = "table.exec.mini-batch.size";

#[test]
fn drivers_batches_subtasks_and_crashes_change_no_pane() {
    let late = (LATENESS, "15 s");
    let waits = "after_watermark(early => after_processing_time('3 s'), late => after_count(2))";
    let composed = "or_finally(repeatedly(after_any(after_count(3), after_processing_time('2 s'))), \
                    after_all(after_watermark(), after_count(4)))";
    let scripts = [
        ("as Flink's settings say", sums(&[(EARLY, "true"), late], HOP)),
        ("taken back", panes(&[(TRIGGER, waits), late], TUMBLE)),
        ("repeated", panes(&[(TRIGGER, waits), late, (PANES, "accumulating")], CUMULATE)),
        ("added up", panes(&[(TRIGGER, composed), late, (PANES, "discarding")], HOP)),
        ("sessions", panes(&[(TRIGGER, waits), late], SESSION)),
        ("sessions added up", sums(&[(TRIGGER, composed), late, (PANES, "discarding")], SESSION)),
        ("by time", panes(&[(EARLY, "true"), late, (BATCHED, "true"), (LATENCY, "5 s")], SESSION)),
        (
            "again and again",
            panes(
                &[
                    (
                        TRIGGER,
                        "repeatedly(after_any(after_processing_time('5 s'), after_watermark()))",
                    ),
                    (LATENESS, "1 h"),
                    (PANES, "discarding"),
                ],
                TUMBLE,
            ),
        ),
        ("by number", panes(&[(EARLY, "true"), late, (BATCHED, "true"), (SIZE, "10")], TUMBLE)),
    ];
    for (name, script) in scripts {
        for partitions in [1, 2] {
            agree(name, &scenario(&records(160, partitions), &script));
        }
        survives(name, &scenario(&records(120, 2), &script));
    }
}

/// What a window waits for, before its end or after.
#[derive(Clone, Copy)]
enum Wait {
    Records(usize),
    Millis(i64),
    Forever,
}

/// A window by hand.
#[derive(Default)]
struct Window {
    all: Vec<Record>,
    since: Vec<Record>,
    due: Option<i64>,
    panes: u64,
    on_time: u64,
    born_late: bool,
}

/// Panes by hand: the watermark's, and those that come early and late.
struct Hand {
    wait: [Wait; 2],
    lateness: i64,
    adds_up: bool,
    windows: BTreeMap<(i64, i64, Option<char>), Window>,
    rows: Vec<String>,
}

impl Hand {
    fn fire(&mut self, at: (i64, i64, Option<char>), mark: i64) {
        let (start, end, k) = at;
        let w = self.windows.get_mut(&at).expect("an open window");
        let rows = if self.adds_up { &w.since } else { &w.all };
        let sum = rows.iter().filter_map(|r| r.v).reduce(|a, b| a + b);
        let past = end - 1 <= mark;
        let timing = match (past, w.on_time == 0 && !w.born_late) {
            (false, _) => "EARLY",
            (true, true) => "ON_TIME",
            (true, false) => "LATE",
        };
        self.rows.push(format!(
            r#"{{"k":{},"window_start":"{}","window_end":"{}","n":{},"s":{},"timing":"{timing}","pane":{},"later":{},"last":{}}}"#,
            or_null(k.map(|k| format!("\"{k}\""))),
            time(start),
            time(end),
            rows.len(),
            or_null(sum),
            w.panes,
            or_null(Some(w.on_time).filter(|_| past)),
            end - 1 + self.lateness <= mark,
        ));
        w.since.clear();
        w.due = None;
        w.panes += 1;
        w.on_time += u64::from(past);
    }

    /// Those windows for which something holds.
    fn such(&self, holds: impl Fn(i64, &Window) -> bool) -> Vec<(i64, i64, Option<char>)> {
        self.windows.iter().filter(|(at, w)| holds(at.1, w)).map(|(at, _)| *at).collect()
    }

    fn record(&mut self, r: &Record, (start, end): (i64, i64), mark: i64) {
        let at = (start, end, r.k);
        let past = end - 1 <= mark;
        let fresh = !self.windows.contains_key(&at);
        let w = self.windows.entry(at).or_default();
        w.born_late |= fresh && past;
        w.all.push(*r);
        w.since.push(*r);
        // A window that begins behind its end is on time with its first record.
        let after = past && w.on_time > 0;
        match self.wait[usize::from(after)] {
            _ if past && !after => self.fire(at, mark),
            Wait::Records(n) if w.since.len() >= n => self.fire(at, mark),
            Wait::Millis(wait) if w.due.is_none() => w.due = Some(r.at + wait),
            _ => {}
        }
    }

    fn watermark(&mut self, mark: i64) {
        let lateness = self.lateness;
        for at in self.such(|end, w| end - 1 <= mark && w.on_time == 0) {
            self.fire(at, mark);
        }
        for at in self.such(|end, _| end - 1 + lateness <= mark) {
            if !self.windows[&at].since.is_empty() {
                self.fire(at, mark);
            }
            self.windows.remove(&at);
        }
    }
}

fn by_hand(
    records: &[Record],
    (wait, lateness, adds_up): ([Wait; 2], i64, bool),
    windows: impl Fn(i64) -> Vec<(i64, i64)>,
) -> (Vec<String>, u64) {
    let marks = watermarks(records);
    let mut hand = Hand { wait, lateness, adds_up, windows: BTreeMap::new(), rows: Vec::new() };
    let mut late = 0;
    for (i, r) in records.iter().enumerate() {
        for at in hand.such(|_, w| w.due.is_some_and(|due| due <= r.at)) {
            hand.fire(at, marks[i]);
        }
        let open = windows(r.ts).into_iter().filter(|w| w.1 - 1 + lateness > marks[i]);
        let open: Vec<(i64, i64)> = open.collect();
        late += u64::from(open.is_empty());
        open.into_iter().for_each(|window| hand.record(r, window, marks[i]));
        if marks[i + 1] > marks[i] {
            hand.watermark(marks[i + 1]);
        }
    }
    hand.watermark(i64::MAX);
    (sorted(hand.rows.into_iter()), late)
}

#[test]
fn panes_are_those_counted_by_hand() {
    let text = |wait: Wait| match wait {
        Wait::Records(n) => format!("after_count({n})"),
        Wait::Millis(ms) => format!("after_processing_time('{ms} ms')"),
        Wait::Forever => "after_count(1000000)".to_owned(),
    };
    let tumble =
        |ts: i64| vec![(ts.div_euclid(10_000) * 10_000, (ts.div_euclid(10_000) + 1) * 10_000)];
    let hop = |ts: i64| {
        let last = ts.div_euclid(4_000) * 4_000;
        (0..3).map(|i| (last - i * 4_000, last - i * 4_000 + 12_000)).collect::<Vec<_>>()
    };
    let waits = [Wait::Records(1), Wait::Records(3), Wait::Millis(2_500), Wait::Forever];
    let records = records(200, 1);
    let (mut early, mut later) = (0, 0);
    for (i, before) in waits.into_iter().enumerate() {
        for (j, after) in waits.into_iter().enumerate() {
            let lateness = [0, 6_000, 1_000_000][(i + j) % 3];
            let adds_up = (i + j) % 2 == 0;
            let trigger =
                format!("after_watermark(early => {}, late => {})", text(before), text(after));
            let settings = [
                (TRIGGER, trigger.as_str()),
                (LATENESS, &format!("{lateness} ms")),
                (PANES, if adds_up { "discarding" } else { "accumulating" }),
            ];
            for (window, assign) in
                [(TUMBLE, &tumble as &dyn Fn(i64) -> Vec<(i64, i64)>), (HOP, &hop)]
            {
                let expected = by_hand(&records, ([before, after], lateness, adds_up), assign);
                let text = scenario(&records, &panes(&settings, window));
                let (found, late) = tables(&text, &options(3, 7));
                let found = sorted(found[0].jsonl().lines().map(str::to_owned));
                assert_eq!(found, expected.0, "{trigger}, lateness {lateness}, {window}");
                assert_eq!(late, expected.1, "{trigger}, lateness {lateness}, {window}");
                early += expected.0.iter().filter(|row| row.contains("EARLY")).count();
                later += expected.0.iter().filter(|row| row.contains("LATE")).count();
            }
        }
    }
    assert!(early > 300 && later > 100, "{early} early, {later} late: the panes say nothing");
}

/// What windows leave out stands in a table of its own, whatever the windows.
#[test]
fn late_rows_are_those_that_are_left_out() {
    let late_of = |settings: &[(&str, &str)], window: &str| {
        format!(
            "{}CREATE TABLE late (k STRING, g INT, v INT, ts TIMESTAMP(3)) WITH ('connector' = 'print');\n\
             CREATE TABLE counts (k STRING, n BIGINT) WITH ('connector' = 'print');\n\
             CREATE VIEW c AS SELECT k, COUNT(*) AS n FROM TABLE({window}) \
             GROUP BY k, window_start, window_end HAVING COUNT(*) > 0;\n\
             INSERT INTO late SELECT * FROM TABLE(LATE(TABLE c));\nINSERT INTO counts SELECT * FROM c;",
            set(settings)
        )
    };
    let records = records(500, 1);
    let marks = watermarks(&records);
    let wait = "after_watermark(early => after_count(2), late => after_count(2))";
    let mut seen = 0;
    for lateness in [0, 6_000] {
        let trigger = if lateness > 0 { wait } else { "after_watermark()" };
        let settings =
            [(TRIGGER, trigger), (LATENESS, &*format!("{lateness} ms")), (PANES, "discarding")];
        let tumble = |r: &Record| (r.ts.div_euclid(10_000) + 1) * 10_000;
        let hop = |r: &Record| r.ts.div_euclid(4_000) * 4_000 + 12_000;
        for (window, end) in [(TUMBLE, &tumble as &dyn Fn(&Record) -> i64), (HOP, &hop)] {
            let late =
                records.iter().zip(&marks).filter(|(r, mark)| end(r) - 1 + lateness <= **mark);
            let row = |(r, _): (&Record, &i64)| {
                format!(
                    r#"{{"k":{},"g":{},"v":{},"ts":"{}"}}"#,
                    or_null(r.k.map(|k| format!("\"{k}\""))),
                    r.g,
                    or_null(r.v),
                    time(r.ts)
                )
            };
            let expected: Vec<String> = late.map(row).collect();
            seen += expected.len();
            let text = scenario(&records, &late_of(&settings, window));
            let (rows, count) = tables(&text, &options(3, 7));
            let found: Vec<String> = rows[0].jsonl().lines().map(str::to_owned).collect();
            assert_eq!(found, expected, "{window}, lateness {lateness}");
            assert_eq!(count, expected.len() as u64, "{window}, lateness {lateness}");
        }
        // Sessions: as many as are counted as late, and the rest is in them.
        let text = scenario(&records, &late_of(&settings, SESSION));
        let (rows, late) = tables(&text, &options(3, 7));
        let counted = rows[1].rows.iter().map(|(_, _, row)| row[1].to_text().parse::<u64>());
        let counted: u64 = counted.map(|n| n.expect("a count")).sum();
        assert_eq!((rows[0].rows.len() as u64, counted), (late, records.len() as u64 - late));
        assert!(late > 0 || lateness > 0, "sessions leave some out");
        if lateness == 0 {
            agree("late sessions", &text);
        }
        survives("late sessions", &text);
    }
    assert!(seen > 5, "{seen} late records tell nothing");
}

/// A window that has fired waits for nothing it was told before: no pane is of no record.
#[test]
fn no_pane_but_the_one_on_time_is_empty() {
    let records = records(200, 1);
    let beam = [("semantics.profile", "beam"), (LATENESS, "1 h"), (BATCHED, "true"), (SIZE, "7")];
    let again = "repeatedly(after_any(after_processing_time('5 s'), after_watermark()))";
    let again = [(TRIGGER, again), (LATENESS, "1 h"), (PANES, "discarding")];
    for settings in [&beam[..], &again[..]] {
        for window in [TUMBLE, SESSION] {
            let (rows, _) = tables(&scenario(&records, &panes(settings, window)), &options(2, 7));
            let text = rows[0].jsonl();
            let empty = text.lines().filter(|row| row.contains(r#""n":0"#));
            let early: Vec<&str> = empty.filter(|row| !row.contains("ON_TIME")).collect();
            assert!(early.is_empty(), "{window}: {early:?}");
            assert!(text.contains("LATE"), "{window}: nothing is late");
        }
    }
}

/// A session that has fired, and grows by a late record, takes back what it has said.
#[test]
fn a_session_that_grows_after_its_end_takes_back_what_it_said() {
    let at = |at: i64, k: char, ts: i64| Record {
        at: 1_714_521_600_000 + at,
        partition: 0,
        k: Some(k),
        g: 0,
        v: Some(1),
        ts: 1_714_521_600_000 + ts,
    };
    // The watermark is 4 s behind.
    let records = [at(1, 'a', 0), at(2, 'b', 6_500), at(3, 'a', 1_500), at(4, 'b', 20_000)];
    let settings = [(TRIGGER, "after_watermark()"), (LATENESS, "10 s")];
    let found = left(&records, &sums(&settings, SESSION));
    assert_eq!(found.len(), 3, "one of a, two of b: {found:?}");
    assert!(found.iter().any(|row| row.contains(r#""k":"a""#) && row.contains(r#""n":2"#)));
}

/// What a query asks of panes may stand anywhere.
#[test]
fn panes_are_known_inside_of_over() {
    let script = format!(
        "SELECT k, window_start, window_end, COUNT(*) AS n FROM TABLE({TUMBLE}) \
         GROUP BY k, window_start, window_end \
         QUALIFY ROW_NUMBER() OVER (PARTITION BY k, window_start, window_end ORDER BY PANE_INDEX() DESC) <= 1;"
    );
    let plain = format!(
        "SELECT k, window_start, window_end, COUNT(*) AS n FROM TABLE({TUMBLE}) \
         GROUP BY k, window_start, window_end;"
    );
    let records = records(100, 1);
    let rows = |script: &str| {
        let (rows, _) = tables(&scenario(&records, script), &options(1, 64));
        sorted(rows[0].jsonl().lines().map(str::to_owned))
    };
    assert_eq!(rows(&script), rows(&plain));
}

/// With enough time for late records, what is left of the changelog is what a batch over all records says.
#[test]
fn taken_back_panes_leave_the_result_of_a_batch() {
    let records = records(200, 1);
    let triggers = [
        "after_watermark(early => after_count(1), late => after_count(1))",
        "after_watermark(early => after_processing_time('2 s'), late => after_count(3))",
        "repeatedly(after_count(2))",
        "repeatedly(after_any(after_count(4), after_watermark()))",
        "repeatedly(after_processing_time('1 s', '5 s'))",
        "repeatedly(after_each(after_count(1), after_count(3)))",
    ];
    for trigger in triggers {
        let settings = [(TRIGGER, trigger), (LATENESS, "100 d")];
        let plain = "window_start, window_end, COUNT(*) AS n, SUM(v) AS s, COUNT(DISTINCT g) AS gs";
        for window in [TUMBLE, HOP, CUMULATE, SESSION] {
            let found = left(&records, &sums(&settings, window));
            // The same rows under a watermark that waits for the last of them.
            let batch = format!(
                "CREATE VIEW b AS SELECT k, g, v, ts FROM t2;\n\
                 SELECT k, {plain} FROM TABLE({}) GROUP BY k, window_start, window_end;",
                window.replace("TABLE t", "TABLE b")
            );
            let text = scenario(&records, &batch)
                .replace("CREATE TABLE t (", "CREATE TABLE t2 (")
                .replace("INTERVAL '4' SECOND)", "INTERVAL '99' DAY)")
                .replace("```jsonl t\n", "```jsonl t2\n");
            let (rows, late) = tables(&text, &options(1, 64));
            assert_eq!(late, 0);
            let expected = sorted(rows[0].jsonl().lines().map(str::to_owned));
            assert_eq!(found, expected, "{trigger}, {window}");
        }
    }
}
