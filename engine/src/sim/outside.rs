//! The world that sinks write to, and their writes: one after the other, tried again until they are answered.

use std::collections::VecDeque;

use super::{Sim, State, Upcoming};
use crate::batch::{Batch, RowKind, Seq};
use crate::plan::{Guarantee, SinkKind};
use crate::seeded::seeded;
use crate::trace::{COORDINATOR, Event, What};
use crate::value::Value;

/// Microseconds until a write is tried again.
const RETRY: u64 = 500_000;

/// The world outside the job that a sink writes to. No crash touches it.
#[derive(Clone, Default)]
pub struct Table {
    /// What it makes of rows.
    pub kind: SinkKind,
    /// The rows as they became visible, one after the other. An idempotent table holds the last of each key.
    pub batches: Vec<Batch>,
    /// The furthest place in the stream of a row that an idempotent table has been given.
    furthest: Seq,
    /// The newest checkpoint whose rows are here.
    pub committed: u64,
    /// All rows up to this place in the stream are here, where writes say how far they come.
    upto: Seq,
    /// Writers of earlier lives of the job are turned away.
    life: u64,
}

impl Table {
    /// Keeps the rows and nothing of what is known of them: what planted faults do.
    pub(super) fn forget(&mut self) {
        let (kind, batches) = (self.kind, std::mem::take(&mut self.batches));
        *self = Table { kind, batches, ..Table::default() };
    }

    /// How many of these rows an idempotent table has been given before: rows come by their places, so those up to the
    /// furthest come again.
    fn replaced(&mut self, batches: &[Batch]) -> u64 {
        let places = || batches.iter().flat_map(|b| (0..b.rows).map(|i| b.seqs.at(i)));
        let again = places().filter(|seq| *seq <= self.furthest).count() as u64;
        self.furthest = places().fold(self.furthest, Seq::max);
        again
    }

    /// The rows one by one, as they became visible.
    pub fn rows(&self) -> impl Iterator<Item = (RowKind, Seq, Vec<Value>)> + '_ {
        let rows = self.batches.iter().flat_map(|b| (0..b.rows).map(move |i| (b, i)));
        rows.map(|(b, i)| (b.kind(i), b.seqs.at(i), b.row(i)))
    }
}

/// What may happen to the next write of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is applied and its answer is lost.
    TimedOut,
    /// It is refused.
    Rejected,
    /// It takes so many microseconds.
    Slow(u64),
    /// It hangs, its task is taken for dead, and then it arrives.
    Zombie,
}

/// Rows on their way to a table.
#[derive(Clone)]
pub(super) struct Write {
    /// The sink, in the order of the graph's.
    pub table: usize,
    /// The life of the job that it comes from.
    pub life: u64,
    /// The checkpoint and the place it comes up to; `None`: rows that wait for no checkpoint.
    pub commits: Option<(u64, Seq)>,
    /// The rows.
    pub batches: Vec<Batch>,
}

/// What a sink has to write.
#[derive(Clone, Default)]
pub(super) struct Writer {
    queue: VecDeque<Write>,
    /// The first of them is under way.
    busy: bool,
    hindrances: VecDeque<Hindrance>,
}

impl Writer {
    /// Forgets what was to be written, as a crash does.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.busy = false;
    }

    /// Lets nothing come between.
    pub(super) fn calm(&mut self) {
        self.hindrances.clear();
    }

    /// Rows that are not written yet.
    pub(super) fn waiting(&self) -> u64 {
        self.queue.iter().flat_map(|w| &w.batches).map(|batch| batch.rows as u64).sum()
    }
}

impl Sim {
    /// The same run with another guarantee, before its first step. A table promises no more than its job.
    #[must_use]
    pub fn promising(mut self, guarantee: Guarantee) -> Sim {
        self.guarantee = guarantee;
        for (table, (spec, ..)) in self.tables.iter_mut().zip(self.job.graph.sinks()) {
            table.kind = spec.kind(guarantee);
        }
        self
    }

    /// What a recovery keeps and reads again.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// Hinders the next write of the sink that is a task.
    pub(super) fn hinder(&mut self, task: u16, what: Hindrance) {
        let sinks = self.job.graph.sink_tasks();
        let sink = sinks.iter().position(|sink| *sink == task).expect("a fault names a sink");
        self.writers[sink].hindrances.push_back(what);
    }

    /// Writes rows behind all that the sink has to write.
    pub(super) fn write(
        &mut self,
        table: usize,
        commits: Option<(u64, Seq)>,
        batches: Vec<Batch>,
        trace: &mut Vec<Event>,
    ) {
        let write = Write { table, life: self.life, commits, batches };
        self.writers[table].queue.push_back(write);
        if !self.writers[table].busy {
            self.write_on(table, trace);
        }
    }

    /// The time of a write has come that was under way.
    pub(super) fn write_again(&mut self, table: usize, trace: &mut Vec<Event>) {
        self.writers[table].busy = false;
        self.write_on(table, trace);
        self.finish_when_done(trace);
    }

