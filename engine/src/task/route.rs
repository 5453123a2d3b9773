//! Where a task's rows go: along every edge, all to one subtask, dealt out by key, by place or block by block,
//! or to every subtask.

use super::{Effects, Element};
use crate::batch::{Batch, Stair};
use crate::key::KeyColumns;
use crate::time::{Alignment, EventTime};
use crate::window::{ELSEWHERE, Turns, closes_at};

/// Where a task's rows go: one edge of the graph, seen from one subtask.
#[derive(Clone)]
pub struct Edge {
    /// The channels to the subtasks of the next stage, by subtask.
    pub channels: Vec<u16>,
    /// How rows find their subtask.
    pub route: Route,
    /// Whether the other end merges several channels and so needs to hear of progress.
    pub progress: bool,
}

/// How rows find their subtask.
#[derive(Clone)]
pub enum Route {
    /// All to the one channel there is.
    Only,
    /// By the key group of these columns.
    Key(KeyColumns),
    /// By their place in the stream, for subtasks of which each can do any row.
    Deal,
    /// Each row to every subtask: what is small and looked up by all.
    Broadcast,
    /// Batch by batch in turns, for subtasks that share windows.
    Blocks(Blocks),
}

/// Deals batches out in turns. The others hear only of the steps of the watermark that close a window.
#[derive(Clone)]
pub struct Blocks {
    alignment: Alignment,
    /// The first window that is open for everybody.
    open: i64,
    turns: Turns,
    /// Whether the windows are over the event time of the source here.
    timed: bool,
    /// The newest event time so far, if that is known.
    newest: Option<i64>,
}

impl Blocks {
    /// For windows of this alignment that so many subtasks share; `timed` says that they are over the event
    /// time of the source whose rows are dealt out. Else no window is known to be of one subtask alone.
    pub fn new(alignment: Alignment, timed: bool, subtasks: usize) -> Blocks {
        let open = alignment.first_open(EventTime::MIN);
        Blocks { alignment, open, turns: Turns::new(subtasks), timed, newest: Some(i64::MIN) }
    }

    /// After a restart nobody knows what has gone to whom.
    pub(super) fn forget(&mut self) {
        self.timed = false;
    }

    /// The steps that close a window.
    fn closing(&mut self, stairs: &[Stair]) -> Vec<Stair> {
        let mut found = Vec::new();
        let mut closes = closes_at(&self.alignment, self.open);
        for stair in stairs.iter().filter(|s| !s.idle) {
            if stair.watermark >= closes {
                self.open = self.alignment.first_open(stair.watermark);
                closes = closes_at(&self.alignment, self.open);
                found.push(Stair { row: 0, ..*stair });
            }
        }
        found
    }

    fn send(&mut self, channels: &[u16], batch: Batch, newest: Option<i64>, fx: &mut Effects) {
        let closing = self.closing(&batch.stairs);
        let turn = self.turns.current();
        if self.timed && self.turns.begins() {
            let before = self.newest.unwrap_or(i64::MAX);
            fx.sends.push((channels[turn], Element::Turn(before)));
        }
        self.newest = newest;
        self.turns.advance();
        if !closing.is_empty() {
            for channel in channels.iter().enumerate().filter(|(i, _)| *i != turn).map(|(_, c)| c) {
                let steps = Batch::progress(batch.schema.clone(), closing.clone(), ELSEWHERE);
                fx.sends.push((*channel, Element::Batch(steps)));
            }
        }
        fx.sends.push((channels[turn], Element::Batch(batch)));
    }
}

/// Sends a batch along every edge; `newest` is the newest event time so far where the batch leaves a source
/// that knows it.
pub(super) fn send(edges: &mut [Edge], batch: Batch, newest: Option<i64>, fx: &mut Effects) {
    let quiet = batch.rows == 0 && batch.stairs.is_empty();
    for edge in edges {
        if quiet && !edge.progress {
            continue;
        }
        match &mut edge.route {
            Route::Key(keys) if edge.channels.len() > 1 => {
                let owners = keys.subtasks(&batch, edge.channels.len() as u32);
                parted(&owners, &batch, edge, fx);
            }
            Route::Deal if edge.channels.len() > 1 => {
                let subtasks = edge.channels.len() as u64;
                let owners: Vec<u8> = batch.seqs.iter().map(|seq| (seq % subtasks) as u8).collect();
                parted(&owners, &batch, edge, fx);
            }
            Route::Blocks(blocks) => blocks.send(&edge.channels, batch.clone(), newest, fx),
            // Without a choice there is one channel.
            Route::Only | Route::Key(_) | Route::Deal | Route::Broadcast => {
                let all = edge.channels.iter();
                fx.sends.extend(all.map(|channel| (*channel, Element::Batch(batch.clone()))));
            }
        }
    }
}

