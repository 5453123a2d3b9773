//! An interval join whose pairs a guest decides.
//!
//! A left and a right record are a candidate pair when their event times lie within the bounds
//! (`lower <= right - left <= upper`). The later of the two to arrive finds the earlier one in its buffer,
//! unless the watermark has freed it. What is late and what is freed when is as in the built-in interval join: a late record
//! still meets what is buffered; it is not kept itself once no record at the watermark could meet it, and only when it meets
//! nothing either is it a late drop.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use rkyv::{Archive, Deserialize, Serialize};

use crate::batch::{Batch, Seq, Stair};
use crate::column::{from_values, millis};
use crate::error::Result;
use crate::key::{self, KeyColumns, KeyGroups};
use crate::operator::{Contents, Operator, Output, row_error, wrong_state};
use crate::schema::{Field, SchemaRef};
use crate::seeded::seeded;
use crate::snapshot::bytes::Pieces;
use crate::snapshot::{Cell, cells, values};
use crate::time::EventTime;
use crate::trace::What;
use crate::udf::{Guest, Side};
use crate::value::Value;
use crate::{archive, unarchive};

/// The join. Both buffers belong to the engine; the guest sees candidate pairs and answers which match.
#[derive(Clone)]
pub struct GuestJoin {
    name: String,
    guest: Guest,
    columns: [Vec<usize>; 2],
    times: [usize; 2],
    keys: [KeyColumns; 2],
    lower: i64,
    upper: i64,
    inputs: [SchemaRef; 2],
    output: SchemaRef,
    watermark: EventTime,
    /// Per side: buffered records by encoded key, then by event time and place in the stream.
    buffers: [Buffer; 2],
}

type Buffer = BTreeMap<Vec<u8>, BTreeMap<(i64, Seq), Vec<Value>>>;

#[derive(Archive, Serialize, Deserialize)]
struct State {
    identity: [u8; 32],
    watermark: i64,
    sides: Vec<Vec<(i64, u64, Vec<Cell>)>>,
}

impl GuestJoin {
    /// A join of two inputs by keys, within `lower` and `upper` milliseconds.
    #[allow(clippy::too_many_arguments, reason = "everything a join has, it has twice")]
    pub fn new(
        name: &str,
        guest: Guest,
        columns: [Vec<usize>; 2],
        times: [usize; 2],
        keys: &[Vec<usize>; 2],
        (lower, upper): (i64, i64),
        inputs: [&SchemaRef; 2],
        output: &SchemaRef,
    ) -> GuestJoin {
        GuestJoin {
            name: name.to_owned(),
            guest,
            columns,
            times,
            keys: [KeyColumns::new(inputs[0], &keys[0]), KeyColumns::new(inputs[1], &keys[1])],
            lower,
            upper,
            inputs: inputs.map(Arc::clone),
            output: Arc::clone(output),
            watermark: EventTime::MIN,
            buffers: [Buffer::new(), Buffer::new()],
        }
    }

    /// The event times on the other side that may pair with one of this side.
    fn range(&self, side: usize, time: i64) -> (i64, i64) {
        match side {
            0 => (time.saturating_add(self.lower), time.saturating_add(self.upper)),
            _ => (time.saturating_sub(self.upper), time.saturating_sub(self.lower)),
        }
    }

    /// The watermark from which on nothing new can meet a buffered record: it is freed.
    fn frees_at(&self, side: usize, time: i64) -> i64 {
        self.range(side, time).1.saturating_add(1)
    }

    fn add(
        &mut self,
        side: usize,
        batch: &Batch,
        row: usize,
        made: &mut Made,
        out: &mut Output,
    ) -> Result<()> {
        let (time, seq) = (millis(&batch.columns[self.times[side]])[row], batch.seqs.at(row));
        let encoded = key::encode(&self.keys[side].values(batch, row));
        let record = batch.row(row);
        let (from, to) = self.range(side, time);
        let held = self.buffers[1 - side].get(&encoded);
        let candidates: Vec<(i64, Seq, Vec<Value>)> = match held {
            Some(held) if from <= to => held
                .range((from, 0)..=(to, Seq::MAX))
                .map(|(&(t, s), values)| (t, s, values.clone()))
                .collect(),
            _ => Vec::new(),
        };
        if !candidates.is_empty() {
            let matched = self.matches(side, (time, seq, &record), &candidates, out)?;
            let seqs = |keep: &[bool]| {
                let pairs = candidates.iter().zip(keep).filter(|(_, k)| **k);
                pairs.map(|((_, s, _), _)| *s).collect()
            };
            let count = candidates.len() as u32;
            out.note(|| What::JoinMatch {
                side: side as u8,
                seq,
                candidates: count,
                matched: seqs(&matched),
            });
            for ((_, _, other), _) in candidates.iter().zip(&matched).filter(|(_, m)| **m) {
                let (left, right) = if side == 0 { (&record, other) } else { (other, &record) };
                made.rows.push(left.iter().chain(right).cloned().collect());
                made.seqs.push(seq);
            }
        }
        let frees_at = self.frees_at(side, time);
        if frees_at <= self.watermark.0 {
            if candidates.is_empty() && time < self.watermark.0 {
                out.late += 1;
                let watermark = self.watermark.0;
                out.note(|| What::JoinLate {
                    side: side as u8,
                    seq,
                    event_time: time,
                    watermark,
                    row: batch.row_text(row),
                });
            }
            return Ok(());
        }
        out.note(|| What::JoinBuffer { side: side as u8, seq, event_time: time, frees_at });
        self.buffers[side].entry(encoded).or_default().insert((time, seq), record);
        Ok(())
    }

