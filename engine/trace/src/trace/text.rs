//! Events as lines of text: a name, and each field behind its own.

use std::fmt::Write as _;

use super::{Barriers, What};
use crate::time::EventTime;

/// The names of all events.
pub const EVENTS: [&str; 37] = [
    "arrive",
    "bad-record",
    "partition-watermark",
    "idle",
    "watermark",
    "window-open",
    "window-merge",
    "window-add",
    "window-fire",
    "window-pane",
    "late",
    "join-buffer",
    "join-match",
    "join-expire",
    "join-keep",
    "join-take",
    "hold",
    "join-late",
    "guest-call",
    "guest-log",
    "stage",
    "checkpoint-start",
    "barrier",
    "snapshot",
    "checkpoint-complete",
    "commit",
    "fault",
    "crash",
    "restore",
    "replay",
    "finish",
    "fail",
    "channel",
    "store",
    "sink-write",
    "in-flight",
    "source-read",
];

impl What {
    /// The event's name, one of [`EVENTS`], in the text form and in the page's filters.
    pub fn name(&self) -> &'static str {
        match self {
            What::Arrive { .. } => "arrive",
            What::BadRecord { .. } => "bad-record",
            What::PartitionWatermark { .. } => "partition-watermark",
            What::Idle { .. } => "idle",
            What::Watermark { .. } => "watermark",
            What::WindowOpen { .. } => "window-open",
            What::WindowMerge { .. } => "window-merge",
            What::WindowAdd { .. } => "window-add",
            What::WindowFire { .. } => "window-fire",
            What::WindowPane { .. } => "window-pane",
            What::Late { .. } => "late",
            What::JoinBuffer { .. } => "join-buffer",
            What::JoinMatch { .. } => "join-match",
            What::JoinExpire { .. } => "join-expire",
            What::JoinKeep { .. } => "join-keep",
            What::JoinTake { .. } => "join-take",
            What::Hold { .. } => "hold",
            What::JoinLate { .. } => "join-late",
            What::GuestCall { .. } => "guest-call",
            What::GuestLog { .. } => "guest-log",
            What::Stage { .. } => "stage",
            What::CheckpointStart { .. } => "checkpoint-start",
            What::Barrier { .. } => "barrier",
            What::Snapshot { .. } => "snapshot",
            What::CheckpointComplete { .. } => "checkpoint-complete",
            What::Commit { .. } => "commit",
            What::Fault { .. } => "fault",
            What::Crash { .. } => "crash",
            What::Restore { .. } => "restore",
            What::Replay { .. } => "replay",
            What::Finish => "finish",
            What::Fail { .. } => "fail",
            What::Channel { .. } => "channel",
            What::Store { .. } => "store",
            What::SinkWrite { .. } => "sink-write",
            What::InFlight { .. } => "in-flight",
            What::SourceRead { .. } => "source-read",
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        let time = |ms: &i64| EventTime(*ms).to_string();
        out.push_str(self.name());
        let mut put = |name: &str, value: &dyn std::fmt::Display| {
            write!(out, " {name}={value}").expect("writing to a string cannot fail");
        };
        match self {
            What::Arrive { partition, offset, seq, event_time, row } => {
                put("partition", partition);
                put("offset", offset);
                put("seq", seq);
                if let Some(t) = event_time {
                    put("event-time", &quoted(&time(t)));
                }
                put("row", &quoted(row));
            }
            What::BadRecord { partition, offset, line, column, reason } => {
                put("partition", partition);
                put("offset", offset);
                put("line", line);
                put("column", column);
                put("reason", &quoted(reason));
            }
            What::PartitionWatermark { partition, watermark } => {
                put("partition", partition);
                put("watermark", &quoted(&time(watermark)));
            }
            What::Idle { partition, idle } => {
                put("partition", partition);
                put("idle", idle);
            }
            What::Watermark { watermark, seq } => {
                put("watermark", &quoted(&time(watermark)));
                put("seq", seq);
            }
            What::WindowOpen { window, key, start, end } => {
                put("window", window);
                put("key", &quoted(key));
                put("start", &quoted(&time(start)));
                put("end", &quoted(&time(end)));
            }
            What::WindowMerge { window, merged, start, end } => {
                put("window", window);
                put("merged", &list(merged));
                put("start", &quoted(&time(start)));
                put("end", &quoted(&time(end)));
            }
            What::WindowAdd { window, seq } => {
                put("window", window);
                put("seq", seq);
            }
            What::WindowFire { window, key, start, end, rows } => {
                put("window", window);
                put("key", &quoted(key));
                put("start", &quoted(&time(start)));
                put("end", &quoted(&time(end)));
                put("rows", rows);
            }
            What::WindowPane { window, key, start, end, timing, index } => {
                put("window", window);
                put("key", &quoted(key));
                put("start", &quoted(&time(start)));
                put("end", &quoted(&time(end)));
                put("timing", timing);
                put("index", index);
            }
            What::Late { seq, event_time, watermark, start, end, key, row } => {
                put("seq", seq);
                put("event-time", &quoted(&time(event_time)));
                put("watermark", &quoted(&time(watermark)));
                put("start", &quoted(&time(start)));
                put("end", &quoted(&time(end)));
                put("key", &quoted(key));
                put("row", &quoted(row));
            }
            _ => self.write_join_or_guest(&mut put),
        }
    }

