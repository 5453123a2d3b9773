//! Which input records made this row?

use std::collections::BTreeSet;

use super::windows::{Window, windows};
use super::{Many, Why, reached};
use crate::batch::{RowKind, Seq};
use crate::error::Diagnostic;
use crate::key::encode;
use crate::session::Rows;
use crate::time::EventTime;
use crate::trace::{Event, What};
use crate::value::Value;

/// The most replays one answer takes; what is not minimal then, says so.
const MOST_REPLAYS: usize = 600;

/// The records behind a row. A run in which there are only `records` and `clock` gives the same row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The row's table.
    pub table: String,
    /// The row's number there, from 1.
    pub number: usize,
    /// The row, with its kind where the table takes updates.
    pub row: String,
    /// The record, or end of a partition, at which it came out.
    pub seq: Seq,
    /// The window it is of, where it is of one: key, from, to.
    pub window: Option<(String, EventTime, EventTime)>,
    /// The records it was made of.
    pub records: Vec<Seq>,
    /// Those of them without which the row would be another or none.
    pub needed: Vec<Seq>,
    /// Records that only keep the watermark where it has to be.
    pub clock: Vec<Seq>,
    /// Whether everything was tried; a long list is not tried record by record.
    pub complete: bool,
}

/// A set of records that may be all that a row was made of.
struct Candidate {
    seqs: BTreeSet<Seq>,
    window: Option<(String, EventTime, EventTime)>,
    /// How many of the row's values the window's key and bounds account for.
    rank: usize,
    /// Whether what it lacks can only be records that move watermarks.
    whole: bool,
}

/// A row to be made again.
struct Target {
    table: usize,
    kind: RowKind,
    values: Vec<u8>,
    seq: Seq,
}

/// A run after run with fewer records, as long as there are replays left.
struct Replays<'w, 'a> {
    why: &'w Why<'a>,
    target: Target,
    left: usize,
}

impl Replays<'_, '_> {
    /// Whether a run with only these records gives the row.
    fn gives(&mut self, seqs: &BTreeSet<Seq>) -> Many<bool> {
        self.left = self.left.saturating_sub(1);
        let tables = self.why.with_only(seqs)?.tables();
        let Target { kind, values, .. } = &self.target;
        Ok(tables[self.target.table].rows.iter().any(|(k, _, v)| k == kind && encode(v) == *values))
    }

    /// Leaves out of `rest` what can be left out, `fixed` staying: halves, quarters, down to single ones.
    fn thin(&mut self, fixed: &BTreeSet<Seq>, rest: BTreeSet<Seq>) -> Many<BTreeSet<Seq>> {
        let mut rest: Vec<Seq> = rest.into_iter().collect();
        let mut size = rest.len().div_ceil(2);
        while size > 0 && !rest.is_empty() && self.left > 0 {
            let (mut at, mut less) = (0, false);
            while at < rest.len() && self.left > 0 {
                let to = (at + size).min(rest.len());
                let without = rest[..at].iter().chain(&rest[to..]);
                let without: Vec<Seq> = without.copied().collect();
                if self.gives(&fixed.iter().chain(&without).copied().collect())? {
                    (rest, less) = (without, true);
                } else {
                    at = to;
                }
            }
            // Once nothing can be left out one by one, the rest is minimal.
            size = if size == 1 && !less { 0 } else { size.div_ceil(2).max(1) };
        }
        Ok(rest.into_iter().collect())
    }
}

