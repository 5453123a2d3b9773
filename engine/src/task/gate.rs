//! The input gate: several channels merged into the one order of the stream, barriers aligned.
//!
//! Rows of equal place come before steps of the watermark of that place, then by input, then by
//! channel. So what an operator sees does not depend on when messages happen to arrive.

mod flight;
mod marks;
mod state;

use std::collections::VecDeque;

use super::Element;
use crate::batch::{Batch, NO_CLOCK, Seq, Stair};
use crate::operator::{Merged, Run};
use crate::schema::SchemaRef;
use crate::seeded::seeded;
use crate::time::EventTime;
use crate::watermark::{Activity, MinWatermark};

pub use flight::{Held, put_held};
pub use state::GateState;

/// What a gate lets through.
pub enum Passed {
    /// Rows or progress of an input, with steps of the watermark over all channels.
    Batch(usize, Batch),
    /// Rows of several channels at once, in their order, for an operator that takes them so.
    Merged(Merged),
    /// A barrier has come on every channel: the moment to write the state.
    Barrier(u64),
    /// The same, of one for which nobody has waited: channels may have given what came behind it.
    Mark(u64),
}

/// The channels of one task.
#[derive(Clone)]
pub struct Gate {
    channels: Vec<Channel>,
    watermark: MinWatermark,
    /// What the stream's clock said last.
    clock: i64,
    /// It has said so at the place at hand, or somebody has ended a silence of all, and nobody has been told.
    ticked: bool,
    upto: Seq,
    /// The last place of which something has been let through.
    passed: Seq,
    /// One schema an input, for batches that carry only progress.
    schemas: Vec<SchemaRef>,
    /// The operator behind takes rows of several channels at once.
    merging: bool,
    /// It takes them as one batch.
    together: bool,
    /// The checkpoint whose marks are coming, and on how many channels they have.
    marks: (u64, usize),
}

/// Rows of several channels under way to the operator.
#[derive(Default)]
struct Gathered {
    /// Input, batch, and which of its rows: first, and after the last.
    pieces: Vec<(usize, Batch, (usize, usize))>,
    /// For each channel, the piece that its front batch is.
    piece_of: Vec<Option<usize>>,
    /// Rows of the pieces' batches.
    runs: Vec<Run>,
    stairs: Vec<Stair>,
    rows: u32,
}

#[derive(Clone)]
struct Channel {
    input: usize,
    queue: VecDeque<Element>,
    row: usize,
    stair: usize,
    upto: Seq,
    /// Its steps do not count: the watermark is over the other channels alone.
    timeless: bool,
}

/// Where the next thing of a channel belongs: place, rows before steps.
type Key = (Seq, u8);

impl Gate {
    /// A gate with a channel for each entry of `inputs`, the operator's input it leads to.
    pub fn new(inputs: &[usize], schemas: Vec<SchemaRef>) -> Gate {
        let channel = |&input| {
            let queue = VecDeque::new();
            Channel { input, queue, row: 0, stair: 0, upto: 0, timeless: false }
        };
        Gate {
            channels: inputs.iter().map(channel).collect(),
            watermark: MinWatermark::new(inputs.len()),
            clock: NO_CLOCK,
            ticked: false,
            upto: 0,
            passed: 0,
            schemas,
            merging: false,
            together: false,
            marks: (0, 0),
        }
    }

    /// The same for an operator that takes rows of several channels at once.
    #[must_use]
    pub fn merging(self) -> Gate {
        Gate { merging: true, ..self }
    }

    /// The same for an operator of one input: rows of several channels become one batch.
    #[must_use]
    pub fn joining(self) -> Gate {
        Gate { merging: true, together: true, ..self }
    }

    /// The same for an operator that one input tells nothing of the time.
    #[must_use]
    pub fn timeless(mut self, input: usize) -> Gate {
        for (c, channel) in self.channels.iter_mut().enumerate().filter(|(_, c)| c.input == input) {
            channel.timeless = true;
            self.watermark.set_activity(c, Activity::Finished);
        }
        self
    }

    /// Notes what a channel is doing.
    fn acts(&mut self, c: usize, activity: Activity) {
        if self.channels[c].timeless {
            return;
        }
        let idle = self.watermark.activity(c) == Activity::Idle;
        // Whoever gets none of the rows that end a silence hears of it by a step.
        self.ticked |= idle && activity == Activity::Active && self.all_idle();
        self.watermark.set_activity(c, activity);
    }

