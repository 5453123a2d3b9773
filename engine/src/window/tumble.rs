//! Tumbling aggregation: panes of accumulators by window start, fired by the watermark.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use rkyv::{Archive, Deserialize, Serialize};

use super::{bounds, closed, late, seqs, window_time_type};
use crate::aggregate::{AggregateCall, AggregateSet};
use crate::batch::{Batch, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::key::{self, KeyColumns, KeyTable};
use crate::operator::{Operator, Output, wrong_state};
use crate::schema::SchemaRef;
use crate::snapshot::{Cell, cells, values};
use crate::time::{EventTime, tumble};
use crate::trace::What;
use crate::{archive, unarchive};

/// Aggregates per key and tumbling window. Its rows: the key columns, `window_start`,
/// `window_end`, `window_time`, one column an aggregate.
#[derive(Clone)]
pub struct TumbleAggregate {
    name: String,
    size: i64,
    offset: i64,
    time: usize,
    keys: KeyColumns,
    output: SchemaRef,
    empty: AggregateSet,
    watermark: EventTime,
    /// Windows that end at or before this have fired.
    until: i64,
    /// Open panes by window start.
    panes: BTreeMap<i64, Pane>,
    /// Numbers for windows on the trace.
    next_window: u64,
}

/// All keys of one window.
#[derive(Clone)]
struct Pane {
    end: i64,
    keys: KeyTable,
    aggregates: AggregateSet,
    /// The trace's number of each slot's window.
    numbers: Vec<u64>,
    /// Scratch: the rows of the run at hand that belong here, and their slots.
    rows: Vec<u32>,
    slots: Vec<u32>,
}

#[derive(Archive, Serialize, Deserialize)]
struct State {
    watermark: i64,
    next_window: u64,
    panes: Vec<PaneState>,
}

#[derive(Archive, Serialize, Deserialize)]
struct PaneState {
    start: i64,
    end: i64,
    /// Key, window number, accumulators.
    slots: Vec<(Vec<Cell>, u64, Vec<Vec<Cell>>)>,
}

impl TumbleAggregate {
    /// Windows of `size` ms shifted by `offset` over the column `time` of `input`.
    pub fn new(
        name: &str,
        (size, offset): (i64, i64),
        time: usize,
        keys: &[usize],
        calls: &[AggregateCall],
        (input, output): (&SchemaRef, &SchemaRef),
    ) -> TumbleAggregate {
        assert!(size > 0, "a window has a length");
        TumbleAggregate {
            name: name.to_owned(),
            size,
            offset,
            time,
            keys: KeyColumns::new(input, keys),
            output: Arc::clone(output),
            empty: AggregateSet::new(calls, input),
            watermark: EventTime::MIN,
            until: i64::MIN,
            panes: BTreeMap::new(),
            next_window: 0,
        }
    }

    /// Windows that end at or before this have fired.
    fn closed_until(&self, watermark: EventTime) -> i64 {
        match watermark.0.checked_add(1) {
            None | Some(i64::MAX) => i64::MAX,
            Some(next) => tumble(next, self.size, self.offset).0,
        }
    }

    /// Puts rows `from..to` of a batch into their panes, all under one watermark.
    fn add(&mut self, batch: &Batch, from: u32, to: u32, out: &mut Output) {
        let times = &batch.columns[self.time];
        let all_valid = times.null_count() == 0;
        let millis = millis(times);
        let mut touched: Vec<i64> = Vec::new();
        let mut last: Option<(i64, i64)> = None;
        for row in from..to {
            if !all_valid && times.is_null(row as usize) {
                continue;
            }
            let time = millis[row as usize];
            let (start, end) = match last {
                Some((s, e)) if s <= time && time < e => (s, e),
                _ => tumble(time, self.size, self.offset),
            };
            if closed(end, self.watermark) {
                let key = self.keys.values(batch, row as usize);
                out.late += 1;
                out.note(|| late(batch, row as usize, time, self.watermark, (start, end), &key));
                continue;
            }
            let pane = self.panes.entry(start).or_insert_with(|| Pane {
                end,
                keys: KeyTable::new(&self.keys.types),
                aggregates: self.empty.clone(),
                numbers: Vec::new(),
                rows: Vec::new(),
                slots: Vec::new(),
            });
            if pane.rows.is_empty() {
                touched.push(start);
            }
            last = Some((start, end));
            pane.rows.push(row);
        }
        for start in touched {
            self.add_to_pane(start, batch, out);
        }
    }

    fn add_to_pane(&mut self, start: i64, batch: &Batch, out: &mut Output) {
        let pane = self.panes.get_mut(&start).expect("a touched pane is open");
        pane.keys.intern(&self.keys, batch, &pane.rows, &mut pane.slots);
        pane.aggregates.grow(pane.keys.len());
        pane.aggregates.update(&pane.slots, &pane.rows, batch);
        if out.traced() {
            for (&slot, &row) in pane.slots.iter().zip(&pane.rows) {
                if slot as usize == pane.numbers.len() {
                    self.next_window += 1;
                    pane.numbers.push(self.next_window);
                    let key = key::text(&pane.keys.key(slot));
                    let window = self.next_window;
                    out.note(|| What::WindowOpen { window, key, start, end: pane.end });
                }
                let window = pane.numbers[slot as usize];
                out.note(|| What::WindowAdd { window, seq: batch.seqs[row as usize] });
            }
        }
        pane.rows.clear();
    }

    /// Moves the watermark: fires what it closes, then passes the steps on.
    fn advance(&mut self, stair: Stair, pending: &mut Vec<Stair>, upto: Seq, out: &mut Output) {
        self.watermark = stair.watermark;
        let due: Vec<i64> = self
            .panes
            .iter()
            .take_while(|(_, pane)| closed(pane.end, stair.watermark))
            .map(|(&start, _)| start)
            .collect();
        let mut fired = Vec::new();
        for start in due {
            let pane = self.panes.remove(&start).expect("listed above");
            fired.push(self.fire(start, &pane, stair, out));
        }
        let mut stairs = std::mem::take(pending);
        let mut batch = match fired.len() {
            0 => {
                stairs.push(Stair { row: 0, ..stair });
                *pending = stairs;
                return;
            }
            1 => fired.remove(0),
            _ => self.interleave(&fired),
        };
        stairs.push(Stair { row: batch.rows as u32, ..stair });
        batch.stairs = stairs;
        // The rest of this input batch is still to come.
        batch.upto = upto.min(stair.seq.saturating_sub(1));
        out.batches.push(batch);
    }

    fn fire(&self, start: i64, pane: &Pane, stair: Stair, out: &mut Output) -> Batch {
        let order = &pane.keys.order();
        if out.traced() {
            for &slot in order.iter() {
                let window = pane.numbers.get(slot as usize).copied().unwrap_or(0);
                let key = key::text(&pane.keys.key(slot));
                out.note(|| What::WindowFire { window, key, start, end: pane.end, rows: 1 });
            }
        }
        let n_keys = self.keys.columns.len();
        let mut columns = if n_keys == 0 { Vec::new() } else { pane.keys.columns(order) };
        let windows = order.iter().map(|_| (start, pane.end));
        columns.extend(bounds(windows, window_time_type(&self.output, n_keys)));
        columns.extend(pane.aggregates.results(order));
        Batch::new(Arc::clone(&self.output), columns, seqs(stair.seq, order.len()))
    }

    /// Rows of several panes by key group, then window: the one order that does not depend on how
    /// many subtasks share the key groups.
    fn interleave(&self, fired: &[Batch]) -> Batch {
        let joined = Batch::concat(fired);
        let groups = KeyColumns {
            columns: (0..self.keys.types.len()).collect(),
            types: self.keys.types.clone(),
        }
        .groups(&joined);
        let mut order: Vec<u32> = (0..joined.rows as u32).collect();
        order.sort_by_key(|&row| groups[row as usize]);
        joined.gather(&order)
    }
}

impl Operator for TumbleAggregate {
    fn process(&mut self, _: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let mut from = 0;
        // Steps that close nothing wait here for the next batch that leaves: rows on both sides of
        // them can be taken in together. Somebody who looks sees every record under its watermark.
        let mut pending: Vec<Stair> = Vec::new();
        for stair in &batch.stairs {
            let until = self.closed_until(stair.watermark);
            if until == self.until && !out.traced() {
                pending.push(Stair { row: 0, ..*stair });
                continue;
            }
            self.add(&batch, from, stair.row, out);
            from = stair.row;
            self.until = until;
            self.advance(*stair, &mut pending, batch.upto, out);
        }
        self.add(&batch, from, batch.rows as u32, out);
        if let Some(last) = pending.last() {
            self.watermark = last.watermark;
        }
        out.end(&self.output, pending, batch.upto);
        Ok(())
    }

    fn snapshot(&self) -> Vec<u8> {
        let panes = self
            .panes
            .iter()
            .map(|(&start, pane)| PaneState {
                start,
                end: pane.end,
                slots: (0..pane.keys.len() as u32)
                    .map(|slot| {
                        let number = pane.numbers.get(slot as usize).copied().unwrap_or(0);
                        let saved = pane.aggregates.save(slot);
                        (
                            cells(&pane.keys.key(slot)),
                            number,
                            saved.iter().map(|s| cells(s)).collect(),
                        )
                    })
                    .collect(),
            })
            .collect();
        let state = State { watermark: self.watermark.0, next_window: self.next_window, panes };
        archive!(&state)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let state = unarchive!(State, bytes)?;
        self.watermark = EventTime(state.watermark);
        self.until = self.closed_until(self.watermark);
        self.next_window = state.next_window;
        self.panes.clear();
        for saved in state.panes {
            let mut pane = Pane {
                end: saved.end,
                keys: KeyTable::new(&self.keys.types),
                aggregates: self.empty.clone(),
                numbers: Vec::new(),
                rows: Vec::new(),
                slots: Vec::new(),
            };
            for (i, (key, number, accumulators)) in saved.slots.iter().enumerate() {
                let slot = pane.keys.slot(values(key));
                let states: Vec<_> = accumulators.iter().map(|a| values(a)).collect();
                if slot as usize != i || !pane.aggregates.load(slot, &states) {
                    return Err(wrong_state(&self.name));
                }
                pane.numbers.push(*number);
            }
            self.panes.insert(saved.start, pane);
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
