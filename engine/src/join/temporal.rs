//! The temporal join: each row of the left meets the version of the right that was valid at its time.
//!
//! The right is a table of versions: a row of a key is valid from its event time until the key's next. A row
//! of the left waits until the watermark of both inputs has reached its time, because only then all versions
//! up to it are known; then it is joined once and forgotten. A version is needed as long as it is the newest
//! one at the watermark, or newer. A left row from before the watermark is late and left out; a late version
//! counts for the rows that are still to come. An as-of join is the same with rows of any stream as versions.

mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::Array;

use super::condition::Condition;
use super::places::{NONE, Places, Ready, key_numbers};
use crate::batch::{Batch, RowKind, Seq, Stair};
use crate::column::millis;
use crate::error::Result;
use crate::expr::Expr;
use crate::key::{Encoded, KeyColumns, KeyGroups, KeyOrder, KeyTable, decode_columns, encode};
use crate::operator::{Contents, Merged, Operator, Output, wrong_state};
use crate::schema::{DataType, SchemaRef};
use crate::seeded::seeded;
use crate::snapshot::bytes::Pieces;
use crate::time::EventTime;
use crate::trace::What;
use crate::value::Value;

/// The join. Its rows: the left row, then the version.
#[derive(Clone)]
pub struct TemporalJoin {
    name: String,
    /// Whether rows of the left without a version are handed on, with NULLs.
    outer: bool,
    /// Whether a version is valid only behind its own time.
    strict: bool,
    times: [usize; 2],
    columns: [KeyColumns; 2],
    types: [Vec<DataType>; 2],
    inputs: [SchemaRef; 2],
    output: SchemaRef,
    condition: Condition,
    places: Places,
    watermark: EventTime,
    keys: KeyTable,
    /// Rows of the left that wait, by time, those of one time as they came.
    waiting: BTreeMap<i64, Vec<Waiting>>,
    /// How many rows of the left have come: it tells those of one place apart.
    arrivals: u64,
    /// The versions of a key by the time from which they are valid.
    versions: Vec<BTreeMap<i64, Version>>,
    /// When a key gets a new version.
    changes: BTreeSet<(i64, u32)>,
}

#[derive(Clone)]
struct Waiting {
    id: u32,
    group: u32,
    time: i64,
    seq: Seq,
    arrival: u64,
    row: Box<[u8]>,
}

#[derive(Clone)]
struct Version {
    /// `None`: from here on the key has none. It is shared with the joined rows that are on their way out.
    row: Option<Arc<[u8]>>,
    seq: Seq,
}

/// A row of the left and what it was found to meet.
type Met = (Waiting, Option<(Arc<[u8]>, Seq)>);

/// What has come of a batch: joined rows, their places in the stream, and the steps between them.
#[derive(Default)]
struct Made {
    left: Vec<Box<[u8]>>,
    right: Vec<Option<Arc<[u8]>>>,
    seqs: Vec<Seq>,
    stairs: Vec<Stair>,
}

impl TemporalJoin {
    /// A join by keys at the left's times, or with `strict` right before them; `outer`: rows without a version
    /// are kept; `condition` is over the columns of both inputs side by side.
    pub fn new(
        name: &str,
        outer: bool,
        (times, strict, keys): ([usize; 2], bool, &[Vec<usize>; 2]),
        condition: Option<Expr>,
        inputs: [&SchemaRef; 2],
        output: &SchemaRef,
    ) -> TemporalJoin {
        let columns = [KeyColumns::new(inputs[0], &keys[0]), KeyColumns::new(inputs[1], &keys[1])];
        TemporalJoin {
            name: name.to_owned(),
            outer,
            strict,
            times,
            keys: KeyTable::new(&columns[0].types, KeyOrder::Value),
            places: Places::new(columns.clone()),
            columns,
            types: inputs.map(|i| i.fields.iter().map(|f| f.data_type).collect()),
            inputs: inputs.map(Arc::clone),
            output: Arc::clone(output),
            condition: Condition::new(name, condition, inputs),
            watermark: EventTime::MIN,
            waiting: BTreeMap::new(),
            arrivals: 0,
            versions: Vec::new(),
            changes: BTreeSet::new(),
        }
    }

    fn join(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        let ready = self.places.take(merged, &self.inputs);
        let ids = [0, 1]
            .map(|side| key_numbers(&mut self.keys, &self.columns[side], &ready.batches[side]));
        let rows = [0, 1].map(|side| Encoded::rows(&ready.batches[side]));
        let groups = self.columns[0].groups(&ready.batches[0]);
        self.versions.resize_with(self.keys.numbers().max(self.versions.len()), BTreeMap::new);
        let (mut steps, mut made) = (ready.steps.iter().peekable(), Made::default());
        for (place, &(side, row)) in ready.order.iter().enumerate() {
            while let Some((_, stair)) = steps.next_if(|step| step.0 <= place) {
                self.advance(*stair, &mut made, out)?;
            }
            let (side, row) = (usize::from(side), row as usize);
            let (id, bytes) = (ids[side][row], rows[side].get(row));
            match side {
                0 => self.wait(&ready, row, (id, groups[row]), bytes, out),
                _ => self.learn(&ready, row, id, bytes, out),
            }
        }
        for (_, stair) in steps {
            self.advance(*stair, &mut made, out)?;
        }
        out.batches.push(self.rows(made, ready.upto));
        self.sweep();
        Ok(())
    }

