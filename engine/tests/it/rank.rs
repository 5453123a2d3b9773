//! Ranks: the first rows of each partition. After every record the changelog so far leaves what sorting all
//! records so far by plain loops gives.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use highwater_engine::batch::RowKind;
use highwater_engine::session::{Fast, Files, Rows};

use crate::drivers::{options, tables, watermarks};
use crate::sandbox::Interpreter;
use crate::schedule;
use crate::stream::{Record, or_null, records, scenario, time};

const NUMBERED: &str = "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY g \
    ORDER BY v DESC, k NULLS LAST) AS rn FROM t) WHERE rn <= 3;";

const BARE: &str = "SELECT k, v, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, g ORDER BY v) \
    AS rn FROM t) WHERE 2 > rn - 1 AND 2 >= rn AND (v IS NULL OR v < 6);";

const BETWEEN: &str = "CREATE VIEW numbered AS SELECT ROW_NUMBER() OVER (ORDER BY v + g DESC) AS rn, \
    k, v + g AS w FROM t;\n\
    SELECT w, k FROM numbered WHERE rn > 2 AND rn BETWEEN 1 AND 6;";

const ONE_RANK: &str = "SELECT k, v, rn FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k \
    ORDER BY v DESC NULLS FIRST) AS rn FROM t) WHERE rn = 2;";

const OF_CHANGES: &str = "CREATE VIEW per_key AS SELECT k, g, COUNT(*) AS n FROM t GROUP BY k, g;\n\
    SELECT k, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY g ORDER BY n DESC) AS rn \
    FROM per_key) WHERE rn <= 2;";

const NUMBERED_CHANGES: &str = "SELECT k, s, rn FROM (SELECT k, SUM(v) AS s, ROW_NUMBER() OVER \
    (ORDER BY SUM(v), k) AS rn FROM t GROUP BY k) WHERE rn BETWEEN 2 AND 4;";

const CHANGES_AFTER: &str = "CREATE VIEW top AS SELECT g, v FROM (SELECT *, ROW_NUMBER() OVER \
    (PARTITION BY k ORDER BY v DESC) AS rn FROM t) WHERE rn < 4;\n\
    SELECT g, COUNT(*) AS n, SUM(v) AS s, MIN(v) AS lo FROM top GROUP BY g;";

const TOP_OF_TOP: &str = "CREATE VIEW top AS SELECT k, v, rn FROM (SELECT *, ROW_NUMBER() OVER \
    (PARTITION BY k ORDER BY v DESC) AS rn FROM t) WHERE rn <= 4;\n\
    SELECT k, v FROM top ORDER BY v, k DESC, rn LIMIT 5;";

const LIMIT: &str = "SELECT k, v AS w FROM t ORDER BY w DESC NULLS FIRST, g, 1 LIMIT 5 OFFSET 2;";

const LIMIT_OF_GROUPS: &str =
    "SELECT k FROM t GROUP BY k ORDER BY COUNT(*) DESC, k FETCH FIRST 2 ROWS ONLY;";

const ANY: &str = "SELECT k, v FROM t WHERE v > 3 LIMIT 7;";

const LAST: &str = "SELECT k, g, v, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k, g \
    ORDER BY ts DESC) AS rn FROM t) WHERE rn = 1;";

const FIRST: &str = "SELECT v, g, ts, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY v, g \
    ORDER BY ts) AS rn FROM t) WHERE rn = 1;";

const WINDOWED_FIRST: &str = "CREATE VIEW firsts AS SELECT v, g, ts FROM (SELECT *, ROW_NUMBER() OVER \
    (PARTITION BY v, g, k ORDER BY ts) AS rn FROM t) WHERE rn = 1;\n\
    SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE firsts, DESCRIPTOR(ts), \
    INTERVAL '10' SECONDS)) GROUP BY window_start, window_end;";

const WINDOW_ROWS: &str = "SELECT g, v, k, window_end, rn FROM (SELECT *, ROW_NUMBER() OVER \
    (PARTITION BY window_start, window_end, g ORDER BY v DESC) AS rn \
    FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS))) WHERE rn <= 3;";

