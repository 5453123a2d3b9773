//! What a pipeline must give, by plain loops over vectors of rows.
//!
//! Steps that go by event time are evaluated over a log: rows, and the watermark where it moves, each at its
//! place in the order of arrival. All others are evaluated over what is there in the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::input::Input;
use crate::pipeline::{Call, Function, Kind, Node, On, Test, Windows, columns, shares};

/// A row: its columns, its event time, the bounds of its window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub cells: Vec<Option<i64>>,
    pub time: i64,
    pub window: (i64, i64),
}

/// A row, or the watermark's next value.
#[derive(Clone, Debug)]
pub enum Item {
    Row(Row),
    Mark(i64),
}

/// Things with their places, in order; of one place rows come first.
pub type Log = Vec<(u64, Item)>;

/// A cell of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Null,
    Number(i64),
    Time(i64),
}

/// The rows of the result, sorted.
pub fn result(node: &Node, input: &Input) -> Vec<Vec<Cell>> {
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
    let mut rows: Vec<Vec<Cell>> = table(node, input).into_iter().map(cells).collect();
    rows.sort();
    rows
}

fn plain(cells: Vec<Option<i64>>) -> Row {
    Row { cells, time: 0, window: (0, 0) }
}

/// The rows that are there in the end.
fn table(node: &Node, input: &Input) -> Vec<Row> {
    match node {
        Node::Filter(from, test) => {
            table(from, input).into_iter().filter(|row| passes(test, row)).collect()
        }
        Node::Map(from, exprs) => {
            table(from, input).into_iter().map(|row| mapped(exprs, row)).collect()
        }
        Node::Union(both) => {
            let width = node.width();
            both.iter().flat_map(|from| table(from, input)).map(|row| cut(row, width)).collect()
        }
        Node::Group(from, keys, calls) => {
            let keys = columns(keys, from.width());
            grouped(table(from, input), &keys)
                .into_iter()
                .map(|(key, rows)| plain(answer(key, &rows, calls)))
                .collect()
        }
        Node::Distinct(from, list) => {
            let list = columns(list, from.width());
            grouped(table(from, input), &list).into_keys().map(plain).collect()
        }
        Node::Join(both, kind, on) => {
            let [left, right] = [0, 1].map(|side| table(&both[side], input));
            join(&left, &right, *kind, shares(both), &|l, r| partners(on, l, r))
        }
        Node::In(both, negated, sought, among) => {
            let [left, right] = [0, 1].map(|side| table(&both[side], input));
            let (sought, among) = (sought % both[0].width(), among % both[1].width());
            let found: Vec<Option<i64>> = right.iter().map(|row| row.cells[among]).collect();
            let keep = |row: &Row| match (is_in(row.cells[sought], &found), negated) {
                (Some(is), negated) => is != *negated,
                (None, _) => false,
            };
            left.into_iter().filter(keep).collect()
        }
        _ => {
            let rows = log(node, input).into_iter().filter_map(|(_, item)| match item {
                Item::Row(row) => Some(row),
                Item::Mark(_) => None,
            });
            rows.collect()
        }
    }
}

/// As SQL has it: not known where nothing equals but something might.
fn is_in(value: Option<i64>, list: &[Option<i64>]) -> Option<bool> {
    if list.is_empty() {
        return Some(false);
    }
    let value = value?;
    match list.contains(&Some(value)) {
        true => Some(true),
        false if list.contains(&None) => None,
        false => Some(false),
    }
}

