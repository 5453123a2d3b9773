//! What a pipeline must give, by plain loops over vectors of rows.
//!
//! Steps that go by event time are evaluated over a log: rows, and the watermark where it moves, each at its
//! place in the order of arrival. All others are evaluated over what is there in the end.

mod aggregates;
mod joins;
mod over;
mod panes;
mod ranks;
mod windows;

use std::collections::BTreeMap;

use self::aggregates::{answer, grouped, in_sets};
use crate::input::Input;
use crate::parts::{Emission, On, Test, Windows};
use crate::pipeline::{Node, columns, shares};
use crate::types::{Dress, Type};

/// A row: its columns, its event time, the bounds of its window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Option<i64>>,
    pub(crate) time: i64,
    pub(crate) window: (i64, i64),
}

/// A row, or the watermark's next value.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Row(Row),
    Mark(i64),
}

/// Things with their places, in order; of one place rows come first.
pub(crate) type Log = Vec<(u64, Item)>;

/// A cell of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// NULL.
    Null,
    /// A value of whichever type, as the number that it shows.
    Number(i64),
    /// An event time, or a bound of a window; milliseconds.
    Time(i64),
}

/// What an evaluation is over, and how many rows have been left out as late so far, by whichever step.
struct Run<'a> {
    input: &'a Input,
    late: Late,
}

/// Counts late rows.
type Late = std::cell::Cell<u64>;

/// One more row is late, or so many.
fn count(late: &Late, more: usize) {
    late.set(late.get() + more as u64);
}

/// The rows of the result, sorted, and how many rows were late on the way.
pub fn result(node: &Node, input: &Input) -> (Vec<Vec<Cell>>, u64) {
    let run = Run { input, late: Late::new(0) };
    let cells = |row: Row| {
        let mut cells: Vec<Cell> =
            row.cells.iter().map(|c| c.map_or(Cell::Null, Cell::Number)).collect();
        if node.timed() {
            cells.push(Cell::Time(row.time));
        }
        if node.windows().is_some() {
            cells.extend([Cell::Time(row.window.0), Cell::Time(row.window.1)]);
        }
        cells
    };
    let mut rows: Vec<Vec<Cell>> = table(node, &run).into_iter().map(cells).collect();
    rows.sort();
    (rows, run.late.get())
}

/// The rows of a join of two steps that a guest decides by what `on` says of their rows, each with its time behind the cells:
/// `least <= right - left <= most`; the row's time is that of the side named last.
pub fn decided(
    both: &[Node; 2],
    bounds: [i64; 2],
    on: &On,
    side: usize,
    input: &Input,
) -> Vec<Vec<Cell>> {
    let run = Run { input, late: Late::new(0) };
    let made = joins::decided(met(both, &run), bounds, on, (side, shares(both)));
    let cells = |row: Row| {
        let cells = row.cells.iter().map(|c| c.map_or(Cell::Null, Cell::Number));
        cells.chain([Cell::Time(row.time)]).collect()
    };
    let mut rows: Vec<Vec<Cell>> = made.into_iter().map(cells).collect();
    rows.sort();
    rows
}

/// A row without a time.
fn plain(cells: Vec<Option<i64>>) -> Row {
    Row { cells, time: 0, window: (0, 0) }
}

