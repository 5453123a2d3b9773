//! What an operator is: told of rows and the watermark's steps, it answers with rows.

use arrow_array::ArrayRef;

use crate::batch::{Batch, Seq, Stair};
use crate::error::{Diagnostic, Error, Result};
use crate::key::KeyGroups;
use crate::numbers::Numbers;
use crate::schema::SchemaRef;
use crate::snapshot::bytes::Pieces;
use crate::trace::What;
use crate::udf::Call;

/// Where an operator's answers go.
#[derive(Default)]
pub struct Output {
    /// The rows, in order.
    pub batches: Vec<Batch>,
    /// What happened, when somebody looks; `None` costs nothing.
    pub trace: Option<Vec<What>>,
    /// Fuel that guests used.
    pub fuel: u64,
    /// Records left out as late.
    pub late: u64,
}

impl Output {
    /// Notes an event when somebody looks.
    pub fn note(&mut self, what: impl FnOnce() -> What) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    /// Notes how many rows have come into a state that counts them, and how many have left it, given how many were in there
    /// before and are now.
    pub fn hold(&mut self, rows: usize, before: u64, now: u64) {
        let (rows, gone) = (rows as u64, (before + rows as u64).saturating_sub(now));
        if rows > 0 || gone > 0 {
            self.note(|| What::Hold { rows, gone });
        }
    }

    /// Ends the answer to a batch: the steps still to pass on, and how far the stream has come. The last
    /// rows say it where there are any, so that a quiet stream costs no message.
    pub fn end(&mut self, schema: &SchemaRef, stairs: Vec<Stair>, upto: Seq) {
        match self.batches.last_mut() {
            Some(last) if stairs.is_empty() => last.upto = upto,
            _ => self.batches.push(Batch::progress(schema.clone(), stairs, upto)),
        }
    }

    /// Counts the fuel of guests' calls and puts them on the trace.
    pub fn calls(&mut self, calls: Vec<Call>) {
        for call in calls {
            self.fuel += call.fuel;
            let (rows, fuel, pages) = (call.rows, call.fuel, call.pages);
            self.note(|| What::GuestCall { export: call.export.to_owned(), rows, fuel, pages });
            for line in call.log {
                self.note(|| What::GuestLog { level: line.level, text: line.text.clone() });
            }
        }
    }

    /// True when somebody looks.
    pub fn traced(&self) -> bool {
        self.trace.is_some()
    }
}

/// Rows of several inputs at once, in the one order of the stream.
pub struct Merged {
    /// Rows, each with the input they are of; without steps of the watermark.
    pub pieces: Vec<(usize, Batch)>,
    /// The order: which rows of which piece come one after the other.
    pub runs: Vec<Run>,
    /// The watermark's steps over all inputs. `row` counts the rows of all runs.
    pub stairs: Vec<Stair>,
    /// Everything up to this place in the stream has been said.
    pub upto: Seq,
}

impl Merged {
    /// The rows of one input alone.
    pub fn of(input: usize, mut batch: Batch) -> Merged {
        let (stairs, upto) = (std::mem::take(&mut batch.stairs), batch.upto);
        let runs = vec![Run { piece: 0, from: 0, to: batch.rows as u32 }];
        Merged { pieces: vec![(input, batch)], runs, stairs, upto }
    }

    /// Rows of one input as one batch in their order.
    pub fn into_batch(self, schema: &SchemaRef) -> Batch {
        let Merged { pieces, runs, stairs, upto } = self;
        if pieces.is_empty() {
            return Batch::progress(schema.clone(), stairs, upto);
        }
        let mut firsts = Vec::with_capacity(pieces.len());
        let mut rows = 0;
        for (_, batch) in &pieces {
            firsts.push(rows);
            rows += batch.rows as u32;
        }
        let batches: Vec<Batch> = pieces.into_iter().map(|piece| piece.1).collect();
        let all = Batch::concat(&batches);
        let mut order = Vec::with_capacity(all.rows);
        for run in runs {
            let first = firsts[run.piece as usize];
            order.extend(first + run.from..first + run.to);
        }
        let batch = if order.is_sorted() { all } else { all.gather(&order) };
        Batch { stairs, upto, ..batch }
    }
}

/// Rows `from..to` of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The position in [`Merged::pieces`].
    pub piece: u32,
    /// The first row.
    pub from: u32,
    /// The row after the last.
    pub to: u32,
}

/// Rows that an operator holds, as those see them who ask for its state.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What they are: `groups`, `left`, `right`, `versions`, `ranks`, `held`, `open`.
    pub part: &'static str,
    /// The rows. Their places in the stream mean nothing.
    pub rows: Batch,
}

impl Contents {
    /// Columns of so many rows that look like `schema`.
    pub fn new(
        part: &'static str,
        schema: &SchemaRef,
        columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Contents {
        let seqs = Numbers::same(0, rows);
        Contents { part, rows: Batch::new(schema.clone(), columns, seqs) }
    }
}

/// One operator of one subtask. No clock, no I/O, no chance: a function of what it is told.
pub trait Operator: Send {
    /// Takes a batch of an input. Its `stairs` are the watermark's steps over all inputs; an operator
    /// passes them on behind the rows they release.
    ///
    /// # Errors
    /// What stops the job: a failing expression, a guest's trap.
    fn process(&mut self, input: usize, batch: Batch, out: &mut Output) -> Result<()>;

    /// Takes rows of several inputs at once. For an operator whose gate merges; others never see one.
    ///
    /// # Errors
    /// As [`Operator::process`].
    fn process_merged(&mut self, _: Merged, _: &mut Output) -> Result<()> {
        unreachable!("gates merge only for operators that take merged rows")
    }

    /// The state as bytes: equal states give equal bytes. What has not changed since the last time may be
    /// the same memory again.
    fn save(&mut self) -> Pieces;

    /// [`Operator::save`] in one piece.
    fn snapshot(&mut self) -> Vec<u8> {
        self.save().concat()
    }

    /// Forgets everything.
    fn empty(&mut self);

    /// Takes in, besides what it has, what such an operator has written of the keys in `own`. Several that are taken in
    /// were written by subtasks of one operator at one barrier: they have no key in common.
    ///
    /// # Errors
    /// When the bytes are not this operator's.
    fn absorb(&mut self, bytes: &[u8], own: KeyGroups) -> Result<()>;

    /// Takes its state back, in place of what it has.
    ///
    /// # Errors
    /// When the bytes are not this operator's; what it has then means nothing.
    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        self.empty();
        self.absorb(bytes, KeyGroups::ALL)
    }

    /// What it holds, as rows; `None`: what it would say if all input ended now, which is what windows hold.
    fn contents(&mut self) -> Option<Vec<Contents>> {
        None
    }

    /// How many rows it holds, counted anew, where the trace tells of as many.
    fn rows_held(&self) -> Option<u64> {
        None
    }

    /// An independent copy, for seeking and forking.
    fn fork(&self) -> Box<dyn Operator>;
}

/// The error of a row an operator cannot compute, naming the operator and the record.
pub fn row_error(operator: &str, seq: Seq, mut error: Error) -> Error {
    error.message = format!("{operator}: record {seq}: {}", error.message);
    error
}

/// The error of state that belongs to another operator.
pub fn wrong_state(operator: &str) -> Error {
    Diagnostic::new("snapshot.mismatch", format!("the state of `{operator}` has another shape"))
        .hint("restore it with the same script and guests")
}
