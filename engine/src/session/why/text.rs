//! The answers as text.

use std::fmt::{Display, Write as _};

use super::held::{Held, HeldRow, KeptRow};
use super::lineage::Made;
use super::records::{Change, Place, Told};
use super::standing::{HeldBy, Push, Pushed};
use super::windows::{Fired, Open, Windows};
use super::{Record, Why};
use crate::batch::Seq;
use crate::time::EventTime;
use crate::trace::quoted;

/// The most record numbers that are listed.
const LISTED: usize = 40;

/// Adds a line.
fn line(out: &mut String, text: impl Display) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}

/// A length of time as SQL writes it: `INTERVAL '3.002' SECOND`, with the number of digits where there are more
/// than two.
pub fn interval(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    let whole = (ms / 1_000).to_string();
    let fraction = match ms % 1_000 {
        0 => String::new(),
        rest => format!(".{rest:03}").trim_end_matches('0').to_owned(),
    };
    let digits = if whole.len() > 2 { format!("({})", whole.len()) } else { String::new() };
    format!("INTERVAL '{sign}{whole}{fraction}' SECOND{digits}")
}

fn numbers(seqs: &[Seq]) -> String {
    let listed: Vec<String> = seqs.iter().take(LISTED).map(Seq::to_string).collect();
    let more = match seqs.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let word = if seqs.len() == 1 { "record" } else { "records" };
    format!("{word} {}{more}", listed.join(", "))
}

fn window(key: &str, start: i64, end: i64) -> String {
    let key = if key.is_empty() { String::new() } else { format!(" of key {}", quoted(key)) };
    format!("window {} to {}{key}", EventTime(start), EventTime(end))
}

fn cause(why: &Why<'_>, seq: Seq) -> String {
    match why.records().contains_key(&seq) {
        true => format!("record {seq}"),
        false => format!("a partition that fell silent or ended (place {seq} of the stream)"),
    }
}

fn describe(out: &mut String, record: &Record) {
    let Record { seq, table, partition, at, row, .. } = record;
    line(
        out,
        format!("record {seq} of `{table}`, partition {partition}, arrived {at}: {}", quoted(row)),
    );
}

fn held_by(out: &mut String, all: &[HeldBy]) {
    for h in all {
        let HeldBy { table, partition, watermark, .. } = h;
        line(
            out,
            format!(
                "  held back by `{table}`, partition {partition}, whose watermark is {watermark}"
            ),
        );
    }
}

/// What would do it, said of a thing that it `does`: `fires it`.
fn pushes(out: &mut String, pushes: &Pushed, does: &str) {
    let pushes = match pushes {
        Ok(pushes) => pushes,
        Err(why) => return line(out, format!("  no record was found that {does}: {why}")),
    };
    let many = pushes.len() > 1;
    for push in pushes {
        let Push { table, partition, event_time, below, row } = push;
        let (time, below) = (EventTime(*event_time), EventTime(*below));
        let verb = if many { "is needed, and" } else { &format!("{does},") };
        let rest = if many { "is not enough" } else { "does not" };
        line(
            out,
            format!(
                "  a record of `{table}`, partition {partition}, at {time} {verb} one at {below} {rest}: {}",
                quoted(row)
            ),
        );
    }
    if many {
        line(out, format!("  these {} together: that {does}", pushes.len()));
    }
}

impl Windows {
    /// The answer as text.
    pub fn text(&self, why: &Why<'_>) -> String {
        let mut out = String::new();
        line(&mut out, format!("after record {}:", self.after));
        for Fired { task, key, start, end, records, by } in &self.fired {
            line(&mut out, format!("{task}: {} has fired", window(key, *start, *end)));
            line(&mut out, format!("  it held {}", numbers(records)));
            line(&mut out, format!("  the watermark came to {} by {}", by.0, cause(why, by.1)));
        }
        for open in &self.open {
            open.write(&mut out);
        }
        if self.more > 0 {
            line(&mut out, format!("and {} more open windows; name one by key and end", self.more));
        }
        out
    }
}

impl Open {
    fn write(&self, out: &mut String) {
        let Open { task, key, start, end, records, watermark, held_by: held, fires } = self;
        line(out, format!("{task}: {} has not fired", window(key, *start, *end)));
        line(out, format!("  it holds {}", numbers(records)));
        let needed = EventTime(end.saturating_sub(1));
        line(out, format!("  it fires when the watermark is {needed}; now that is {watermark}"));
        held_by(out, held);
        pushes(out, fires, "fires it");
    }
}

