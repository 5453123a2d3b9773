//! Guests that fall ill: between the engine and what runs its guests stands a ward, where the calls of one element's work
//! go wrong. All behind it is what would happen to a guest that is wrong by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arrow_buffer::MutableBuffer;

use super::Sim;
use crate::error::Error;
use crate::seeded::seeded;
use crate::trace::{Event, What};
use crate::udf::{Instance, LogLine, Sandbox, Trap, WIND_UP, runs_operator};

/// What befalls a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Illness {
    /// It traps before it has done anything.
    Trap = 1,
    /// It runs until its fuel is gone.
    Loop = 2,
    /// It answers what no guest may.
    Garbage = 3,
}

/// A call was ill.
const SEEN: u8 = 0x80;
/// A status that is neither an answer nor an error.
const NO_STATUS: i32 = -77;

/// What runs guests, and what befalls them.
#[derive(Clone)]
pub struct Ward {
    sandbox: Arc<dyn Sandbox>,
    illness: Arc<AtomicU8>,
}

impl Ward {
    /// A ward whose guests are well.
    pub fn new(sandbox: Arc<dyn Sandbox>) -> Arc<Ward> {
        Arc::new(Ward { sandbox, illness: Arc::default() })
    }

    /// Calls go wrong from here on.
    fn fall_ill(&self, illness: Illness) {
        self.illness.store(illness as u8, Ordering::Relaxed);
    }

    /// Calls are well again; whether one has gone wrong.
    fn recover(&self) -> bool {
        self.illness.swap(0, Ordering::Relaxed) & SEEN != 0
    }
}

impl Sandbox for Ward {
    fn instantiate(&self, metered: &[u8]) -> crate::error::Result<Box<dyn Instance>> {
        let instance = self.sandbox.instantiate(metered)?;
        Ok(Box::new(Patient { instance, illness: Arc::clone(&self.illness) }))
    }
}

struct Patient {
    instance: Box<dyn Instance>,
    illness: Arc<AtomicU8>,
}

impl Instance for Patient {
    fn call(&mut self, export: &str, args: &[i32]) -> Result<i32, Trap> {
        let illness = self.illness.load(Ordering::Relaxed) & !SEEN;
        if illness == 0 || !runs_operator(export) {
            return self.instance.call(export, args);
        }
        self.illness.store(illness | SEEN, Ordering::Relaxed);
        if illness == Illness::Trap as u8 {
            // What is left in the meter is of another call, and who is asked why looks there.
            self.instance.call(WIND_UP, &args[1..])?;
            return Err(Trap);
        }
        if illness == Illness::Loop as u8 {
            // The frame, and no fuel: it is gone wherever the guest is by then.
            return self.instance.call(export, &[args[0], 0, 0]);
        }
        self.instance.call(export, args).map(|_| NO_STATUS)
    }

    fn read(&mut self, address: u32, into: &mut [u8]) -> bool {
        self.instance.read(address, into)
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> bool {
        self.instance.write(address, bytes)
    }

    fn append(&mut self, address: u32, len: usize, into: &mut MutableBuffer) -> bool {
        self.instance.append(address, len, into)
    }

    fn clear(&mut self, address: u32, len: usize) -> bool {
        self.instance.clear(address, len)
    }

    fn take_log(&mut self) -> Vec<LogLine> {
        self.instance.take_log()
    }
}

impl Sim {
    /// The guests of a task fall ill for the next element for which one is called.
    pub(super) fn fall_ill(&mut self, task: u16, illness: Illness) {
        self.ill.insert(task, illness);
    }

    /// The task is going to work.
    pub(super) fn before_work(&self, task: u16) {
        if let Some(illness) = self.ill.get(&task) {
            self.job.ward.fall_ill(*illness);
        }
    }

    /// The task has worked; whether a guest has made it fail, which is well from now on. What did no harm goes on.
    pub(super) fn after_work(&mut self, task: u16, failed: bool) -> bool {
        let harmed = self.ill.contains_key(&task) && self.job.ward.recover() && failed;
        if harmed && !seeded("the-ill-stay-ill") {
            self.ill.remove(&task);
        }
        harmed
    }

    /// A task dies of its guest: what it has done since it took the element in is gone with it.
    pub(super) fn die_of_a_guest(&mut self, task: u16, error: &Error, trace: &mut Vec<Event>) {
        self.note(trace, task, What::Fault { fault: format!("{}: {}", error.code, error.message) });
        if seeded("what-guests-die-of-is-passed-over") {
            return;
        }
        self.crash(task, trace);
    }
}
