//! Two runs side by side: what their tables show, what they dropped, how long rows took, what state cost, and where
//! their traces part. Two files, or one file and what it would do under other settings.
//!
//! All of it is read from the traces and the tables: a run that is compared need not have come to its end.

mod measured;
mod rows;

use std::sync::Arc;

use super::prepare::{Many, Variation, prepare_varied};
use super::{Files, Options, Session};
use crate::error::Diagnostic;
use crate::udf::Sandbox;

pub use measured::{Dropped, Figures, Latency, MostHeld};
pub use rows::{Differing, TableDiff};

/// How two runs differ. Of each pair the first is run A's and the second run B's.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The tables that rows go to: those of A in the order of its script, then those that only B has.
    pub tables: Vec<TableDiff>,
    /// What operators left out, for each operator that did in one of the runs, by name.
    pub dropped: Vec<Dropped>,
    /// What operators have held, by name.
    pub held: Vec<MostHeld>,
    /// What each run took.
    pub runs: [Figures; 2],
    /// The first event in which the traces are not the same; `None` when they are equal.
    pub parted: Option<Parted>,
}

/// Where two traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The number of the event in both traces, from 1.
    pub event: u64,
    /// Its text in each; `None` for a trace that has ended before it.
    pub lines: [Option<String>; 2],
}

impl Session {
    /// Opens a file's text for a run to its end that is compared with another: under some settings, key and value,
    /// that hold for the whole script whatever it or its `toml settings` block says. Of two of one key the later
    /// holds.
    ///
    /// # Errors
    /// Everything that is wrong with the file; a setting that the engine does not know, or a value that is none of its
    /// key's; input that never ends; a script that only explains its plan, which has no rows to compare.
    pub fn to_compare(
        name: &str,
        text: &str,
        files: &Files,
        sandbox: Arc<dyn Sandbox>,
        set: &[(String, String)],
    ) -> Many<Session> {
        super::ends(name, text)?;
        let variation = Variation { set, ..Variation::default() };
        let prepared = prepare_varied(name, text, files, sandbox, &Options::default(), variation)?;
        if prepared.explain_only {
            let error =
                Diagnostic::new("compare.no-rows", "this script shows a plan and has no rows")
                    .hint("end it with the query itself, or with INSERT INTO, instead of EXPLAIN");
            return Err(vec![*error.in_source(name)]);
        }
        Session::of(name, prepared).map_err(|e| vec![*e.in_source(name)])
    }
}

impl Comparison {
    /// Compares two runs as they stand.
    pub fn of(a: &Session, b: &Session) -> Comparison {
        Comparison {
            tables: rows::tables(a, b),
            dropped: measured::dropped(a, b),
            held: measured::most_held(a, b),
            runs: [Figures::of(a), Figures::of(b)],
            parted: Parted::of(a, b),
        }
    }

    /// Whether the runs' tables are not the same: one has a table or a row that the other has not, or the same rows
    /// in another order.
    pub fn rows_differ(&self) -> bool {
        self.tables.iter().any(TableDiff::differs)
    }
}

impl Parted {
    fn of(a: &Session, b: &Session) -> Option<Parted> {
        // Numbers of tasks mean the same under equal names only.
        let same_names = a.header() == b.header();
        let line = |session: &Session, at: usize| {
            session.events().get(at).map(|event| event.line(session.header()))
        };
        let both = a.events().len().min(b.events().len());
        let same = |at: &usize| match same_names {
            true => a.events()[*at] == b.events()[*at],
            false => line(a, *at) == line(b, *at),
        };
        let at = (0..both).find(|at| !same(at)).unwrap_or(both);
        let lines = [line(a, at), line(b, at)];
        (lines[0] != lines[1]).then_some(Parted { event: at as u64 + 1, lines })
    }
}