    /// Writes what a sink has to write until something comes between.
    fn write_on(&mut self, table: usize, trace: &mut Vec<Event>) {
        while let Some(write) = self.writers[table].queue.pop_front() {
            let hindrance = self.writers[table].hindrances.pop_front();
            let Some(hindrance) = hindrance else {
                self.apply(write, trace);
                continue;
            };
            let stays = self.guarantee.replays();
            let wait = match hindrance {
                Hindrance::Slow(micros) => micros,
                _ => RETRY,
            };
            match hindrance {
                Hindrance::TimedOut => {
                    self.note_write(&write, "timed-out", trace);
                    self.apply(write.clone(), trace);
                    // Whoever must not say anything twice does not try again.
                    if !stays && !seeded("at-most-once-tries-again") {
                        continue;
                    }
                }
                Hindrance::Rejected => {
                    self.note_write(&write, "refused", trace);
                    if !stays || seeded("a-refused-write-is-over") {
                        continue;
                    }
                }
                Hindrance::Slow(_) => self.note_write(&write, "slow", trace),
                Hindrance::Zombie => {
                    self.note_write(&write, "hangs", trace);
                    let task = self.job.graph.sink_tasks()[table];
                    self.crash(task, trace);
                    let mut restart = self.upcoming.iter().rev();
                    let restart = restart.find(|(_, u)| matches!(u, Upcoming::Restart));
                    let wait = restart.map_or(0, |((at, _), _)| at.saturating_sub(self.now.0));
                    let arrives = self.now.after(wait.saturating_mul(2)).0;
                    self.plan(arrives, Upcoming::Zombie(write));
                    return;
                }
            }
            self.writers[table].queue.push_front(write);
            self.writers[table].busy = true;
            self.plan(self.now.after(wait).0, Upcoming::Write(table));
            return;
        }
    }

    /// A write arrives at its table. One that commits a checkpoint is applied once, however often and by whom it
    /// is sent: its rows are known by their place in the stream.
    pub(super) fn apply(&mut self, write: Write, trace: &mut Vec<Event>) {
        let table = &mut self.tables[write.table];
        let Some((checkpoint, upto)) = write.commits else {
            self.apply_at_once(write, trace);
            return;
        };
        if write.life < table.life && seeded("nobody-is-turned-away") {
            self.reveal(write.table, checkpoint, write.batches, trace);
            return;
        }
        if write.life < table.life {
            self.note_write(&write, "fenced", trace);
            return;
        }
        if table.committed >= checkpoint && table.upto >= upto {
            return;
        }
        let there = if seeded("rows-known-by-checkpoint-only") { 0 } else { table.upto };
        table.committed = table.committed.max(checkpoint);
        table.upto = there.max(upto);
        let new = |batch: Batch| match batch.seqs.count_upto(there) {
            0 => batch,
            old => batch.slice(old, batch.rows),
        };
        let batches: Vec<Batch> = write.batches.into_iter().map(new).collect();
        self.reveal(write.table, checkpoint, batches, trace);
    }

    /// A write arrives that waits for no checkpoint. A plain table takes all there is; in an idempotent one rows of an
    /// earlier life would take the place of newer ones.
    fn apply_at_once(&mut self, write: Write, trace: &mut Vec<Event>) {
        let table = &mut self.tables[write.table];
        if table.kind == SinkKind::Idempotent {
            if write.life < table.life && !seeded("an-old-row-replaces-a-newer-one") {
                self.note_write(&write, "fenced", trace);
                return;
            }
            let rows = table.replaced(&write.batches);
            if rows > 0 {
                let change = "replaced".to_owned();
                let task = self.job.graph.sink_tasks()[write.table];
                self.note(trace, task, What::SinkWrite { checkpoint: 0, rows, change });
            }
        }
        self.reveal(write.table, 0, write.batches, trace);
    }

    /// Puts rows into a sink's table.
    fn reveal(
        &mut self,
        table: usize,
        checkpoint: u64,
        batches: Vec<Batch>,
        trace: &mut Vec<Event>,
    ) {
        let rows = batches.iter().map(|batch| batch.rows as u64).sum();
        self.tables[table].batches.extend(batches.into_iter().filter(|batch| batch.rows > 0));
        let task = self.job.graph.sink_tasks()[table];
        self.note(trace, task, What::Commit { checkpoint, rows });
    }

    fn note_write(&self, write: &Write, change: &str, trace: &mut Vec<Event>) {
        let task = self.job.graph.sink_tasks()[write.table];
        let rows = write.batches.iter().map(|batch| batch.rows as u64).sum();
        let checkpoint = write.commits.map_or(0, |(checkpoint, _)| checkpoint);
        self.note(trace, task, What::SinkWrite { checkpoint, rows, change: change.to_owned() });
    }

    /// A new life of the job: tables turn writers of earlier ones away.
    pub(super) fn live_again(&mut self) {
        self.life += 1;
        for (table, writer) in self.tables.iter_mut().zip(&mut self.writers) {
            table.life = self.life;
            writer.clear();
        }
    }

    /// Whether sinks have to write something still.
    pub(super) fn writes(&self) -> bool {
        self.writers.iter().any(|writer| !writer.queue.is_empty())
    }

    /// The job ends when its last checkpoint is committed and written.
    pub(super) fn finish_when_done(&mut self, trace: &mut Vec<Event>) {
        if self.state == State::Running && self.last_committed && !self.writes() {
            self.note(trace, COORDINATOR, What::Finish);
            self.nothing_follows();
            self.state = State::Finished;
        }
    }
}
