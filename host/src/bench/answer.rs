//! An answer of the engine or of somebody beside it: what it took, and what it was.

use std::time::Instant;

use highwater_engine::batch::Batch;
use highwater_engine::error::Result;

use super::clock::{Clock, process_seconds};
use super::rows::Rows;

/// An answer: what it took, what it was.
pub struct Answer {
    /// Seconds of wall-clock time and of processor time, over all threads of the process.
    pub seconds: (f64, f64),
    /// Records left out as late; `None` where nobody counts them.
    pub late: Option<u64>,
    /// Brings the rows into one form, which nobody measures.
    rows: Box<dyn FnOnce() -> Result<Rows>>,
}

/// Takes a sink's rows as they come.
type Emit<'a> = &'a mut dyn FnMut(usize, Batch) -> Result<()>;

impl Answer {
    /// An answer whose rows are told later.
    pub(super) fn new(
        seconds: (f64, f64),
        late: Option<u64>,
        rows: impl FnOnce() -> Result<Rows> + 'static,
    ) -> Answer {
        Answer { seconds, late, rows: Box::new(rows) }
    }

    /// The engine's; `run` hands on what comes out, and says how many records were late.
    ///
    /// # Errors
    /// What stops the run.
    pub(super) fn of_engine(run: impl FnOnce(Emit<'_>) -> Result<u64>) -> Result<Answer> {
        let mut batches = Vec::new();
        let (late, clock) = timed(|| {
            run(&mut |_, batch| {
                batches.push(batch);
                Ok(())
            })
        })?;
        let rows = move || Rows::of_changes(&batches);
        Ok(Answer::new((clock.wall, clock.cpu), Some(late), rows))
    }

    /// The rows in an order of their own, so that equal answers are equal.
    ///
    /// # Errors
    /// When there are columns of other types than the questions have.
    pub fn rows(self) -> Result<Rows> {
        (self.rows)()
    }
}

/// Measures what a closure does, on all threads of this process.
pub(super) fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<(T, Clock)> {
    let (began, began_cpu) = (Instant::now(), process_seconds());
    let done = run()?;
    let wall = began.elapsed().as_secs_f64();
    let cpu = process_seconds().zip(began_cpu).map_or(wall, |(now, then)| now - then);
    Ok((done, Clock { wall, cpu }))
}
