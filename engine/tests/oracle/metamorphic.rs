//! One case: the engine against the oracle, and against itself where the input is changed in a way that must
//! not show.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use highwater_engine::batch::RowKind;
use highwater_engine::session::{Fast, Files, Options, Rows, Session};
use highwater_oracle::batch::{self, Cell};
use highwater_oracle::input::{Dice, Input, Record};
use highwater_oracle::parts::Read;
use highwater_oracle::pipeline::Node;
use highwater_oracle::{Case, left};

use crate::sandbox::Interpreter;

/// A day: a whole number of every window's steps.
const DAY: i64 = 86_400_000;

/// What is wrong with a case.
#[derive(Debug)]
pub struct Failure {
    /// Which of the checks found it.
    pub check: String,
    /// The scenario that shows it, and what it should give and gives.
    pub scenario: String,
    pub expected: Left,
    pub found: Outcome,
    /// The engine does not take the pipeline: a mistake of the generator.
    pub refused: bool,
}

/// Rows, and how many rows were left out as late on the way.
pub type Left = (Vec<Vec<Cell>>, u64);

type Outcome = Result<Left, String>;

/// The same where changes wait for the end of micro-batches; none where each pane is told apart, because
/// there are fewer then.
fn suppressed(case: &Case, dice: &mut Dice) -> Option<String> {
    let panes =
        |step: &&Node| matches!(step, Node::Panes(.., emission) if emission.read == Read::Each);
    // What a trigger that has fired for the last time leaves out hangs on when it fires.
    let ends = |step: &&Node| match step {
        Node::Panes(.., emission) => emission.waits().is_some_and(|waits| waits[1].is_none()),
        _ => false,
    };
    let steps = case.node.steps();
    if steps.iter().any(|step| panes(step) || ends(step)) {
        return None;
    }
    let waits = |step: &&Node| matches!(step, Node::Panes(.., emission) if emission.by_time());
    let by_time = steps.iter().any(waits) || dice.once_in(2);
    let (key, value) = match by_time {
        true => ("allow-latency", format!("{} ms", dice.of(&[1, 900, 4_000, 60_000]))),
        false => ("size", dice.of(&[1, 3, 8, 1_000]).to_string()),
    };
    let script = format!(
        "SET 'table.exec.mini-batch.enabled' = 'true';\n\
         SET 'table.exec.mini-batch.{key}' = '{value}';\n{}",
        case.script()
    );
    Some(case.input.scenario(&script))
}

/// Checks everything.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(case: &Case) -> Result<(), Failure> {
    let mut dice = Dice(!case.seed);
    let expected = batch::result(&case.node, &case.input);
    let whole = options(1, 1024);
    gives(case, &case.input, &whole, "the oracle", &expected, 0)?;
    let other = options(1 + dice.below(4) as u32, dice.of(&[1, 2, 7, 64]));
    gives(case, &case.input, &other, "other batches and subtasks", &expected, 0)?;
    let other = options(2, 7);
    // Each pipeline has some of these.
    if dice.once_in(2) {
        let days = DAY * dice.of(&[1, -3, 400]);
        gives(case, &shifted(&case.input, days), &other, "all times moved", &expected, days)?;
    }
    if let Some(noisy) = noisy(&case.input, &mut dice).filter(|_| dice.once_in(2)) {
        gives(case, &noisy, &other, "records that move no watermark", &expected, 0)?;
    }
    if case.input.partitions().len() == 1 && case.input.idle.is_none() && dice.once_in(2) {
        let idle = Input { idle: Some(dice.of(&[100, 2_000])), ..case.input.clone() };
        gives(case, &idle, &other, "idle marks", &expected, 0)?;
    }
    let permuted = permuted(&case.input, &mut dice).filter(|_| !case.node.hangs_on_arrival());
    if let Some([timely, permuted]) = permuted {
        let expected = batch::result(&case.node, &timely);
        gives(case, &permuted, &other, "another order of arrival", &expected, 0)?;
    }
    if let Some(scenario) = suppressed(case, &mut dice) {
        let found = caught(|| leaves(case, &scenario, &other));
        compare("changes that wait for micro-batches", scenario, &expected, found)?;
    }
    if dice.once_in(16) {
        let scenario = case.scenario(&case.input);
        // Some rows are late twice then.
        let found = caught(|| {
            let rows = crashed(&scenario, &other, &mut dice)?;
            Ok((applied(case, &rows)?, expected.1))
        });
        compare("a crash", scenario, &expected, found)?;
    }
    Ok(())
}

/// What the engine leaves of a case's scenario, sorted.
fn leaves(case: &Case, scenario: &str, options: &Options) -> Outcome {
    let (rows, late) = run(scenario, options)?;
    Ok((applied(case, &rows)?, late))
}

/// What rows leave. Where nothing is ever taken back there are inserts alone.
fn applied(case: &Case, rows: &Rows) -> Result<Vec<Vec<Cell>>, String> {
    match rows.rows.iter().find(|(kind, ..)| *kind != RowKind::Insert) {
        Some((kind, seq, _)) if !case.node.changes() => {
            Err(format!("{} at {seq}, of rows that do not change", kind.symbol()))
        }
        _ => left(rows),
    }
}

