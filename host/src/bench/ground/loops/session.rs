//! W3 by hand: counts per key and session, records at most 5 s apart being one session.

use super::keys::Keys;
use super::{Clock, Totals};

/// The longest gap inside a session, milliseconds.
const GAP: i64 = 5_000;
/// A timer's tick is 2 to the power of this, in milliseconds.
const TICK: u32 = 6;
/// Ticks in the wheel: a session ends at most 9 s after the watermark.
const WHEEL: usize = 256;

/// A session; empty when the count is 0.
#[derive(Clone, Copy, Default)]
struct Session {
    start: i64,
    end: i64,
    count: u32,
}

/// A key's sessions. More than two are never open: their last records lie within 9 s and more than 5 s apart.
#[derive(Clone, Copy)]
struct State {
    sessions: [Session; 2],
    /// The tick of the key's timer, `NEVER` without one.
    timer: i64,
}

const NEVER: i64 = i64::MAX;
const FRESH: State = State { sessions: [Session { start: 0, end: 0, count: 0 }; 2], timer: NEVER };

/// Rows as a consumer would get them, in columns.
#[derive(Default)]
struct Rows {
    start: Vec<i64>,
    count: Vec<u64>,
}

/// The loop's state beside its keys.
struct Sessions {
    states: Vec<State>,
    wheel: Vec<Vec<u32>>,
    /// The wheel's first tick that has not passed.
    tick: i64,
    rows: Rows,
    totals: Totals,
}

/// Counts per key and session.
pub fn run(keys: &mut impl Keys, ts: &[i64]) -> Totals {
    let mut all = Sessions {
        states: Vec::new(),
        wheel: vec![Vec::new(); WHEEL],
        tick: i64::MIN,
        rows: Rows::default(),
        totals: Totals::default(),
    };
    let mut clock = Clock::default();
    for (row, &ts) in ts.iter().enumerate() {
        // An event ends no session it could join, so ending may come first.
        if let Some(watermark) = clock.advance(ts)
            && watermark >> TICK > all.tick
        {
            all.turn(watermark, keys);
        }
        let id = keys.id(row);
        all.add(id, ts, clock.watermark, keys);
    }
    all.turn(i64::MAX, keys);
    for id in 0..all.states.len() {
        all.end(id, i64::MAX, keys);
    }
    all.rows.consume(&mut all.totals, keys);
    all.totals
}

impl Sessions {
    /// One record of a key.
    #[inline]
    fn add(&mut self, id: usize, ts: i64, watermark: i64, keys: &mut impl Keys) {
        if id >= self.states.len() {
            self.states.resize(keys.count().max(id + 1), FRESH);
        }
        let state = &mut self.states[id];
        let mut merged = Session { start: ts, end: ts + GAP, count: 1 };
        for session in state.sessions.iter_mut().filter(|s| s.count > 0) {
            if session.end <= watermark {
                // Its timer fires with the tick; the record must not join it before.
                self.rows.push(id, session, keys);
                session.count = 0;
            } else if session.start <= merged.end && merged.start <= session.end {
                merged.start = merged.start.min(session.start);
                merged.end = merged.end.max(session.end);
                merged.count += session.count;
                session.count = 0;
            }
        }
        if merged.count == 1 && merged.end <= watermark {
            self.totals.late += 1;
            return;
        }
        let free = usize::from(state.sessions[0].count > 0);
        state.sessions[free] = merged;
        let tick = merged.end >> TICK;
        if tick < state.timer && (state.timer == NEVER || merged.count == 1) {
            state.timer = tick;
            self.wheel[slot(tick)].push(id as u32);
        }
    }

    /// Fires the timers of all ticks that have passed whole.
    fn turn(&mut self, watermark: i64, keys: &mut impl Keys) {
        let until = watermark >> TICK;
        let first = self.tick.max(until.saturating_sub(WHEEL as i64));
        for tick in first..until {
            let mut due = std::mem::take(&mut self.wheel[slot(tick)]);
            for &id in &due {
                // A timer that was set earlier since has fired already.
                if self.states[id as usize].timer <= tick {
                    self.end(id as usize, watermark, keys);
                }
            }
            due.clear();
            if self.wheel[slot(tick)].is_empty() {
                self.wheel[slot(tick)] = due;
            }
        }
        self.tick = until;
        self.rows.consume(&mut self.totals, keys);
    }

    /// Ends a key's sessions up to the watermark; the rest gets a timer.
    fn end(&mut self, id: usize, watermark: i64, keys: &mut impl Keys) {
        let state = &mut self.states[id];
        let mut next = NEVER;
        for session in state.sessions.iter_mut().filter(|s| s.count > 0) {
            if session.end <= watermark {
                self.rows.push(id, session, keys);
                session.count = 0;
            } else {
                next = next.min(session.end >> TICK);
            }
        }
        state.timer = next;
        if next != NEVER {
            self.wheel[slot(next)].push(id as u32);
        }
    }
}

fn slot(tick: i64) -> usize {
    (tick & (WHEEL as i64 - 1)) as usize
}

impl Rows {
    fn push(&mut self, id: usize, session: &Session, keys: &mut impl Keys) {
        keys.put(id);
        self.start.push(session.start);
        self.count.push(u64::from(session.count));
    }

    fn consume(&mut self, totals: &mut Totals, keys: &mut impl Keys) {
        totals.rows += self.start.len() as u64;
        totals.counts += self.count.iter().sum::<u64>();
        std::hint::black_box(keys.clear());
        std::hint::black_box(&self.start);
        self.start.clear();
        self.count.clear();
    }
}
