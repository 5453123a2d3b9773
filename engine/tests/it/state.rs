//! Queryable state: what operators hold after a record is what plain loops over the records so far hold.

use std::collections::BTreeMap;

use highwater_engine::session::{Files, Kept, Live, Options, Session, jsonl_row};
use highwater_engine::trace::What;

use crate::changelog::sorted;
use crate::drivers::{options, watermarks};
use crate::joins::name;
use crate::sandbox::Interpreter;
use crate::stream::{Record, or_null, records, scenario, time};

const GROUPS: &str = "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k;";
const WINDOWS: &str = "SELECT k, window_start, COUNT(*) AS n \
    FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECONDS, INTERVAL '10' SECONDS)) \
    GROUP BY k, window_start, window_end;";
const JOIN: &str = "SELECT a.v, b.v AS w FROM t AS a JOIN t AS b ON a.k = b.k AND a.g < b.g;";
const TOP: &str = "SELECT k, v, n FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, ts) AS n \
    FROM t WHERE v IS NOT NULL) WHERE n <= 2;";

fn stream() -> Vec<Record> {
    records(300, 1).into_iter().take(149).collect()
}

/// A session after its first `count` records have arrived, in the middle of whatever is under way.
pub fn after(text: &str, count: usize, options: &Options) -> Session {
    let mut session =
        Session::open("state.md", text, &Files::default(), Interpreter::shared(), options)
            .expect("it opens");
    while arrived(&session) < count {
        session.step(1);
    }
    session
}

/// How many records have arrived.
pub fn arrived(session: &Session) -> usize {
    session.events().iter().filter(|e| matches!(e.what, What::Arrive { .. })).count()
}

fn lines(kept: &[Kept], part: &str) -> Vec<String> {
    let kept = kept.iter().find(|k| k.part == part).expect("it has that part");
    sorted(kept.rows.iter().map(|row| jsonl_row(&kept.schema, None, row)))
}

