//! The thread that writes checkpoints while the stream goes on.

use std::fs::File;
use std::path::PathBuf;

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};
use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::snapshot::Snapshot;

use super::store::{self, Store};

/// A checkpoint to be written, once these files' bytes are durable.
struct Order {
    snapshot: Snapshot,
    files: Vec<(PathBuf, File)>,
}

/// One checkpoint at a time.
pub(crate) struct Writer {
    orders: Sender<Order>,
    done: Receiver<Result<u64>>,
    busy: bool,
}

impl Writer {
    /// Starts the thread; it ends with this.
    pub(crate) fn start(store: &Store) -> Writer {
        let folder = store.folder().to_owned();
        let (orders, inbox) = bounded::<Order>(1);
        let (outbox, done) = bounded(1);
        std::thread::spawn(move || {
            for order in inbox {
                if outbox.send(carry_out(&folder, &order)).is_err() {
                    break;
                }
            }
        });
        Writer { orders, done, busy: false }
    }

    /// Whether there is nothing to do.
    ///
    /// # Errors
    /// When the last checkpoint could not be written.
    pub(crate) fn idle(&mut self) -> Result<bool> {
        if self.busy {
            match self.done.try_recv() {
                Ok(result) => (self.busy, _) = (false, result?),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Err(died()),
            }
        }
        Ok(!self.busy)
    }

    /// Waits until there is nothing to do.
    ///
    /// # Errors
    /// As [`Writer::idle`].
    pub(crate) fn wait(&mut self) -> Result<()> {
        if self.busy {
            self.busy = false;
            self.done.recv().map_err(|_| died())??;
        }
        Ok(())
    }

    /// Has a checkpoint written, while nothing else is.
    pub(crate) fn write(&mut self, snapshot: Snapshot, files: Vec<(PathBuf, File)>) -> Result<()> {
        self.busy = true;
        self.orders.send(Order { snapshot, files }).map_err(|_| died())
    }
}

impl Drop for Writer {
    /// Whoever comes after this finds the folder at rest.
    fn drop(&mut self) {
        // What went wrong is told by whoever asks; nobody asks any more.
        let _ = self.wait();
    }
}

fn carry_out(folder: &std::path::Path, order: &Order) -> Result<u64> {
    for (path, file) in &order.files {
        file.sync_data().map_err(|e| super::cannot("make durable", path, &e))?;
    }
    store::write(folder, &order.snapshot)
}

fn died() -> highwater_engine::error::Error {
    Diagnostic::new("checkpoint.cannot-write", "the thread that writes checkpoints has ended")
}