/// The rows that are there in the end.
fn table(node: &Node, run: &Run<'_>) -> Vec<Row> {
    let sides = |both: &[Node; 2]| [0, 1].map(|side| table(&both[side], run));
    match node {
        Node::Filter(from, test) | Node::Having(from, test) => {
            table(from, run).into_iter().filter(|row| passes(test, row)).collect()
        }
        Node::Map(from, exprs) => {
            let types = from.types();
            table(from, run).into_iter().map(|row| mapped(exprs, &types, row)).collect()
        }
        Node::Union(both) => {
            let width = node.width();
            sides(both).into_iter().flatten().map(|row| cut(row, width)).collect()
        }
        Node::Merged(both) => {
            let all: Vec<usize> = (0..node.width()).collect();
            let rows = sides(both).into_iter().flatten().collect();
            grouped(rows, &all).into_keys().map(plain).collect()
        }
        Node::Group(from, keys, calls) => {
            let keys = columns(keys, from.width());
            let groups = grouped(table(from, run), &keys).into_iter();
            groups.map(|(key, rows)| plain(answer(key, &rows, calls))).collect()
        }
        Node::Sets(from, None, keys, sets, calls) => {
            let keys = columns(keys, from.width());
            in_sets(&table(from, run), &keys, sets, calls).into_iter().map(plain).collect()
        }
        Node::Distinct(from, list) => {
            let list = columns(list, from.width());
            grouped(table(from, run), &list).into_keys().map(plain).collect()
        }
        Node::Top(from, rank) => ranks::top(table(from, run), rank, &from.sorts(&rank.order)),
        Node::Last(from, keys) => ranks::last(log(from, run), &columns(keys, from.width())),
        Node::Panes(from, windows, keys, calls, emission) => {
            let keys = columns(keys, from.width());
            let log = log(from, run);
            panes::left(&log, *windows, (&keys, calls), emission, (&run.input.clock(), &run.late))
        }
        Node::Late(windowed) => late(windowed, run),
        Node::Join(both, kind, on) => {
            let [left, right] = sides(both);
            joins::join(&left, &right, *kind, shares(both), &|l, r| joins::partners(on, l, r))
        }
        Node::Near(both, not, bounds, on) => {
            let [left, right] = sides(both);
            let near = |l: &Row, r: &Row| joins::near(*bounds, l, r) && joins::partners(on, l, r);
            left.into_iter().filter(|l| right.iter().any(|r| near(l, r)) != *not).collect()
        }
        Node::In(both, negated, sought, among) => {
            let [left, right] = sides(both);
            let (sought, among) = (sought % both[0].width(), among % both[1].width());
            let found: Vec<Option<i64>> = right.iter().map(|row| row.cells[among]).collect();
            let keep = |row: &Row| match (joins::is_in(row.cells[sought], &found), negated) {
                (Some(is), negated) => is != *negated,
                (None, _) => false,
            };
            left.into_iter().filter(keep).collect()
        }
        Node::Against(both, column, compare, function, of) => {
            let [left, right] = sides(both);
            let values = right.iter().map(|row| row.cells[of % row.cells.len()]).collect();
            let value = aggregates::value(*function, values);
            let fits = |row: &Row| compare.holds(row.cells[column % row.cells.len()], value);
            left.into_iter().filter(fits).collect()
        }
        _ => rows_of(log(node, run)).map(|(_, row)| row).collect(),
    }
}

fn rows_of(log: Log) -> impl Iterator<Item = (u64, Row)> {
    log.into_iter().filter_map(|(seq, item)| match item {
        Item::Row(row) => Some((seq, row)),
        Item::Mark(_) => None,
    })
}

/// What the windows of an aggregation leave out.
fn late(windowed: &Node, run: &Run<'_>) -> Vec<Row> {
    let late = match windowed {
        Node::Window(from, windows, keys, _) => {
            let keys = columns(keys, from.width());
            windows::closing(&log(from, run), *windows, &keys, &Emission::ON_TIME).late
        }
        Node::Panes(from, windows, keys, calls, emission) => {
            let keys = columns(keys, from.width());
            let log = log(from, run);
            panes::late(&log, *windows, (&keys, calls), emission, &run.input.clock())
        }
        _ => unreachable!("no windows"),
    };
    late.into_iter().map(|row| plain(row.cells)).collect()
}

/// What happens at a step that goes by event time.
fn log(node: &Node, run: &Run<'_>) -> Log {
    match node {
        Node::Source(table, dress) => each(run.input.log(*table, false), |row| dressed(row, dress)),
        Node::Versions(table) => run.input.log(*table, true),
        Node::Filter(from, test) | Node::Having(from, test) => {
            let mut log = log(from, run);
            log.retain(|(_, item)| !matches!(item, Item::Row(row) if !passes(test, row)));
            log
        }
        Node::Map(from, exprs) => {
            let types = from.types();
            each(log(from, run), |row| mapped(exprs, &types, row))
        }
        Node::Union(both) => {
            let width = node.width();
            each(met(both, run).0, |row| cut(row, width))
        }
        Node::Rows(from, windows) => {
            let log = log(from, run);
            if !matches!(windows, Windows::Session(_)) {
                return windows::assigned(log, *windows);
            }
            // Which session a row is in is known when that closes.
            let shut = windows::closing(&log, *windows, &[], &Emission::ON_TIME);
            count(&run.late, shut.late.len());
            shut.fired(|rows| rows.into_iter().map(|row| row.cells).collect())
        }
        Node::Window(from, windows, keys, calls) => {
            let keys = columns(keys, from.width());
            let log = log(from, run);
            let shut = windows::closing(&log, *windows, &keys, &Emission::ON_TIME);
            count(&run.late, shut.late.len());
            shut.fired(|rows| {
                let groups = grouped(rows, &keys).into_iter();
                groups.map(|(key, rows)| answer(key, &rows, calls)).collect()
            })
        }
        Node::Sets(from, Some(windows), keys, sets, calls) => {
            let keys = columns(keys, from.width());
            let log = log(from, run);
            let shut = windows::closing(&log, *windows, &keys[..1], &Emission::ON_TIME);
            // A row that is late is late in each set; a session has it before there are sets.
            let each =
                if matches!(windows, Windows::Session(_)) { 1 } else { sets.of(keys.len()).len() };
            count(&run.late, shut.late.len() * each);
            shut.fired(|rows| in_sets(&rows, &keys, sets, calls))
        }
        Node::Carried(from, keys, calls) => {
            let keys = columns(keys, from.width());
            let shut = windows::carried(log(from, run));
            count(&run.late, shut.late.len());
            shut.fired(|rows| {
                let groups = grouped(rows, &keys).into_iter();
                groups.map(|(key, rows)| answer(key, &rows, calls)).collect()
            })
        }
        Node::WindowTop(from, rank) => {
            let sorts = from.sorts(&rank.order);
            let shut = windows::carried(log(from, run));
            count(&run.late, shut.late.len());
            shut.fired(|rows| {
                ranks::top(rows, rank, &sorts).into_iter().map(|row| row.cells).collect()
            })
        }
        Node::First(from, keys) => {
            ranks::first(log(from, run), &columns(keys, from.width()), &run.late)
        }
        Node::Last(from, keys) => ranks::newest(log(from, run), &columns(keys, from.width())),
        Node::Over(from, keys, frame, calls) => {
            over::over(log(from, run), &columns(keys, from.width()), (*frame, calls), &run.late)
        }
        Node::Interval(both, kind, bounds, on, side) => {
            let how = (*kind, *side, shares(both));
            joins::interval(met(both, run), *bounds, on, how, &run.late)
        }
        Node::WindowJoin(both, kind, on) => {
            joins::window_join(met(both, run), (*kind, on), shares(both), &run.late)
        }
        Node::Temporal(both, outer, keys, residual) => {
            let on = joins::on_versions(&both[1], keys, *residual);
            joins::temporal(met(both, run), (*outer, &on), shares(both), &run.late)
        }
        _ => unreachable!("not a step that goes by time"),
    }
}

