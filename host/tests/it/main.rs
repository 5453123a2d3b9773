//! The host from outside: the sandbox, `engine.wasm`'s ABI, the command.

mod bad_input;
mod bench;
mod bench_growth;
mod bench_nexmark;
mod checkpoint;
mod cli;
mod columns;
mod diff;
mod example;
mod hostile;
mod hosts;
mod oracle;
mod sandbox;
mod threads;
mod torture;
mod wasm_engine;
mod why;
