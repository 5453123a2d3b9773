//! Tables that promise less than their job: one query written to a plain, an idempotent and a transactional one.

use highwater_engine::plan::SinkKind;
use highwater_engine::seeded::plant;
use highwater_engine::session::{Delivery, Every, Guarantee, Session, Victim};
use highwater_engine::trace::{Event, What};

use crate::drivers::{open, options, tables};

const TABLES: [&str; 3] = ["each_sale", "last_of_till", "booked"];

/// Eight sales of three tills. Three come before the checkpoint at 11 s, three before the crash at 18 s. The till `a`
/// sells nothing behind the fifth.
const SALES: [(&str, &str, i32); 8] = [
    ("01.000", "a", 1),
    ("02.000", "b", 2),
    ("03.000", "c", 3),
    ("12.000", "a", 4),
    ("13.200", "a", 5),
    ("15.000", "b", 6),
    ("25.000", "c", 7),
    ("26.000", "b", 8),
];

fn job(faults: &str, settings: &str) -> String {
    let records = SALES.map(|(at, till, sale)| {
        format!("{{\"@at\": \"2024-05-01 12:00:{at}\", \"till\": \"{till}\", \"sale\": {sale}}}\n")
    });
    let [plain, idempotent, transactional] = TABLES;
    format!(
        "```sql\n\
         SET 'execution.checkpointing.interval' = '10 s';\n\
         SET 'restart-strategy.fixed-delay.delay' = '1 s';\n{settings}\
         CREATE TABLE sales (till STRING, sale INT);\n\
         CREATE TABLE {plain} (till STRING, sale INT)\n\
         WITH ('connector' = 'print', 'sink.delivery-guarantee' = 'at-least-once');\n\
         CREATE TABLE {idempotent} (till STRING, sale INT, PRIMARY KEY (till) NOT ENFORCED)\n\
         WITH ('connector' = 'print', 'sink.delivery-guarantee' = 'at-least-once');\n\
         CREATE TABLE {transactional} (till STRING, sale INT) WITH ('connector' = 'print');\n\
         CREATE VIEW sold AS SELECT till, sale FROM sales WHERE sale > 0;\n\
         EXECUTE STATEMENT SET BEGIN\n\
         INSERT INTO {plain} SELECT * FROM sold;\n\
         INSERT INTO {idempotent} SELECT * FROM sold;\n\
         INSERT INTO {transactional} SELECT * FROM sold;\n\
         END;\n```\n\n```jsonl sales\n{}```\n\n```faults\n{faults}```\n",
        records.concat()
    )
}

/// The sales that each table has shown, in their order.
fn shown(session: &Session) -> [Vec<i32>; 3] {
    let tables = session.tables();
    [0, 1, 2].map(|i| {
        let sale = |row: &[highwater_engine::value::Value]| row[1].to_text().parse();
        tables[i].rows.iter().map(|(.., row)| sale(row).expect("a number")).collect()
    })
}

/// Expected, delivered, lost, duplicated, reordered, wrong, overwritten.
fn counted(found: &Delivery) -> [u64; 7] {
    let Delivery { expected, delivered, lost, duplicated, reordered, wrong, overwritten, .. } =
        *found;
    [expected, delivered, lost, duplicated, reordered, wrong, overwritten]
}

#[test]
fn one_crash_shows_what_each_table_promises() {
    for (parallelism, batch) in [(1, 1), (3, 4)] {
        let mut run = open(&job("at 17s crash booked/0\n", ""), &options(parallelism, batch));
        let kinds: Vec<SinkKind> = run.tables().iter().map(|rows| rows.kind).collect();
        assert_eq!(kinds, [SinkKind::Plain, SinkKind::Idempotent, SinkKind::Transactional]);
        let crashed = |e: &Event| matches!(e.what, What::Crash { .. });
        while !run.events().iter().any(crashed) {
            assert!(!run.step(1).finished, "it crashes");
        }
        // Rows that wait for no checkpoint are there: the fourth to the sixth are in none.
        let six = vec![1, 2, 3, 4, 5, 6];
        assert_eq!(shown(&run), [six.clone(), six, vec![1, 2, 3]]);
        assert!(run.finish().finished);
        let again = vec![1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8];
        assert_eq!(shown(&run), [again.clone(), again, vec![1, 2, 3, 4, 5, 6, 7, 8]]);
        let found = run.delivery();
        assert_eq!(counted(&found[0]), [8, 11, 0, 3, 0, 0, 0]);
        assert_eq!(counted(&found[1]), [3, 3, 0, 0, 0, 0, 3]);
        assert_eq!(counted(&found[2]), [8, 8, 0, 0, 0, 0, 0]);
        assert_eq!(run.tables()[1].left(), "till | sale\na    | 5\nb    | 8\nc    | 7\n");
        assert_eq!(run.tables()[0].left().lines().count(), 12, "a line a row, and the heading");
        // The table outside says that it had the rows.
        let replaced = run.events().iter().filter_map(|e| match &e.what {
            What::SinkWrite { rows, change, .. } if change == "replaced" => Some((e.task, *rows)),
            _ => None,
        });
        let place = |name: &str| run.header().tasks.iter().position(|task| task.name == name);
        let task = place("last_of_till/0").expect("it is there") as u16;
        let replaced: Vec<(u16, u64)> = replaced.collect();
        assert!(replaced.iter().all(|(of, _)| *of == task), "{replaced:?}");
        assert_eq!(replaced.iter().map(|(_, rows)| rows).sum::<u64>(), 3);
    }
}

