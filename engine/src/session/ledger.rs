//! The conservation ledger: what every task has taken in has gone on, been dropped, or is held.
//!
//! It is kept from the trace alone, event by event, so it stands at every step. What is held is what the
//! windows, buffers and sinks of a task have been told to hold and not yet been told to let go: an event that
//! lets something go that is not there, or twice, puts the ledger out of balance. A restored task has the ledger
//! of its snapshot.

use std::collections::BTreeMap;

use super::table::text_table;
use crate::batch::Seq;
use crate::trace::{Event, Header, What};

/// The accounts of a job's tasks.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Vec<Account>,
    /// By task and checkpoint.
    kept: BTreeMap<(u16, u64), Account>,
}

/// The account of a task. What it counts is its own: a source and a sink count records and rows, a join and OVER
/// the rows they hold, a window the places that records have in windows, groups and ranks the rows in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What it has been given.
    pub taken: u64,
    /// What has gone on: read by a source, in a window that has said so, of no use to a join any more, committed.
    pub gone: u64,
    /// What has been left out: late, or unreadable.
    pub dropped: u64,
    windows: BTreeMap<u64, u64>,
    rows: BTreeMap<(u8, Seq), u64>,
    /// Rows in groups and ranks, and changes that are held back.
    counted: u64,
    staged: u64,
    /// Windows and rows that have been let go and were not there.
    missing: u64,
}

impl Account {
    /// What it holds.
    pub fn held(&self) -> u64 {
        self.by_operators() + self.staged
    }

    /// Of that, what operators hold: all but what sinks have yet to commit.
    pub fn by_operators(&self) -> u64 {
        self.in_windows() + self.rows.values().sum::<u64>() + self.counted
    }

    /// Places of records in windows that are open.
    pub fn in_windows(&self) -> u64 {
        self.windows.values().sum()
    }

    /// Whether nothing is missing and nothing too much.
    pub fn balances(&self) -> bool {
        self.missing == 0 && self.taken == self.gone + self.dropped + self.held()
    }

    /// Takes an event of the task in.
    pub fn apply(&mut self, what: &What) {
        match what {
            What::Arrive { .. } => {
                self.taken += 1;
                self.gone += 1;
            }
            What::BadRecord { .. } | What::Late { .. } | What::JoinLate { .. } => {
                self.taken += 1;
                self.dropped += 1;
            }
            What::WindowAdd { window, .. } => {
                self.taken += 1;
                *self.windows.entry(*window).or_default() += 1;
            }
            What::WindowMerge { window, merged, .. } => {
                let others = merged.iter().filter(|id| *id != window);
                let sum: u64 = others.filter_map(|id| self.windows.remove(id)).sum();
                *self.windows.entry(*window).or_default() += sum;
            }
            What::WindowFire { window, .. } => self.said(*window),
            // What a window says early it holds on to.
            What::WindowPane { window, timing, .. } if timing != "EARLY" => self.said(*window),
            What::JoinBuffer { side, seq, .. } | What::JoinKeep { side, seq } => {
                self.taken += 1;
                *self.rows.entry((*side, *seq)).or_default() += 1;
            }
            What::JoinExpire { side, seqs } => seqs.iter().for_each(|seq| self.let_go(*side, *seq)),
            What::JoinTake { side, of, .. } => {
                self.taken += 1;
                self.gone += 1;
                self.let_go(*side, *of);
            }
            What::Hold { rows, gone } => {
                self.taken += rows;
                self.gone += gone;
                let all = self.counted + rows;
                self.missing += gone.saturating_sub(all);
                self.counted = all.saturating_sub(*gone);
            }
            What::Stage { .. } => {
                self.taken += 1;
                self.staged += 1;
            }
            _ => {}
        }
    }

    fn let_go(&mut self, side: u8, seq: Seq) {
        self.gone += 1;
        match self.rows.get_mut(&(side, seq)) {
            Some(1) => _ = self.rows.remove(&(side, seq)),
            Some(count) => *count -= 1,
            None => self.missing += 1,
        }
    }

    fn said(&mut self, window: u64) {
        match self.windows.remove(&window) {
            Some(places) => self.gone += places,
            None => self.missing += 1,
        }
    }

    /// What a table is shown once more, since nobody has heard that it has been there, is in no account.
    fn commit(&mut self, rows: u64) {
        let rows = rows.min(self.staged);
        self.gone += rows;
        self.staged -= rows;
    }
}

impl Ledger {
    /// Takes an event in.
    pub fn apply(&mut self, event: &Event) {
        if let What::Restore { checkpoint } = event.what {
            for (task, account) in self.accounts.iter_mut().enumerate() {
                *account = self.kept.get(&(task as u16, checkpoint)).cloned().unwrap_or_default();
            }
            return;
        }
        let task = usize::from(event.task);
        if event.task == crate::trace::COORDINATOR {
            return;
        }
        if self.accounts.len() <= task {
            self.accounts.resize_with(task + 1, Account::default);
        }
        match &event.what {
            What::Snapshot { checkpoint, .. } => {
                let account = self.accounts[task].clone();
                self.kept.insert((event.task, *checkpoint), account);
            }
            What::Commit { checkpoint, rows } => {
                self.accounts[task].commit(*rows);
                // What waits for no checkpoint has never been staged in one.
                if *checkpoint == 0 {
                    return;
                }
                let later = (event.task, *checkpoint)..=(event.task, u64::MAX);
                self.kept.range_mut(later).for_each(|(_, account)| account.commit(*rows));
            }
            what => self.accounts[task].apply(what),
        }
    }

    /// The ledger at the end of a trace.
    pub fn of(trace: &[Event]) -> Ledger {
        let mut ledger = Ledger::default();
        trace.iter().for_each(|event| ledger.apply(event));
        ledger
    }

    /// The accounts, by the numbers of their tasks.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// As a table: a line a task that has taken anything in.
    pub fn text(&self, header: &Header) -> String {
        let columns = ["task", "in", "out", "dropped", "held"].map(str::to_owned);
        let named = header.tasks.iter().zip(&self.accounts).filter(|(_, a)| a.taken > 0);
        let row = |(info, a): (&crate::trace::TaskInfo, &Account)| {
            let numbers = [a.taken, a.gone, a.dropped, a.held()].map(|n| n.to_string());
            [vec![info.name.clone()], numbers.to_vec()].concat()
        };
        text_table(&columns, &named.map(row).collect::<Vec<_>>())
    }
}
