//! What went wrong, in one line a person can act on.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

/// A step that could not be done: one line that says what and, where it is known, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

/// The result of a step.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }

    /// A failure while `doing` something, with its cause.
    pub fn while_doing(doing: impl Display, cause: impl Display) -> Failure {
        Failure(format!("{doing}: {cause}"))
    }

    /// An operating system's error about a file or folder.
    pub(crate) fn file<'a>(
        verb: &'a str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Failure + 'a {
        move |cause| Failure(format!("cannot {verb} {}: {cause}", path.display()))
    }
}

impl Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