/// Sends each subtask its rows.
fn parted(owners: &[u8], batch: &Batch, edge: &Edge, fx: &mut Effects) {
    for (channel, part) in edge.channels.iter().zip(split(owners, batch, edge.channels.len())) {
        if part.rows > 0 || !part.stairs.is_empty() || edge.progress {
            fx.sends.push((*channel, Element::Batch(part)));
        }
    }
}

/// The rows of each subtask, every step of the watermark in its place among them; `owners`: the subtask of
/// each row.
fn split(owners: &[u8], batch: &Batch, subtasks: usize) -> Vec<Batch> {
    let room = batch.rows;
    let mut lists = vec![0; room * subtasks];
    let mut ends = [0; crate::key::KEY_GROUPS as usize];
    (0..subtasks).for_each(|k| ends[k] = k * room);
    let mut stairs = vec![Vec::with_capacity(batch.stairs.len()); subtasks];
    let mut from = 0;
    for stair in &batch.stairs {
        highwater_kernels::deal(owners, (from, stair.row as usize), &mut lists, &mut ends);
        from = stair.row as usize;
        for (k, stairs) in stairs.iter_mut().enumerate() {
            stairs.push(Stair { row: (ends[k] - k * room) as u32, ..*stair });
        }
    }
    highwater_kernels::deal(owners, (from, room), &mut lists, &mut ends);
    let part = |(k, stairs): (usize, Vec<Stair>)| {
        let rows = &lists[k * room..ends[k]];
        if rows.len() == batch.rows {
            return batch.clone();
        }
        Batch { stairs, ..batch.gather(rows) }
    };
    stairs.into_iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::from_values;
    use crate::key::subtask_of;
    use crate::numbers::Numbers;
    use crate::schema::{DataType, Field, Schema};
    use crate::value::Value;

    /// What each subtask gets, found a row at a time, with NULLs among the keys and without.
    #[test]
    fn each_subtask_gets_its_rows_and_all_steps_in_place() {
        for nulls in [false, true] {
            let key =
                |i: i64| if nulls && i % 5 == 0 { Value::Null } else { Value::BigInt(i * i % 31) };
            let values: Vec<Value> = (0..200).map(key).collect();
            let schema = Schema::new(vec![Field::new("k", DataType::BigInt)]);
            let keys = KeyColumns::new(&schema, &[0]);
            let column = from_values(&values, DataType::BigInt);
            let stair = |row: u32| Stair {
                row,
                watermark: EventTime(row.into()),
                seq: u64::from(row) + 7,
                idle: false,
                clock: i64::from(row),
            };
            let stairs: Vec<Stair> = [0, 0, 3, 77, 78, 200].map(stair).to_vec();
            let batch = Batch { stairs, ..Batch::new(schema, vec![column], Numbers::run(8, 200)) };
            let groups = keys.groups(&batch);
            for subtasks in [2_u32, 3, 128] {
                let owners = keys.subtasks(&batch, subtasks);
                let parts = split(&owners, &batch, subtasks as usize);
                assert_eq!(parts.len(), subtasks as usize);
                for (k, part) in parts.iter().enumerate() {
                    let own = |i: usize| subtask_of(groups[i], subtasks) as usize == k;
                    let expected: Vec<usize> = (0..200).filter(|&i| own(i)).collect();
                    let found: Vec<u64> = part.seqs.iter().collect();
                    assert_eq!(found, expected.iter().map(|&i| i as u64 + 8).collect::<Vec<_>>());
                    for (row, &i) in expected.iter().enumerate() {
                        assert!(part.row(row)[0].total_cmp(&values[i]).is_eq());
                    }
                    for (found, stair) in part.stairs.iter().zip(&batch.stairs) {
                        let before = expected.iter().filter(|&&i| (i as u32) < stair.row).count();
                        assert_eq!(*found, Stair { row: before as u32, ..*stair });
                    }
                    assert_eq!((part.stairs.len(), part.upto), (6, batch.upto));
                }
            }
        }
    }
}
