//! A guest module that has passed the gate and the meter.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::manifest::Manifest;
use super::{Limits, gate, meter};
use crate::error::Result;

/// A guest that may run: admitted, metered, its manifest read.
#[derive(Clone, Debug)]
pub struct GuestModule {
    manifest: Manifest,
    metered: Vec<u8>,
    identity: [u8; 32],
    exports: BTreeSet<String>,
    limits: Limits,
}

impl GuestModule {
    /// Checks a module and rewrites it to run under `limits`.
    ///
    /// # Errors
    /// Codes `guest.…`: the module is no WebAssembly, wants or lacks something, or is too large.
    pub fn admit(bytes: &[u8], limits: Limits) -> Result<GuestModule> {
        let gate::Admitted { manifest, exports, shape } = gate::admit(bytes, &limits)?;
        let metered = meter::meter(bytes, &shape, &limits)?;
        Ok(GuestModule {
            manifest,
            metered,
            identity: Sha256::digest(bytes).into(),
            exports,
            limits,
        })
    }

    /// What the guest says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The rewritten module: what sandboxes run.
    pub fn metered(&self) -> &[u8] {
        &self.metered
    }

    /// SHA-256 of the original bytes.
    pub fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// Whether the guest exports a function of that name.
    pub fn has(&self, export: &str) -> bool {
        self.exports.contains(export)
    }

    /// What it runs under.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}
