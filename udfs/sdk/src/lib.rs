//! Write user-defined operators and functions for Highwater in Rust: declare what goes in and out, write the idea.
//!
//! ```
//! highwater_udf::window! {
//!     name: "minutes",
//!     description: "One-minute windows that count.",
//!     parameters { minutes: BIGINT = 1 }
//!     row { price: DOUBLE }
//!     state { rows: BIGINT }
//!     output { rows: BIGINT }
//!     exports { assign, accumulate, result }
//! }
//!
//! fn assign(p: &Parameters, row: &Row) -> Option<highwater_udf::Window> {
//!     let size = p.minutes.checked_mul(60_000)?;
//!     let start = row.time - row.time.checked_rem_euclid(size)?;
//!     Some((start, start.checked_add(size)?))
//! }
//!
//! fn accumulate(_: &Parameters, _: &Row, state: &mut State) {
//!     state.rows += 1;
//! }
//!
//! fn result(_: &Parameters, _: highwater_udf::Window, state: &State) -> Option<Output> {
//!     Some(Output { rows: Some(state.rows) })
//! }
//! # fn main() {}
//! ```
//!
//! A function of one row's values is shorter:
//!
//! ```
//! highwater_udf::function! {
//!     name: "linear",
//!     description: "a * 908 + b.",
//!     arguments { a: BIGINT, b: BIGINT }
//!     returns: BIGINT,
//!     nulls: strict,
//! }
//!
//! fn call(a: i64, b: i64) -> i64 {
//!     a.wrapping_mul(908).wrapping_add(b)
//! }
//! # fn main() {}
//! ```
//!
//! A guest keeps nothing between calls: all it knows of the past is in `State`, which belongs to the
//! engine. Floating-point functions beyond the basic arithmetic come from the `libm` crate, so that
//! every host computes the same bits.

#![no_std]

mod answer;
#[doc(hidden)]
pub mod call;
mod frame;
mod function;
mod guest;
mod macros;
#[doc(hidden)]
pub mod shim;

pub use answer::{Fixed, Table};
pub use call::Text;
pub use frame::{BLOCK, Block, Cell, Input, Parts, Reader};
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use guest::wasm;
#[doc(hidden)]
pub use highwater_abi as abi;

/// Start and end of a window, milliseconds since 1970, the end exclusive.
pub type Window = (i64, i64);

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    /// Every little thing.
    Trace = 0,
    /// For finding mistakes.
    Debug = 1,
    /// Worth knowing.
    Info = 2,
    /// Odd.
    Warn = 3,
    /// Wrong.
    Error = 4,
}

/// Writes a line to the trace. It has no effect on results; at most 1 KiB of it is kept.
pub fn log(level: Level, line: &str) {
    guest::log(level, line);
}
