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

/// Tasks with something to do, in a queue a thread. A task stays with the thread that ran it last, whose
/// cache holds its state, until another thread has nothing else to do.
pub(super) struct Ready {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    queues: Vec<VecDeque<usize>>,
    /// Something has come home.
    home: bool,
    leave: bool,
    /// How many threads wait.
    waiting: usize,
}

impl Ready {
    pub(super) fn new(threads: usize) -> Ready {
        let queues = vec![VecDeque::new(); threads];
        let state = State { queues, home: false, leave: false, waiting: 0 };
        Ready { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A thread that panicked has left nothing half done here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task has something to do, best in that thread.
    pub(super) fn put(&self, thread: usize, task: usize) {
        let mut state = self.lock();
        state.queues[thread].push_back(task);
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Something has come home.
    pub(super) fn home(&self) {
        let mut state = self.lock();
        state.home = true;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Everybody may leave.
    pub(super) fn leave(&self) {
        self.lock().leave = true;
        self.changed.notify_all();
    }

    /// The next thing for a thread to do; waits for it if `patient`.
    pub(super) fn next(&self, thread: usize, patient: bool) -> Option<Next> {
        let mut state = self.lock();
        loop {
            if state.leave {
                return Some(Next::Leave);
            }
            if thread == 0 && std::mem::take(&mut state.home) {
                return Some(Next::Home);
            }
            if let Some(task) = state.queues[thread].pop_front() {
                return Some(Next::Task(task));
            }
            let longest = state.queues.iter_mut().max_by_key(|queue| queue.len());
            if let Some(task) = longest.and_then(VecDeque::pop_back) {
                return Some(Next::Task(task));
            }
            if !patient {
                return None;
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_stays_with_its_thread_until_another_has_nothing_to_do() {
        let ready = Ready::new(2);
        [(0, 7), (0, 8), (1, 9)].iter().for_each(|&(thread, task)| ready.put(thread, task));
        assert_eq!(ready.next(1, false), Some(Next::Task(9)));
        assert_eq!(ready.next(0, false), Some(Next::Task(7)));
        assert_eq!(ready.next(1, false), Some(Next::Task(8)));
        assert_eq!(ready.next(1, false), None);
        ready.home();
        assert_eq!(ready.next(1, false), None);
        assert_eq!(ready.next(0, false), Some(Next::Home));
        ready.put(1, 3);
        ready.leave();
        assert_eq!(ready.next(1, true), Some(Next::Leave));
    }
}
