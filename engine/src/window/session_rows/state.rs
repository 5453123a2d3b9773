//! Waiting rows as bytes in a snapshot. Which sessions they are in follows from the rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::SessionRows;
use crate::column::millis;
use crate::error::Result;
use crate::key::{KeyGroups, KeyTable};
use crate::operator::Output;
use crate::snapshot::bytes::{Reader, put, put_all, put_signed};
use crate::snapshot::rows::{put_rows, read_rows};
use crate::time::EventTime;
use crate::window::{WaitingRows, closed};

/// The first bytes: what operator the state is of.
const MARK: u64 = u64::from_le_bytes(*b"sesrows1");

impl SessionRows {
    /// The rows in their order of arrival, and the trace's numbers of sessions by key in the table's order, then
    /// by start.
    pub(super) fn encode(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, MARK);
        put_signed(&mut out, self.watermark.0);
        put(&mut out, self.next_window);
        let keys = self.keys.in_order().iter();
        let sessions = keys.flat_map(|&id| self.open.get(id as usize).into_iter().flatten());
        let numbers: Vec<u64> = sessions.map(|session| session.number).collect();
        let numbered = numbers.iter().any(|&number| number > 0);
        put(&mut out, if numbered { numbers.len() as u64 } else { 0 });
        put_all(&mut out, if numbered { &numbers } else { &[] });
        put_rows(&mut out, &self.rows.all(), false);
        out
    }

    /// Takes in what that says of these keys; `false` when it is of another operator, or of rows whose session has
    /// fired.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let mut part = SessionRows {
            keys: KeyTable::new(&self.columns.types, self.keys.order()),
            rows: WaitingRows::new(self.rows.schema()),
            open: Vec::new(),
            ends: BTreeSet::new(),
            fired: Vec::new(),
            ids: Vec::new(),
            name: self.name.clone(),
            columns: self.columns.clone(),
            output: Arc::clone(&self.output),
            ..*self
        };
        Ok(part.decode_all(bytes)? && self.take_over(part, own))
    }

    /// Takes in the sessions of these keys, besides those there are. Rows stay in their order, numbers are made different.
    /// `false` when a key is there already.
    fn take_over(&mut self, mut part: SessionRows, own: KeyGroups) -> bool {
        self.watermark = part.watermark;
        let before = self.next_window;
        self.next_window = before.saturating_add(part.next_window);
        let mut ids = part.keys.in_order().to_vec();
        ids.retain(|&id| part.keys.is_in(id, own));
        let sessions = ids.iter().flat_map(|&id| &part.open[id as usize]);
        let mut rows: Vec<u64> =
            sessions.flat_map(|session| session.rows.iter().copied()).collect();
        rows.sort();
        let first = self.rows.next();
        let place = |row: &u64| first + rows.partition_point(|before| before < row) as u64;
        for id in ids {
            let own = self.keys.id(&part.keys.key(id));
            self.open.resize_with(self.keys.numbers(), Vec::new);
            if !self.open[own as usize].is_empty() {
                return false;
            }
            for mut session in std::mem::take(&mut part.open[id as usize]) {
                session.rows.iter_mut().for_each(|row| *row = place(row));
                let before = if session.number > 0 { before } else { 0 };
                session.number = session.number.saturating_add(before);
                self.ends.insert((session.end, own, session.start));
                self.open[own as usize].push(session);
            }
        }
        self.rows.push(part.rows.look(&rows));
        true
    }

    fn decode_all(&mut self, bytes: &[u8]) -> Result<bool> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != MARK {
            return Ok(false);
        }
        self.watermark = EventTime(reader.signed()?);
        self.next_window = reader.number()?;
        let count = reader.count()?;
        let numbers: Vec<u64> = reader.numbers(count)?.collect();
        let Some(rows) = read_rows(&mut reader, self.rows.schema())? else { return Ok(false) };
        reader.end()?;
        if rows.columns[self.time].null_count() > 0 || rows.kinds.is_some() {
            return Ok(false);
        }
        self.keys.intern(&self.columns, &rows, (0, rows.rows), &mut self.ids);
        self.open.resize_with(self.keys.numbers(), Vec::new);
        for (i, &time) in millis(&rows.columns[self.time]).iter().enumerate() {
            let own = (time, time.saturating_add(self.gap));
            self.put(self.ids[i], own, i as u64, &mut Output::default());
        }
        self.rows.push(rows);
        let ids = self.keys.in_order().to_vec();
        let mut sessions = 0;
        for id in ids {
            for session in &mut self.open[id as usize] {
                session.number = numbers.get(sessions).copied().unwrap_or(0);
                sessions += 1;
            }
        }
        let open = self.ends.first().is_none_or(|(end, ..)| !closed(*end, self.watermark));
        Ok(open && (numbers.is_empty() || numbers.len() == sessions))
    }
}
