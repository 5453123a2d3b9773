//! Highwater's host: the engine embedded beside wasmtime, as a library and as the `highwater` command.

pub mod bench;
pub mod checkpoint;
pub mod columns;
pub mod escape;
pub mod files;
pub mod job;
pub mod read_ahead;
pub mod report;
pub mod sandbox;
pub mod simulation;
pub mod table;
pub mod threads;
pub mod wasm_engine;

mod runtime;
