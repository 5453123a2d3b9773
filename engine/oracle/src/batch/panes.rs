//! Windows that fire early, again and late: each pane counted one by one, where a trigger can be followed; and
//! what must be left whatever the trigger.

use std::collections::{BTreeMap, BTreeSet};

use super::windows::{Shut, closed, closing};
use super::{Item, Late, Log, Row, answer, bounds, count, grouped, key};
use crate::parts::{Call, Emission, Function, Mode, Read, Wait, Windows};

type Cells = Vec<Option<i64>>;
type Clock = BTreeMap<u64, i64>;
/// A window of a key.
type At = ((i64, i64), Cells);

/// A pane: its rows, and how many the window has had before, and how many of these were not early.
struct Pane {
    at: At,
    rows: Vec<Row>,
    index: i64,
    on_time: Option<i64>,
}

/// The rows that panes leave.
pub(super) fn left(
    log: &Log,
    windows: Windows,
    (keys, calls): (&[usize], &[Call]),
    emission: &Emission,
    (clock, late): (&Clock, &Late),
) -> Vec<Row> {
    let session = matches!(windows, Windows::Session(_));
    let adds_up = emission.mode == Mode::Discarding && emission.read == Read::Whole;
    let Some(waits) = emission.waits().filter(|_| !session) else {
        let mut whole: BTreeMap<At, Vec<Row>> = BTreeMap::new();
        let closing = closing(log, windows, keys, emission);
        count(late, closing.late.len());
        for (_, shut) in closing.shut {
            let Shut::Window(window, rows) = shut else { continue };
            for (key, rows) in grouped(rows, keys) {
                // Panes of sessions that grow have other bounds: they add up by key.
                let window = if session && adds_up { (0, 0) } else { window };
                whole.entry((window, key)).or_default().extend(rows);
            }
        }
        return whole.into_iter().map(|(at, rows)| said(at, &rows, calls)).collect();
    };
    let followed = Following::new(emission, waits, clock).run(log, windows, keys);
    count(late, followed.late.len());
    let panes = followed.panes;
    match (emission.mode, emission.read) {
        (_, Read::Each) => {
            let numbered = panes.into_iter().map(|pane| {
                let mut row = said(pane.at, &pane.rows, calls);
                row.cells.extend([Some(pane.index), pane.on_time]);
                row
            });
            numbered.collect()
        }
        (Mode::Discarding, _) => added_up(panes, calls, keys.len()),
        _ => {
            let mut last: BTreeMap<At, Vec<Row>> = BTreeMap::new();
            panes.into_iter().for_each(|pane| _ = last.insert(pane.at, pane.rows));
            last.into_iter().map(|(at, rows)| said(at, &rows, calls)).collect()
        }
    }
}

/// The rows that no window takes.
pub(super) fn late(
    log: &Log,
    windows: Windows,
    (keys, _): (&[usize], &[Call]),
    emission: &Emission,
    clock: &Clock,
) -> Vec<Row> {
    let session = matches!(windows, Windows::Session(_));
    match emission.waits().filter(|_| !session) {
        Some(waits) => Following::new(emission, waits, clock).run(log, windows, keys).late,
        None => closing(log, windows, keys, emission).late,
    }
}

fn said((window, key): At, rows: &[Row], calls: &[Call]) -> Row {
    Row { cells: answer(key, rows, calls), time: 0, window }
}

/// What the aggregates of panes amount to: sums of sums, the least of the least.
fn added_up(panes: Vec<Pane>, calls: &[Call], keys: usize) -> Vec<Row> {
    let mut all: BTreeMap<At, Vec<Cells>> = BTreeMap::new();
    for pane in panes {
        let row = said(pane.at.clone(), &pane.rows, calls);
        all.entry(pane.at).or_default().push(row.cells[keys..].to_vec());
    }
    let add = |((window, mut cells), panes): (At, Vec<Cells>)| {
        for (i, call) in calls.iter().enumerate() {
            let values = panes.iter().filter_map(|pane| pane[i]);
            cells.push(match call.function {
                Function::Min => values.min(),
                Function::Max => values.max(),
                _ => values.reduce(|a, b| a + b),
            });
        }
        Row { cells, time: 0, window }
    };
    all.into_iter().map(add).collect()
}