    /// Knows of time what this one knew.
    pub fn remember(&mut self, former: &Gate) {
        self.watermark = former.watermark.begun_again();
    }

    /// The watermark over all channels.
    pub fn watermark(&self) -> EventTime {
        self.watermark.current()
    }

    /// Takes an element of a channel.
    pub fn push(&mut self, channel: usize, element: Element) {
        self.channels[channel].queue.push_back(element);
    }

    /// The next thing to let through, if its turn has come.
    pub fn release(&mut self) -> Option<Passed> {
        loop {
            if let Some(checkpoint) = self.take_marks() {
                return Some(Passed::Mark(checkpoint));
            }
            let passed = self.next();
            // What has been used up may have stood in front of a mark.
            if passed.is_some() || !self.is_at_a_mark() {
                return passed;
            }
        }
    }

    fn next(&mut self) -> Option<Passed> {
        let early = seeded("one-barrier-is-enough");
        if early && self.channels[0].blocked() && self.channels.len() > 1 {
            let Some(Element::Barrier(id)) = self.channels[0].queue.pop_front() else {
                return None;
            };
            for channel in &mut self.channels[1..] {
                channel.queue.retain(|element| !matches!(element, Element::Barrier(_)));
            }
            return Some(Passed::Barrier(id));
        }
        if self.channels.iter().all(Channel::blocked) {
            let mut checkpoint = 0;
            for channel in &mut self.channels {
                if let Some(Element::Barrier(id)) = channel.queue.pop_front() {
                    checkpoint = id;
                }
            }
            if seeded("rows-behind-a-barrier-are-dropped") {
                self.channels.iter_mut().for_each(|channel| channel.queue.clear());
            }
            return Some(Passed::Barrier(checkpoint));
        }
        if self.channels.len() == 1 {
            return self.next_alone();
        }
        for channel in &mut self.channels {
            channel.settle();
        }
        if self.merging {
            let passed = self.merge();
            let input = self.channels[0].input;
            return if self.together {
                passed.map(|passed| passed.together(input, &self.schemas[input]))
            } else {
                passed
            };
        }
        let keys = self.keys();
        match self.turn(&keys) {
            Some(c) => Some(self.take(c, &keys)),
            None => self.progress(),
        }
    }

    /// Where the next thing of each channel belongs.
    fn keys(&self) -> Vec<Option<Key>> {
        self.channels.iter().map(Channel::key).collect()
    }

    /// The channel whose next thing is the next of all, once that is certain.
    fn turn(&self, keys: &[Option<Key>]) -> Option<usize> {
        let next = |(c, key): (usize, &Option<Key>)| Some((((*key)?, self.channels[c].input), c));
        let ((key, _), best) = keys.iter().enumerate().filter_map(next).min()?;
        let waiting = keys.iter().zip(&self.channels).filter(|(key, _)| key.is_none());
        let sure = waiting.into_iter().all(|(_, other)| other.blocked() || other.upto >= key.0);
        sure.then_some(best)
    }

    /// Everything whose turn has come.
    fn merge(&mut self) -> Option<Passed> {
        let mut all = Gathered { piece_of: vec![None; self.channels.len()], ..Gathered::default() };
        let mut keys = self.keys();
        while let Some(c) = self.turn(&keys) {
            match self.step(c) {
                Some(step) => all.stairs.extend(step.map(|s| Stair { row: all.rows, ..s })),
                None => {
                    let (from, to) = self.next_rows(c, &keys);
                    all.add(c, &self.channels[c], (from, to));
                    self.passes(c, to);
                    self.acts(c, Activity::Active);
                }
            }
            if self.channels[c].settle() {
                all.piece_of[c] = None;
            }
            keys[c] = self.channels[c].key();
        }
        let told = self.progress();
        if all.rows == 0 && all.stairs.is_empty() {
            return told;
        }
        Some(Passed::Merged(all.finish(self.upto)))
    }

