//! `highwater bench`: the engine beside a hand-written loop.

use clap::Args;

use super::Done;
use super::console::Console;

#[derive(Args)]
pub(super) struct BenchArgs {
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    records: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn bench(_args: &BenchArgs, _console: &mut Console) -> Done {
    Ok(())
}
