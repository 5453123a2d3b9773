//! Triggers: when a window says what it holds. The language and its meaning are those of the Beam model
//! (Akidau et al., The Dataflow Model, VLDB 2015): small state machines, composed.

use std::fmt;

/// When a window fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Once the watermark has passed the window's end: the on-time pane. Before it as `early` says, again and
    /// again; after it as `late` says, again and again, or never.
    AfterWatermark {
        /// What fires before.
        early: Option<Box<Trigger>>,
        /// What fires after.
        late: Option<Box<Trigger>>,
    },
    /// Once so many records have come since it fired last.
    AfterCount(u64),
    /// Once so much processing time has passed since the first record after it fired last.
    AfterProcessingTime {
        /// How much, milliseconds.
        delay: i64,
        /// Put off to the next multiple of so many milliseconds behind a moment: period and moment.
        aligned: Option<(i64, i64)>,
    },
    /// Once any of them fires.
    AfterAny(Vec<Trigger>),
    /// Once all of them have fired.
    AfterAll(Vec<Trigger>),
    /// One after the other.
    AfterEach(Vec<Trigger>),
    /// Again and again.
    Repeatedly(Box<Trigger>),
    /// As the first says, until the second fires for the last time.
    OrFinally(Box<Trigger>, Box<Trigger>),
}

impl Trigger {
    /// What a window without a trigger of its own has: once, when the watermark has passed its end.
    pub const ON_TIME: Trigger = Trigger::AfterWatermark { early: None, late: None };

    /// Whether it waits for processing time anywhere.
    pub fn waits(&self) -> bool {
        match self {
            Trigger::AfterProcessingTime { .. } => true,
            Trigger::AfterCount(_) => false,
            Trigger::AfterWatermark { early, late } => early.iter().chain(late).any(|t| t.waits()),
            Trigger::AfterAny(all) | Trigger::AfterAll(all) | Trigger::AfterEach(all) => {
                all.iter().any(Trigger::waits)
            }
            Trigger::Repeatedly(inner) => inner.waits(),
            Trigger::OrFinally(main, until) => main.waits() || until.waits(),
        }
    }
}

impl fmt::Display for Trigger {
    /// As the setting writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, name: &str, all: &[Trigger]| {
            let all: Vec<String> = all.iter().map(Trigger::to_string).collect();
            write!(f, "{name}({})", all.join(", "))
        };
        match self {
            Trigger::AfterWatermark { early, late } => {
                let part = |name: &str, t: &Trigger| format!("{name} => {t}");
                let early = early.iter().map(|t| part("early", t));
                let parts: Vec<String> =
                    early.chain(late.iter().map(|t| part("late", t))).collect();
                write!(f, "after_watermark({})", parts.join(", "))
            }
            Trigger::AfterCount(count) => write!(f, "after_count({count})"),
            Trigger::AfterProcessingTime { delay, aligned: None } => {
                write!(f, "after_processing_time('{delay} ms')")
            }
            Trigger::AfterProcessingTime { delay, aligned: Some((period, from)) } => {
                write!(f, "after_processing_time('{delay} ms', '{period} ms', '{from} ms')")
            }
            Trigger::AfterAny(all) => list(f, "after_any", all),
            Trigger::AfterAll(all) => list(f, "after_all", all),
            Trigger::AfterEach(all) => list(f, "after_each", all),
            Trigger::Repeatedly(inner) => write!(f, "repeatedly({inner})"),
            Trigger::OrFinally(main, until) => write!(f, "or_finally({main}, {until})"),
        }
    }
}

/// What a trigger knows of one window: a piece for each trigger in it, outermost first.
pub(super) type States = Box<[State]>;

/// A piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// It never fires again; of a trigger by the watermark: the on-time pane is out.
    pub(super) finished: bool,
    /// Records since it fired.
    pub(super) count: u64,
    /// The processing time it waits for.
    pub(super) deadline: i64,
}

const FRESH: State = State { finished: false, count: 0, deadline: i64::MAX };

/// What a window sees when its trigger is asked.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// The stream's clock.
    pub(super) clock: i64,
    /// Whether the watermark has passed the window's end.
    pub(super) past_end: bool,
}

/// A trigger taken apart: each part knows its own parts by number.
#[derive(Clone)]
pub(super) struct Machine {
    parts: Vec<Part>,
}

