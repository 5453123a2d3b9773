//! The guests of a job: admitted modules by the path a script calls them by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Guest, GuestModule, Limits, Sandbox};
use crate::error::{Diagnostic, Result};
use crate::value::Value;

/// Admitted modules by path.
#[derive(Clone, Default)]
pub struct Guests {
    modules: BTreeMap<String, Arc<GuestModule>>,
}

impl Guests {
    /// Admits a module under the path a script uses.
    ///
    /// # Errors
    /// What the admission gate says.
    pub fn admit(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let module = GuestModule::admit(bytes, Limits::default())?;
        self.modules.insert(path.to_owned(), Arc::new(module));
        Ok(())
    }

    /// The module of a path.
    ///
    /// # Errors
    /// `guest.missing` when nobody has given it.
    pub fn module(&self, path: &str) -> Result<&Arc<GuestModule>> {
        self.modules.get(path).ok_or_else(|| {
            Diagnostic::new("guest.missing", format!("there is no guest `{path}`"))
                .hint("`cargo play` and `cargo verify` build the guests; a path is relative to the script")
        })
    }

    /// A guest ready to be called.
    ///
    /// # Errors
    /// As [`Guests::module`].
    pub fn start(
        &self,
        path: &str,
        sandbox: &Arc<dyn Sandbox>,
        parameters: &[Value],
    ) -> Result<Guest> {
        Ok(Guest::new(Arc::clone(self.module(path)?), Arc::clone(sandbox), parameters))
    }
}