fn groups(all: &[Record]) -> Vec<(Option<char>, String)> {
    let mut groups: BTreeMap<Option<char>, (i64, Option<i64>)> = BTreeMap::new();
    for r in all {
        let group = groups.entry(r.k).or_default();
        group.0 += 1;
        group.1 = r.v.map_or(group.1, |v| Some(group.1.unwrap_or(0) + v));
    }
    let line =
        |(k, (n, s))| (k, format!(r#"{{"k":{},"count_0":{n},"sum_1":{}}}"#, name(k), or_null(s)));
    groups.into_iter().map(line).collect()
}

#[test]
fn groups_stand_as_the_records_so_far_make_them() {
    let all = stream();
    for (parallelism, batch) in [(1, 1), (3, 5)] {
        for count in [1, 40, 149] {
            let session = after(&scenario(&all, GROUPS), count, &options(parallelism, batch));
            let read = session.events().iter();
            let read = read.filter(|e| matches!(e.what, What::Arrive { .. })).count();
            let expected = groups(&all[..read]);
            let found = session.state("group", None).expect("it is there");
            let every = sorted(expected.iter().map(|(_, line)| line.clone()));
            assert_eq!(lines(&found, "groups"), every, "{parallelism} {batch} {count}");
            // A point, a range, and what nothing fulfils.
            for (condition, wanted) in [
                ("k = 'b'", vec![Some('b')]),
                ("k BETWEEN 'b' AND 'c'", vec![Some('b'), Some('c')]),
                ("k IS NULL", vec![None]),
                ("k = 'z'", vec![]),
            ] {
                let found = session.state("group", Some(condition)).expect("it is there");
                let some = expected.iter().filter(|(k, _)| wanted.contains(k));
                let some = sorted(some.map(|(_, line)| line.clone()));
                assert_eq!(lines(&found, "groups"), some, "{condition}");
            }
        }
    }
}

#[test]
fn open_windows_stand_as_they_would_close() {
    let all = stream();
    let marks = watermarks(&all);
    for (parallelism, batch) in [(1, 1), (2, 4)] {
        let session = after(&scenario(&all, WINDOWS), 70, &options(parallelism, batch));
        let read = session.events().iter();
        let read = read.filter(|e| matches!(e.what, What::Arrive { .. })).count();
        let now = all[..read].iter().map(|r| r.ts - 4_000).max().expect("there are some");
        let mut open: BTreeMap<(i64, Option<char>), i64> = BTreeMap::new();
        for (r, mark) in all[..read].iter().zip(&marks) {
            let last = r.ts - r.ts.rem_euclid(5_000);
            for start in [last - 5_000, last] {
                // In the window when the record came, and not fired since.
                if start + 10_000 - 1 > *mark && start + 10_000 - 1 > now {
                    *open.entry((start, r.k)).or_default() += 1;
                }
            }
        }
        let line = |((start, k), n): (&(i64, Option<char>), &i64)| {
            format!(r#"{{"k":{},"window_start":"{}","n":{n}}}"#, name(*k), time(*start))
        };
        let found = session.state("window", None).expect("it is there");
        assert!(open.len() > 4);
        // The operator hands on what its readers ask for.
        let own: Vec<String> = sorted(found[0].rows.iter().map(|row| {
            let field = |wanted: &str| {
                let fields = &found[0].schema.fields;
                let at = fields.iter().position(|f| f.name == wanted).expect("it has that");
                row[at].clone()
            };
            let values = ["k", "window_start"].map(field);
            let count = row.last().expect("the count stands last").clone();
            let schema = &found[0].schema.fields;
            let fields = ["k", "window_start"]
                .map(|n| schema.iter().find(|f| f.name == n).expect("it has that").clone());
            let mut fields = fields.to_vec();
            fields.push(highwater_engine::schema::Field {
                name: "n".into(),
                ..schema.last().expect("a column").clone()
            });
            let schema = highwater_engine::schema::Schema::new(fields);
            jsonl_row(&schema, None, &[values.to_vec(), vec![count]].concat())
        }));
        assert_eq!(own, sorted(open.iter().map(line)));
    }
}

#[test]
fn joins_and_ranks_stand_as_the_records_so_far_make_them() {
    let all = stream();
    for (parallelism, batch) in [(1, 1), (3, 5)] {
        let session = after(&scenario(&all, JOIN), 60, &options(parallelism, batch));
        let read = session.events().iter();
        let read = read.filter(|e| matches!(e.what, What::Arrive { .. })).count();
        let found = session.state("join", Some("k = 'a'")).expect("it is there");
        let count = all[..read].iter().filter(|r| r.k == Some('a')).count();
        assert!(count > 5);
        assert_eq!(
            found.iter().map(|k| (k.part, k.rows.len())).collect::<Vec<_>>(),
            [("left", count), ("right", count)]
        );
        let session = after(&scenario(&all, TOP), 60, &options(parallelism, batch));
        let read = session.events().iter();
        let read = read.filter(|e| matches!(e.what, What::Arrive { .. })).count();
        let mut best: Vec<&Record> =
            all[..read].iter().filter(|r| r.k == Some('b') && r.v.is_some()).collect();
        best.sort_by_key(|r| (-r.v.unwrap_or(0), r.ts));
        let found = session.state("rank", Some("k = 'b'")).expect("it is there");
        let values: Vec<String> = found[0].rows.iter().map(|row| row[1].to_text()).collect();
        let mut expected: Vec<String> = best.iter().take(2).map(|r| or_null(r.v)).collect();
        expected.sort();
        assert_eq!(found[0].part, "ranks");
        let mut values = values;
        values.sort();
        assert_eq!(values, expected);
    }
}

/// As of a checkpoint: the records before its barrier, whatever has come since, and after a crash.
#[test]
fn a_checkpoint_holds_what_stood_at_its_cut() {
    let all = stream();
    let text = scenario(&all, GROUPS);
    let mut session = after(&text, 149, &options(2, 3));
    while session.status().checkpoints < 2 {
        session.step(1);
    }
    let (mut records, mut cut) = (0, None);
    for event in session.events() {
        match event.what {
            What::Arrive { .. } => records += 1,
            What::CheckpointStart { checkpoint: 2, .. } => cut = Some(records),
            _ => {}
        }
    }
    let cut = cut.expect("the second checkpoint has begun");
    assert!(cut > 0 && cut < all.len());
    let expected = sorted(groups(&all[..cut]).into_iter().map(|(_, line)| line));
    let found = session.state_at(2, "group", None).expect("it is there");
    assert_eq!(lines(&found, "groups"), expected);
    session.inject("at now crash group/0").expect("it is a fault");
    session.step(1);
    let down = session.state("group", None).expect_err("its memory is gone");
    assert_eq!(down.code, "state.down");
    assert_eq!(
        lines(&session.state_at(2, "group", None).expect("it is stored"), "groups"),
        expected
    );
}

/// A job that is fed by a program: what has been handed in so far.
#[test]
fn a_fed_job_can_be_asked() {
    use highwater_engine::column::from_values;
    use highwater_engine::schema::DataType;
    use highwater_engine::value::Value;
    let script = "CREATE TABLE t (k STRING, v INT) WITH ('connector' = 'push');\n\
        SELECT k, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k;";
    let files = Files::default();
    let mut live = Live::open("fed.sql", script, &files, Interpreter::shared(), &options(2, 4))
        .expect("it opens");
    let all = stream();
    let types = [DataType::String, DataType::Int];
    for (i, piece) in all.chunks(20).enumerate() {
        let keys: Vec<Value> = piece
            .iter()
            .map(|r| r.k.map_or(Value::Null, |k| Value::String(k.to_string().into())))
            .collect();
        let values: Vec<Value> =
            piece.iter().map(|r| r.v.map_or(Value::Null, |v| Value::Int(v as i32))).collect();
        let columns = vec![from_values(&keys, types[0]), from_values(&values, types[1])];
        live.push(0, &types, columns).expect("the rows fit");
        let so_far = &all[..(20 * (i + 1)).min(all.len())];
        let expected = sorted(groups(so_far).into_iter().map(|(_, line)| line));
        assert_eq!(lines(&live.state("group", None).expect("it is there"), "groups"), expected);
    }
}

#[test]
fn wrong_questions_are_told_what_is_wrong() {
    let session = after(&scenario(&stream(), GROUPS), 5, &options(1, 1));
    let error = |operator: &str, wanted: Option<&str>| {
        let error = session.state(operator, wanted).expect_err("it is wrong");
        (error.code, error.to_string())
    };
    let (code, text) = error("join", None);
    assert!(code == "state.operator" && text.contains("those that do are group"), "{text}");
    assert_eq!(error("group", Some("k = ")).0, "sql.syntax");
    assert_eq!(error("group", Some("k = 'a' GROUP")).0, "sql.syntax");
    assert_eq!(error("group", Some("x = 1")).0, "sql.unknown-column");
    assert_eq!(error("group", Some("count_0")).0, "sql.type");
    assert_eq!(error("group", Some("COUNT(*) > 1")).0, "sql.aggregate");
    let error = session.state_at(9, "group", None).expect_err("there is none");
    assert_eq!(error.code, "state.checkpoint");
    assert_eq!(session.holders(), ["group"]);
}
