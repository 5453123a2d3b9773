//! Faults in the engine itself, planted by name, so that it can be shown that the simulation finds them.
//!
//! Only a build with debug assertions knows them: in a release each question is `false` before it is compiled.

use std::cell::Cell;

thread_local! {
    static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Every fault that can be planted, and what it does.
pub const BUGS: &[(&str, &str)] = &[
    (
        "key-groups-do-not-move",
        "with another parallelism a subtask takes the state of the one that had its number, and of no other",
    ),
    (
        "moved-keys-stay-as-well",
        "a subtask keeps what it finds of keys that another subtask has now",
    ),
    (
        "rows-of-a-failed-checkpoint-are-lost",
        "what sinks have given to a checkpoint that could not be written is in no later one",
    ),
    (
        "cut-behind-the-barriers",
        "the sources' place is taken when the states are in, not where the barriers are",
    ),
    (
        "complete-without-the-last-part",
        "a checkpoint is stored when all tasks but one have written their state",
    ),
    ("commit-before-stored", "sinks commit when the states are in, before the store has them"),
    (
        "no-flush-before-a-checkpoint",
        "a checkpoint is complete although sinks have yet to write what came before it",
    ),
    ("failed-write-counts", "a checkpoint whose write has failed is complete"),
    (
        "close-without-the-last-commit",
        "the job ends when its last checkpoint is stored, before it is committed",
    ),
    (
        "last-checkpoint-not-tried-again",
        "a job whose last checkpoint could not be written waits for ever",
    ),
    (
        "a-checkpoint-outlives-a-crash",
        "a coordinator goes on with a checkpoint that a crash has cut short",
    ),
    (
        "what-waits-at-a-gate-is-not-kept",
        "a barrier overtakes what waits at a gate, and that is not in the snapshot",
    ),
    (
        "elements-in-flight-are-not-kept",
        "a barrier overtakes elements of a channel, and these are not in the snapshot",
    ),
    (
        "elements-in-flight-come-twice",
        "elements that their receiver had taken in are kept as if they had been in flight",
    ),
    ("a-barrier-is-overtaken", "what is sent behind a barrier that overtakes may come before it"),
    (
        "a-sink-is-as-far-as-the-sources",
        "a table takes a checkpoint's rows for all up to the sources' place, although some are in flight",
    ),
    ("sources-forget-too-much", "sources throw away what only the newest checkpoint does not need"),
    (
        "recovery-without-the-newest",
        "a recovery starts from the oldest checkpoint that is kept, and takes its rows for new ones",
    ),
    ("no-second-commit", "rows that a checkpoint holds are not committed when it is restored"),
    ("sources-do-not-go-back", "a recovery reads on where the crash was"),
    (
        "sources-go-back-to-the-beginning",
        "a recovery reads everything again, whatever its checkpoint holds",
    ),
    (
        "elements-outlive-a-crash",
        "what was on its way when the job crashed arrives in its next life",
    ),
    ("channels-count-on", "the numbers of a channel go on behind a crash on one of its ends only"),
    ("the-last-task-is-forgotten", "the state of the last task is not taken back"),
    (
        "at-most-once-forgets-its-watermark",
        "a job that starts with nothing does not know how far time was",
    ),
    ("at-most-once-reads-again", "a job that must read nothing twice goes back a little"),
    ("a-store-that-is-away-is-empty", "a recovery that finds no store starts from nothing"),
    ("skip-the-fsync", "a snapshot gets its name before its bytes are on the disk"),
    ("skip-the-folder-fsync", "the folder is not brought to the disk behind a rename"),
    ("rename-before-the-fsync", "a snapshot gets its name first, then its bytes come to the disk"),
    (
        "passing-names-are-read",
        "a recovery takes what stands under a passing name for a snapshot, too",
    ),
    (
        "old-ones-go-too-early",
        "snapshots are thrown away before the name of the newest is on the disk",
    ),
    ("no-older-checkpoint", "a recovery whose newest checkpoint is damaged looks for no older one"),
    ("doubles-are-taken", "an element that has come before is taken in again"),
    ("early-ones-are-taken", "an element that has overtaken others is taken in at once"),
    ("the-lost-are-not-sent-again", "an element that is lost stays lost"),
    ("the-early-are-forgotten", "elements that wait for those before them are thrown away"),
    ("a-schedule-of-its-own", "the schedule hangs on what ran before in the same process"),
    (
        "rows-known-by-checkpoint-only",
        "a table tells rows that it has by the number of their checkpoint, not by their place",
    ),
    ("a-refused-write-is-over", "a write that was refused is not tried again"),
    (
        "at-most-once-tries-again",
        "a write whose answer is lost is tried again by who must not say anything twice",
    ),
    (
        "nobody-is-turned-away",
        "a writer of an earlier life is let in, and takes the table for as far as it was",
    ),
    (
        "an-old-row-replaces-a-newer-one",
        "an idempotent table lets a writer of an earlier life in, behind rows of a later one",
    ),
    ("rows-staged-twice", "a sink stages what it has given to a checkpoint once more"),
    (
        "a-sink-forgets-its-handle",
        "a sink does not take back the rows that a checkpoint holds of it",
    ),
    (
        "the-first-mark-is-enough",
        "a task at whose barriers nobody waits writes its state behind the first of them",
    ),
    (
        "one-barrier-is-enough",
        "a task writes its state when the first of its channels has delivered the barrier",
    ),
    (
        "a-gate-forgets-its-watermark",
        "a gate does not take back how far its channels' watermarks were",
    ),
    ("rows-behind-a-barrier-are-dropped", "what waits behind a barrier is thrown away with it"),
    ("a-source-forgets-its-watermark", "a source does not take back its watermark"),
    (
        "the-fastest-partition-leads",
        "the watermark is the greatest of the active partitions, not the least",
    ),
    ("the-idle-hold-back", "a partition that is idle holds the watermark back"),
    (
        "windows-a-moment-too-early",
        "a window fires a millisecond before the watermark is at its end",
    ),
    ("windows-forget-how-far-they-are", "windows that have fired are open again after a recovery"),
    ("panes-stay-when-they-are-over", "the panes of windows that have fired are kept for ever"),
    ("the-right-is-never-freed", "an outer interval join keeps the rows of its right for ever"),
    ("panes-forgotten", "the panes of open windows are not taken back"),
    ("timers-forgotten", "the timers of open sessions are not set again"),
    ("a-gap-a-moment-too-short", "sessions that are the gap apart stay two"),
    ("joins-free-too-early", "a join frees rows a moment before nothing can meet them any more"),
    ("interval-join-forgotten", "an interval join's rows are not taken back"),
    ("regular-join-forgotten", "a regular join's rows are not taken back"),
    ("temporal-join-forgotten", "a temporal join's versions are not taken back"),
    ("outer-join-forgotten", "the rows of an outer interval join are not taken back"),
    ("groups-forgotten", "running aggregates are not taken back"),
    ("ranks-forgotten", "ranks are not taken back"),
    ("guest-windows-forgotten", "the open windows of a guest are not taken back"),
    ("guest-join-forgotten", "the rows of a join that a guest decides are not taken back"),
    ("the-ill-stay-ill", "a guest that has failed fails again in every later life of its task"),
    (
        "what-guests-die-of-is-passed-over",
        "a task whose guest has failed goes on with what comes next",
    ),
    ("keys-change-hands", "after a crash another subtask has a key's rows"),
    (
        "damaged-state-is-believed",
        "a section that does not match its checksum is read all the same",
    ),
    (
        "what-comes-again-is-taken",
        "a record that a source hands out once more is read once more, whatever its offset says",
    ),
    ("a-gap-goes-unnoticed", "a job whose source has lost records goes on with those behind them"),
    (
        "a-regress-is-taken-for-a-redelivery",
        "records that have taken the offsets of lost ones are thrown away as if they were known",
    ),
    (
        "a-replay-knows-of-no-delay",
        "what has been delayed arrives at its own time when it is read again",
    ),
    (
        "a-replay-knows-of-no-storm",
        "what is late stands where it would have stood when it is read again",
    ),
    (
        "a-replay-forgets-the-last-arrival",
        "a source that goes back does not know when the record before arrived",
    ),
];

/// Whether this fault is planted in this thread.
#[inline]
pub(crate) fn seeded(bug: &str) -> bool {
    cfg!(debug_assertions) && PLANTED.with(|planted| planted.get() == Some(bug))
}

/// A number that grows from call to call when this fault is planted, else 0.
pub(crate) fn drift(bug: &str) -> u64 {
    thread_local! {
        static CALLS: Cell<u64> = const { Cell::new(0) };
    }
    if !seeded(bug) {
        return 0;
    }
    CALLS.with(|calls| {
        calls.set(calls.get() + 1);
        calls.get() % 7
    })
}

/// A fault that is planted in this thread until this is dropped.
#[derive(Debug)]
pub struct Planted(());

/// Plants one of [`BUGS`] in this thread; `None` in builds that know none.
///
/// # Panics
/// When there is no such fault.
#[must_use]
pub fn plant(bug: &str) -> Option<Planted> {
    let (name, _) = BUGS.iter().find(|(name, _)| *name == bug).expect("one of the list");
    if !cfg!(debug_assertions) {
        return None;
    }
    PLANTED.with(|planted| planted.set(Some(name)));
    Some(Planted(()))
}

impl Drop for Planted {
    fn drop(&mut self) {
        PLANTED.with(|planted| planted.set(None));
    }
}