/// What happens at a step that goes by event time.
fn log(node: &Node, input: &Input) -> Log {
    match node {
        Node::Source(table) => input.log(*table),
        Node::Filter(from, test) => {
            let mut log = log(from, input);
            log.retain(|(_, item)| !matches!(item, Item::Row(row) if !passes(test, row)));
            log
        }
        Node::Map(from, exprs) => each(log(from, input), |row| mapped(exprs, row)),
        Node::Union(both) => {
            let width = node.width();
            each(met(both, input).0, |row| cut(row, width))
        }
        Node::Rows(from, windows) => {
            let Windows::Aligned(size, step, offset) = *windows else {
                unreachable!("rows are not assigned to sessions")
            };
            let mut made = Log::new();
            for (seq, item) in log(from, input) {
                match item {
                    Item::Row(row) => {
                        made.extend(starts(row.time, (size, step, offset)).map(|s| {
                            (
                                seq,
                                Item::Row(Row {
                                    time: s + size - 1,
                                    window: (s, s + size),
                                    ..row.clone()
                                }),
                            )
                        }))
                    }
                    mark => made.push((seq, mark)),
                }
            }
            made
        }
        Node::Window(from, windows, keys, calls) => {
            let keys = columns(keys, from.width());
            match *windows {
                Windows::Aligned(size, step, offset) => {
                    aligned(log(from, input), (size, step, offset), &keys, calls)
                }
                Windows::Session(gap) => sessions(log(from, input), gap, &keys, calls),
            }
        }
        Node::Interval(both, bounds, on, side) => {
            interval(met(both, input), *bounds, on, *side, shares(both))
        }
        Node::WindowJoin(both, kind, on) => window_join(met(both, input), *kind, on, shares(both)),
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

fn mapped(exprs: &[(usize, i64)], row: Row) -> Row {
    let width = row.cells.len();
    let cells = exprs.iter().map(|(c, plus)| row.cells[c % width].map(|v| v + plus)).collect();
    Row { cells, ..row }
}

fn cut(mut row: Row, width: usize) -> Row {
    row.cells.truncate(width);
    row
}

/// Two logs as one, and for each thing the input it comes from. The watermark is the least of both.
fn met(both: &[Node; 2], input: &Input) -> (Log, Vec<usize>) {
    let mut all: Vec<(u64, bool, usize, Item)> = Vec::new();
    for side in [0, 1] {
        let log = log(&both[side], input).into_iter();
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

fn grouped(rows: Vec<Row>, keys: &[usize]) -> BTreeMap<Vec<Option<i64>>, Vec<Row>> {
    let mut groups: BTreeMap<Vec<Option<i64>>, Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(key(&row, keys)).or_default().push(row);
    }
    groups
}

fn key(row: &Row, keys: &[usize]) -> Vec<Option<i64>> {
    keys.iter().map(|&k| row.cells[k]).collect()
}

/// A group's key and what its aggregates say.
fn answer(mut key: Vec<Option<i64>>, rows: &[Row], calls: &[Call]) -> Vec<Option<i64>> {
    for call in calls {
        let rows = rows.iter().filter(|row| call.filter.is_none_or(|test| passes(&test, row)));
        let values: Vec<Option<i64>> =
            rows.map(|row| row.cells[call.column % row.cells.len()]).collect();
        let present: Vec<i64> = values.iter().flatten().copied().collect();
        let (count, sum) = (present.len() as i64, present.iter().sum::<i64>());
        key.push(match call.function {
            Function::CountAll => Some(values.len() as i64),
            Function::Count => Some(count),
            Function::CountDistinct => Some(present.iter().collect::<BTreeSet<_>>().len() as i64),
            Function::Sum => (count > 0).then_some(sum),
            Function::Min => present.iter().min().copied(),
            Function::Max => present.iter().max().copied(),
            Function::Avg => (count > 0).then(|| sum / count),
        });
    }
    key
}

/// The windows of a time, by their starts, the earliest first: where rows stand in several windows, a
/// session above hears of them in that order.
fn starts(time: i64, (size, step, offset): (i64, i64, i64)) -> impl Iterator<Item = i64> {
    let last = (time - offset).div_euclid(step) * step + offset;
    (0..size / step).rev().map(move |back| last - back * step)
}

fn closed(end: i64, watermark: i64) -> bool {
    end - 1 <= watermark
}

/// A window's row, which leaves when it closes.
fn fired(key: Vec<Option<i64>>, rows: &[Row], calls: &[Call], window: (i64, i64)) -> Item {
    Item::Row(Row { cells: answer(key, rows, calls), time: window.1 - 1, window })
}

fn aligned(log: Log, spec: (i64, i64, i64), keys: &[usize], calls: &[Call]) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let mut open: BTreeMap<(i64, Vec<Option<i64>>), Vec<Row>> = BTreeMap::new();
    for (seq, item) in log {
        match item {
            Item::Row(row) => {
                for start in starts(row.time, spec).filter(|start| !closed(start + spec.0, now)) {
                    open.entry((start, key(&row, keys))).or_default().push(row.clone());
                }
            }
            Item::Mark(mark) => {
                now = mark;
                let (done, still): (BTreeMap<_, _>, _) =
                    open.into_iter().partition(|((start, _), _)| closed(start + spec.0, now));
                open = still;
                for ((start, key), rows) in done {
                    made.push((seq, fired(key, &rows, calls, (start, start + spec.0))));
                }
                made.push((seq, Item::Mark(mark)));
            }
        }
    }
    made
}

/// An open session: key, start, end, rows.
type Session = (Vec<Option<i64>>, i64, i64, Vec<Row>);

fn sessions(log: Log, gap: i64, keys: &[usize], calls: &[Call]) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let mut open: Vec<Session> = Vec::new();
    for (seq, item) in log {
        match item {
            Item::Row(row) => {
                let (from, to) = (row.time, row.time + gap);
                let mut own: Session = (key(&row, keys), from, to, vec![row]);
                let touches = |s: &Session| s.0 == own.0 && s.1 <= to && from <= s.2;
                let (merged, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(touches);
                open = rest;
                for s in merged {
                    (own.1, own.2) = (own.1.min(s.1), own.2.max(s.2));
                    own.3.extend(s.3);
                }
                if !closed(own.2, now) {
                    open.push(own);
                }
            }
            Item::Mark(mark) => {
                now = mark;
                let (done, still): (Vec<_>, Vec<_>) =
                    open.into_iter().partition(|s| closed(s.2, now));
                open = still;
                for (key, from, to, rows) in done {
                    made.push((seq, fired(key, &rows, calls, (from, to))));
                }
                made.push((seq, Item::Mark(mark)));
            }
        }
    }
    made
}

/// Whether two rows are partners; a NULL among the keys equals none.
fn partners(on: &On, left: &Row, right: &Row) -> bool {
    let of = |row: &Row, c: usize| row.cells[c % row.cells.len()];
    let same = |(l, r): &(usize, usize)| of(left, *l).is_some() && of(left, *l) == of(right, *r);
    on.keys.iter().all(same)
        && on.residual.is_none_or(|r| {
            r.compare.holds(of(left, r.left), of(right, r.right).map(|v| v + r.plus))
        })
}

fn side_by_side(left: Option<&Row>, right: Option<&Row>, shares: [usize; 2]) -> Vec<Option<i64>> {
    let of = |row: Option<&Row>, share| match row {
        Some(row) => row.cells[..share].to_vec(),
        None => vec![None; share],
    };
    [of(left, shares[0]), of(right, shares[1])].concat()
}

/// A join of rows that are all there; times and windows are those of the left, or else the right.
fn join(
    left: &[Row],
    right: &[Row],
    kind: Kind,
    shares: [usize; 2],
    meet: &dyn Fn(&Row, &Row) -> bool,
) -> Vec<Row> {
    let mut made = Vec::new();
    for l in left {
        let found: Vec<&Row> = right.iter().filter(|r| meet(l, r)).collect();
        match kind {
            Kind::Semi | Kind::Anti if found.is_empty() == (kind == Kind::Anti) => {
                made.push(l.clone())
            }
            Kind::Semi | Kind::Anti => {}
            _ => {
                let one = |r| Row { cells: side_by_side(Some(l), r, shares), ..l.clone() };
                made.extend(found.iter().map(|&r| one(Some(r))));
                if found.is_empty() && kind.keeps(0) {
                    made.push(one(None));
                }
            }
        }
    }
    if kind.keeps(1) {
        let lonely = right.iter().filter(|r| !left.iter().any(|l| meet(l, r)));
        made.extend(
            lonely.map(|r| Row { cells: side_by_side(None, Some(r), shares), ..r.clone() }),
        );
    }
    made
}

fn interval(
    (log, sides): (Log, Vec<usize>),
    [least, most]: [i64; 2],
    on: &On,
    time_of: usize,
    shares: [usize; 2],
) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let mut seen: [Vec<Row>; 2] = Default::default();
    for ((seq, item), side) in log.into_iter().zip(sides) {
        match item {
            Item::Row(row) if row.time < now => {}
            Item::Row(row) => {
                for other in &seen[1 - side] {
                    let pair = if side == 0 { [&row, other] } else { [other, &row] };
                    let apart = pair[1].time - pair[0].time;
                    if (least..=most).contains(&apart) && partners(on, pair[0], pair[1]) {
                        let cells = side_by_side(Some(pair[0]), Some(pair[1]), shares);
                        made.push((seq, Item::Row(Row { cells, ..pair[time_of].clone() })));
                    }
                }
                seen[side].push(row);
            }
            Item::Mark(mark) => {
                now = mark;
                // No pair that is still to come has a time at or before this.
                let held = if mark == i64::MAX { mark } else { mark - most.max(-least).max(0) - 1 };
                made.push((seq, Item::Mark(held)));
            }
        }
    }
    made
}

fn window_join((log, sides): (Log, Vec<usize>), kind: Kind, on: &On, shares: [usize; 2]) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let mut open: BTreeMap<(i64, i64), [Vec<Row>; 2]> = BTreeMap::new();
    for ((seq, item), side) in log.into_iter().zip(sides) {
        match item {
            Item::Row(row) if closed(row.window.1, now) => {}
            Item::Row(row) => open.entry(row.window).or_default()[side].push(row),
            Item::Mark(mark) => {
                now = mark;
                let (done, still): (BTreeMap<_, _>, _) =
                    open.into_iter().partition(|((_, end), _)| closed(*end, now));
                open = still;
                for [left, right] in done.into_values() {
                    let rows = join(&left, &right, kind, shares, &|l, r| partners(on, l, r));
                    made.extend(rows.into_iter().map(|row| (seq, Item::Row(row))));
                }
                made.push((seq, Item::Mark(mark)));
            }
        }
    }
    made
}
