//! Faults: small values placed in virtual time. One kind so far: a task's crash.

use std::fmt;

use crate::error::{Diagnostic, Result};
use crate::time::{VirtualTime, parse_duration_micros, parse_timestamp};
use crate::trace::Header;

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// So many microseconds after the job's start.
    After(u64),
    /// At a point of virtual time.
    Time(VirtualTime),
    /// At once.
    Now,
}

impl At {
    /// The point of virtual time meant.
    pub fn resolve(self, start: VirtualTime, now: VirtualTime) -> VirtualTime {
        match self {
            At::After(micros) => start.after(micros),
            At::Time(time) => time,
            At::Now => now,
        }
    }
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A task dies; the job is restarted from its newest checkpoint.
    Crash {
        /// The task's number.
        task: u16,
    },
}

/// A fault and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub at: At,
    /// What.
    pub what: What,
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Fault {
    /// Reads a line such as `at 12s crash window/1`, `at 2018-02-01 00:00 crash sink/0` or
    /// `at now crash window/0`.
    ///
    /// # Errors
    /// `fault.syntax` or `fault.task`, with what would be right.
    pub fn parse(line: &str, header: &Header) -> Result<Fault> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let wrong = || {
            Diagnostic::new("fault.syntax", format!("`{}` is no fault", line.trim())).hint(
                "write `at 12s crash window/1`: a time after the start (or `now`), a kind, a task",
            )
        };
        let ["at", when @ .., "crash", task] = words.as_slice() else { return Err(wrong()) };
        let when = when.join(" ");
        let at = match when.as_str() {
            "now" => At::Now,
            text => match (parse_duration_micros(text), parse_timestamp(text)) {
                (Some(micros), _) => At::After(micros),
                (None, Some(ms)) if ms >= 0 => At::Time(VirtualTime(ms as u64 * 1000)),
                _ => return Err(wrong()),
            },
        };
        let names: Vec<&str> = header.tasks.iter().map(|t| t.name.as_str()).collect();
        let Some(number) = names.iter().position(|n| n == task) else {
            return Err(Diagnostic::new("fault.task", format!("there is no task `{task}`"))
                .hint(format!("the tasks are {}", names.join(", "))));
        };
        let what = What::Crash { task: number as u16 };
        Ok(Fault { at, what, text: words.join(" ") })
    }
}
