//! The host from outside: the sandbox, `engine.wasm`'s ABI, the command.

mod cli;
mod example;
mod hosts;
mod oracle;
mod sandbox;
mod wasm_engine;
