//! Guests from the gate to their answers, run by an interpreter.

#[path = "../it/sandbox.rs"]
mod sandbox;

mod functions;
mod gate;
mod guests;
mod honest;
mod hostile;
mod meter;

use std::sync::Arc;

use highwater_engine::udf::{Guest, GuestModule, Limits};

fn admit(module: &[u8]) -> Arc<GuestModule> {
    Arc::new(GuestModule::admit(module, Limits::default()).unwrap_or_else(|e| panic!("{e}")))
}

fn guest(module: &[u8]) -> Guest {
    Guest::new(admit(module), Arc::new(sandbox::Interpreter), &[])
}
