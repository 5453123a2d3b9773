//! The engine from outside: rules of the house, drivers against each other.

mod batch_mode;
mod changelog;
mod compare;
mod drivers;
mod emission;
mod paces;
mod inputs;
mod grouping;
mod guarantees;
mod joins;
mod ledger;
mod live;
mod lookup;
mod manual;
mod narrow;
mod ordered;
mod over;
mod power;
mod qualify;
mod random;
mod rank;
mod rescale;
mod sandbox;
mod scalars;
mod schedule;
mod sessions;
mod sinks;
mod snapshots;
mod state;
mod stream;
mod suppress;
mod temporal;
mod tidy;
mod ttl;
mod unaligned;
mod unawaited;
mod why;
mod window_joins;
mod windows;

/// The system's own takes a third of the tests' time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