fn gives(
    case: &Case,
    input: &Input,
    options: &Options,
    check: &str,
    expected: &Left,
    moved: i64,
) -> Result<(), Failure> {
    let scenario = case.scenario(input);
    let found =
        caught(|| leaves(case, &scenario, options)).map(|(rows, late)| (back(rows, moved), late));
    let check = format!("{check} ({options:?}, times moved by {moved})");
    compare(&check, scenario, expected, found)
}

fn compare(check: &str, scenario: String, expected: &Left, found: Outcome) -> Result<(), Failure> {
    if found.as_ref().is_ok_and(|found| found == expected) {
        return Ok(());
    }
    let refused = found.as_ref().is_err_and(|e| e.starts_with("refused"));
    let (check, expected) = (check.to_owned(), expected.clone());
    Err(Failure { check, scenario, expected, found, refused })
}

fn options(parallelism: u32, batch_rows: u32) -> Options {
    Options { seed: None, parallelism: Some(parallelism), batch_rows: Some(batch_rows) }
}

/// The rows with their times moved back.
fn back(mut rows: Vec<Vec<Cell>>, moved: i64) -> Vec<Vec<Cell>> {
    for cell in rows.iter_mut().flatten() {
        if let Cell::Time(time) = cell {
            *time -= moved;
        }
    }
    rows
}

/// A panic of the engine is something to cut down, too.
fn caught(run: impl FnOnce() -> Outcome) -> Outcome {
    let panicked = |_| Err("the engine panicked".to_owned());
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(panicked)
}

/// What the engine says of a scenario.
fn run(scenario: &str, options: &Options) -> Result<(Rows, u64), String> {
    let fast = Fast::open("case.md", scenario, &Files::default(), Interpreter::shared(), options)
        .map_err(|e| format!("refused: {e:?}"))?;
    let mut tables = fast.sinks();
    let mut emit = |sink: usize, batch| {
        tables[sink].extend(&batch);
        Ok(())
    };
    let report = fast.run(&mut emit, &mut |_| {}).map_err(|e| format!("failed: {e:?}"))?;
    Ok((tables.swap_remove(0), report.late))
}

/// The same of a simulation in which a task crashes.
fn crashed(scenario: &str, options: &Options, dice: &mut Dice) -> Result<Rows, String> {
    let files = Files::default();
    let session = Session::open("case.md", scenario, &files, Interpreter::shared(), options);
    let mut session = session.map_err(|e| format!("refused: {e:?}"))?;
    let steps = session.fork().finish().step;
    session.step(dice.below(steps.max(1)));
    let tasks: Vec<String> = session.header().tasks.iter().map(|t| t.name.clone()).collect();
    let fault = format!("at now crash {}", dice.of(&tasks));
    session.inject(&fault).map_err(|e| format!("failed: {e:?}"))?;
    let status = session.finish();
    if !status.finished {
        return Err(format!("failed after {fault}: {:?}", status.failed));
    }
    Ok(session.tables()[0].clone())
}

/// All times moved by as much.
fn shifted(input: &Input, by: i64) -> Input {
    let one = |r: &Record| Record { at: r.at + by, ts: r.ts + by, ..r.clone() };
    Input { records: input.records.iter().map(one).collect(), ..input.clone() }
}

/// With records between the others that no pipeline reads and that are not ahead of their partition. Where
/// silence counts they would break it, unless there is one partition alone.
fn noisy(input: &Input, dice: &mut Dice) -> Option<Input> {
    if input.idle.is_some() && input.partitions().len() > 1 {
        return None;
    }
    let mut records: Vec<Record> = Vec::new();
    for (i, r) in input.records.iter().enumerate() {
        records.push(r.clone());
        let same = |other: &&Record| (other.table, other.partition) == (r.table, r.partition);
        // The last record ends its partition.
        if dice.once_in(2) && input.records[i + 1..].iter().any(|other| same(&other)) {
            let newest = input.records[..=i].iter().filter(same).map(|r| r.ts).max();
            let ts = newest.unwrap_or(r.ts) - dice.of(&[0, 1, 3_000, 50_000]);
            records.push(Record { at: r.at + 1, ts, noise: true, ..r.clone() });
        }
    }
    Some(Input { records, ..input.clone() })
}

/// The records without the late ones, and the same in another order in which none is late either.
fn permuted(input: &Input, dice: &mut Dice) -> Option<[Input; 2]> {
    let mut high: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    let mut timely: Vec<Record> = Vec::new();
    for r in &input.records {
        let high = high.entry((r.table, r.partition)).or_insert(i64::MIN);
        if r.ts > *high {
            timely.push(r.clone());
        }
        *high = r.ts.saturating_sub(input.delays[r.table]).max(*high);
    }
    let mut permuted = timely.clone();
    for (table, partition) in input.partitions() {
        if input.delays[table] == 0 {
            return None;
        }
        let own = |r: &&Record| (r.table, r.partition) == (table, partition);
        let mut records: Vec<(i64, Record)> = timely
            .iter()
            .filter(own)
            .map(|r| (r.ts + dice.below(input.delays[table] as u64) as i64, r.clone()))
            .collect();
        records.sort_by_key(|(place, _)| *place);
        let mut records = records.into_iter();
        for slot in permuted.iter_mut().filter(|r| own(&&**r)) {
            let (_, record) = records.next().expect("as many as there are places");
            *slot = Record { at: slot.at, ..record };
        }
    }
    let with = |records| Input { records, idle: None, ..input.clone() };
    Some([with(timely), with(permuted)])
}
