//! Changelogs held back by time and by number: what plain loops say that keep changes in a list.

use highwater_engine::key::group_of;
use highwater_engine::value::Value;

use crate::changelog::{applied, sorted};
use crate::drivers::{agree, options, survives, tables, watermarks};
use crate::state;
use crate::stream::{Record, records, scenario};

const GROUPS: &str = "SELECT k, COUNT(*) AS n FROM t GROUP BY k;";
const BY_VALUE: &str = "SELECT v, COUNT(*) AS n FROM (SELECT k, g, v, ROW_NUMBER() OVER \
    (PARTITION BY k, g ORDER BY ts DESC) AS place FROM t) WHERE place = 1 GROUP BY v;";

/// Milliseconds and keys, each of which may be left open.
type Limits = (Option<i64>, Option<usize>);

const LIMITS: [Limits; 4] =
    [(Some(6_000), None), (None, Some(1)), (Some(9_000), Some(3)), (Some(20_000), Some(4))];

fn set((time, rows): Limits) -> String {
    let time = time.map(|t| format!("SET 'highwater.emit.suppress.time' = '{t} ms';\n"));
    let rows = rows.map(|n| format!("SET 'highwater.emit.suppress.rows' = '{n}';\n"));
    time.into_iter().chain(rows).collect()
}

fn stream() -> Vec<Record> {
    records(300, 1)
}

/// What a record does to the count of a key.
struct Change {
    key: String,
    group: u32,
    before: Option<i64>,
    after: Option<i64>,
}

impl Change {
    fn of(key: &Value, before: i64, after: i64) -> Change {
        let some = |n: i64| Some(n).filter(|&n| n > 0);
        let group = group_of(std::slice::from_ref(key));
        Change { key: key.to_text(), group, before: some(before), after: some(after) }
    }
}

fn counted(all: &[Record]) -> Vec<Vec<Change>> {
    let change = |(i, r): (usize, &Record)| {
        let key = r.k.map_or(Value::Null, |k| Value::String(k.to_string().into()));
        let before = all[..i].iter().filter(|other| other.k == r.k).count() as i64;
        vec![Change::of(&key, before, before + 1)]
    };
    all.iter().enumerate().map(change).collect()
}

/// The last record by event time of each pair of keys, counted by value.
fn counted_by_value(all: &[Record]) -> Vec<Vec<Change>> {
    let latest = |upto: usize| -> Vec<Option<i64>> {
        let keys: std::collections::BTreeSet<_> = all[..upto].iter().map(|r| (r.k, r.g)).collect();
        let last = |(k, g)| {
            let own = all[..upto].iter().filter(|r| (r.k, r.g) == (k, g));
            own.max_by_key(|r| r.ts).and_then(|r| r.v)
        };
        keys.into_iter().map(last).collect()
    };
    let counts = |values: &[Option<i64>], v| values.iter().filter(|&&w| w == v).count() as i64;
    let mut before = latest(0);
    let mut changes = Vec::new();
    for upto in 1..=all.len() {
        let after = latest(upto);
        let mut own: Vec<Change> = (0..10)
            .map(Some)
            .chain([None])
            .filter(|&v| counts(&before, v) != counts(&after, v))
            .map(|v| {
                let key = v.map_or(Value::Null, |v| Value::Int(v as i32));
                Change::of(&key, counts(&before, v), counts(&after, v))
            })
            .collect();
        // What one record changes stands by key group, of one group as it comes: the row that goes first.
        own.sort_by_key(|change| (change.group, change.after > change.before));
        changes.push(own);
        before = after;
    }
    changes
}

struct Held {
    since: i64,
    change: Change,
}