    /// Takes in a row of the left.
    fn wait(
        &mut self,
        ready: &Ready,
        row: usize,
        (id, group): (u32, u32),
        bytes: &[u8],
        out: &mut Output,
    ) {
        let batch = &ready.batches[0];
        let times = &batch.columns[self.times[0]];
        // A row without event time is valid at none.
        if times.is_null(row) {
            return;
        }
        let (time, seq) = (millis(times)[row], batch.seqs.at(row));
        let watermark = self.watermark.0;
        if time < watermark {
            out.late += 1;
            out.note(|| What::JoinLate {
                side: 0,
                seq,
                event_time: time,
                watermark,
                row: batch.row_text(row),
            });
            return;
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        let waiting = Waiting { id, group, time, seq, arrival, row: bytes.into() };
        self.waiting.entry(time).or_default().push(waiting);
        out.note(|| What::JoinBuffer { side: 0, seq, event_time: time, frees_at: time });
    }

    /// Takes in a version.
    fn learn(&mut self, ready: &Ready, row: usize, id: u32, bytes: &[u8], out: &mut Output) {
        let batch = &ready.batches[1];
        let times = &batch.columns[self.times[1]];
        let kind = batch.kind(row);
        if id == NONE || times.is_null(row) || kind == RowKind::UpdateBefore {
            return;
        }
        let (time, seq) = (millis(times)[row], batch.seqs.at(row));
        let row = (kind != RowKind::Delete).then(|| bytes.into());
        self.versions[id as usize].insert(time, Version { row, seq });
        self.changes.insert((time, id));
        let frees_at = EventTime::MAX.0;
        out.note(|| What::JoinBuffer { side: 1, seq, event_time: time, frees_at });
    }

    /// Moves the watermark: joins the rows whose time it has reached, then passes the step on.
    fn advance(&mut self, stair: Stair, made: &mut Made, out: &mut Output) -> Result<()> {
        if stair.watermark <= self.watermark {
            // Time alone makes nothing known: what windows or micro-batches wait for joins no row.
            made.stairs.push(Stair { row: made.seqs.len() as u32, ..stair });
            return Ok(());
        }
        self.watermark = stair.watermark;
        let reached = |time: i64| time <= stair.watermark.0;
        let mut rows = Vec::new();
        while let Some(entry) = self.waiting.first_entry().filter(|e| reached(*e.key())) {
            rows.extend(entry.remove());
        }
        // By key group, then as they came: the order that does not depend on how many subtasks there are.
        rows.sort_by_key(|row| (row.group, row.seq, row.arrival));
        self.meet(rows, stair.seq, made, out)?;
        self.forget(stair.watermark, out);
        made.stairs.push(Stair { row: made.seqs.len() as u32, ..stair });
        Ok(())
    }

    /// Joins rows with their versions.
    fn meet(&self, rows: Vec<Waiting>, seq: Seq, made: &mut Made, out: &mut Output) -> Result<()> {
        let version = |row: &Waiting| {
            let versions = self.versions.get(row.id as usize)?;
            let (_, version) = versions.range(..=self.last_valid(row.time)).next_back()?;
            Some((version.row.clone()?, version.seq))
        };
        let mut met: Vec<Met> = rows
            .into_iter()
            .map(|row| {
                let version = version(&row);
                (row, version)
            })
            .collect();
        self.drop_unfit(&mut met, out)?;
        if out.traced() {
            tell(&met, out);
        }
        for (row, version) in met {
            if self.outer || version.is_some() {
                made.left.push(row.row);
                made.right.push(version.map(|version| version.0));
                made.seqs.push(seq);
            }
        }
        Ok(())
    }

    /// Takes versions out that do not fulfil the condition.
    fn drop_unfit(&self, met: &mut [Met], out: &mut Output) -> Result<()> {
        let pairs: Vec<usize> = (0..met.len()).filter(|&i| met[i].1.is_some()).collect();
        let columns = || {
            let left = pairs.iter().map(|&i| &*met[i].0.row).collect();
            let right = pairs.iter().filter_map(|&i| met[i].1.as_ref());
            let mut columns = decode_columns(left, &self.types[0]);
            columns.extend(decode_columns(right.map(|v| &*v.0).collect(), &self.types[1]));
            (columns, pairs.iter().map(|&i| met[i].0.seq).collect())
        };
        let fits = self.condition.fits(pairs.len(), columns, out)?;
        for (i, _) in pairs.into_iter().zip(fits).filter(|(_, fits)| !fits) {
            met[i].1 = None;
        }
        Ok(())
    }

    /// The last time from which on a version can be valid at `time`.
    fn last_valid(&self, time: i64) -> i64 {
        if self.strict { time.saturating_sub(1) } else { time }
    }

    /// The joined rows among the steps of the watermark.
    fn rows(&self, made: Made, upto: Seq) -> Batch {
        let Made { left, right, seqs, stairs } = made;
        if seqs.is_empty() {
            return Batch::progress(self.output.clone(), stairs, upto);
        }
        let blank = encode(&vec![Value::Null; self.types[1].len()]);
        let mut columns = decode_columns(left.iter().map(|row| &**row).collect(), &self.types[0]);
        let right = right.iter().map(|row| row.as_deref().unwrap_or(&blank)).collect();
        columns.extend(decode_columns(right, &self.types[1]));
        let rows = Batch::new(self.output.clone(), columns, seqs.into());
        Batch { stairs, upto, ..rows }
    }

    /// Forgets versions that a newer one has replaced at the watermark.
    fn forget(&mut self, watermark: EventTime, out: &mut Output) {
        let mut gone = Vec::new();
        let last = self.last_valid(watermark.0);
        while let Some(&(_, id)) = self.changes.first().filter(|c| c.0 <= last) {
            self.changes.pop_first();
            let versions = &mut self.versions[id as usize];
            // A late version may be older than the one that is valid now.
            let Some((&valid, _)) = versions.range(..=last).next_back() else { continue };
            let kept = versions.split_off(&valid);
            gone.extend(std::mem::replace(versions, kept).into_values().map(|v| v.seq));
            // That a key has no version is what having forgotten them all says, too.
            if let Some(first) = versions.first_entry().filter(|v| v.get().row.is_none()) {
                gone.push(first.remove().seq);
            }
        }
        if !gone.is_empty() {
            gone.sort();
            out.note(|| What::JoinExpire { side: 1, seqs: gone });
        }
    }

    fn sweep(&mut self) {
        let (waiting, versions) = (&self.waiting, &self.versions);
        self.keys.sweep(|live| {
            for (live, versions) in live.iter_mut().zip(versions) {
                *live |= !versions.is_empty();
            }
            for row in waiting.values().flatten().filter(|row| row.id != NONE) {
                live[row.id as usize] = true;
            }
        });
    }
}

/// Puts on the trace what rows were found to meet, and that they wait no longer.
fn tell(met: &[Met], out: &mut Output) {
    for (row, version) in met {
        let matched: Vec<Seq> = version.iter().map(|version| version.1).collect();
        let (seq, candidates) = (row.seq, matched.len() as u32);
        out.note(|| What::JoinMatch { side: 0, seq, candidates, matched });
    }
    if !met.is_empty() {
        let mut seqs: Vec<Seq> = met.iter().map(|(row, _)| row.seq).collect();
        seqs.sort();
        out.note(|| What::JoinExpire { side: 0, seqs });
    }
}

impl Operator for TemporalJoin {
    fn process(&mut self, side: usize, batch: Batch, out: &mut Output) -> Result<()> {
        self.join(Merged::of(side, batch), out)
    }

