//! Checkpoints and crashes as a list, in words.

use crate::model::Model;
use crate::run::{Checkpoint, Crash};
use crate::words;
use highwater_trace::trace::Barriers;

/// One entry of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What identifies it: the event that began it.
    pub pos: u32,
    /// The step to go to.
    pub step: u64,
    /// `complete`, `running`, `aborted` or `crash`.
    pub kind: &'static str,
    /// One line.
    pub title: String,
    /// When, in virtual time.
    pub at: String,
    /// Sentences.
    pub lines: Vec<String>,
    /// Tasks whose barrier has come, of how many; for a running checkpoint.
    pub progress: Option<(usize, usize)>,
}

/// What the panel shows.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RecoveryView {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// One sentence.
    pub summary: String,
}

/// What the panel shows of the model, `limit` entries at most.
pub fn build(m: &Model, limit: usize) -> RecoveryView {
    let r = &m.run.recovery;
    let mut entries: Vec<Entry> = r.checkpoints.iter().map(|c| checkpoint(m, c)).collect();
    entries.extend(r.crashes.iter().map(|c| crash(m, c)));
    entries.sort_by_key(|e| std::cmp::Reverse(e.pos));
    entries.truncate(limit);
    let complete = r.checkpoints.iter().filter(|c| c.complete.is_some()).count() as u64;
    let summary = match (complete, r.crashes.len() as u64) {
        (0, 0) => "No checkpoint is complete yet: a crash now loses all state.".to_owned(),
        (n, 0) => format!("{} complete, no crash.", words::count(n, "checkpoint")),
        (n, 1) => format!("{} complete, 1 crash.", words::count(n, "checkpoint")),
        (n, k) => format!("{} complete, {k} crashes.", words::count(n, "checkpoint")),
    };
    RecoveryView { entries, summary }
}

fn checkpoint(m: &Model, c: &Checkpoint) -> Entry {
    let tasks = m.run.header.tasks.len();
    let mut lines = Vec::new();
    let kind = match (c.complete, c.aborted) {
        _ if c.failed.is_some() => {
            let reason = c.failed.as_ref().map_or("", |(_, reason)| reason);
            lines.push(format!("The store could not keep it ({reason}); it counts for nothing."));
            "aborted"
        }
        (Some((_, at, size)), _) => {
            let took = words::span(at.saturating_sub(c.at).div_ceil(1000) as i64);
            lines.push(format!("{} stored and verified after {took}.", words::bytes(size)));
            "complete"
        }
        (None, Some(_)) => {
            lines.push("A crash came before it was complete; it counts for nothing.".to_owned());
            "aborted"
        }
        (None, None) => "running",
    };
    if c.complete.is_none() {
        lines.extend(c.snapshots.iter().map(|(_, task, size, at)| {
            let after = words::span(at.saturating_sub(c.at) as i64 / 1000);
            format!("{}: {} after {after}", m.run.task_name(*task), words::bytes(*size))
        }));
    }
    if c.kind == Barriers::Unawaited {
        lines.push(
            "No task waited at its barriers: states may hold what came behind them.".to_owned(),
        );
    }
    if c.kind == Barriers::Unaligned {
        let (elements, rows) = c.in_flight.iter().fold((0, 0), |(e, r), f| (e + f.1, r + f.2));
        lines.push(format!(
            "Its barriers overtook {} with {}, which it holds.",
            words::count(elements, "message"),
            words::count(rows, "row")
        ));
    }
    let rows = c.committed_rows();
    if rows > 0 {
        lines.push(format!("{} became visible.", words::count(rows, "row")));
    }
    Entry {
        pos: c.pos,
        step: c.step,
        kind,
        title: format!("Checkpoint {}", c.id),
        at: words::short_virtual(c.at),
        lines,
        progress: (kind == "running").then_some((c.snapshots.len(), tasks)),
    }
}

fn crash(m: &Model, c: &Crash) -> Entry {
    let task = m.run.task_name(c.task);
    let mut lines = vec![format!(
        "Lost: {} in flight and {}.",
        words::count(c.lost_messages, "message"),
        words::count(c.lost_rows, "staged row")
    )];
    lines.extend(c.store.iter().map(|(_, checkpoint, reason)| match checkpoint {
        0 => format!("The snapshot store: {reason}."),
        n => format!("Checkpoint {n} cannot be used: {reason}."),
    }));
    match c.restore {
        None => lines.push("The job is down.".to_owned()),
        Some((_, at, from)) => {
            let down = words::span(at.saturating_sub(c.at) as i64 / 1000);
            lines.push(match from {
                0 => format!("Came back after {down} without a checkpoint."),
                n => format!("Came back after {down} from checkpoint {n}."),
            });
            if !c.replays.is_empty() {
                lines.push(format!("{} read again.", words::count(c.replayed(), "record")));
            }
        }
    }
    let again = m.run.rows.all.iter().filter(|r| r.again && r.pos > c.pos).count() as u64;
    if again > 0 {
        lines.push(format!("{} made again.", words::count(again, "lost row")));
    }
    if let Some(fault) = &c.fault {
        lines.push(format!("Cause: {fault}"));
    }
    Entry {
        pos: c.pos,
        step: c.step,
        kind: "crash",
        title: format!("{task} crashed"),
        at: words::short_virtual(c.at),
        lines,
        progress: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_crash_tells_what_was_lost_and_where_it_came_back_from() {
        let m = sample::model(u64::MAX);
        let view = build(&m, 100);
        let entry = view.entries.iter().find(|e| e.kind == "crash").expect("one crash");
        let c = &m.run.recovery.crashes[0];
        let text = entry.lines.join("\n");
        assert!(text.contains("2 messages in flight"), "{text}");
        let (_, _, from) = c.restore.expect("it came back");
        assert!(text.contains(&format!("from checkpoint {from}")), "{text}");
        assert!(text.contains(&format!("{} record", c.replayed())), "{text}");
        assert_eq!(entry.title, "window/1 crashed");
    }

    #[test]
    fn the_newest_is_first() {
        let m = sample::model(u64::MAX);
        let view = build(&m, 100);
        assert!(view.entries.windows(2).all(|w| w[0].pos > w[1].pos));
        assert_eq!(build(&m, 2).entries.len(), 2);
    }
}
