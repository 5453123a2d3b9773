//! Which tasks have something to do, and which thread looks after which.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a thread is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Run a task.
    Task(usize),
    /// Look at what has come home: only for the calling thread.
    Home,
    /// Go: there is nothing to do any more.
    Leave,
}

/// Tasks with something to do, in a queue a thread. A task belongs to the thread whose cache holds its
/// state; another takes it over only from one that has more to do than that. Light tasks have no state to
/// speak of: whoever is free takes them.
pub(super) struct Ready {
    state: Mutex<State>,
    /// One a thread.
    changed: Vec<Condvar>,
}

struct State {
    queues: Vec<VecDeque<(usize, bool)>>,
    /// Threads that wait.
    idle: Vec<bool>,
    /// Something has come home.
    home: bool,
    leave: bool,
}

impl Ready {
    pub(super) fn new(threads: usize) -> Ready {
        let queues = vec![VecDeque::new(); threads];
        let state = State { queues, idle: vec![false; threads], home: false, leave: false };
        let changed = (0..threads).map(|_| Condvar::new()).collect();
        Ready { state: Mutex::new(state), changed }
    }

    /// A thread that panicked has left nothing half done here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task of that thread has something to do.
    pub(super) fn put(&self, thread: usize, task: usize, light: bool) {
        let mut state = self.lock();
        state.queues[thread].push_back((task, light));
        let helps = light || state.queues[thread].len() > 1;
        let helper = match state.idle[thread] {
            true => Some(thread),
            false if helps => state.idle.iter().position(|&idle| idle),
            false => None,
        };
        drop(state);
        if let Some(helper) = helper {
            self.changed[helper].notify_one();
        }
    }

    /// Something has come home.
    pub(super) fn home(&self) {
        let mut state = self.lock();
        state.home = true;
        if state.idle[0] {
            self.changed[0].notify_one();
        }
    }

    /// Everybody may leave.
    pub(super) fn leave(&self) {
        self.lock().leave = true;
        self.changed.iter().for_each(Condvar::notify_one);
    }

    /// The next thing for a thread to do; waits until there is one.
    pub(super) fn next(&self, thread: usize) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(next) = state.next(thread) {
                return next;
            }
            state.idle[thread] = true;
            state = self.changed[thread].wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle[thread] = false;
        }
    }
}

impl State {
    fn next(&mut self, thread: usize) -> Option<Next> {
        if self.leave {
            return Some(Next::Leave);
        }
        if thread == 0 && std::mem::take(&mut self.home) {
            return Some(Next::Home);
        }
        if let Some((task, _)) = self.queues[thread].pop_front() {
            return Some(Next::Task(task));
        }
        for queue in &mut self.queues {
            if let Some(at) = queue.iter().position(|(_, light)| *light) {
                return queue.remove(at).map(|(task, _)| Next::Task(task));
            }
        }
        let longest = self.queues.iter_mut().max_by_key(|queue| queue.len())?;
        if longest.len() < 2 {
            return None;
        }
        longest.pop_back().map(|(task, _)| Next::Task(task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_stays_with_its_thread_unless_that_has_more_to_do() {
        let ready = Ready::new(2);
        let next = |thread| ready.lock().next(thread);
        [(0, 7), (0, 8), (1, 9)].iter().for_each(|&(thread, task)| ready.put(thread, task, false));
        assert_eq!(next(1), Some(Next::Task(9)));
        assert_eq!(next(1), Some(Next::Task(8)));
        assert_eq!(next(1), None);
        assert_eq!(next(0), Some(Next::Task(7)));
        ready.home();
        assert_eq!(next(1), None);
        assert_eq!(next(0), Some(Next::Home));
        assert_eq!(next(0), None);
        ready.put(1, 4, true);
        assert_eq!(next(0), Some(Next::Task(4)));
        ready.put(1, 3, false);
        ready.leave();
        assert_eq!(ready.next(1), Next::Leave);
    }
}