#[derive(Clone)]
struct Part {
    kind: Kind,
    inner: Vec<usize>,
    /// One more than the number of the last part inside.
    end: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Whether there is one before and one after.
    Watermark(bool, bool),
    Count(u64),
    Processing(i64, Option<(i64, i64)>),
    Any,
    All,
    Each,
    Repeat,
    Until,
}

impl Machine {
    pub(super) fn new(trigger: &Trigger) -> Machine {
        let mut machine = Machine { parts: Vec::new() };
        machine.add(trigger);
        machine
    }

    fn add(&mut self, trigger: &Trigger) -> usize {
        let (kind, inner): (Kind, Vec<&Trigger>) = match trigger {
            Trigger::AfterWatermark { early, late } => {
                let kind = Kind::Watermark(early.is_some(), late.is_some());
                (kind, early.iter().chain(late).map(AsRef::as_ref).collect())
            }
            Trigger::AfterCount(count) => (Kind::Count(*count), Vec::new()),
            Trigger::AfterProcessingTime { delay, aligned } => {
                (Kind::Processing(*delay, *aligned), Vec::new())
            }
            Trigger::AfterAny(all) => (Kind::Any, all.iter().collect()),
            Trigger::AfterAll(all) => (Kind::All, all.iter().collect()),
            Trigger::AfterEach(all) => (Kind::Each, all.iter().collect()),
            Trigger::Repeatedly(inner) => (Kind::Repeat, vec![inner]),
            Trigger::OrFinally(main, until) => (Kind::Until, vec![main, until]),
        };
        let own = self.parts.len();
        self.parts.push(Part { kind, inner: Vec::new(), end: 0 });
        let repeats = matches!(kind, Kind::Watermark(..));
        for trigger in inner {
            // What fires before and after the end does so again and again.
            let part = match repeats && !matches!(trigger, Trigger::Repeatedly(_)) {
                true => self.add(&Trigger::Repeatedly(Box::new(trigger.clone()))),
                false => self.add(trigger),
            };
            self.parts[own].inner.push(part);
        }
        self.parts[own].end = self.parts.len();
        own
    }

    /// Of a window without records.
    pub(super) fn fresh(&self) -> States {
        vec![FRESH; self.parts.len()].into()
    }

    /// How many pieces a window's knowledge has.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether it never fires again.
    pub(super) fn finished(&self, states: &States) -> bool {
        self.done(0, states)
    }

    fn done(&self, p: usize, s: &States) -> bool {
        match self.parts[p].kind {
            // With something after the end it goes on.
            Kind::Watermark(_, late) => s[p].finished && !late,
            _ => s[p].finished,
        }
    }

    /// The part that is at work: before the end, or after it.
    fn side(&self, p: usize, s: &States) -> Option<usize> {
        let Kind::Watermark(early, late) = self.parts[p].kind else { return None };
        let inner = &self.parts[p].inner;
        match s[p].finished {
            false => inner.first().copied().filter(|_| early),
            true => inner.last().copied().filter(|_| late),
        }
    }

    /// The first part that has not finished.
    fn first(&self, p: usize, s: &States) -> Option<usize> {
        self.parts[p].inner.iter().copied().find(|&i| !self.done(i, s))
    }

    /// A record has come.
    pub(super) fn element(&self, states: &mut States, at: Moment) {
        self.take(0, states, at);
    }

    fn take(&self, p: usize, s: &mut States, at: Moment) {
        if self.done(p, s) {
            return;
        }
        match self.parts[p].kind {
            Kind::Count(_) => s[p].count += 1,
            Kind::Processing(delay, aligned) if s[p].deadline == i64::MAX => {
                s[p].deadline = deadline(at.clock, delay, aligned);
            }
            Kind::Processing(..) => {}
            Kind::Watermark(..) => {
                if let Some(side) = self.side(p, s) {
                    self.take(side, s, at);
                }
            }
            Kind::Each => {
                if let Some(first) = self.first(p, s) {
                    self.take(first, s, at);
                }
            }
            Kind::Any | Kind::All | Kind::Repeat | Kind::Until => {
                self.parts[p].inner.iter().for_each(|&i| self.take(i, s, at));
            }
        }
    }

    /// Whether the window is to fire.
    pub(super) fn fires(&self, states: &States, at: Moment) -> bool {
        self.ready(0, states, at)
    }