impl Why<'_> {
    /// Which records made row `number` of a table, from 1. The table need not be named when there is one.
    ///
    /// # Errors
    /// When there is no such table or row.
    pub fn row(&self, table: Option<&str>, number: usize) -> Many<Made> {
        let tables = self.tables();
        let place = self.table(&tables, table)?;
        let rows = &tables[place];
        let Some((kind, seq, values)) = number.checked_sub(1).and_then(|n| rows.rows.get(n)) else {
            let message = format!("table `{}` has no row {number}", rows.spec.table);
            let hint = format!("it has {} rows, counted from 1", rows.rows.len());
            return Err(self.fail(Diagnostic::new("why.no-row", message).hint(hint)));
        };
        let encoded = encode(values);
        let same = |r: &&(RowKind, Seq, Vec<Value>)| r.0 == *kind && encode(&r.2) == encoded;
        let earlier = rows.rows[..number - 1].iter().filter(|r| r.1 == *seq).filter(same).count();
        let target = Target { table: place, kind: *kind, values: encoded.clone(), seq: *seq };
        let mut replays = Replays { why: self, target, left: MOST_REPLAYS };
        let candidates = self.candidates(place, *seq, values);
        let mut made = self.found(&mut replays, candidates, earlier)?;
        made.complete &= replays.left > 0;
        let op = if rows.updating { format!("{} ", kind.symbol()) } else { String::new() };
        let fields = rows.schema.fields.iter().zip(values);
        let cells: Vec<String> =
            fields.map(|(f, v)| format!("{}={}", f.name, v.to_text())).collect();
        Ok(Made {
            table: rows.spec.table.clone(),
            number,
            row: format!("{op}{}", cells.join(", ")),
            ..made
        })
    }

    fn table(&self, tables: &[Rows], name: Option<&str>) -> Many<usize> {
        let found = match name {
            None if tables.len() == 1 => Some(0),
            None => None,
            Some(name) => tables.iter().position(|t| t.spec.table == name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = tables.iter().map(|t| t.spec.table.as_str()).collect();
            let message = match name {
                Some(name) => format!("there is no sink `{name}`"),
                None => "there are several sinks".to_owned(),
            };
            let hint = format!("the sinks are {}", names.join(", "));
            self.fail(Diagnostic::new("why.no-table", message).hint(hint))
        })
    }

    /// Tries the candidates, then all there was, and leaves out what is not needed.
    fn found(
        &self,
        replays: &mut Replays<'_, '_>,
        mut candidates: Vec<Candidate>,
        earlier: usize,
    ) -> Many<Made> {
        let best = candidates.iter().map(|c| c.rank).max().unwrap_or(0);
        candidates.retain(|c| c.rank == best);
        // Equal rows that come out together come out in the order of their candidates.
        let (mut passed, mut last) = (0, None);
        for (i, c) in candidates.iter().enumerate() {
            if replays.left > MOST_REPLAYS / 2 && replays.gives(&c.seqs)? {
                last = Some(i);
                if passed == earlier {
                    break;
                }
                passed += 1;
            }
        }
        let (records, clock, window) = if let Some(i) = last {
            let c = candidates.swap_remove(i);
            (c.seqs, BTreeSet::new(), c.window)
        } else {
            let all = self.enough(replays)?;
            match candidates.into_iter().filter(|c| c.whole).nth(earlier) {
                Some(c) => {
                    let rest = all.difference(&c.seqs).copied().collect();
                    let clock = replays.thin(&c.seqs, rest)?;
                    (c.seqs, clock, c.window)
                }
                None => (replays.thin(&BTreeSet::new(), all)?, BTreeSet::new(), None),
            }
        };
        let complete = records.len() < replays.left;
        let mut needed = Vec::new();
        for &one in records.iter().take(replays.left.saturating_sub(1)) {
            let without = records.iter().chain(&clock).copied().filter(|s| *s != one);
            if !replays.gives(&without.collect())? {
                needed.push(one);
            }
        }
        Ok(Made {
            table: String::new(),
            number: 0,
            row: String::new(),
            seq: replays.target.seq,
            window,
            records: records.into_iter().collect(),
            needed,
            clock: clock.into_iter().collect(),
            complete,
        })
    }

    /// Records that certainly give the row: those up to it, or all. Where the others are missing, partitions end
    /// sooner and hold nothing back, so those up to it need not be enough.
    fn enough(&self, replays: &mut Replays<'_, '_>) -> Many<BTreeSet<Seq>> {
        let seq = replays.target.seq;
        let before: BTreeSet<Seq> = self.records.range(..=seq).map(|(s, _)| *s).collect();
        if replays.gives(&before)? {
            return Ok(before);
        }
        let all = self.records.keys().copied().collect();
        if replays.gives(&all)? {
            return Ok(all);
        }
        let message = "a run without its malformed records does not give this row again";
        Err(self.fail(Diagnostic::new("why.not-again", message)))
    }

    /// What the trace says that a row which came out at `seq` may be made of.
    fn candidates(&self, table: usize, seq: Seq, values: &[Value]) -> Vec<Candidate> {
        let trace = &self.run.trace;
        let above = self.above(self.run.sim.job().graph.sink_tasks()[table]);
        let all: Vec<(Window, Option<Seq>)> = windows(trace)
            .into_iter()
            .filter(|w| w.fired && above.contains(&w.task))
            .map(|w| {
                let by = reached(trace, w.task, w.end.saturating_sub(1));
                (w, by.map(|(_, seq)| seq))
            })
            .collect();
        let texts: Vec<String> = values.iter().map(Value::to_text).collect();
        let mut found = Vec::new();
        for (w, _) in all.iter().filter(|(_, by)| *by == Some(seq)) {
            let (start, end) = (EventTime(w.start), EventTime(w.end));
            let parts =
                w.key.split(" | ").map(str::to_owned).chain([start, end].map(|t| t.to_string()));
            let window = Some((w.key.clone(), start, end));
            let rank = 1 + parts.filter(|p| texts.contains(p)).count();
            found.push(self.candidate(w.records.iter().copied(), &all, &above, window, rank));
        }
        if found.is_empty() {
            for partner in partners(trace, seq, &above) {
                found.push(self.candidate([seq, partner].into_iter(), &all, &above, None, 0));
            }
        }
        if found.is_empty() && self.records.contains_key(&seq) {
            let seqs = BTreeSet::from([seq]);
            found.push(Candidate { seqs, window: None, rank: 0, whole: false });
        }
        found
    }

    /// A candidate of rows that came at these places, each with all that may stand behind it in turn.
    fn candidate(
        &self,
        rows: impl Iterator<Item = Seq>,
        all: &[(Window, Option<Seq>)],
        above: &BTreeSet<u16>,
        window: Option<(String, EventTime, EventTime)>,
        rank: usize,
    ) -> Candidate {
        let seqs: BTreeSet<Seq> = rows.collect();
        // Behind a join or another window a row's place is that of the record that made it come out.
        let tiers = above.iter().filter(|t| self.keeps(**t)).count();
        let whole = tiers < 2;
        if whole {
            return Candidate { seqs, window, rank, whole };
        }
        let (mut closed, mut todo) = (BTreeSet::new(), seqs.into_iter().collect::<Vec<_>>());
        while let Some(seq) = todo.pop() {
            if closed.insert(seq) {
                todo.extend(partners(&self.run.trace, seq, above));
                let fired = all.iter().filter(|(_, by)| *by == Some(seq));
                todo.extend(fired.flat_map(|(w, _)| w.records.iter().copied()));
            }
        }
        closed.retain(|seq| self.records.contains_key(seq));
        Candidate { seqs: closed, window, rank, whole }
    }

    /// Whether a task's rows are made of several.
    fn keeps(&self, task: u16) -> bool {
        let kind = self.run.header().tasks[usize::from(task)].kind.as_str();
        !matches!(kind, "source" | "map" | "union" | "suppress" | "sink")
    }

    /// All tasks whose rows reach a task.
    fn above(&self, task: u16) -> BTreeSet<u16> {
        let (mut found, mut todo) = (BTreeSet::new(), vec![task]);
        while let Some(task) = todo.pop() {
            let channels = self.run.header().channels.iter().filter(|c| c.1 == task);
            todo.extend(channels.map(|c| c.0).filter(|from| found.insert(*from)));
        }
        found
    }
}

/// The records that a record met in joins when it came.
fn partners(trace: &[Event], seq: Seq, tasks: &BTreeSet<u16>) -> Vec<Seq> {
    let mut found = Vec::new();
    for event in trace.iter().filter(|e| tasks.contains(&e.task)) {
        match &event.what {
            What::JoinMatch { seq: s, matched, .. } if *s == seq => found.extend(matched),
            _ => {}
        }
    }
    found
}
