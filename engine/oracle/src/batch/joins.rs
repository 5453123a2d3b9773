//! Joins: nested loops.

use std::collections::BTreeMap;

use super::windows::closed;
use super::{Item, Late, Log, Row, count};
use crate::parts::{Kind, On, Residual};
use crate::pipeline::Node;

/// As SQL has it: not known where nothing equals but something might.
pub(super) fn is_in(value: Option<i64>, list: &[Option<i64>]) -> Option<bool> {
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

/// Whether two rows are partners; a NULL among the keys equals none.
pub(super) fn partners(on: &On, left: &Row, right: &Row) -> bool {
    let of = |row: &Row, c: usize| row.cells[c % row.cells.len()];
    let same = |(l, r): &(usize, usize)| of(left, *l).is_some() && of(left, *l) == of(right, *r);
    on.keys.iter().all(same)
        && on.residual.is_none_or(|r| {
            r.compare.holds(of(left, r.left), of(right, r.right).map(|v| v + r.plus))
        })
}

/// Whether the right is so near to the left in time.
pub(super) fn near([least, most]: [i64; 2], left: &Row, right: &Row) -> bool {
    (least..=most).contains(&(right.time - left.time))
}

fn side_by_side(left: Option<&Row>, right: Option<&Row>, shares: [usize; 2]) -> Vec<Option<i64>> {
    let of = |row: Option<&Row>, share| match row {
        Some(row) => row.cells[..share].to_vec(),
        None => vec![None; share],
    };
    [of(left, shares[0]), of(right, shares[1])].concat()
}

/// A join of rows that are all there; times and windows are those of the left, or else the right.
pub(super) fn join(
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

/// A row that a join holds, its side, and whether it has had a partner.
struct Held {
    row: Row,
    side: usize,
    met: bool,
}

pub(super) fn interval(
    (log, sides): (Log, Vec<usize>),
    [least, most]: [i64; 2],
    on: &On,
    (kind, time_of, shares): (Kind, usize, [usize; 2]),
    late: &Late,
) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let mut held: Vec<Held> = Vec::new();
    // The last time at which a partner could come.
    let last = |h: &Held| if h.side == 0 { h.row.time + most } else { h.row.time - least };
    for ((seq, item), side) in log.into_iter().zip(sides) {
        match item {
            Item::Row(row) => {
                let late_now = row.time < now;
                let mut own = Held { row, side, met: false };
                let mut same_key = false;
                let keys = On { residual: None, ..on.clone() };
                for other in held.iter_mut().filter(|other| other.side != side) {
                    let pair = match side {
                        0 => [&own.row, &other.row],
                        _ => [&other.row, &own.row],
                    };
                    // One that waits for its step is held no more.
                    if last(other) < now || !near([least, most], pair[0], pair[1]) {
                        continue;
                    }
                    same_key |= partners(&keys, pair[0], pair[1]);
                    if partners(on, pair[0], pair[1]) {
                        let cells = side_by_side(Some(pair[0]), Some(pair[1]), shares);
                        made.push((seq, Item::Row(Row { cells, ..pair[time_of].clone() })));
                        (own.met, other.met) = (true, true);
                    }
                }
                if !late_now || last(&own) >= now {
                    held.push(own);
                } else if !own.met && kind.keeps(side) {
                    let pair =
                        if side == 0 { [Some(&own.row), None] } else { [None, Some(&own.row)] };
                    let cells = side_by_side(pair[0], pair[1], shares);
                    made.push((seq, Item::Row(Row { cells, ..own.row.clone() })));
                } else if !own.met {
                    // A row that can never have a partner is not missed where it needs one; what else than the key
                    // partners must fulfil stands behind an inner join.
                    let of = |&(l, r): &(usize, usize)| if side == 0 { l } else { r };
                    let null = |c: usize| own.row.cells[c % own.row.cells.len()].is_none();
                    let inner = kind == Kind::Inner;
                    let useless = inner && (same_key || on.keys.iter().map(of).any(null));
                    count(late, usize::from(!useless));
                }
            }
            Item::Mark(mark) => {
                now = mark;
                let (gone, rest): (Vec<Held>, _) = held.into_iter().partition(|h| last(h) < mark);
                held = rest;
                for h in gone.iter().filter(|h| !h.met && kind.keeps(h.side)) {
                    let pair =
                        if h.side == 0 { [Some(&h.row), None] } else { [None, Some(&h.row)] };
                    let cells = side_by_side(pair[0], pair[1], shares);
                    made.push((seq, Item::Row(Row { cells, ..h.row.clone() })));
                }
                // No row that is still to come has a time at or before this.
                let behind =
                    if mark == i64::MAX { mark } else { mark - most.max(-least).max(0) - 1 };
                made.push((seq, Item::Mark(behind)));
            }
        }
    }
    made
}

/// The pairs of a join that a guest decides, with the time of the side named last. A row meets all that the other side
/// holds near to it, however late it is; it is held itself while one that is not late may still come near to it: such as
/// have the watermark's time or a later one.
pub(super) fn decided(
    (log, sides): (Log, Vec<usize>),
    [least, most]: [i64; 2],
    on: &On,
    (time_of, shares): (usize, [usize; 2]),
) -> Vec<Row> {
    let (mut made, mut now) = (Vec::new(), i64::MIN);
    let mut held: Vec<(Row, usize)> = Vec::new();
    for ((_, item), side) in log.into_iter().zip(sides) {
        let stays = |(row, side): &(Row, usize), now: i64| {
            row.time + if *side == 0 { most } else { -least } >= now
        };
        match item {
            Item::Row(row) => {
                for (other, _) in held.iter().filter(|(_, of)| *of != side) {
                    let pair = if side == 0 { [&row, other] } else { [other, &row] };
                    if near([least, most], pair[0], pair[1]) && partners(on, pair[0], pair[1]) {
                        let cells = side_by_side(Some(pair[0]), Some(pair[1]), shares);
                        made.push(Row { cells, ..pair[time_of].clone() });
                    }
                }
                held.push((row, side));
            }
            Item::Mark(mark) => now = mark,
        }
        held.retain(|one| stays(one, now));
    }
    made
}

pub(super) fn window_join(
    (log, sides): (Log, Vec<usize>),
    (kind, on): (Kind, &On),
    shares: [usize; 2],
    late: &Late,
) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let mut open: BTreeMap<(i64, i64), [Vec<Row>; 2]> = BTreeMap::new();
    for ((seq, item), side) in log.into_iter().zip(sides) {
        match item {
            Item::Row(row) if closed(row.window.1, now) => count(late, 1),
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

/// The condition under which a row meets a version: for each key of the versions one of the left's columns.
pub(super) fn on_versions(versions: &Node, keys: &[usize], residual: Option<Residual>) -> On {
    let of = versions.version_keys().unwrap_or_default();
    let keys = keys.iter().copied().cycle().zip(of).collect();
    On { keys, residual }
}

/// Each row of the left with the version that was valid at its time, of those that are known when the watermark
/// moves on and has reached it: the latest that is not after it, of equal ones that which came last.
pub(super) fn temporal(
    (log, sides): (Log, Vec<usize>),
    (outer, on): (bool, &On),
    shares: [usize; 2],
    late: &Late,
) -> Log {
    let (mut made, mut now) = (Log::new(), i64::MIN);
    let (mut waiting, mut versions): (Vec<Row>, Vec<Row>) = Default::default();
    let same_key = On { residual: None, ..on.clone() };
    for ((seq, item), side) in log.into_iter().zip(sides) {
        match item {
            Item::Row(row) if side == 1 => versions.push(row),
            Item::Row(row) if row.time < now => count(late, 1),
            Item::Row(row) => waiting.push(row),
            Item::Mark(mark) => {
                now = mark;
                let (due, rest): (Vec<Row>, _) =
                    waiting.into_iter().partition(|row| row.time <= mark);
                waiting = rest;
                for row in due {
                    let known = versions.iter().filter(|v| v.time <= row.time);
                    let valid =
                        known.filter(|v| partners(&same_key, &row, v)).max_by_key(|v| v.time);
                    let valid = valid.filter(|v| partners(on, &row, v));
                    if outer || valid.is_some() {
                        let cells = side_by_side(Some(&row), valid, shares);
                        made.push((seq, Item::Row(Row { cells, ..row })));
                    }
                }
                made.push((seq, Item::Mark(mark)));
            }
        }
    }
    made
}