impl Held {
    /// The answer as text.
    pub fn text(&self, why: &Why<'_>) -> String {
        let mut out = String::new();
        line(&mut out, format!("after record {}:", self.after));
        if self.rows.is_empty() && self.kept.is_empty() {
            line(&mut out, "nobody holds such a row");
        }
        for row in &self.rows {
            row.write(&mut out, why);
        }
        for KeptRow { task, side, seq } in &self.kept {
            line(&mut out, format!("{task}: {side} row by record {seq}{}", row_of(why, *seq)));
        }
        if !self.kept.is_empty() {
            let until = self.ttl.map_or_else(String::new, |ttl| {
                format!(", or its time to live, {}, is over", interval(ttl))
            });
            line(
                &mut out,
                "  a join that bounds no time keeps its inputs whole: no watermark frees such a row;",
            );
            line(&mut out, format!("  it stays until it is taken back{until}"));
        }
        if self.more > 0 {
            line(&mut out, format!("and {} more rows; name one by its record", self.more));
        }
        out
    }
}

/// A record's row, behind a colon.
fn row_of(why: &Why<'_>, seq: Seq) -> String {
    why.records().get(&seq).map_or_else(String::new, |r| format!(": {}", quoted(&r.row)))
}

impl HeldRow {
    fn write(&self, out: &mut String, why: &Why<'_>) {
        let HeldRow { task, seq, event_time, frees_at, watermark, held_by: held, frees, .. } = self;
        let side = if self.waits { "" } else { &format!("{} ", self.side) };
        let row = row_of(why, *seq);
        line(out, format!("{task}: {side}row of {event_time}, by record {seq}{row}"));
        let what = match self.waits {
            true => "it waits for its turn until the watermark is",
            false => "a row of the other side could still meet it until the watermark is",
        };
        line(out, format!("  {what} {frees_at}; now that is {watermark}"));
        held_by(out, held);
        pushes(out, frees, "frees it");
    }
}

impl Told {
    /// The answer as text.
    pub fn text(&self, why: &Why<'_>) -> String {
        let mut out = String::new();
        describe(&mut out, &self.record);
        if self.places.is_empty() {
            line(
                &mut out,
                "no window, join or OVER tells of it: a condition left it out, its key is NULL, or it met nobody",
            );
        }
        for place in &self.places {
            place.write(&mut out, self, why);
        }
        out
    }
}

impl Place {
    fn write(&self, out: &mut String, told: &Told, why: &Why<'_>) {
        let side = self.side.map_or_else(String::new, |side| format!(" ({side})"));
        let verdict = if self.kept { "kept" } else { "dropped" };
        line(out, format!("{}{side}: {verdict}", self.task));
        for &(start, end) in &self.windows {
            let was =
                if self.kept { "it is in the" } else { "all its windows had fired, the last:" };
            line(out, format!("  {was} {}", window("", start, end)));
        }
        match (self.watermark, told.record.event_time) {
            (Some((watermark, seq)), time) => {
                let time =
                    time.map_or_else(String::new, |t| format!("its time is {}, ", EventTime(t)));
                line(out, format!("  {time}the watermark was {watermark} by {}", cause(why, seq)));
            }
            (None, _) => line(out, "  there was no watermark yet"),
        }
        let table = &told.record.table;
        let (now, other) = (
            told.delay.map(interval).unwrap_or_default(),
            if self.kept { "drops" } else { "keeps" },
        );
        match self.change {
            Change::Keeps(delay) => {
                let (keeps, drops) = (interval(delay), interval(delay - 1));
                line(
                    out,
                    format!(
                        "  the watermark of `{table}` stays behind by {now}: {keeps} keeps the record, {drops} drops it"
                    ),
                );
            }
            Change::None => line(
                out,
                format!(
                    "  the watermark of `{table}` stays behind by {now}: no delay {other} the record"
                ),
            ),
            Change::NotFixed => line(
                out,
                format!("  the watermark of `{table}` has no fixed delay that could be another"),
            ),
        }
    }
}

impl Made {
    /// The answer as text.
    pub fn text(&self, why: &Why<'_>) -> String {
        let mut out = String::new();
        let Made { table, number, row, records, needed, clock, .. } = self;
        line(&mut out, format!("row {number} of `{table}`: {}", quoted(row)));
        line(&mut out, format!("  it came out by {}", cause(why, self.seq)));
        if let Some((key, start, end)) = &self.window {
            line(&mut out, format!("  it is of the {}", window(key, start.0, end.0)));
        }
        line(&mut out, format!("  made of {}", numbers(records)));
        for record in records.iter().take(LISTED).filter_map(|s| why.records().get(s)) {
            out.push_str("    ");
            describe(&mut out, record);
        }
        if !clock.is_empty() {
            line(
                &mut out,
                format!("  {} only keep the watermark where it has to be", numbers(clock)),
            );
        }
        line(&mut out, "  a run with these records alone gives the same row");
        match (self.complete, needed.len() == records.len()) {
            (false, _) => line(&mut out, "  there are too many to leave out each one by one"),
            (true, true) => line(&mut out, "  without any one of them it does not"),
            (true, false) => {
                let spare: Vec<Seq> =
                    records.iter().copied().filter(|s| !needed.contains(s)).collect();
                line(
                    &mut out,
                    format!("  without any one of them it does not, but for {}", numbers(&spare)),
                );
            }
        }
        out
    }
}
