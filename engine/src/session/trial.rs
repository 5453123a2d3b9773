//! Trials: a job run from its beginning to its end under some guarantee and some faults, as fast as that goes.

use super::audit::Audit;
use super::delivery::Delivery;
use super::{Guarantee, Rows, Session};
use crate::error::Result;
use crate::sim::State;
use crate::sim::fault::{At, Fault};
use crate::trace::Event;

/// Steps after which a run counts as one that does not end, as a multiple of those of a run without faults.
const PATIENCE: u64 = 200;

/// What has come of a trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What the job promised.
    pub guarantee: Guarantee,
    /// Steps done.
    pub steps: u64,
    /// Why it stopped before its end: the error's code and message.
    pub stopped: Option<(String, String)>,
    /// All that happened.
    pub events: Vec<Event>,
    /// What the sinks show.
    pub tables: Vec<Rows>,
    /// When it ended, virtual time in microseconds since 1970.
    pub at: u64,
    /// What the simulation's own checkers have found: a checkpoint that is no cut, a task that does not hold
    /// what its account says.
    pub wrong: Option<String>,
    /// What has delayed the input, each a fault from when it began: a trial with these alone is what this one is judged by.
    pub delays: Vec<String>,
    /// Records may count twice in what tables say: [`Sim::may_count_twice`](crate::sim::Sim::may_count_twice).
    pub counted_twice: bool,
    /// What each task's operators hold at the end, by the hash of their state.
    pub states: Vec<Vec<u64>>,
    /// How often an operator has gone on from its own state: [`Session::trial_from_states`].
    pub taken_back: u64,
}

impl Session {
    /// What the simulation's own checkers have found wrong so far: a checkpoint that is no cut.
    pub fn wrong(&self) -> Option<&str> {
        self.sim.wrong()
    }

    /// Those of some faults that delay the input from a time on: a trial with them alone is what one with all is judged by,
    /// unless others delay it behind an event; see [`Trial::delays`].
    ///
    /// # Errors
    /// When a line is no fault.
    pub fn delays_among(&self, faults: &[String]) -> Result<Vec<String>> {
        let mut delays = Vec::new();
        for line in faults {
            let fault = Fault::parse(line, self.header())?;
            if fault.kind.delay.is_some() && !matches!(fault.at, At::On(..)) {
                delays.push(line.clone());
            }
        }
        Ok(delays)
    }

    /// Runs the job from its beginning, in a world where no faults strike but these (and delays of the input that
    /// the file has), for at most `calm * 200 + 100,000` steps; `calm`: the steps of a run without faults, 0 when
    /// they are not known.
    ///
    /// # Errors
    /// When a line is no fault.
    pub fn trial(&self, guarantee: Guarantee, faults: &[String], calm: u64) -> Result<Trial> {
        self.try_out(guarantee, faults, calm, false)
    }

    /// The same; but behind each element every operator of the task that has taken it writes its state and goes on from
    /// that alone. It must have the same trace. Now and then what tasks hold is compared with the ledger, too.
    ///
    /// # Errors
    /// When a line is no fault.
    pub fn trial_from_states(
        &self,
        guarantee: Guarantee,
        faults: &[String],
        calm: u64,
    ) -> Result<Trial> {
        self.try_out(guarantee, faults, calm, true)
    }

    fn try_out(
        &self,
        guarantee: Guarantee,
        faults: &[String],
        calm: u64,
        from_states: bool,
    ) -> Result<Trial> {
        let header = &self.sim.job().graph.header;
        let faults: Vec<Fault> =
            faults.iter().map(|line| Fault::parse(line, header)).collect::<Result<_>>()?;
        let beginning = self.keyframes.first().expect("the beginning is always kept");
        let mut sim = beginning.sim.clone().promising(guarantee);
        let mut audit = None;
        if from_states {
            audit = Some(Audit::new(sim.job())?);
            sim = sim.taking_back();
        }
        sim.spare();
        for fault in faults {
            sim.place(fault);
        }
        let mut events = Vec::new();
        let most = calm.saturating_mul(PATIENCE).saturating_add(100_000);
        while sim.step_count() < most && sim.step(&mut events) {
            if let Some(audit) = &mut audit {
                audit.look(&sim, &events)?;
            }
        }
        let stopped = match sim.state() {
            State::Finished => None,
            State::Failed(error) => Some((error.code.to_owned(), error.message.clone())),
            State::Running | State::Down => {
                Some(("run.endless".to_owned(), "it comes to no end".to_owned()))
            }
        };
        let (steps, at) = (sim.step_count(), sim.now().0);
        let (tables, taken_back) = (Rows::of(&sim), sim.taken_back());
        let wrong = sim.wrong().map(str::to_owned).or(audit.and_then(|audit| audit.wrong));
        let counted_twice = sim.may_count_twice(&events);
        Ok(Trial {
            guarantee,
            steps,
            stopped,
            events,
            tables,
            at,
            wrong,
            states: sim.states(),
            delays: sim.delays().iter().map(Fault::to_string).collect(),
            counted_twice,
            taken_back,
        })
    }
}

impl Trial {
    /// Its sinks' rows against those of a trial without faults, but with the same delays of the input.
    pub fn against(&self, calm: &Trial) -> Vec<Delivery> {
        let both = calm.tables.iter().zip(&self.tables);
        both.map(|(expected, delivered)| Delivery::of(expected, delivered)).collect()
    }
}
