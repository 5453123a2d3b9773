//! One case: the engine against the oracle, and against itself where the input is changed in a way that must
//! not show.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use highwater_engine::batch::RowKind;
use highwater_engine::session::{Fast, Files, Options, Rows, Session};
use highwater_engine::value::Value;

use crate::batch::{self, Cell};
use crate::generate;
use crate::input::{Dice, Input, Record};
use crate::pipeline::Node;
use crate::sandbox::Interpreter;
use crate::sql;

/// A day: a whole number of every window's steps.
const DAY: i64 = 86_400_000;

/// A pipeline and its input.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the changes of the input are drawn from.
    pub seed: u64,
    pub node: Node,
    pub input: Input,
}

/// What is wrong with a case.
#[derive(Debug)]
pub struct Failure {
    /// Which of the checks found it.
    pub check: String,
    /// The scenario that shows it, and what it should give and gives.
    pub scenario: String,
    pub expected: Vec<Vec<Cell>>,
    pub found: Result<Vec<Vec<Cell>>, String>,
    /// The engine does not take the pipeline: a mistake of the generator.
    pub refused: bool,
}

type Outcome = Result<Vec<Vec<Cell>>, String>;

impl Case {
    /// The case of a seed.
    pub fn new(seed: u64) -> Case {
        let mut dice = Dice(seed);
        let node = generate::pipeline(&mut dice);
        let tables = [0, 1].map(|table| node.reads(table));
        let may_idle = tables != [true, true] && !node.holds_back();
        let input = Input::random(&mut dice, tables, may_idle);
        Case { seed, node, input }
    }

    /// The scenario of some input.
    pub fn scenario(&self, input: &Input) -> String {
        input.scenario(&sql::script(&self.node))
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Failure> {
        let mut dice = Dice(!self.seed);
        let expected = batch::result(&self.node, &self.input);
        let whole = options(1, 1024);
        self.gives(&self.input, &whole, "the oracle", &expected, 0)?;
        let other = options(1 + dice.below(4) as u32, dice.of(&[1, 2, 7, 64]));
        self.gives(&self.input, &other, "other batches and subtasks", &expected, 0)?;
        let days = DAY * dice.of(&[1, -3, 400]);
        let other = options(2, 7);
        self.gives(&shifted(&self.input, days), &other, "all times moved", &expected, days)?;
        if let Some(noisy) = noisy(&self.input, &mut dice) {
            self.gives(&noisy, &other, "records that move no watermark", &expected, 0)?;
        }
        if self.input.partitions().len() == 1 && self.input.idle.is_none() {
            let idle = Input { idle: Some(dice.of(&[100, 2_000])), ..self.input.clone() };
            self.gives(&idle, &other, "idle marks", &expected, 0)?;
        }
        if let Some([timely, permuted]) = permuted(&self.input, &mut dice) {
            let expected = batch::result(&self.node, &timely);
            self.gives(&permuted, &other, "another order of arrival", &expected, 0)?;
        }
        if dice.once_in(16) {
            let scenario = self.scenario(&self.input);
            let found = caught(|| crashed(&scenario, &other, &mut dice));
            self.compare("a crash", scenario, &expected, found)?;
        }
        Ok(())
    }

    fn gives(
        &self,
        input: &Input,
        options: &Options,
        check: &str,
        expected: &[Vec<Cell>],
        moved: i64,
    ) -> Result<(), Failure> {
        let scenario = self.scenario(input);
        let found = caught(|| run(&scenario, options)).map(|rows| back(rows, moved));
        let check = format!("{check} ({options:?}, times moved by {moved})");
        self.compare(&check, scenario, expected, found)
    }

    fn compare(
        &self,
        check: &str,
        scenario: String,
        expected: &[Vec<Cell>],
        found: Outcome,
    ) -> Result<(), Failure> {
        if found.as_ref().is_ok_and(|found| found == expected) {
            return Ok(());
        }
        let refused = found.as_ref().is_err_and(|e| e.starts_with("refused"));
        let (check, expected) = (check.to_owned(), expected.to_vec());
        Err(Failure { check, scenario, expected, found, refused })
    }
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

/// What the engine leaves of a scenario, sorted.
fn run(scenario: &str, options: &Options) -> Outcome {
    let fast = Fast::open("case.md", scenario, &Files::default(), Interpreter::shared(), options)
        .map_err(|e| format!("refused: {e:?}"))?;
    let mut tables = fast.sinks();
    let mut emit = |sink: usize, batch| {
        tables[sink].extend(&batch);
        Ok(())
    };
    fast.run(&mut emit, &mut |_| {}).map_err(|e| format!("failed: {e:?}"))?;
    left(&tables[0])
}

/// The same of a simulation in which a task crashes.
fn crashed(scenario: &str, options: &Options, dice: &mut Dice) -> Outcome {
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
    left(&session.tables()[0])
}

/// The rows that a changelog leaves. A row is taken back only while it is there.
fn left(rows: &Rows) -> Outcome {
    let mut left: BTreeMap<Vec<Cell>, usize> = BTreeMap::new();
    for (kind, seq, values) in &rows.rows {
        let cells: Vec<Cell> = values.iter().map(cell).collect();
        match kind {
            RowKind::Insert | RowKind::UpdateAfter => *left.entry(cells).or_default() += 1,
            RowKind::UpdateBefore | RowKind::Delete => match left.get_mut(&cells) {
                Some(count) if *count > 0 => *count -= 1,
                _ => return Err(format!("{cells:?} is taken back at {seq}, but is not there")),
            },
        }
    }
    let repeat = |(row, count): (Vec<Cell>, usize)| std::iter::repeat_n(row, count);
    Ok(left.into_iter().flat_map(repeat).collect())
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::BigInt(v) => Cell::Number(*v),
        Value::Timestamp(v) => Cell::Time(*v),
        other => panic!("no column holds {other:?}"),
    }
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
