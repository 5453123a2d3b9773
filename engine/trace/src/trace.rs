//! The trace: everything that happens in a simulated run, the only thing anybody may look at.
//!
//! One text form ([`Event::line`]), one binary form (rkyv chunks, [`encode`] and [`decode`]) and one
//! hash over the text form. Equal traces mean equal runs.

#![allow(
    missing_docs,
    reason = "the fields of an event are named in its text form, and rkyv's twins repeat them"
)]

mod binary;
mod text;

use rkyv::{Archive, Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::time::VirtualTime;

pub use binary::{Chunk, decode, encode};
pub use text::{EVENTS, quoted};

/// One thing that happened.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Event {
    /// The step of the simulation it belongs to, from 1; several events share a step.
    pub step: u64,
    /// Virtual time in microseconds since 1970.
    pub at: u64,
    /// The task it happened in, an index into [`Header::tasks`]; `u16::MAX`: the coordinator.
    pub task: u16,
    /// What happened.
    pub what: What,
}

/// The coordinator's place in [`Event::task`].
pub const COORDINATOR: u16 = u16::MAX;

/// What is fixed for a run: names for the numbers in events.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
pub struct Header {
    /// The tasks: `quakes/0`, `window/0`, `window/1`, `sink/0` …
    pub tasks: Vec<TaskInfo>,
    /// The channels between tasks: from, to, positions in `tasks`.
    pub channels: Vec<(u16, u16)>,
    /// The seed of the schedule.
    pub seed: u64,
}

/// One subtask of one operator chain.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// `name/subtask`
    pub name: String,
    /// `source`, `window`, `session`, `guest-window`, `guest-join`, `join`, `aggregate`, `rank`, `over`,
    /// `union`, `map` or `sink`.
    pub kind: String,
    /// What the task does, one line an operator, as `EXPLAIN` prints it.
    pub describe: String,
    /// The numbers of the partitions that a source reads; none for other tasks.
    pub partitions: Vec<u16>,
}

/// What the barriers of a checkpoint do to what they meet.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Barriers {
    /// A task waits until they have come on all channels, and takes in nothing from behind them before.
    #[default]
    Aligned,
    /// They overtake what is in flight, which becomes part of the snapshot.
    Unaligned,
    /// Nobody waits for them: a task goes on, and writes its state some time after the last has come.
    Unawaited,
}