    /// Asks the guest which of a record's candidates match.
    fn matches(
        &mut self,
        side: usize,
        (time, seq, record): (i64, Seq, &[Value]),
        candidates: &[(i64, Seq, Vec<Value>)],
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let own = self.guest_columns(side, &[record]);
        let others: Vec<&[Value]> = candidates.iter().map(|c| c.2.as_slice()).collect();
        let other = self.guest_columns(1 - side, &others);
        let times: Vec<i64> = candidates.iter().map(|c| c.0).collect();
        let rows: Vec<u32> = (0..candidates.len() as u32).collect();
        let probe = Side { times: &[time], columns: &own, rows: &[0] };
        let held = Side { times: &times, columns: &other, rows: &rows };
        let mut calls = Vec::new();
        let answer = if side == 0 {
            let pairs: Vec<(u32, u32)> = rows.iter().map(|&r| (0, r)).collect();
            self.guest.join_match(probe, held, &pairs, &mut calls)
        } else {
            let pairs: Vec<(u32, u32)> = rows.iter().map(|&r| (r, 0)).collect();
            self.guest.join_match(held, probe, &pairs, &mut calls)
        };
        out.calls(calls);
        answer.map_err(|f| row_error(&self.name, seq, f.diagnostic))
    }

    fn guest_columns(&self, side: usize, records: &[&[Value]]) -> Vec<ArrayRef> {
        self.columns[side]
            .iter()
            .map(|&c| {
                let column: Vec<Value> = records.iter().map(|r| r[c].clone()).collect();
                from_values(&column, self.inputs[side].fields[c].data_type)
            })
            .collect()
    }

    /// Frees what nothing new can meet.
    fn expire(&mut self, out: &mut Output) {
        for side in 0..2 {
            let mut freed: Vec<Seq> = Vec::new();
            // Event times up to this have `frees_at` at or below the watermark.
            let reach = self.frees_at(side, 0);
            let limit = match self.watermark {
                EventTime::MAX => i64::MAX,
                w => w.0.saturating_sub(reach),
            };
            for held in self.buffers[side].values_mut() {
                while let Some((&(time, seq), _)) = held.first_key_value() {
                    if time > limit {
                        break;
                    }
                    held.pop_first();
                    freed.push(seq);
                }
            }
            if !freed.is_empty() {
                self.buffers[side].retain(|_, held| !held.is_empty());
                freed.sort();
                out.note(|| What::JoinExpire { side: side as u8, seqs: freed });
            }
        }
    }
}

/// Output rows of one batch.
#[derive(Default)]
struct Made {
    rows: Vec<Vec<Value>>,
    seqs: Vec<Seq>,
}

impl Operator for GuestJoin {
    fn process(&mut self, side: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let mut made = Made::default();
        let mut stairs = Vec::new();
        let mut steps = batch.stairs.iter().peekable();
        let valid = |row: usize, join: &GuestJoin| batch.columns[join.times[side]].is_valid(row);
        for row in 0..=batch.rows {
            while let Some(s) = steps.next_if(|s| s.row as usize <= row) {
                self.watermark = s.watermark;
                self.expire(out);
                stairs.push(Stair { row: made.rows.len() as u32, ..*s });
            }
            if row < batch.rows && valid(row, self) {
                self.add(side, &batch, row, &mut made, out)?;
            }
        }
        let columns = self
            .output
            .fields
            .iter()
            .enumerate()
            .map(|(c, f)| {
                let column: Vec<Value> = made.rows.iter().map(|r| r[c].clone()).collect();
                from_values(&column, f.data_type)
            })
            .collect();
        let rows = Batch::new(Arc::clone(&self.output), columns, made.seqs.into());
        out.batches.push(Batch { stairs, upto: batch.upto, ..rows });
        Ok(())
    }

    fn save(&mut self) -> Pieces {
        let side = |buffer: &Buffer| {
            let held = buffer.values().flatten();
            held.map(|(&(time, seq), record)| (time, seq, cells(record))).collect()
        };
        archive!(&State {
            identity: self.guest.module().identity(),
            watermark: self.watermark.0,
            sides: self.buffers.iter().map(side).collect(),
        })
        .into()
    }

    fn empty(&mut self) {
        self.watermark = EventTime::MIN;
        self.buffers.iter_mut().for_each(Buffer::clear);
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("guest-join-forgotten") {
            return Ok(());
        }
        let state = unarchive!(State, bytes)?;
        if state.identity != self.guest.module().identity() || state.sides.len() != 2 {
            return Err(wrong_state(&self.name));
        }
        self.watermark = EventTime(state.watermark);
        for (side, held) in state.sides.iter().enumerate() {
            for (time, seq, record) in held {
                let record = values(record);
                if record.len() != self.inputs[side].fields.len() {
                    return Err(wrong_state(&self.name));
                }
                let key: Vec<Value> =
                    self.keys[side].columns.iter().map(|&c| record[c].clone()).collect();
                if !own.has_key(&key) {
                    continue;
                }
                let held = self.buffers[side].entry(key::encode(&key)).or_default();
                held.insert((*time, *seq), record);
            }
        }
        Ok(())
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        let held = |side: usize, part| {
            let schema = &self.inputs[side];
            let rows: Vec<&Vec<Value>> =
                self.buffers[side].values().flat_map(BTreeMap::values).collect();
            let column = |(i, field): (usize, &Field)| {
                let values: Vec<Value> = rows.iter().map(|row| row[i].clone()).collect();
                from_values(&values, field.data_type)
            };
            let columns = schema.fields.iter().enumerate().map(column).collect();
            Contents::new(part, schema, columns, rows.len())
        };
        Some(vec![held(0, "left"), held(1, "right")])
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
