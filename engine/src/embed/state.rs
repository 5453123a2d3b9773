//! What the module remembers between calls.

use std::cell::RefCell;

use crate::session::{Files, Live, Options, Rows, Session};

/// Files, open sessions, the last result.
#[derive(Default)]
pub(super) struct State {
    pub files: Files,
    /// Few, each under its handle, in no order.
    pub sessions: Vec<(i32, Open)>,
    /// Jobs fed by the embedder, numbered in one row with the sessions.
    pub live: Vec<(i32, Live)>,
    pub result: Vec<u8>,
    last: i32,
}

/// An open session and what it was opened with.
pub(super) struct Open {
    pub session: Session,
    pub name: String,
    pub script: String,
    pub options: Options,
    /// The rows of a fast run.
    pub rows: Option<Vec<Rows>>,
}

impl Open {
    /// An independent copy.
    pub fn fork(&self) -> Open {
        Open {
            session: self.session.fork(),
            name: self.name.clone(),
            script: self.script.clone(),
            options: self.options,
            rows: None,
        }
    }
}

impl State {
    /// Keeps a session under a new handle.
    pub fn add(&mut self, open: Open) -> i32 {
        self.last += 1;
        self.sessions.push((self.last, open));
        self.last
    }

    /// Keeps a fed job under a new handle.
    pub fn add_live(&mut self, live: Live) -> i32 {
        self.last += 1;
        self.live.push((self.last, live));
        self.last
    }

    /// Hands a session out.
    pub fn take(&mut self, handle: i32) -> Option<Open> {
        let at = self.sessions.iter().position(|(known, _)| *known == handle)?;
        Some(self.sessions.swap_remove(at).1)
    }

    /// Hands a fed job out.
    pub fn take_live(&mut self, handle: i32) -> Option<Live> {
        let at = self.live.iter().position(|(known, _)| *known == handle)?;
        Some(self.live.swap_remove(at).1)
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Works on the state.
pub(super) fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|s| work(&mut s.borrow_mut()))
}