    fn process_merged(&mut self, merged: Merged, out: &mut Output) -> Result<()> {
        self.join(merged, out)
    }

    fn save(&mut self) -> Pieces {
        self.encode().into()
    }

    fn empty(&mut self) {
        (self.watermark, self.arrivals) = (EventTime::MIN, 0);
        self.keys = KeyTable::new(&self.columns[0].types, self.keys.order());
        self.places.clear();
        (self.waiting, self.versions, self.changes) = Default::default();
    }

    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()> {
        if seeded("temporal-join-forgotten") {
            return Ok(());
        }
        match self.decode(bytes, own)? {
            true => Ok(()),
            false => Err(wrong_state(&self.name)),
        }
    }

    fn contents(&mut self) -> Option<Vec<Contents>> {
        let waiting: Vec<&[u8]> =
            self.waiting.values().flatten().map(|waiting| &*waiting.row).collect();
        let versions = self.versions.iter().flat_map(BTreeMap::values);
        let versions: Vec<&[u8]> = versions.filter_map(|v| v.row.as_deref()).collect();
        let part = |side: usize, part, rows: Vec<&[u8]>| {
            let count = rows.len();
            let columns = decode_columns(rows, &self.types[side]);
            Contents::new(part, &self.inputs[side], columns, count)
        };
        Some(vec![part(0, "left", waiting), part(1, "versions", versions)])
    }

    fn fork(&self) -> Box<dyn Operator> {
        Box::new(self.clone())
    }
}