const WINDOW_COUNTS: &str = "CREATE VIEW counts AS SELECT k, window_start, window_end, window_time, \
    COUNT(*) AS n FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '4' SECONDS, \
    INTERVAL '12' SECONDS)) GROUP BY k, window_start, window_end, window_time;\n\
    CREATE VIEW best AS SELECT n, window_time AS closed FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_end, \
    window_start ORDER BY n DESC, k) AS rn FROM counts) WHERE rn <= 2;\n\
    SELECT window_start, SUM(n) AS n, COUNT(*) AS ks FROM TABLE(TUMBLE(TABLE best, \
    DESCRIPTOR(closed), INTERVAL '20' SECONDS)) GROUP BY window_start, window_end;";

/// All of them, for the drivers to agree on.
pub const SCRIPTS: [(&str, &str); 16] = [
    ("numbered ranks", NUMBERED),
    ("bare ranks", BARE),
    ("ranks between", BETWEEN),
    ("one rank", ONE_RANK),
    ("ranks of changes", OF_CHANGES),
    ("numbered ranks of changes", NUMBERED_CHANGES),
    ("changes after ranks", CHANGES_AFTER),
    ("ranks of ranks", TOP_OF_TOP),
    ("limit", LIMIT),
    ("limit of groups", LIMIT_OF_GROUPS),
    ("any rows", ANY),
    ("last rows", LAST),
    ("first rows", FIRST),
    ("windows of first rows", WINDOWED_FIRST),
    ("ranks of a window's rows", WINDOW_ROWS),
    ("windows of ranks of windows", WINDOW_COUNTS),
];

/// What is left after each place in the stream, where that is something else than before. A row is taken
/// back only while it is there.
fn states(rows: &Rows) -> Vec<Vec<String>> {
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    let mut states: Vec<Vec<String>> = vec![Vec::new()];
    let jsonl = rows.jsonl();
    let mut lines = rows.rows.iter().zip(jsonl.lines()).peekable();
    while let Some(((kind, seq, _), line)) = lines.next() {
        let line =
            line.split_once(r#","op":"#).map_or(line.to_owned(), |(row, _)| format!("{row}}}"));
        match kind {
            RowKind::Insert | RowKind::UpdateAfter => *left.entry(line).or_default() += 1,
            RowKind::UpdateBefore | RowKind::Delete => {
                let count = left.get_mut(&line).filter(|count| **count > 0);
                *count.unwrap_or_else(|| panic!("{line} is not there at {seq}")) -= 1;
            }
        }
        if lines.peek().is_none_or(|((_, next, _), _)| next != seq) {
            let all = left.iter().flat_map(|(l, &count)| std::iter::repeat_n(l.clone(), count));
            states.push(all.collect());
        }
    }
    states.dedup();
    states
}

/// Compares what a script leaves after each record with what a function says of all records so far.
fn follows(script: &str, expected: impl Fn(&[Record]) -> Vec<String>) {
    let records = records(240, 1);
    let mut wanted: Vec<Vec<String>> = (0..=records.len())
        .map(|count| {
            let mut lines = expected(&records[..count]);
            lines.sort();
            lines
        })
        .collect();
    wanted.dedup();
    assert!(wanted.len() > 4, "{} states tell little", wanted.len());
    for (parallelism, batch) in [(1, 1024), (3, 7)] {
        let (tables, _) = tables(&scenario(&records, script), &options(parallelism, batch));
        let found = states(&tables[0]);
        for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            assert_eq!(found, wanted, "state {i} of {script}");
        }
        assert_eq!(found.len(), wanted.len());
    }
}

fn groups<K: Ord>(records: &[Record], key: impl Fn(&Record) -> K) -> BTreeMap<K, Vec<Record>> {
    let mut groups: BTreeMap<K, Vec<Record>> = BTreeMap::new();
    records.iter().for_each(|r| groups.entry(key(r)).or_default().push(*r));
    groups
}

fn sorted<T: Copy, K: Ord>(rows: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(key);
    rows
}

fn text(k: Option<char>) -> String {
    or_null(k.map(|k| format!("\"{k}\"")))
}

