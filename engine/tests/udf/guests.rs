//! The Rust guests.