    /// With one channel, what comes passes as it is.
    fn next_alone(&mut self) -> Option<Passed> {
        let channel = &mut self.channels[0];
        let Some(Element::Batch(mut batch)) = channel.queue.pop_front() else { return None };
        // What comes again behind a state that is ahead of it moves no time back.
        let now = self.watermark.current();
        batch.stairs.iter_mut().take_while(|s| s.watermark < now).for_each(|s| s.watermark = now);
        channel.upto = channel.upto.max(batch.upto);
        self.upto = channel.upto;
        self.passed = self.passed.max(batch.seqs.last().unwrap_or(0));
        for stair in &batch.stairs {
            self.passed = self.passed.max(stair.seq);
            self.watermark.propose(0, stair.watermark);
            self.clock = self.clock.max(stair.clock);
        }
        let input = channel.input;
        self.acts(0, Activity::Active);
        self.watermark.advance();
        Some(Passed::Batch(input, batch))
    }

    /// Takes the next rows, or the next step, of a channel whose turn it is.
    fn take(&mut self, c: usize, keys: &[Option<Key>]) -> Passed {
        let input = self.channels[c].input;
        if let Some(steps) = self.step(c) {
            let stairs = steps.into_iter().collect();
            let schema = self.schemas[input].clone();
            return Passed::Batch(input, Batch::progress(schema, stairs, self.upto));
        }
        let (from, to) = self.next_rows(c, keys);
        let mut piece = self.channels[c].front().slice(from, to);
        self.passes(c, to);
        piece.upto = self.upto;
        self.acts(c, Activity::Active);
        Passed::Batch(input, piece)
    }

    /// Takes a step of a channel, when that is its next thing; answers the step over all channels, if
    /// there is one.
    fn step(&mut self, c: usize) -> Option<Option<Stair>> {
        let channel = &mut self.channels[c];
        let stair = channel.front().stairs.get(channel.stair).copied()?;
        if stair.row as usize > channel.row {
            return None;
        }
        channel.stair += 1;
        self.passed = self.passed.max(stair.seq);
        let timeless = channel.timeless;
        self.acts(c, if stair.idle { Activity::Idle } else { Activity::Active });
        // Whoever hears of a moment first says so for all: steps come in the order of the stream.
        self.ticked |= stair.clock > self.clock;
        self.clock = self.clock.max(stair.clock);
        let clock = self.clock;
        if !timeless {
            self.watermark.propose(c, stair.watermark);
        }
        // Steps of one place count together: all channels fall silent with a source, and speak again, and one
        // that a join holds back must not be overlooked for being the second to do so.
        let place = Some((stair.seq, 1));
        if self.channels.iter().enumerate().any(|(i, other)| i != c && other.key() == place) {
            return Some(None);
        }
        let ticks = std::mem::take(&mut self.ticked);
        if let Some(watermark) = self.watermark.advance() {
            return Some(Some(Stair { row: 0, watermark, seq: stair.seq, idle: false, clock }));
        }
        let watermark = self.watermark.current();
        let idle = stair.idle && self.all_idle();
        let passes = idle || ticks;
        Some(passes.then_some(Stair { row: 0, watermark, seq: stair.seq, idle, clock }))
    }

    /// The rows of a channel whose turn it is, up to its next step or another channel's turn.
    fn next_rows(&self, c: usize, keys: &[Option<Key>]) -> (usize, usize) {
        let channel = &self.channels[c];
        let ((seq, kind), input, other) = self.bound(c, keys);
        // Rows of the bound's own place come before it when they would win against it.
        let tie = (0, channel.input, c) < (kind, input, other);
        let Some(last) = (if tie { Some(seq) } else { seq.checked_sub(1) }) else {
            return (channel.row, channel.row + 1);
        };
        let batch = channel.front();
        let end = batch.stairs.get(channel.stair).map_or(batch.rows, |s| s.row as usize);
        let mut to = channel.row + 1;
        while to < end && batch.seqs.at(to) <= last {
            to += 1;
        }
        (channel.row, to)
    }

    /// Rows of a channel have been let through, up to this one of its front batch.
    fn passes(&mut self, c: usize, to: usize) {
        self.passed = self.passed.max(self.channels[c].front().seqs.at(to - 1));
        self.channels[c].row = to;
    }

