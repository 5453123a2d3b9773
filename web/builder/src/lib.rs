//! Builds Highwater's WebAssembly modules and its page on any machine with Rust.
//!
//! Without the feature `page` this is plain std: tests of other packages ask it for [`artifacts`].

pub mod artifacts;
pub mod failure;
pub mod setup;
pub mod workspace;

#[cfg(feature = "page")]
pub mod browser;
#[cfg(feature = "page")]
pub mod page;
#[cfg(feature = "page")]
pub mod verify;
