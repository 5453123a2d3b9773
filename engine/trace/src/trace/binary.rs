//! The trace in its binary form: what hosts hand to pages.

#![allow(missing_docs, reason = "rkyv's twins repeat the fields")]

use rkyv::{Archive, Deserialize, Serialize};

use super::{Event, Header};
use crate::error::{Diagnostic, Result};

/// A stretch of a trace in its binary form.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The names behind the events' numbers.
    pub header: Header,
    /// The position of the first event in the whole trace.
    pub first: u64,
    /// The events.
    pub events: Vec<Event>,
}

/// The binary form: rkyv, little endian, unaligned.
///
/// # Panics
/// Never for a chunk that fits memory.
pub fn encode(chunk: &Chunk) -> Vec<u8> {
    rkyv::to_bytes::<rkyv::rancor::Error>(chunk)
        .expect("a chunk in memory can be archived")
        .to_vec()
}

/// Reads the binary form, checking every byte.
///
/// # Errors
/// When the bytes are no trace chunk.
pub fn decode(bytes: &[u8]) -> Result<Chunk> {
    rkyv::from_bytes::<Chunk, rkyv::rancor::Error>(bytes).map_err(|e| {
        Diagnostic::new("trace.corrupt", format!("these bytes are no trace: {e}"))
            .hint("the file may be cut short or made by another version")
    })
}
