//! Torture: a job is crashed at every step, and again at every step of the recovery.

use super::delivery::Delivery;
use super::{Guarantee, Rows, Session};
use crate::error::Result;
use crate::sim::{Sim, State};

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
    /// How the rows of all these runs differ from those expected, added up; its table has no name.
    pub total: Delivery,
    /// Runs in which the guarantee does not hold, or which failed: the first few.
    pub violations: Vec<Violation>,
    /// How many there are.
    pub violated: u64,
}

/// Behind which steps a job is crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
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
    pub fn torture(&self, every: Every, progress: &mut dyn FnMut(u64, f64)) -> Result<Torture> {
        let mut calm = self.faultless();
        let beginning = calm.sim.clone().quiet();
        let status = calm.finish();
        if let Some(failed) = status.failed {
            return Err(Box::new(failed));
        }
        let expected = calm.tables();
        let mut torture = Torture {
            guarantee: beginning.guarantee(),
            steps: status.step,
            single: 0,
            double: 0,
            total: Delivery::default(),
            violations: Vec::new(),
            violated: 0,
        };
        let mut run = beginning;
        loop {
            let before = run.step_count();
            if before.is_multiple_of(every.step.max(1)) {
                let mut first = run.clone();
                first.crash(0, &mut Vec::new());
                if let Some(step) = every.again {
                    torture.again(&first, before, step.max(1), &expected);
                }
                torture.single += 1;
                torture.judge(first, vec![before], &expected);
                let share = before as f64 / torture.steps as f64;
                progress(torture.single + torture.double, share);
            }
            if !run.step(&mut Vec::new()) || *run.state() == State::Finished {
                return Ok(torture);
            }
        }
    }
}

impl Torture {
    /// Crashes a run that has crashed behind every so many steps of its recovery.
    fn again(&mut self, crashed: &Sim, before: u64, every: u64, expected: &[Rows]) {
        let mut recovering = crashed.clone();
        loop {
            let at = recovering.step_count();
            if (at - before).is_multiple_of(every) {
                let mut second = recovering.clone();
                second.crash(0, &mut Vec::new());
                self.double += 1;
                self.judge(second, vec![before, at], expected);
            }
            let goes_on = recovering.step(&mut Vec::new());
            if !goes_on || recovering.has_caught_up() {
                return;
            }
        }
    }

    /// Lets a run go on to its end and looks at its sinks.
    fn judge(&mut self, mut run: Sim, crashes: Vec<u64>, expected: &[Rows]) {
        while run.step(&mut Vec::new()) {}
        let mut what = None;
        match run.state() {
            State::Finished => {}
            State::Failed(error) => what = Some(format!("it fails: {error}")),
            State::Running | State::Down => what = Some("it comes to no end".to_owned()),
        }
        for (expected, delivered) in expected.iter().zip(Rows::of(&run)) {
            let delivery = Delivery::of(expected, &delivered);
            self.total.add(&delivery);
            if !delivery.keeps(self.guarantee) {
                what.get_or_insert_with(|| delivery.line());
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