/// A window that is open.
#[derive(Default)]
struct Open {
    all: Vec<Row>,
    since: Vec<Row>,
    /// Whether its trigger has had the watermark.
    passed: bool,
    due: Option<i64>,
    panes: i64,
    on_time: i64,
}

struct Following<'a> {
    emission: &'a Emission,
    waits: [Option<Wait>; 2],
    clock: &'a Clock,
    now: i64,
    open: BTreeMap<At, Open>,
    panes: Vec<Pane>,
    late: Vec<Row>,
}

impl Following<'_> {
    fn new<'a>(
        emission: &'a Emission,
        waits: [Option<Wait>; 2],
        clock: &'a Clock,
    ) -> Following<'a> {
        Following {
            emission,
            waits,
            clock,
            now: i64::MIN,
            open: BTreeMap::new(),
            panes: Vec::new(),
            late: Vec::new(),
        }
    }

    fn run(mut self, log: &Log, windows: Windows, keys: &[usize]) -> Self {
        for (seq, item) in log {
            let at = self.clock[seq];
            // What waits for a time fires before what happens at that time.
            for window in self.such(|_, open| open.due.is_some_and(|due| due <= at)) {
                self.fire(&window);
            }
            match item {
                Item::Row(row) => {
                    let behind = row.time + self.emission.lateness < self.now;
                    let all = bounds(row.time, windows).into_iter();
                    let open = all.filter(|_| !(behind && self.emission.by_record));
                    let own: BTreeSet<At> = open.map(|window| (window, key(row, keys))).collect();
                    let taken = own.into_iter().filter(|own| self.take(own, row, at)).count();
                    if taken == 0 {
                        self.late.push(row.clone());
                    }
                }
                Item::Mark(mark) => self.advance(*mark),
            }
        }
        self
    }

    fn such(&self, holds: impl Fn(i64, &Open) -> bool) -> Vec<At> {
        let such = self.open.iter().filter(|(at, open)| holds(at.0.1, open));
        such.map(|(at, _)| at.clone()).collect()
    }

    fn gone(&self, end: i64) -> bool {
        closed(end + self.emission.lateness, self.now)
    }

    /// A record of a window; whether the window takes it.
    fn take(&mut self, at: &At, row: &Row, clock: i64) -> bool {
        if !self.open.contains_key(at) && self.gone(at.0.1) {
            return false;
        }
        let past = closed(at.0.1, self.now);
        let open = self.open.entry(at.clone()).or_default();
        let wait = self.waits[usize::from(open.passed)];
        // Its trigger has nothing more to say.
        if open.passed && wait.is_none() {
            return false;
        }
        open.all.push(row.clone());
        open.since.push(row.clone());
        let fires = match wait {
            // A window that begins behind its end is on time with its first record.
            _ if past && !open.passed => true,
            Some(Wait::Records(count)) => open.since.len() as u64 >= count,
            Some(Wait::Millis(wait)) => {
                open.due = open.due.or(Some(clock + wait));
                false
            }
            None => false,
        };
        if fires {
            self.fire(at);
        }
        true
    }

    /// The watermark moves: windows have their end, then there are some that take nothing more.
    fn advance(&mut self, mark: i64) {
        self.now = mark;
        for at in self.such(|end, open| closed(end, mark) && !open.passed) {
            let open = self.open.get_mut(&at).expect("an open window");
            match open.since.is_empty() && self.emission.non_empty {
                true => open.passed = true,
                false => self.fire(&at),
            }
        }
        let lateness = self.emission.lateness;
        for at in self.such(|end, _| closed(end + lateness, mark)) {
            if !self.open[&at].since.is_empty() {
                self.fire(&at);
            }
            self.open.remove(&at);
        }
    }

    fn fire(&mut self, at: &At) {
        let past = closed(at.0.1, self.now);
        let open = self.open.get_mut(at).expect("an open window");
        let since = std::mem::take(&mut open.since);
        let rows = match self.emission.mode {
            Mode::Discarding => since,
            _ => open.all.clone(),
        };
        let on_time = past.then_some(open.on_time);
        self.panes.push(Pane { at: at.clone(), rows, index: open.panes, on_time });
        open.panes += 1;
        open.on_time += i64::from(past);
        (open.passed, open.due) = (past, None);
    }
}
