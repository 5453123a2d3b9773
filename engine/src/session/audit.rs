//! State accounting: whether what tasks hold is what the ledger says that they hold.

use super::Ledger;
use crate::error::Result;
use crate::sim::{Job, Sim, State};
use crate::task::LetGo;
use crate::trace::Event;

/// Steps from one audit to the next.
const EVERY: u64 = 16;

/// Bytes by which a state that holds nothing may be longer than that of a task that has never held anything: numbers of
/// windows, and how far the watermark is.
const SLACK: usize = 64;

/// An auditor reads a run's events and now and then asks its tasks.
///
/// Copies of a task's operators are told that all input has ended. What they let go of must be all that is in the task's
/// account, no more and no less, and what they hold then no more than what such a task holds that has had nothing.
pub struct Audit {
    ledger: Ledger,
    read: usize,
    /// What each task would hold behind the end of all input if there had been none, bytes; `None`: it is not audited.
    least: Vec<Option<usize>>,
    /// The first thing that is wrong.
    pub wrong: Option<String>,
}

impl Audit {
    /// For a run of a job.
    ///
    /// # Errors
    /// When a guest cannot be had.
    pub fn new(job: &Job) -> Result<Audit> {
        let tasks = job.tasks()?;
        let fresh = tasks.iter().enumerate();
        let least = fresh.map(|(number, task)| {
            Ok(job.graph.would_let_go(number, task)?.map(|let_go| left(&let_go)))
        });
        let least = least.collect::<Result<_>>()?;
        Ok(Audit { ledger: Ledger::default(), read: 0, least, wrong: None })
    }

    /// Looks at a run behind a step of it; `events` are all so far.
    ///
    /// # Errors
    /// What stops an operator that is told that its input has ended.
    pub fn look(&mut self, sim: &Sim, events: &[Event]) -> Result<()> {
        events[self.read..].iter().for_each(|event| self.ledger.apply(event));
        self.read = events.len();
        if !sim.step_count().is_multiple_of(EVERY) || *sim.state() != State::Running {
            return Ok(());
        }
        for (number, account) in self.ledger.accounts().iter().enumerate() {
            let (graph, task) = (&sim.job().graph, sim.task(number as u16));
            let held = graph.rows_held(number, task);
            if let Some(held) = held.filter(|held| *held != account.by_operators()) {
                let place = format!("step {}, {}", sim.step_count(), task.name);
                let own = account.by_operators();
                let what = format!("{place}: it holds {held} rows, not the {own} of its account");
                self.wrong.get_or_insert(what);
            }
            let Some(least) = self.least[number] else { continue };
            let let_go = graph.would_let_go(number, task)?.unwrap_or_default();
            let mut account = account.clone();
            let all = || let_go.iter().flat_map(|operator| &operator.events);
            all().for_each(|what| account.apply(what));
            let left = left(&let_go);
            // Windows with a trigger may never fire.
            let stay = graph.header.tasks[number].describe.contains("emit=");
            let what = if !account.balances() {
                "it would let go of what is not in its account".to_owned()
            } else if account.by_operators() > 0 && !stay {
                format!("its account has {} records that it does not hold", account.by_operators())
            } else if left > least + SLACK && !stay {
                format!("it would hold {left} bytes behind the end of all input, not {least}")
            } else {
                continue;
            };
            let place = format!("step {}, {}", sim.step_count(), task.name);
            self.wrong.get_or_insert(format!("{place}: {what}"));
        }
        Ok(())
    }
}

/// The bytes that operators still hold.
fn left(let_go: &[LetGo]) -> usize {
    let_go.iter().map(|operator| operator.left).sum()
}
