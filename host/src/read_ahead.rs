//! Reading ahead: input is decoded in threads of its own while the engine works on what came before.
//!
//! Which rows a reader hands out, and in which order, does not depend on when it is asked. So the job cannot
//! tell, and its results are the same.

use std::cell::RefCell;
use std::rc::Rc;

use crossbeam::channel::{Receiver, bounded};
use highwater_engine::error::Result;
use highwater_engine::source::{Chunk, Detached, Reader};

/// How many chunks wait for the engine, each of some thousand rows.
const CHUNKS: usize = 4;
/// The most threads: tables of more partitions read the others when asked.
const THREADS: usize = 8;

/// Gives readers threads.
#[derive(Default)]
pub struct ReadAhead {
    started: usize,
    /// How much of how much each reader has handed out; whether all of them know.
    read: Rc<RefCell<Vec<Amount>>>,
    untold: bool,
}

/// How much has been read, and of how much, where that is known.
type Amount = Option<(u64, u64)>;

impl ReadAhead {
    /// The same rows, read ahead as long as there are threads to be had.
    pub fn wrap(&mut self, reader: Box<dyn Reader + Send>) -> Box<dyn Reader> {
        if self.started == THREADS {
            self.untold = true;
            return reader;
        }
        self.started += 1;
        let place = self.read.borrow().len();
        self.read.borrow_mut().push(reader.read_of());
        let read = Rc::clone(&self.read);
        Box::new(Ahead { relative: reader.relative(), state: State::Waiting(reader), read, place })
    }

    /// The share of all input that has been handed out, from 0 to 1, each reader's counting the same; `None`
    /// where some reader does not know.
    pub fn share(&self) -> Option<f64> {
        let read = self.read.borrow();
        if self.untold || read.is_empty() {
            return None;
        }
        let each = read.iter().map(|amount| {
            let (done, all) = (*amount)?;
            Some(if all == 0 { 1.0 } else { (done as f64 / all as f64).min(1.0) })
        });
        each.sum::<Option<f64>>().map(|sum| sum / read.len() as f64)
    }
}

struct Ahead {
    relative: bool,
    state: State,
    read: Rc<RefCell<Vec<Amount>>>,
    place: usize,
}

/// What a reader answered, and how far it was then.
type Answer = (Result<Option<Chunk>>, Amount);

enum State {
    /// Nothing has been asked for yet.
    Waiting(Box<dyn Reader + Send>),
    Reading(Receiver<Answer>),
    /// The last answer, to be repeated.
    Done(Result<Option<Chunk>>),
}

/// Reads until the end, an error, or until nobody listens any more.
fn start(mut reader: Box<dyn Reader + Send>, max_rows: usize) -> Receiver<Answer> {
    let (sender, receiver) = bounded(CHUNKS);
    std::thread::spawn(move || {
        loop {
            let answer = reader.read(max_rows);
            let last = !matches!(answer, Ok(Some(_)));
            if sender.send((answer, reader.read_of())).is_err() || last {
                break;
            }
        }
    });
    receiver
}

impl Reader for Ahead {
    /// All calls ask for the same number of rows.
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let receiver = match std::mem::replace(&mut self.state, State::Done(Ok(None))) {
            State::Waiting(reader) => start(reader, max_rows),
            State::Reading(receiver) => receiver,
            State::Done(last) => {
                self.state = State::Done(last.clone());
                return last;
            }
        };
        let (answer, amount) = receiver.recv().expect("a reading thread ends with an answer");
        self.read.borrow_mut()[self.place] = amount;
        self.state = match &answer {
            Ok(Some(_)) => State::Reading(receiver),
            last => State::Done(last.clone()),
        };
        answer
    }

    fn relative(&self) -> bool {
        self.relative
    }

    fn detach(self: Box<Self>) -> Detached {
        Err(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_engine::error::Diagnostic;
    use highwater_engine::numbers::Numbers;
    use std::sync::Arc;
    use std::time::Duration;

    /// Chunks of one row, then the end or an error.
    struct Rows(
        u64,
        Option<&'static str>,
        #[expect(dead_code, reason = "counts who is alive")] Arc<()>,
    );

    impl Reader for Rows {
        fn read(&mut self, _: usize) -> Result<Option<Chunk>> {
            if self.0 == 0 {
                return self.1.map_or(Ok(None), |code| Err(Diagnostic::new(code, "broken")));
            }
            self.0 -= 1;
            let one = Numbers::same(self.0, 1);
            let (offsets, lines, arrivals) = (one.clone(), one.clone(), one);
            let (columns, bad) = (Vec::new(), Vec::new());
            Ok(Some(Chunk { columns, rows: 1, offsets, lines, arrivals, bad }))
        }

        fn relative(&self) -> bool {
            true
        }

        fn detach(self: Box<Self>) -> Detached {
            Ok(self)
        }
    }

    #[test]
    fn the_rows_are_the_same_and_so_is_what_ends_them() {
        for end in [None, Some("source.broken")] {
            let mut ahead = ReadAhead::default();
            // More readers than threads.
            for reader in 0..THREADS + 3 {
                let mut reader = (reader, ahead.wrap(Box::new(Rows(50, end, Arc::default()))));
                assert!(reader.1.relative());
                for row in (0..50).rev() {
                    let chunk = reader.1.read(8).expect("a chunk").expect("not the end");
                    assert_eq!(chunk.offsets.at(0), row, "reader {}", reader.0);
                }
                for _ in 0..2 {
                    let found = reader.1.read(8).map(|chunk| chunk.is_some());
                    assert_eq!(found.map_err(|e| e.code), end.map_or(Ok(false), Err));
                }
            }
        }
    }

    #[test]
    fn the_share_is_that_of_all_readers_and_unknown_where_one_does_not_know() {
        struct Half(u64);
        impl Reader for Half {
            fn read(&mut self, _: usize) -> Result<Option<Chunk>> {
                self.0 += 1;
                Rows(1, None, Arc::default()).read(1)
            }
            fn relative(&self) -> bool {
                true
            }
            fn detach(self: Box<Self>) -> Detached {
                Ok(self)
            }
            fn read_of(&self) -> Option<(u64, u64)> {
                Some((self.0, 2))
            }
        }
        let mut ahead = ReadAhead::default();
        let mut first = ahead.wrap(Box::new(Half(0)));
        let _second = ahead.wrap(Box::new(Half(0)));
        assert_eq!(ahead.share(), Some(0.0));
        assert!(first.read(1).expect("a chunk").is_some());
        assert_eq!(ahead.share(), Some(0.25));
        let _third = ahead.wrap(Box::new(Rows(1, None, Arc::default())));
        assert_eq!(ahead.share(), None);
    }

    #[test]
    fn a_reader_nobody_asks_again_ends_its_thread() {
        let alive = Arc::new(());
        let rows = Rows(1_000_000, None, Arc::clone(&alive));
        let mut ahead = ReadAhead::default().wrap(Box::new(rows));
        assert!(ahead.read(8).expect("a chunk").is_some());
        assert_eq!(Arc::strong_count(&alive), 2, "the thread has the reader");
        drop(ahead);
        let gone = (0..10_000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            Arc::strong_count(&alive) == 1
        });
        assert!(gone, "the thread goes on without a listener");
    }
}