/// Whatever the job promises, a crash behind every step leaves each table what it promises in such a job.
#[test]
fn torture_judges_each_table_by_its_own_promise() {
    for guarantee in Guarantee::ALL {
        let run = open(&job("", ""), &options(2, 2)).promising(guarantee);
        let every = Every { victims: &[Victim::Task], step: 1, again: Some(1) };
        let found = run.torture(every, &mut |_, _| {}).expect("the job runs");
        assert_eq!(found.violations, [], "{}", guarantee.name());
        for table in &found.tables {
            let promise = table.promise(guarantee);
            assert_eq!(table.lost > 0, promise == Guarantee::AtMostOnce, "{table:?}");
            let twice = promise == Guarantee::AtLeastOnce;
            assert_eq!(table.overwritten > 0, twice && table.by_key, "{table:?}");
            assert_eq!(table.duplicated > 0, twice && !table.by_key, "{table:?}");
        }
    }
}

/// A table that showed rows late, or lost some, would be found, and so would one that is judged too mildly.
#[test]
fn a_promise_is_held_against_the_table_that_made_it() {
    let mut run = open(&job("", ""), &options(1, 1));
    run.finish();
    let tables = run.tables();
    let kept = |table: usize, places: &[usize]| {
        let mut delivered = tables[table].clone();
        delivered.rows = places.iter().map(|&place| tables[table].rows[place].clone()).collect();
        Delivery::of(&tables[table], &delivered).keeps(Guarantee::ExactlyOnce)
    };
    let all = [0, 1, 2, 3, 4, 5, 6, 7];
    let (twice, last) = ([0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7, 3]);
    let (fewer, between) = ([0, 1, 2, 3, 4, 5, 6], [0, 3, 4, 6, 7]);
    for (places, keep) in [
        (&all[..], [true, true, true]),
        (&twice, [true, true, false]),
        // An old row of the till `a` behind its last one.
        (&last, [true, false, false]),
        // The last row of the till `b` is missing.
        (&fewer, [false, false, false]),
        // Nobody can tell that a row was missing whose place another has taken.
        (&between, [false, true, false]),
    ] {
        assert_eq!([0, 1, 2].map(|table| kept(table, places)), keep, "{places:?}");
    }
}

/// The fourth sale hangs on its way to the idempotent table. When it arrives, the fifth is there, of the same till.
fn late_write() -> Session {
    let mut run = open(&job("at 10500ms sink-zombie last_of_till/0\n", ""), &options(1, 1));
    assert!(run.finish().finished);
    run
}

#[test]
fn an_old_row_takes_no_newer_ones_place() {
    let run = late_write();
    assert!(run.delivery().iter().all(|found| found.keeps(Guarantee::ExactlyOnce)));
    let fenced =
        |e: &Event| matches!(&e.what, What::SinkWrite { change, .. } if change == "fenced");
    assert_eq!(run.events().iter().filter(|e| fenced(e)).count(), 1);
    assert_eq!(shown(&run)[1], [1, 2, 3, 4, 5, 6, 7, 8]);
    let Some(planted) = plant("an-old-row-replaces-a-newer-one") else { return };
    let run = late_write();
    assert_eq!(shown(&run)[1], [1, 2, 3, 4, 5, 4, 6, 7, 8]);
    let kept = run.delivery().iter().map(|d| d.keeps(Guarantee::ExactlyOnce)).collect::<Vec<_>>();
    assert_eq!(kept, [true, false, true]);
    drop(planted);
}

/// Without faults nobody can tell the three apart, and the runner has the same rows.
#[test]
fn without_a_crash_they_are_the_same_in_both_drivers() {
    let text = job("", "");
    let mut run = open(&text, &options(2, 3));
    run.finish();
    let all = vec![1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(shown(&run), [all.clone(), all.clone(), all]);
    let (fast, _) = tables(&text, &options(2, 3));
    for (fast, simulated) in fast.iter().zip(run.tables()) {
        assert_eq!(fast.jsonl(), simulated.jsonl());
        assert_eq!(fast.left(), simulated.left());
    }
}