    fn all_idle(&self) -> bool {
        let mut counted = (0..self.channels.len()).filter(|&c| !self.channels[c].timeless);
        counted.all(|c| self.watermark.activity(c) == Activity::Idle)
    }

    /// What a channel's rows must come before: the other channels' next things.
    fn bound(&self, c: usize, keys: &[Option<Key>]) -> (Key, usize, usize) {
        let others = keys.iter().zip(&self.channels).enumerate();
        others
            .filter(|&(i, (_, other))| i != c && !other.blocked())
            .map(|(i, (key, other))| match key {
                Some(key) => (*key, other.input, i),
                None => ((other.upto + 1, 0), 0, 0),
            })
            .min()
            .unwrap_or(((Seq::MAX, u8::MAX), usize::MAX, usize::MAX))
    }

    /// Tells how far all channels have come, when that has changed.
    fn progress(&mut self) -> Option<Passed> {
        let reached = self.channels.iter().filter(|c| !c.blocked()).map(|c| match c.key() {
            Some((seq, _)) => c.upto.max(seq - 1),
            None => c.upto,
        });
        let upto = reached.min()?;
        (upto > self.upto).then(|| {
            self.upto = upto;
            let input = self.channels[0].input;
            Passed::Batch(input, Batch::progress(self.schemas[input].clone(), Vec::new(), upto))
        })
    }

    /// The elements that wait in the gate, by channel.
    pub fn queued(&self) -> Vec<usize> {
        self.channels.iter().map(|c| c.queue.len()).collect()
    }
}

impl Passed {
    /// Rows of several channels of one input as one batch.
    fn together(self, input: usize, schema: &SchemaRef) -> Passed {
        let Passed::Merged(merged) = self else { return self };
        Passed::Batch(input, merged.into_batch(schema))
    }
}

impl Gathered {
    /// Adds rows of a channel's front batch.
    fn add(&mut self, c: usize, channel: &Channel, (from, to): (usize, usize)) {
        let piece = *self.piece_of[c].get_or_insert_with(|| {
            self.pieces.push((channel.input, channel.front().clone(), (from, from)));
            self.pieces.len() - 1
        });
        self.pieces[piece].2.1 = to;
        self.rows += (to - from) as u32;
        match self.runs.last_mut() {
            Some(run) if run.piece as usize == piece => run.to = to as u32,
            _ => self.runs.push(Run { piece: piece as u32, from: from as u32, to: to as u32 }),
        }
    }

    fn finish(mut self, upto: Seq) -> Merged {
        for run in &mut self.runs {
            let first = self.pieces[run.piece as usize].2.0 as u32;
            (run.from, run.to) = (run.from - first, run.to - first);
        }
        let slice = |(input, batch, (from, to)): (usize, Batch, (usize, usize))| {
            let whole = (from, to) == (0, batch.rows);
            let batch = if whole { batch } else { batch.slice(from, to) };
            (input, Batch { stairs: Vec::new(), ..batch })
        };
        let pieces = self.pieces.into_iter().map(slice).collect();
        Merged { pieces, runs: self.runs, stairs: self.stairs, upto }
    }
}

impl Channel {
    fn blocked(&self) -> bool {
        matches!(self.queue.front(), Some(Element::Barrier(_)))
    }

    /// The batch that comes next.
    fn front(&self) -> &Batch {
        match self.queue.front() {
            Some(Element::Batch(batch)) => batch,
            _ => unreachable!("only a batch has a key"),
        }
    }

    /// Drops batches that are used up; whether there were any.
    fn settle(&mut self) -> bool {
        let before = self.queue.len();
        while let Some(Element::Batch(batch)) = self.queue.front() {
            if self.row < batch.rows || self.stair < batch.stairs.len() {
                break;
            }
            self.upto = self.upto.max(batch.upto);
            self.queue.pop_front();
            (self.row, self.stair) = (0, 0);
        }
        self.queue.len() < before
    }

    /// Where the next thing belongs; `None` when nothing is there or a barrier stands in the way.
    fn key(&self) -> Option<Key> {
        let Some(Element::Batch(batch)) = self.queue.front() else { return None };
        match batch.stairs.get(self.stair) {
            Some(s) if s.row as usize <= self.row => Some((s.seq, 1)),
            _ => batch.seqs.get(self.row).map(|seq| (seq, 0)),
        }
    }
}