/// The closed set of things that can happen.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum What {
    /// A source read a record. `event_time`: `None` when the table has no watermark.
    Arrive { partition: u16, offset: u64, seq: u64, event_time: Option<i64>, row: String },
    /// A record that cannot be read or has no event time was left out, counted.
    BadRecord { partition: u16, offset: u64, line: u64, column: u64, reason: String },
    /// A source partition's own watermark moved.
    PartitionWatermark { partition: u16, watermark: i64 },
    /// A source partition said nothing for the idle timeout, or spoke again.
    Idle { partition: u16, idle: bool },
    /// The task's watermark moved; `seq`: the record that moved it.
    Watermark { watermark: i64, seq: u64 },
    /// A window got its first row. `window`: a number unique in this task and run.
    WindowOpen { window: u64, key: String, start: i64, end: i64 },
    /// A window changed its bounds by taking in a record or other windows.
    WindowMerge { window: u64, merged: Vec<u64>, start: i64, end: i64 },
    /// A record was counted in a window.
    WindowAdd { window: u64, seq: u64 },
    /// The watermark reached the window's end minus 1 ms; the result rows follow downstream.
    WindowFire { window: u64, key: String, start: i64, end: i64, rows: u32 },
    /// A window said what it holds before the watermark reached its end, or after: `timing` is EARLY or LATE,
    /// `index` counts the window's panes from 0.
    WindowPane { window: u64, key: String, start: i64, end: i64, timing: String, index: u64 },
    /// A record was left out because every window it belongs to has fired.
    Late {
        seq: u64,
        event_time: i64,
        watermark: i64,
        start: i64,
        end: i64,
        key: String,
        row: String,
    },
    /// A record entered a join's buffer, or waits for its turn in OVER. `side`: 0 left, 1 right.
    JoinBuffer { side: u8, seq: u64, event_time: i64, frees_at: i64 },
    /// A record met buffered ones; of the candidates a guest may have chosen.
    JoinMatch { side: u8, seq: u64, candidates: u32, matched: Vec<u64> },
    /// The watermark freed rows of a join's buffer, or it was their turn in OVER. Or a regular join forgot them:
    /// their time to live was over, or others took their place.
    JoinExpire { side: u8, seqs: Vec<u64> },
    /// A row entered a join that keeps its input whole: no watermark frees it.
    JoinKeep { side: u8, seq: u64 },
    /// A row of such a join was taken back: the one that record `of` had made.
    JoinTake { side: u8, seq: u64, of: u64 },
    /// Rows came into groups, into ranks or among changes that are held back, which are counted there, not named. `gone`: so
    /// many are no longer there, some of those that came perhaps: taken back, with what takes them back; behind the last
    /// rank; said, or overtaken by a newer change; forgotten.
    Hold { rows: u64, gone: u64 },
    /// A record came to a join after the watermark; one that a guest decides has left it out only when it
    /// met nothing and came too late to be kept for later ones. Or to a rank whose first row may be out, or to
    /// OVER when rows of its time may be.
    JoinLate { side: u8, seq: u64, event_time: i64, watermark: i64, row: String },
    /// A guest ran: fuel used and its memory's size.
    GuestCall { export: String, rows: u32, fuel: u64, pages: u32 },
    /// A guest wrote a line.
    GuestLog { level: u8, text: String },
    /// A row reached the sink and is staged there. `kind`: +I, -U, +U or -D as 0 to 3.
    Stage { row: String, kind: u8, seq: u64 },
    /// The coordinator began a checkpoint.
    CheckpointStart { checkpoint: u64, barriers: Barriers },
    /// A barrier reached a task on one of its channels.
    Barrier { checkpoint: u64, channel: u16 },
    /// The task's state was written: all of its channels have delivered the barrier, or the first has, when it
    /// overtakes.
    Snapshot { checkpoint: u64, bytes: u64 },
    /// The snapshot is stored and verified: the commit point.
    CheckpointComplete { checkpoint: u64, bytes: u64, hash: u64 },
    /// The sink made the rows staged up to the checkpoint visible; `checkpoint` 0: those that have just reached
    /// it, since it waits for none.
    Commit { checkpoint: u64, rows: u64 },
    /// A fault was injected.
    Fault { fault: String },
    /// A task died. What was in flight and in memory is gone; staged, uncommitted rows too.
    Crash { lost_messages: u64, lost_rows: u64 },
    /// The job is being started again. `checkpoint` 0: from none, its tasks know nothing.
    Restore { checkpoint: u64 },
    /// A source went back to an earlier place. Records up to `until` are read again.
    Replay { partition: u16, offset: u64, from: u64, until: u64 },
    /// The input has ended and everything is committed.
    Finish,
    /// The job stopped for good.
    Fail { code: String, message: String },
    /// Something befell an element of a channel: it was `lost`, `doubled`, `overtaken` or `held`; or it came `early`
    /// and waits for those before it, or had come before and was `thrown-away`.
    Channel { channel: u16, number: u64, change: String },
    /// The snapshot store could not write or read a checkpoint; 0: any.
    Store { checkpoint: u64, reason: String },
    /// A sink's write was `refused`, `timed-out`, is `slow`, `hangs`, or came from an earlier life of the job and was
    /// `fenced`. `replaced`: so many rows took the place that they had in an idempotent table already.
    SinkWrite { checkpoint: u64, rows: u64, change: String },
    /// What a barrier has overtaken on a channel is part of the checkpoint: so many elements and rows.
    InFlight { checkpoint: u64, channel: u16, elements: u64, rows: u64 },
    /// Records came from a source that were known already, from an offset on: they were `thrown-away`.
    SourceRead { partition: u16, offset: u64, records: u64, change: String },
}

impl Event {
    /// The event's one text form, without a line end. Control characters in data are escaped.
    pub fn line(&self, header: &Header) -> String {
        let task = match header.tasks.get(usize::from(self.task)) {
            Some(t) => t.name.as_str(),
            None => "coordinator",
        };
        let mut line = format!("{} {} {task} ", self.step, VirtualTime(self.at));
        self.what.write(&mut line);
        line
    }
}

/// The running hash over the text form of a trace: 128 bits of SHA-256, lines ended by `\n`.
#[derive(Clone, Default)]
pub struct TraceHash(Sha256);

impl TraceHash {
    /// Takes in one event.
    pub fn update(&mut self, event: &Event, header: &Header) {
        self.0.update(event.line(header).as_bytes());
        self.0.update(b"\n");
    }

    /// The hash so far, 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        let digest = self.0.clone().finalize();
        digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
    }
}
