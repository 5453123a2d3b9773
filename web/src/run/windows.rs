//! Windows: opened, grown, merged, fired, and brought back by a restore.

use std::collections::BTreeMap;

use highwater_trace::trace::{Event, What};

use super::{Pos, before, cut};

/// Where a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowState {
    /// It takes in records.
    Open,
    /// Its result is out; the rows it gave.
    Fired(u32),
    /// Another window took it in.
    Merged,
    /// A crash took it away: it was opened after the snapshot.
    Lost,
}

/// One window of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The event that opened it.
    pub pos: Pos,
    /// The step it opened in.
    pub step: u64,
    /// When it opened: virtual microseconds.
    pub opened_at: u64,
    /// The task that holds it.
    pub task: u16,
    /// Its number in that task.
    pub id: u64,
    /// Its key, as text.
    pub key: String,
    /// Its bounds, each change with its event: start and end in milliseconds.
    pub bounds: Vec<(Pos, i64, i64)>,
    /// Its states, each change with its event and virtual time.
    pub states: Vec<(Pos, u64, WindowState)>,
    /// Records counted in it, each change with its event.
    pub counts: Vec<(Pos, u32)>,
}

impl Window {
    /// Start and end in milliseconds.
    pub fn span(&self) -> (i64, i64) {
        self.bounds.last().map_or((0, 0), |b| (b.1, b.2))
    }

    /// The state now.
    pub fn state(&self) -> WindowState {
        self.states.last().map_or(WindowState::Open, |s| s.2)
    }

    /// Records counted in it.
    pub fn count(&self) -> u32 {
        self.counts.last().map_or(0, |c| c.1)
    }

    /// When it fired last: virtual microseconds.
    pub fn fired_at(&self) -> Option<u64> {
        self.states.iter().rev().find(|s| matches!(s.2, WindowState::Fired(_))).map(|s| s.1)
    }
}

/// All windows in the order they opened.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Windows {
    /// One entry a window.
    pub all: Vec<Window>,
    by_id: BTreeMap<(u16, u64), u32>,
    by_key: BTreeMap<(u16, String), Vec<u32>>,
}

impl Windows {
    /// The position of a task's window in [`Windows::all`].
    pub fn index(&self, task: u16, id: u64) -> Option<u32> {
        self.by_id.get(&(task, id)).copied()
    }

    /// The state of the window at that position.
    pub fn state(&self, index: u32) -> WindowState {
        self.all.get(index as usize).map_or(WindowState::Lost, Window::state)
    }

    /// When a window of that task, key and span fired: virtual microseconds.
    pub fn fired_at(&self, task: u16, key: &str, start: i64, end: i64) -> Option<u64> {
        let of_key = self.by_key.get(&(task, key.to_owned()))?;
        of_key
            .iter()
            .rev()
            .filter_map(|i| self.all.get(*i as usize))
            .find(|w| w.span() == (start, end))?
            .fired_at()
    }

    /// The keys that have windows in the tasks that `counts` names, in order, without doubles.
    pub fn keys(&self, counts: impl Fn(u16) -> bool) -> Vec<&str> {
        let wanted = self.by_key.keys().filter(|(task, _)| counts(*task));
        let mut keys: Vec<&str> = wanted.map(|(_, k)| k.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub(super) fn apply(&mut self, pos: Pos, e: &Event) {
        match &e.what {
            What::WindowOpen { window, key, start, end } => {
                if self.index(e.task, *window).is_none() {
                    self.push(Window {
                        pos,
                        step: e.step,
                        opened_at: e.at,
                        task: e.task,
                        id: *window,
                        key: key.clone(),
                        bounds: vec![(pos, *start, *end)],
                        states: vec![(pos, e.at, WindowState::Open)],
                        counts: Vec::new(),
                    });
                } else if let Some(w) = self.get(e.task, *window) {
                    // A job that starts anew may count its windows anew.
                    w.bounds.push((pos, *start, *end));
                    w.states.push((pos, e.at, WindowState::Open));
                    w.counts.push((pos, 0));
                }
            }
            What::WindowMerge { window, merged, start, end } => {
                let mut taken = 0;
                for id in merged {
                    if id != window
                        && let Some(other) = self.get(e.task, *id)
                    {
                        taken += other.count();
                        other.states.push((pos, e.at, WindowState::Merged));
                    }
                }
                if let Some(w) = self.get(e.task, *window) {
                    w.bounds.push((pos, *start, *end));
                    if taken > 0 {
                        let count = w.count() + taken;
                        w.counts.push((pos, count));
                    }
                }
            }
            What::WindowAdd { window, .. } => {
                if let Some(w) = self.get(e.task, *window) {
                    let count = w.count() + 1;
                    w.counts.push((pos, count));
                }
            }
            What::WindowFire { window, rows, start, end, .. } => {
                if let Some(w) = self.get(e.task, *window) {
                    if w.span() != (*start, *end) {
                        w.bounds.push((pos, *start, *end));
                    }
                    w.states.push((pos, e.at, WindowState::Fired(*rows)));
                }
            }
            _ => {}
        }
    }

    /// The job starts again: each window is as it was at its task's snapshot, which lies at `cuts[task]`.
    pub(super) fn restore(&mut self, pos: Pos, cuts: &[Pos]) {
        for w in &mut self.all {
            let at = cuts.get(usize::from(w.task)).copied().unwrap_or(0);
            let then = before(&w.states, at, |s| s.0).map(|s| s.2);
            let state = then.unwrap_or(WindowState::Lost);
            if state != w.state() {
                let time = w.states.last().map_or(0, |s| s.1);
                w.states.push((pos, time, state));
            }
            if let Some(&(_, start, end)) = before(&w.bounds, at, |b| b.0)
                && (start, end) != w.span()
            {
                w.bounds.push((pos, start, end));
            }
            let count = before(&w.counts, at, |c| c.0).map_or(0, |c| c.1);
            if count != w.count() {
                w.counts.push((pos, count));
            }
        }
    }

    pub(super) fn truncate(&mut self, n: Pos) {
        cut(&mut self.all, n, |w| w.pos);
        let kept = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.by_id.retain(|_, i| *i < kept);
        for list in self.by_key.values_mut() {
            list.retain(|i| *i < kept);
        }
        self.by_key.retain(|_, list| !list.is_empty());
        for w in &mut self.all {
            cut(&mut w.bounds, n, |b| b.0);
            cut(&mut w.states, n, |s| s.0);
            cut(&mut w.counts, n, |c| c.0);
        }
    }

    fn push(&mut self, window: Window) {
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.by_id.insert((window.task, window.id), index);
        self.by_key.entry((window.task, window.key.clone())).or_default().push(index);
        self.all.push(window);
    }

    fn get(&mut self, task: u16, id: u64) -> Option<&mut Window> {
        let index = self.index(task, id)?;
        self.all.get_mut(index as usize)
    }
}