    fn write_join_or_guest(&self, put: &mut dyn FnMut(&str, &dyn std::fmt::Display)) {
        let time = |ms: &i64| quoted(&EventTime(*ms).to_string());
        match self {
            What::JoinBuffer { side, seq, event_time, frees_at } => {
                put("side", &side_name(*side));
                put("seq", seq);
                put("event-time", &time(event_time));
                put("frees-at", &time(frees_at));
            }
            What::JoinMatch { side, seq, candidates, matched } => {
                put("side", &side_name(*side));
                put("seq", seq);
                put("candidates", candidates);
                put("matched", &list(matched));
            }
            What::JoinExpire { side, seqs } => {
                put("side", &side_name(*side));
                put("seqs", &list(seqs));
            }
            What::JoinKeep { side, seq } => {
                put("side", &side_name(*side));
                put("seq", seq);
            }
            What::JoinTake { side, seq, of } => {
                put("side", &side_name(*side));
                put("seq", seq);
                put("of", of);
            }
            What::Hold { rows, gone } => {
                put("rows", rows);
                put("gone", gone);
            }
            What::JoinLate { side, seq, event_time, watermark, row } => {
                put("side", &side_name(*side));
                put("seq", seq);
                put("event-time", &time(event_time));
                put("watermark", &time(watermark));
                put("row", &quoted(row));
            }
            What::GuestCall { export, rows, fuel, pages } => {
                put("export", export);
                put("rows", rows);
                put("fuel", fuel);
                put("pages", pages);
            }
            What::GuestLog { level, text } => {
                put("level", level);
                put("text", &quoted(text));
            }
            _ => self.write_recovery(put),
        }
    }

    fn write_recovery(&self, put: &mut dyn FnMut(&str, &dyn std::fmt::Display)) {
        match self {
            What::Stage { row, kind, seq } => {
                put("kind", &["+I", "-U", "+U", "-D"][usize::from(*kind & 3)]);
                put("seq", seq);
                put("row", &quoted(row));
            }
            What::CheckpointStart { checkpoint, barriers } => {
                put("checkpoint", checkpoint);
                match barriers {
                    Barriers::Aligned => {}
                    Barriers::Unaligned => put("unaligned", &true),
                    Barriers::Unawaited => put("aligned", &false),
                }
            }
            What::Restore { checkpoint } => put("checkpoint", checkpoint),
            What::Barrier { checkpoint, channel } => {
                put("checkpoint", checkpoint);
                put("channel", channel);
            }
            What::Snapshot { checkpoint, bytes } => {
                put("checkpoint", checkpoint);
                put("bytes", bytes);
            }
            What::CheckpointComplete { checkpoint, bytes, hash } => {
                put("checkpoint", checkpoint);
                put("bytes", bytes);
                put("hash", &format!("{hash:016x}"));
            }
            What::Commit { checkpoint, rows } => {
                put("checkpoint", checkpoint);
                put("rows", rows);
            }
            What::Fault { fault } => put("fault", &quoted(fault)),
            What::Crash { lost_messages, lost_rows } => {
                put("lost-messages", lost_messages);
                put("lost-rows", lost_rows);
            }
            What::Replay { partition, offset, from, until } => {
                put("partition", partition);
                put("offset", offset);
                put("from", from);
                put("until", until);
            }
            What::Fail { code, message } => {
                put("code", code);
                put("message", &quoted(message));
            }
            What::Channel { channel, number, change } => {
                put("channel", channel);
                put("number", number);
                put("change", change);
            }
            What::Store { checkpoint, reason } => {
                put("checkpoint", checkpoint);
                put("reason", &quoted(reason));
            }
            What::SinkWrite { checkpoint, rows, change } => {
                put("checkpoint", checkpoint);
                put("rows", rows);
                put("change", change);
            }
            What::InFlight { checkpoint, channel, elements, rows } => {
                put("checkpoint", checkpoint);
                put("channel", channel);
                put("elements", elements);
                put("rows", rows);
            }
            What::SourceRead { partition, offset, records, change } => {
                put("partition", partition);
                put("offset", offset);
                put("records", records);
                put("change", change);
            }
            _ => {}
        }
    }
}

fn side_name(side: u8) -> &'static str {
    if side == 0 { "left" } else { "right" }
}

fn list(items: &[u64]) -> String {
    let items: Vec<String> = items.iter().map(u64::to_string).collect();
    format!("[{}]", items.join(","))
}

/// Text in double quotes with control characters, quotes and backslashes escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
