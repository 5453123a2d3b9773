//! Windows: which rows each has when the watermark closes it.

use std::collections::BTreeMap;

use super::{Item, Log, Row, bounds, key};
use crate::parts::{Emission, Windows};

/// What happens behind windows.
pub(super) enum Shut {
    /// A window takes nothing more: its bounds and rows.
    Window((i64, i64), Vec<Row>),
    Mark(i64),
}

/// All of that with its places, and the rows that are in no window.
#[derive(Default)]
pub(super) struct Closing {
    pub(super) shut: Vec<(u64, Shut)>,
    pub(super) late: Vec<Row>,
}

impl Closing {
    /// A log of the rows that a function makes of each window's.
    pub(super) fn fired(self, make: impl Fn(Vec<Row>) -> Vec<Vec<Option<i64>>>) -> Log {
        let mut made = Log::new();
        for (seq, shut) in self.shut {
            match shut {
                Shut::Window(window, rows) => made.extend(
                    make(rows)
                        .into_iter()
                        .map(|cells| (seq, Item::Row(Row { cells, time: window.1 - 1, window }))),
                ),
                Shut::Mark(mark) => made.push((seq, Item::Mark(mark))),
            }
        }
        made
    }
}

/// Whether the watermark has reached the last moment of a window.
pub(super) fn closed(end: i64, watermark: i64) -> bool {
    end - 1 <= watermark
}

/// Each row once for each of its windows.
pub(super) fn assigned(log: Log, windows: Windows) -> Log {
    let mut made = Log::new();
    for (seq, item) in log {
        match item {
            Item::Row(row) => {
                made.extend(bounds(row.time, windows).into_iter().map(|window| {
                    (seq, Item::Row(Row { time: window.1 - 1, window, ..row.clone() }))
                }))
            }
            mark => made.push((seq, mark)),
        }
    }
    made
}

/// Rows in windows of these kinds; sessions are those of keys.
pub(super) fn closing(log: &Log, windows: Windows, keys: &[usize], emission: &Emission) -> Closing {
    match windows {
        Windows::Session(gap) => sessions(log, gap, keys, emission),
        _ => aligned(log, emission, |row| bounds(row.time, windows)),
    }
}

/// Rows in the windows they carry.
pub(super) fn carried(log: Log) -> Closing {
    aligned(&log, &Emission::ON_TIME, |row| vec![row.window])
}

/// Whether a row is late whatever its windows are.
fn behind(row: &Row, now: i64, emission: &Emission) -> bool {
    emission.by_record && row.time + emission.lateness < now
}

fn aligned(log: &Log, emission: &Emission, windows: impl Fn(&Row) -> Vec<(i64, i64)>) -> Closing {
    let (mut made, mut now) = (Closing::default(), i64::MIN);
    let mut open: BTreeMap<(i64, i64), Vec<Row>> = BTreeMap::new();
    let gone = |end: i64, now: i64| closed(end + emission.lateness, now);
    for (seq, item) in log {
        match item {
            Item::Row(row) => {
                let mut taken = false;
                for window in windows(row) {
                    if !gone(window.1, now) && !behind(row, now, emission) {
                        open.entry(window).or_default().push(row.clone());
                        taken = true;
                    }
                }
                if !taken {
                    made.late.push(row.clone());
                }
            }
            Item::Mark(mark) => {
                now = *mark;
                let (done, still): (BTreeMap<_, _>, _) =
                    open.into_iter().partition(|(window, _)| gone(window.1, now));
                open = still;
                let done = done.into_iter().map(|(window, rows)| Shut::Window(window, rows));
                made.shut.extend(done.map(|shut| (*seq, shut)));
                made.shut.push((*seq, Shut::Mark(*mark)));
            }
        }
    }
    made
}

/// An open session: key, start, end, rows.
type Session = (Vec<Option<i64>>, i64, i64, Vec<Row>);

fn sessions(log: &Log, gap: i64, keys: &[usize], emission: &Emission) -> Closing {
    let (mut made, mut now) = (Closing::default(), i64::MIN);
    let mut open: Vec<Session> = Vec::new();
    let apart = i64::from(emission.apart);
    for (seq, item) in log {
        match item {
            Item::Row(row) if behind(row, now, emission) => made.late.push(row.clone()),
            Item::Row(row) => {
                let (from, to) = (row.time, row.time + gap);
                let mut own: Session = (key(row, keys), from, to, vec![row.clone()]);
                let touches =
                    |s: &Session| s.0 == own.0 && s.1 + apart <= to && from + apart <= s.2;
                let (merged, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(touches);
                open = rest;
                for s in merged {
                    (own.1, own.2) = (own.1.min(s.1), own.2.max(s.2));
                    own.3.extend(s.3);
                }
                match closed(own.2 + emission.lateness, now) {
                    true => made.late.push(row.clone()),
                    false => open.push(own),
                }
            }
            Item::Mark(mark) => {
                now = *mark;
                let (done, still): (Vec<_>, Vec<_>) =
                    open.into_iter().partition(|s| closed(s.2 + emission.lateness, now));
                open = still;
                // Sessions of different keys with the same bounds are one window.
                let mut windows: BTreeMap<(i64, i64), Vec<Row>> = BTreeMap::new();
                done.into_iter().for_each(|s| windows.entry((s.1, s.2)).or_default().extend(s.3));
                let done = windows.into_iter().map(|(window, rows)| Shut::Window(window, rows));
                made.shut.extend(done.map(|shut| (*seq, shut)));
                made.shut.push((*seq, Shut::Mark(*mark)));
            }
        }
    }
    made
}