fn each(log: Log, change: impl Fn(Row) -> Row) -> Log {
    let one = |(seq, item)| match item {
        Item::Row(row) => (seq, Item::Row(change(row))),
        mark => (seq, mark),
    };
    log.into_iter().map(one).collect()
}

fn passes(test: &Test, row: &Row) -> bool {
    let value = row.cells[test.column % row.cells.len()];
    match test.than {
        Some((compare, number)) => compare.holds(value, Some(number)),
        None => value.is_none(),
    }
}

fn mapped(exprs: &[(usize, i64)], types: &[Type], row: Row) -> Row {
    let cell = |&(c, plus): &(usize, i64)| {
        let column = c % row.cells.len();
        let plus = if types[column].adds() { plus } else { 0 };
        row.cells[column].map(|value| value + plus)
    };
    Row { cells: exprs.iter().map(cell).collect(), ..row }
}

fn dressed(mut row: Row, dress: &Dress) -> Row {
    for (cell, own) in row.cells.iter_mut().zip(dress) {
        *cell = cell.map(|value| own.shown(value));
    }
    row
}

fn cut(mut row: Row, width: usize) -> Row {
    row.cells.truncate(width);
    row
}

fn key(row: &Row, keys: &[usize]) -> Vec<Option<i64>> {
    keys.iter().map(|&k| row.cells[k]).collect()
}

/// Two logs as one, and for each thing the input it comes from. The watermark is the least of both.
fn met(both: &[Node; 2], run: &Run<'_>) -> (Log, Vec<usize>) {
    let mut all: Vec<(u64, bool, usize, Item)> = Vec::new();
    for side in [0, 1] {
        let log = log(&both[side], run).into_iter();
        all.extend(log.map(|(seq, item)| (seq, matches!(item, Item::Mark(_)), side, item)));
    }
    all.sort_by_key(|(seq, mark, side, _)| (*seq, *mark, *side));
    let (mut marks, mut now) = ([i64::MIN; 2], i64::MIN);
    let (mut made, mut sides) = (Log::new(), Vec::new());
    for (seq, _, side, item) in all {
        let item = match item {
            Item::Mark(mark) => {
                marks[side] = mark;
                let least = marks[0].min(marks[1]);
                if least <= now {
                    continue;
                }
                now = least;
                Item::Mark(least)
            }
            row => row,
        };
        made.push((seq, item));
        sides.push(side);
    }
    (made, sides)
}

/// Groups of something by keys.
type Groups<T> = BTreeMap<Vec<Option<i64>>, T>;

/// The windows of a time: those that begin earliest first, of these those that end first. Where rows stand in
/// several windows, a session above hears of them in that order.
fn bounds(time: i64, windows: Windows) -> Vec<(i64, i64)> {
    match windows {
        Windows::Aligned(size, step, offset) => {
            let last = (time - offset).div_euclid(step) * step + offset;
            let starts = (0..).map(|back| last - back * step);
            let mut all: Vec<(i64, i64)> =
                starts.map(|s| (s, s + size)).take_while(|w| time < w.1).collect();
            all.reverse();
            all
        }
        Windows::Cumulate(size, step, offset) => {
            let start = (time - offset).div_euclid(size) * size + offset;
            let ends = (1..=size / step).map(|n| start + n * step);
            ends.filter(|end| time < *end).map(|end| (start, end)).collect()
        }
        Windows::Session(gap) => vec![(time, time + gap)],
    }
}