#[test]
fn the_first_rows_are_numbered() {
    follows(NUMBERED, |records| {
        let line = |(rank, r): (usize, &Record)| {
            let (k, v, ts) = (text(r.k), or_null(r.v), time(r.ts));
            format!(r#"{{"k":{k},"g":{},"v":{v},"ts":"{ts}","rn":{}}}"#, r.g, rank + 1)
        };
        let ranked = groups(records, |r| r.g).into_values().flat_map(|rows| {
            let rows = sorted(&rows, |r| (Reverse(r.v), r.k.is_none(), r.k));
            rows.iter().take(3).enumerate().map(line).collect::<Vec<_>>()
        });
        ranked.collect()
    });
}

#[test]
fn the_first_rows_come_and_go() {
    follows(BARE, |records| {
        let line = |r: &Record| {
            format!(r#"{{"k":{},"v":{},"ts":"{}"}}"#, text(r.k), or_null(r.v), time(r.ts))
        };
        let ranked = groups(records, |r| (r.k, r.g)).into_values();
        let ranked = ranked.flat_map(|rows| sorted(&rows, |r| r.v).into_iter().take(2));
        ranked.filter(|r| r.v.is_none_or(|v| v < 6)).map(|r| line(&r)).collect()
    });
    follows(BETWEEN, |records| {
        let sum = |r: &Record| r.v.map(|v| v + r.g);
        let rows = sorted(records, |r| Reverse(sum(r)));
        let rows = rows.iter().take(6).skip(2);
        rows.map(|r| format!(r#"{{"w":{},"k":{}}}"#, or_null(sum(r)), text(r.k))).collect()
    });
    follows(ONE_RANK, |records| {
        let ranked = groups(records, |r| r.k).into_values().filter_map(|rows| {
            let rows = sorted(&rows, |r| (r.v.is_some(), Reverse(r.v)));
            rows.get(1).copied()
        });
        let line = |r: Record| format!(r#"{{"k":{},"v":{},"rn":2}}"#, text(r.k), or_null(r.v));
        ranked.map(line).collect()
    });
}

#[test]
fn rows_that_are_taken_back_let_others_move_up() {
    follows(OF_CHANGES, |records| {
        // Of equal counts, that which has been there longest is first.
        let mut last = BTreeMap::new();
        records.iter().enumerate().for_each(|(i, r)| _ = last.insert((r.k, r.g), i));
        let counts: Vec<(Option<char>, i64, usize)> = groups(records, |r| (r.k, r.g))
            .into_iter()
            .map(|((k, g), rows)| (k, g, rows.len()))
            .collect();
        let of = |g: i64| {
            let of: Vec<_> = counts.iter().copied().filter(|c| c.1 == g).collect();
            sorted(&of, |&(k, g, n)| (Reverse(n), last[&(k, g)])).into_iter().take(2)
        };
        let ranked = of(0).chain(of(1));
        ranked.map(|(k, _, n)| format!(r#"{{"k":{},"n":{n}}}"#, text(k))).collect()
    });
    follows(NUMBERED_CHANGES, |records| {
        let sum = |rows: Vec<Record>| rows.iter().filter_map(|r| r.v).reduce(|a, b| a + b);
        let sums = groups(records, |r| r.k).into_iter().map(|(k, rows)| (sum(rows), k));
        let sums: Vec<_> = sums.collect();
        let ranked = sorted(&sums, |&s| s).into_iter().enumerate().take(4).skip(1);
        let line = |(rank, (s, k)): (usize, (Option<i64>, Option<char>))| {
            format!(r#"{{"k":{},"s":{},"rn":{}}}"#, text(k), or_null(s), rank + 1)
        };
        ranked.map(line).collect()
    });
}

/// The first rows of each key by value, each with its rank.
fn per_key(records: &[Record], count: usize) -> Vec<(Record, usize)> {
    let keys = groups(records, |r| r.k).into_values();
    let ranked = keys.flat_map(|rows| {
        let rows = sorted(&rows, |r| Reverse(r.v)).into_iter();
        rows.take(count).enumerate().map(|(i, r)| (r, i + 1)).collect::<Vec<_>>()
    });
    ranked.collect()
}

#[test]
fn whoever_reads_ranks_takes_their_changes() {
    follows(CHANGES_AFTER, |records| {
        let top: Vec<Record> = per_key(records, 3).into_iter().map(|(r, _)| r).collect();
        let line = |(g, rows): (i64, Vec<Record>)| {
            let values = || rows.iter().filter_map(|r| r.v);
            let (s, lo) = (or_null(values().reduce(|a, b| a + b)), or_null(values().min()));
            format!(r#"{{"g":{g},"n":{},"s":{s},"lo":{lo}}}"#, rows.len())
        };
        groups(&top, |r| r.g).into_iter().map(line).collect()
    });
    follows(TOP_OF_TOP, |records| {
        let top = sorted(&per_key(records, 4), |(r, rank)| (r.v, Reverse(r.k), *rank));
        let line =
            |(r, _): &(Record, usize)| format!(r#"{{"k":{},"v":{}}}"#, text(r.k), or_null(r.v));
        top.iter().take(5).map(line).collect()
    });
}

#[test]
fn a_limit_keeps_the_first_rows() {
    let line = |r: &Record, v: &str| format!(r#"{{"k":{},"{v}":{}}}"#, text(r.k), or_null(r.v));
    follows(LIMIT, |records| {
        let rows = sorted(records, |r| (r.v.is_some(), Reverse(r.v), r.g, r.k));
        rows.iter().take(7).skip(2).map(|r| line(r, "w")).collect()
    });
    follows(LIMIT_OF_GROUPS, |records| {
        let counts = groups(records, |r| r.k).into_iter().map(|(k, rows)| (Reverse(rows.len()), k));
        let counts: Vec<_> = counts.collect();
        let first = sorted(&counts, |&c| c).into_iter().take(2);
        first.map(|(_, k)| format!(r#"{{"k":{}}}"#, text(k))).collect()
    });
    follows(ANY, |records| {
        let some = records.iter().filter(|r| r.v.is_some_and(|v| v > 3));
        some.take(7).map(|r| line(r, "v")).collect()
    });
}

#[test]
fn the_last_row_of_a_key_replaces_the_one_before() {
    follows(LAST, |records| {
        let line = |r: &Record| {
            let (k, v, ts) = (text(r.k), or_null(r.v), time(r.ts));
            format!(r#"{{"k":{k},"g":{},"v":{v},"ts":"{ts}"}}"#, r.g)
        };
        // Of the latest rows the last one: that is what a maximum takes.
        let keys = groups(records, |r| (r.k, r.g)).into_values();
        keys.filter_map(|rows| rows.iter().max_by_key(|r| r.ts).map(line)).collect()
    });
}

fn inserts(script: &str, wanted: impl Iterator<Item = String>, late: u64) {
    let mut wanted: Vec<String> = wanted.collect();
    wanted.sort();
    let (tables, dropped) = tables(&scenario(&records(240, 1), script), &options(2, 7));
    assert!(tables[0].rows.iter().all(|(kind, ..)| *kind == RowKind::Insert), "{script}");
    let jsonl = tables[0].jsonl();
    let mut found: Vec<&str> = jsonl.lines().collect();
    found.sort();
    assert_eq!(found, wanted, "{script}");
    assert_eq!(dropped, late, "{script}");
}

/// The first row of each key that is not late, as the watermark makes it final; and how many are late.
fn firsts<K: Ord + Copy>(
    records: &[Record],
    key: impl Fn(&Record) -> K,
) -> (BTreeMap<K, Record>, u64) {
    let marks = watermarks(records);
    let (mut waiting, mut said) = (BTreeMap::<K, Record>::new(), BTreeMap::new());
    let mut late = 0;
    for (i, (r, mark)) in records.iter().zip(&marks).enumerate() {
        let key = key(r);
        if r.ts < *mark {
            late += 1;
        } else if !said.contains_key(&key) && waiting.get(&key).is_none_or(|w| r.ts < w.ts) {
            waiting.insert(key, *r);
        }
        let next = marks.get(i + 1).filter(|next| *next > mark);
        let due = |w: &Record| next.is_some_and(|next| w.ts <= *next);
        let (now, later): (BTreeMap<K, Record>, _) = waiting.into_iter().partition(|(_, w)| due(w));
        waiting = later;
        said.extend(now);
    }
    said.extend(waiting);
    (said, late)
}

#[test]
fn the_first_row_of_a_key_is_said_once() {
    let records = records(240, 1);
    let (said, late) = firsts(&records, |r| (r.v, r.g));
    assert!(late > 3 && said.len() > 12, "{late} {}", said.len());
    let line = |r: &Record| {
        format!(r#"{{"v":{},"g":{},"ts":"{}","rn":1}}"#, or_null(r.v), r.g, time(r.ts))
    };
    inserts(FIRST, said.values().map(line), late);
}

/// Rows leave before the watermark passes them: no window behind loses one.
#[test]
fn windows_over_first_rows_lose_none() {
    let records = records(240, 1);
    let (said, late) = firsts(&records, |r| (r.v, r.g, r.k));
    let said: Vec<Record> = said.into_values().collect();
    let windows = groups(&said, |r| r.ts.div_euclid(10_000) * 10_000);
    assert!(windows.len() > 10, "{}", windows.len());
    let line = |(start, rows): (i64, Vec<Record>)| {
        format!(r#"{{"window_start":"{}","n":{}}}"#, time(start), rows.len())
    };
    inserts(WINDOWED_FIRST, windows.into_iter().map(line), late);
}

#[test]
fn windows_over_ranks_of_windows_lose_none() {
    let records = records(240, 1);
    let mut counts: BTreeMap<i64, BTreeMap<Option<char>, u64>> = BTreeMap::new();
    let mut late = 0;
    for (r, mark) in records.iter().zip(watermarks(&records)) {
        let last = r.ts.div_euclid(4_000) * 4_000;
        let ends = (0..3).map(|back| last - back * 4_000 + 12_000);
        let open: Vec<i64> = ends.filter(|end| end - 1 > mark).collect();
        late += u64::from(open.is_empty());
        for end in open {
            *counts.entry(end).or_default().entry(r.k).or_default() += 1;
        }
    }
    let mut windows: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for (end, keys) in counts {
        let keys: Vec<_> = keys.into_iter().collect();
        for (_, n) in sorted(&keys, |&(k, n)| (Reverse(n), k)).into_iter().take(2) {
            let window = windows.entry((end - 1).div_euclid(20_000) * 20_000).or_default();
            *window = (window.0 + n, window.1 + 1);
        }
    }
    let line =
        |(start, (n, ks))| format!(r#"{{"window_start":"{}","n":{n},"ks":{ks}}}"#, time(start));
    inserts(WINDOW_COUNTS, windows.into_iter().map(line), late);
}

#[test]
fn ranks_of_a_window_are_said_when_it_closes() {
    let records = records(240, 1);
    let marks = watermarks(&records);
    let end = |r: &Record| (r.ts.div_euclid(10_000) + 1) * 10_000;
    let (timely, late): (Vec<_>, Vec<_>) =
        records.iter().zip(&marks).partition(|(r, mark)| end(r) - 1 > **mark);
    assert!(late.len() > 3);
    let timely: Vec<Record> = timely.into_iter().map(|(r, _)| *r).collect();
    let lines = groups(&timely, |r| (end(r), r.g)).into_iter().flat_map(|((end, g), rows)| {
        let rows = sorted(&rows, |r| Reverse(r.v)).into_iter().take(3).enumerate();
        let line = move |(rank, r): (usize, Record)| {
            let (v, k, end) = (or_null(r.v), text(r.k), time(end));
            format!(r#"{{"g":{g},"v":{v},"k":{k},"window_end":"{end}","rn":{}}}"#, rank + 1)
        };
        rows.map(line).collect::<Vec<_>>()
    });
    inserts(WINDOW_ROWS, lines, late.len() as u64);
}

/// Tasks cut for threads, their messages in an order of chance.
#[test]
fn ranks_of_many_threads_are_those_of_one() {
    let records = records(240, 2);
    let mut seed = 7_u64;
    let mut chance = |limit: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % limit
    };
    let said =
        |rows: &Rows| (rows.rows.iter().map(|r| (r.0, r.1)).collect::<Vec<_>>(), rows.jsonl());
    for (name, script) in SCRIPTS {
        let text = scenario(&records, script);
        let (expected, late) = tables(&text, &options(1, 1024));
        for threads in [2, 4] {
            let (files, sandbox) = (Files::default(), Interpreter::shared());
            let fast = Fast::open("t.md", &text, &files, sandbox, &options(1, 7));
            let fast = fast.expect("the scenario opens");
            let mut found = fast.sinks();
            let mut emit = |sink: usize, batch| found[sink].extend(&batch);
            let dropped = schedule::run(fast, threads, &mut chance, &mut emit);
            assert_eq!(dropped.expect("the job runs"), late, "{name}");
            assert_eq!(said(&found[0]), said(&expected[0]), "{name} on {threads} threads");
        }
    }
}