/// What leaves, a line a change, with the number of the record behind which it does; and what is still held.
fn released(
    changes: Vec<Vec<Change>>,
    marks: &[i64],
    (time, rows): Limits,
) -> (Vec<(usize, String)>, Vec<Held>) {
    let (mut held, mut said): (Vec<Held>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
    for (i, own) in changes.into_iter().enumerate() {
        let now = marks[i + 1];
        for change in own {
            match held.iter_mut().find(|h| h.change.key == change.key) {
                Some(known) => known.change.after = change.after,
                None => held.push(Held { since: now, change }),
            }
        }
        let late = |h: &Held| time.is_some_and(|time| h.since + time <= now);
        while held.len() > rows.unwrap_or(usize::MAX) || held.first().is_some_and(late) {
            said.extend(lines(&held.remove(0).change).into_iter().map(|line| (i + 1, line)));
        }
    }
    (said, held)
}

fn lines(change: &Change) -> Vec<String> {
    let key = &change.key;
    match (change.before, change.after) {
        (before, after) if before == after => vec![],
        (Some(before), Some(after)) => {
            vec![format!("-U {key} {before}"), format!("+U {key} {after}")]
        }
        (None, Some(after)) => vec![format!("+I {key} {after}")],
        (before, None) => vec![format!("-D {key} {}", before.unwrap_or(0))],
    }
}

/// The place of each record: every one of them changes a count.
fn places(all: &[Record]) -> Vec<u64> {
    let (tables, _) = tables(&scenario(all, GROUPS), &options(1, 1));
    let mut places: Vec<u64> = tables[0].rows.iter().map(|(_, seq, _)| *seq).collect();
    places.dedup();
    places
}

/// The changelog as it comes, a line a change, with the number of the record behind which it stands.
fn changes(text: &str, places: &[u64], parallelism: u32, batch: u32) -> Vec<(usize, String)> {
    let (tables, _) = tables(text, &options(parallelism, batch));
    let number = |seq: u64| places.partition_point(|&place| place <= seq);
    let line = |values: &[Value]| values.iter().map(Value::to_text).collect::<Vec<_>>().join(" ");
    let rows = tables[0].rows.iter();
    rows.map(|(kind, seq, row)| (number(*seq), format!("{} {}", kind.symbol(), line(row))))
        .collect()
}

#[test]
fn changes_leave_when_plain_loops_say_so() {
    let all = stream();
    let (marks, places) = (watermarks(&all), places(&all));
    type Counted = fn(&[Record]) -> Vec<Vec<Change>>;
    let scripts: [(&str, Counted); 2] = [(GROUPS, counted), (BY_VALUE, counted_by_value)];
    for (script, counted) in scripts {
        let raw: usize = counted(&all).iter().flatten().map(|change| lines(change).len()).sum();
        for limits in LIMITS {
            let (mut expected, held) = released(counted(&all), &marks, limits);
            let early = expected.len();
            let last = held.iter().flat_map(|h| lines(&h.change));
            expected.extend(last.map(|line| (all.len(), line)));
            assert!(early > 20 && expected.len() < raw, "{limits:?}: {early} of {raw}");
            let text = scenario(&all, &format!("{}{script}", set(limits)));
            for (parallelism, batch) in [(1, 1), (1, 4096), (3, 7)] {
                let found = changes(&text, &places, parallelism, batch);
                assert_eq!(found, expected, "{script} {limits:?} {parallelism} {batch}");
            }
        }
    }
}

#[test]
fn what_is_held_can_be_asked_for() {
    let all = stream();
    let marks = watermarks(&all);
    let limits = (Some(20_000), Some(4));
    let text = scenario(&all, &format!("{}{BY_VALUE}", set(limits)));
    for (parallelism, batch, count) in [(1, 1, 70), (3, 4, 120), (2, 1, 149)] {
        let session = state::after(&text, count, &options(parallelism, batch));
        let read = state::arrived(&session);
        let (_, held) = released(counted_by_value(&all[..read]), &marks, limits);
        let some = held.iter().map(|h| &h.change);
        let expected: Vec<String> =
            some.filter_map(|c| Some(format!("{} {}", c.key, c.after?))).collect();
        let found = session.state("suppress", None).expect("it is there");
        assert_eq!(found[0].part, "held");
        let found =
            found[0].rows.iter().map(|row| format!("{} {}", row[0].to_text(), row[1].to_text()));
        assert!(!expected.is_empty());
        assert_eq!(sorted(found), sorted(expected.into_iter()), "{parallelism} {batch} {count}");
    }
}

/// Changelogs of all that has a key.
const KEYED: [&str; 8] = [
    GROUPS,
    BY_VALUE,
    "SELECT COUNT(*) AS n, SUM(v) AS s FROM t;",
    "SELECT g, k, COUNT(*) AS n FROM t GROUP BY k, g HAVING MOD(COUNT(*), 3) <> 1;",
    "SELECT v FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM t) WHERE n = 1;",
    "SELECT k, v, ts FROM (SELECT k, v, ts, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, ts DESC) AS n FROM t) \
     WHERE n <= 3;",
    "SELECT a.k, n, s FROM (SELECT k, COUNT(*) AS n FROM t WHERE g = 0 GROUP BY k) AS a \
     LEFT JOIN (SELECT k, SUM(v) AS s FROM t WHERE g = 1 GROUP BY k) AS b ON a.k = b.k;",
    "SET 'highwater.emit.trigger' = 'after_watermark(early => after_count(1))';\n\
     SELECT k, COUNT(*) AS n FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECONDS)) \
     GROUP BY k, window_start, window_end;",
];

/// Any number of subtasks, any batches, the simulation and a crash say the same, and nothing is lost.
#[test]
fn drivers_agree_on_what_is_held_back() {
    let all = records(200, 2);
    for (script, limits) in KEYED.into_iter().zip(LIMITS.iter().cycle()) {
        let text = scenario(&all, &format!("{}{script}", set(*limits)));
        agree(script, &text);
        survives(script, &text);
        let left = |text: &str| applied(&tables(text, &options(2, 7)).0[0]);
        assert_eq!(left(&text), left(&scenario(&all, script)), "{script}");
    }
}

/// The settings are those that stand before a statement.
#[test]
fn each_sink_has_its_own_limits() {
    let sink =
        |name| format!("CREATE TABLE {name} (k STRING, n BIGINT) WITH ('connector' = 'print');\n");
    let insert = |name| format!("INSERT INTO {name} {GROUPS}\n");
    let none = "SET 'highwater.emit.suppress.time' = '0 s';\n";
    let held = set((None, Some(2)));
    let names = ["plain", "held", "free"];
    let text = names.map(sink).concat()
        + &insert("plain")
        + &held
        + &insert("held")
        + none
        + &insert("free");
    let (tables, _) = tables(&scenario(&stream(), &text), &options(2, 7));
    let sizes: Vec<usize> = tables.iter().map(|table| table.rows.len()).collect();
    assert!(sizes[0] == sizes[2] && sizes[1] * 4 < sizes[0] * 3, "{sizes:?}");
    assert_eq!(applied(&tables[0]), applied(&tables[1]));
}
