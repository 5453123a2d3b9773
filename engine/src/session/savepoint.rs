//! Savepoints: snapshots that a user keeps, and jobs that go on from them with another number of subtasks.

use super::Session;
use crate::batch::{RowKind, Seq};
use crate::error::{Diagnostic, Result};
use crate::plan::SinkKind;
use crate::sim::{Sim, State};
use crate::snapshot::{INLET, Opened};
use crate::source::inlet::Position;
use crate::trace::What;
use crate::unarchive;
use crate::value::Value;

/// What it is, its place in the stream, its values.
type Row = (RowKind, Seq, Vec<Value>);

impl Session {
    /// The job's state where it stands, as a snapshot from which it can go on with any parallelism. Barriers of a savepoint
    /// are aligned, whatever those of checkpoints are; no fault strikes while it is taken, and nothing of it shows in the
    /// run.
    ///
    /// # Errors
    /// When the job has come to its end, or fails.
    pub fn savepoint(&self) -> Result<Vec<u8>> {
        let made = self.sim.savepoint().map_err(|e| e.in_source(&self.name))?;
        Ok(made.to_vec())
    }

    /// Goes on from one of so many checkpoints of this run, which no fault must have struck, as `other`, the same job with another
    /// parallelism, and from a checkpoint of that back here; how many times, or what is wrong with the rows.
    ///
    /// # Errors
    /// The first difference as text.
    pub fn goes_on_as(&self, other: &Session, every: usize) -> std::result::Result<u64, String> {
        let mut points = 0;
        for at in (0..self.sim.checkpoints().len()).step_by(every) {
            let Some(moved) = self.gone_on(at, other)? else { continue };
            let back = moved.sim.checkpoints().len() / 2;
            points += 1 + u64::from(moved.gone_on(back, self)?.is_some());
        }
        Ok(points)
    }

    /// Another session gone on from one of the checkpoints here to its end; `None` where something was in flight then.
    fn gone_on(&self, at: usize, other: &Session) -> std::result::Result<Option<Session>, String> {
        let (checkpoint, bytes) = &self.sim.checkpoints()[at];
        let mut moved = other.fork();
        let place = |what: &str| format!("checkpoint {checkpoint}: {what}");
        match moved.restore(bytes) {
            Err(error) if error.code == "snapshot.in-flight" => return Ok(None),
            restored => restored.map_err(|error| place(&error.to_string()))?,
        }
        let cut = place_of(bytes).map_err(|error| place(&error.to_string()))?;
        moved.finish();
        if *moved.sim.state() != State::Finished {
            return Err(place(&format!("{:?}", moved.sim.state())));
        }
        for (sink, (whole, rest)) in self.tables().iter().zip(moved.tables()).enumerate() {
            let before = match whole.kind {
                SinkKind::Transactional => self.committed_before(sink, *checkpoint),
                // What is shown at once is in no checkpoint.
                _ => whole.rows.iter().filter(|(_, seq, _)| *seq <= cut).count(),
            };
            let said = whole.rows.get(before..).ok_or_else(|| place("there are too few rows"))?;
            if !same(said, &rest.rows) {
                let (rest, said) = (rest.rows.len(), said.len());
                return Err(place(&format!(
                    "`{}`: {rest} rows, not those {said}",
                    whole.spec.table
                )));
            }
        }
        Ok(Some(moved))
    }

    /// How many rows a sink showed before it committed a checkpoint.
    fn committed_before(&self, sink: usize, checkpoint: u64) -> usize {
        let task = self.sim.job().graph.sink_tasks()[sink];
        let own = self.trace.iter().filter(|event| event.task == task);
        let rows = own.map(|event| match event.what {
            What::Commit { checkpoint: of, rows } if of < checkpoint => rows as usize,
            _ => 0,
        });
        rows.sum()
    }
}

/// The place in the stream up to which a snapshot holds everything.
fn place_of(bytes: &[u8]) -> Result<Seq> {
    Ok(unarchive!(Position, Opened::read(bytes)?.section(INLET)?)?.seq)
}

fn same(one: &[Row], other: &[Row]) -> bool {
    let known = |rows: &[Row]| -> Vec<_> {
        rows.iter().map(|(kind, seq, row)| (*kind, *seq, crate::key::encode(row))).collect()
    };
    known(one) == known(other)
}

impl Sim {
    /// What [`Session::savepoint`] answers.
    fn savepoint(&self) -> Result<std::rc::Rc<[u8]>> {
        let mut copy = self.clone().quiet();
        copy.spare();
        let mut unseen = Vec::new();
        while let Some(wanted) = copy.ask_for_savepoint(&mut unseen)? {
            unseen.clear();
            if !copy.step(&mut unseen) {
                break;
            }
            if let Some((_, bytes)) = copy.checkpoints().last().filter(|(id, _)| *id == wanted) {
                return Ok(bytes.clone());
            }
        }
        Err(match copy.state() {
            State::Failed(error) => error.clone().into(),
            _ => Diagnostic::new(
                "savepoint.ended",
                "the job has come to its end: there is nothing left to go on with",
            )
            .hint("take the savepoint after a record that its input has; the last is the default"),
        })
    }
}
