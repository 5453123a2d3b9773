//! Torture: a job is crashed at every step, and again at every step of the recovery.

use super::delivery::Delivery;
use super::{Guarantee, Rows, Session, broken, shown_again};
use crate::error::Result;
use crate::sim::{Sim, State};
use crate::trace::Event;

/// What crashing a job everywhere has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torture {
    /// What the job promises.
    pub guarantee: Guarantee,
    /// Steps of the run without a fault.
    pub steps: u64,
    /// Runs with one crash.
    pub single: u64,
    /// Runs with a second crash in the recovery from the first.
    pub double: u64,
    /// Of all these, runs that the restart policy ended: they may lack rows.
    pub stopped: u64,
    /// Of all these, runs in which records may count twice in states, as barriers for which nobody waits have it: what
    /// their rows say is no violation.
    pub counted_twice: u64,
    /// For each table how its rows differ from those expected, added up over all these runs.
    pub tables: Vec<Delivery>,
    /// Runs in which the guarantee does not hold, or which failed: the first few.
    pub violations: Vec<Violation>,
    /// How many there are.
    pub violated: u64,
}

/// What crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// A task; one after the other has its turn.
    Task,
    /// The coordinator.
    Coordinator,
    /// The snapshot store, which loses its power, and a task with it.
    Store,
}

impl Victim {
    /// All of them, with the names that a user gives them.
    pub const ALL: [(&str, Victim); 3] =
        [("task", Victim::Task), ("coordinator", Victim::Coordinator), ("store", Victim::Store)];

    /// Crashes it in a run that has done so many steps.
    fn crash(self, sim: &mut Sim, step: u64, events: &mut Vec<Event>) {
        let task = (step % sim.job().graph.header.tasks.len() as u64) as u16;
        match self {
            Victim::Task => sim.crash(task, events),
            Victim::Coordinator => sim.crash_coordinator(events),
            Victim::Store => {
                sim.crash_store(AWAY, events);
                sim.crash(task, events);
            }
        }
    }
}

/// For how long a store is away that has lost its power, microseconds.
const AWAY: u64 = 2_000_000;

/// Behind which steps a job is crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every<'a> {
    /// What crashes: each at each of these steps.
    pub victims: &'a [Victim],
    /// Every so many steps of the run without a fault.
    pub step: u64,
    /// And again every so many steps of each recovery; `None`: once a run.
    pub again: Option<u64>,
}

/// A run in which the guarantee does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The steps behind which the job was crashed.
    pub crashes: Vec<u64>,
    /// What is wrong: a line.
    pub what: String,
}

/// Violations that are kept.
const KEPT: usize = 10;

impl Session {
    /// Crashes the job behind every step of its run, and again behind every step until what had been read is read
    /// again; each time it runs on to its end, and the rows of its sinks are compared with those of the run
    /// without a fault. Faults of the file strike in none of these runs.
    ///
    /// `progress` hears how many runs there have been, and how far that is, from 0 to 1.
    ///
    /// # Errors
    /// When the job fails without any fault.
    pub fn torture(&self, every: Every<'_>, progress: &mut dyn FnMut(u64, f64)) -> Result<Torture> {
        let mut calm = self.faultless();
        let mut run = Run { sim: calm.sim.clone(), events: calm.events().to_vec() };
        let status = calm.finish();
        if let Some(failed) = status.failed {
            return Err(Box::new(failed));
        }
        let expected = calm.tables();
        let mut torture = Torture {
            guarantee: run.sim.guarantee(),
            steps: status.step,
            single: 0,
            double: 0,
            stopped: 0,
            counted_twice: 0,
            tables: Vec::new(),
            violations: Vec::new(),
            violated: 0,
        };
        loop {
            let before = run.sim.step_count();
            let here = before.is_multiple_of(every.step.max(1));
            for victim in every.victims.iter().filter(|_| here) {
                let first = run.crashed(*victim);
                if let Some(step) = every.again {
                    torture.again(&first, (*victim, before), step.max(1), &expected);
                }
                torture.single += 1;
                torture.judge(first, vec![before], &expected);
                let share = before as f64 / torture.steps as f64;
                progress(torture.single + torture.double, share);
            }
            if !run.step() || *run.sim.state() == State::Finished {
                return Ok(torture);
            }
        }
    }
}

/// A run and all that has happened in it.
#[derive(Clone)]
struct Run {
    sim: Sim,
    events: Vec<Event>,
}

impl Run {
    fn step(&mut self) -> bool {
        self.sim.step(&mut self.events)
    }

    /// A copy in which something has crashed here.
    fn crashed(&self, victim: Victim) -> Run {
        let mut run = self.clone();
        victim.crash(&mut run.sim, self.sim.step_count(), &mut run.events);
        run
    }
}

impl Torture {
    /// Crashes a run that has crashed behind every so many steps of its recovery.
    fn again(
        &mut self,
        crashed: &Run,
        (victim, before): (Victim, u64),
        every: u64,
        expected: &[Rows],
    ) {
        let mut recovering = crashed.clone();
        loop {
            let at = recovering.sim.step_count();
            if (at - before).is_multiple_of(every) {
                self.double += 1;
                self.judge(recovering.crashed(victim), vec![before, at], expected);
            }
            if !recovering.step() || recovering.sim.has_caught_up() {
                return;
            }
        }
    }

    /// Lets a run go on to its end and looks at its sinks, and at all that has happened.
    fn judge(&mut self, mut run: Run, crashes: Vec<u64>, expected: &[Rows]) {
        while run.step() {}
        let Run { sim: run, events } = run;
        let header = &run.job().graph.header;
        let mut what = broken(&events, header, self.guarantee).into_iter().next();
        what = what.or_else(|| run.wrong().map(str::to_owned));
        match run.state() {
            State::Finished => {}
            State::Failed(error) if error.code == "run.restarts" && what.is_none() => {
                self.stopped += 1;
                return;
            }
            State::Failed(error) => what = Some(format!("it fails: {error}")),
            State::Running | State::Down => what = Some("it comes to no end".to_owned()),
        }
        let tables = Rows::of(&run);
        let judged = expected.iter().zip(&tables);
        let judged: Vec<Delivery> = judged.map(|(e, d)| Delivery::of(e, d)).collect();
        if self.guarantee == Guarantee::AtMostOnce {
            let by_row = run.job().graph.row_by_row().then_some(&judged[..]);
            let again = shown_again(&tables, &events, header, by_row);
            let said = format!("{again} rows are shown that never came to a sink, or twice");
            what = what.or((again > 0).then_some(said));
        }
        let twice = run.may_count_twice(&events);
        self.counted_twice += u64::from(twice);
        for delivery in judged {
            if !twice && !delivery.keeps(self.guarantee) {
                what.get_or_insert_with(|| delivery.line());
            }
            match self.tables.iter_mut().find(|sum| sum.table == delivery.table) {
                Some(sum) => sum.add(&delivery),
                None => self.tables.push(delivery),
            }
        }
        if let Some(what) = what {
            self.violated += 1;
            if self.violations.len() < KEPT {
                self.violations.push(Violation { crashes, what });
            }
        }
    }
}