    fn ready(&self, p: usize, s: &States, at: Moment) -> bool {
        if self.done(p, s) {
            return false;
        }
        let mut inner = self.parts[p].inner.iter().copied();
        match self.parts[p].kind {
            Kind::Count(count) => s[p].count >= count,
            Kind::Processing(..) => s[p].deadline <= at.clock,
            Kind::Watermark(..) => {
                let due = !s[p].finished && at.past_end;
                due || self.side(p, s).is_some_and(|side| self.ready(side, s, at))
            }
            Kind::Each => self.first(p, s).is_some_and(|first| self.ready(first, s, at)),
            Kind::All => inner.all(|i| self.done(i, s) || self.ready(i, s, at)),
            Kind::Any | Kind::Repeat | Kind::Until => inner.any(|i| self.ready(i, s, at)),
        }
    }

    /// The window fires: what has fired starts anew or is through.
    pub(super) fn fire(&self, states: &mut States, at: Moment) {
        if self.ready(0, states, at) {
            self.go(0, states, at);
        }
    }

    /// Of a part that is ready.
    fn go(&self, p: usize, s: &mut States, at: Moment) {
        let inner = self.parts[p].inner.clone();
        match self.parts[p].kind {
            Kind::Count(_) | Kind::Processing(..) => s[p] = State { finished: true, ..FRESH },
            Kind::Watermark(..) if !s[p].finished && at.past_end => {
                // What fired before is through; what fires after starts from nothing.
                self.reset(p, s);
                s[p].finished = true;
            }
            Kind::Watermark(..) => {
                if let Some(side) = self.side(p, s) {
                    self.go(side, s, at);
                }
            }
            Kind::Any => {
                self.reset(p, s);
                s[p].finished = true;
            }
            Kind::All => {
                self.reset(p, s);
                s[p].finished = true;
            }
            Kind::Each => {
                if let Some(first) = self.first(p, s) {
                    self.go(first, s, at);
                }
                s[p].finished = inner.iter().all(|&i| self.done(i, s));
            }
            Kind::Repeat => {
                self.go(inner[0], s, at);
                if self.done(inner[0], s) {
                    self.reset(inner[0], s);
                }
            }
            Kind::Until => {
                s[p].finished = self.ready(inner[1], s, at);
                if !s[p].finished {
                    self.go(inner[0], s, at);
                    s[p].finished = self.done(inner[0], s);
                }
            }
        }
    }

    fn reset(&self, p: usize, s: &mut States) {
        s[p..self.parts[p].end].fill(FRESH);
    }

    /// The processing time at which it may fire next; `None` when it waits for none.
    pub(super) fn deadline(&self, states: &States) -> Option<i64> {
        self.waits(0, states)
    }

    fn waits(&self, p: usize, s: &States) -> Option<i64> {
        if self.done(p, s) {
            return None;
        }
        match self.parts[p].kind {
            Kind::Processing(..) => Some(s[p].deadline).filter(|&at| at < i64::MAX),
            Kind::Watermark(..) => self.side(p, s).and_then(|side| self.waits(side, s)),
            Kind::Each => self.first(p, s).and_then(|first| self.waits(first, s)),
            // Of all, the last of them decides.
            Kind::All => self.parts[p].inner.iter().filter_map(|&i| self.waits(i, s)).max(),
            _ => self.parts[p].inner.iter().filter_map(|&i| self.waits(i, s)).min(),
        }
    }

    /// What is known of two windows that become one, whose end the watermark has passed or not.
    pub(super) fn merge(&self, into: &mut States, other: &States, past_end: bool) {
        for ((own, other), part) in into.iter_mut().zip(other.iter()).zip(&self.parts) {
            own.count = own.count.saturating_add(other.count);
            own.deadline = own.deadline.min(other.deadline);
            own.finished = match part.kind {
                // An end that has moved on is still to come.
                Kind::Watermark(..) => past_end && (own.finished || other.finished),
                _ => own.finished && other.finished,
            };
        }
    }

    /// What is known of a window whose end has moved.
    pub(super) fn grow(&self, states: &mut States, past_end: bool) {
        for (state, part) in states.iter_mut().zip(&self.parts) {
            if matches!(part.kind, Kind::Watermark(..)) && !past_end {
                state.finished = false;
            }
        }
    }
}

/// When `delay` has passed since `now`, put off as `aligned` says.
fn deadline(now: i64, delay: i64, aligned: Option<(i64, i64)>) -> i64 {
    let at = now.saturating_add(delay);
    let Some((period, from)) = aligned else { return at };
    let behind = (i128::from(at) - i128::from(from)).rem_euclid(i128::from(period)) as i64;
    if behind == 0 { at } else { at.saturating_add(period - behind) }
}
