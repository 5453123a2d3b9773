//! Snapshots: state as bytes, in a versioned, checksummed envelope with a section per task.
//!
//! Layout, little endian: magic `HWSN`, format version u32, checkpoint u64, number of sections u32;
//! then per section: name length u32, name, content length u64, CRC-32 of name and content u32,
//! content; last a CRC-32 of everything before it but the contents. Any flipped bit and any cut is
//! detected. Small state is rkyv, state of many keys plain numbers side by side ([`bytes`]), rows are
//! frames ([`rows`]).

pub mod bytes;
pub mod rows;

use rkyv::{Archive, Deserialize, Serialize};

use crate::error::{Diagnostic, Result};
use crate::seeded::seeded;
use crate::value::Value;
use bytes::Pieces;

/// The envelope's format. Raised when a section's content changes shape: format 1 held state value by
/// value.
pub const FORMAT: u32 = 2;
/// The section that holds the sources' position.
pub const INLET: &str = "inlet";
/// The section that holds what tells plans apart: accumulators of two functions may look alike.
pub const PLAN: &str = "plan";
/// The section that holds the seed, where records are drawn from it: another seed's go on from no place of these.
pub const SEED: &str = "seed";
/// The section that holds what was in flight, where barriers have overtaken it.
pub const IN_FLIGHT: &str = "in-flight";
const MAGIC: &[u8; 4] = b"HWSN";

/// A value inside a snapshot. Kept apart from [`Value`] so that the bytes never depend on how values
/// are held in memory.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// INT
    Int(i32),
    /// BIGINT
    BigInt(i64),
    /// FLOAT, as bits
    Float(u32),
    /// DOUBLE, as bits
    Double(u64),
    /// DECIMAL: unscaled number and scale
    Decimal(i128, u8),
    /// STRING
    String(String),
    /// BYTES
    Bytes(Vec<u8>),
    /// DATE
    Date(i32),
    /// TIMESTAMP(3)
    Timestamp(i64),
    /// TIMESTAMP_LTZ(3)
    TimestampLtz(i64),
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Boolean(v) => Cell::Boolean(*v),
            Value::Int(v) => Cell::Int(*v),
            Value::BigInt(v) => Cell::BigInt(*v),
            Value::Float(v) => Cell::Float(v.to_bits()),
            Value::Double(v) => Cell::Double(v.to_bits()),
            Value::Decimal(v, s) => Cell::Decimal(*v, *s),
            Value::String(v) => Cell::String(v.to_string()),
            Value::Bytes(v) => Cell::Bytes(v.to_vec()),
            Value::Date(v) => Cell::Date(*v),
            Value::Timestamp(v) => Cell::Timestamp(*v),
            Value::TimestampLtz(v) => Cell::TimestampLtz(*v),
        }
    }
}

impl From<&Cell> for Value {
    fn from(cell: &Cell) -> Value {
        match cell {
            Cell::Null => Value::Null,
            Cell::Boolean(v) => Value::Boolean(*v),
            Cell::Int(v) => Value::Int(*v),
            Cell::BigInt(v) => Value::BigInt(*v),
            Cell::Float(v) => Value::Float(f32::from_bits(*v)),
            Cell::Double(v) => Value::Double(f64::from_bits(*v)),
            Cell::Decimal(v, s) => Value::Decimal(*v, *s),
            Cell::String(v) => Value::String(v.as_str().into()),
            Cell::Bytes(v) => Value::Bytes(v.as_slice().into()),
            Cell::Date(v) => Value::Date(*v),
            Cell::Timestamp(v) => Value::Timestamp(*v),
            Cell::TimestampLtz(v) => Value::TimestampLtz(*v),
        }
    }
}

/// Values as cells.
pub fn cells(values: &[Value]) -> Vec<Cell> {
    values.iter().map(Cell::from).collect()
}

/// Cells as values.
pub fn values(cells: &[Cell]) -> Vec<Value> {
    cells.iter().map(Value::from).collect()
}

/// Archives one section's content with the engine's fixed rkyv format.
///
/// A macro, because rkyv's bounds for "any archivable type" are longer than the call.
#[macro_export]
macro_rules! archive {
    ($value:expr) => {
        rkyv::to_bytes::<rkyv::rancor::Error>($value)
            .expect("state in memory can be archived")
            .to_vec()
    };
}

/// Reads a section's content back, checking every byte; an error of code `snapshot.corrupt`.
#[macro_export]
macro_rules! unarchive {
    ($type:ty, $bytes:expr) => {
        rkyv::from_bytes::<$type, rkyv::rancor::Error>($bytes)
            .map_err(|e| $crate::snapshot::corrupt(&e.to_string()))
    };
}

/// The error of a snapshot that cannot be read.
pub fn corrupt(detail: &str) -> crate::error::Error {
    Diagnostic::new("snapshot.corrupt", format!("the snapshot is damaged: {detail}"))
        .hint("restore an older snapshot, or start from the beginning of the input")
}

/// A whole checkpoint: what every task wrote, by task name.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The checkpoint's number.
    pub checkpoint: u64,
    /// Name and content, in the order of the job's tasks.
    pub sections: Vec<(String, Pieces)>,
}

impl Snapshot {
    /// The bytes of the envelope, in one piece.
    pub fn encode(&self) -> Vec<u8> {
        let contents: usize = self.sections.iter().map(|(n, c)| n.len() + c.len() + 16).sum();
        let mut out = Vec::with_capacity(contents + 24);
        self.write(&mut |bytes| out.extend_from_slice(bytes));
        out
    }

    /// Hands the bytes of the envelope to `sink`, part by part: nothing large is copied on the way.
    pub fn write(&self, sink: &mut dyn FnMut(&[u8])) {
        let mut crc = crc32fast::Hasher::new();
        let mut head = |bytes: &[u8], sink: &mut dyn FnMut(&[u8])| {
            crc.update(bytes);
            sink(bytes);
        };
        let mut first = MAGIC.to_vec();
        first.extend_from_slice(&FORMAT.to_le_bytes());
        first.extend_from_slice(&self.checkpoint.to_le_bytes());
        first.extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
        head(&first, sink);
        for (name, content) in &self.sections {
            let mut of_section = Vec::with_capacity(name.len() + 16);
            of_section.extend_from_slice(&(name.len() as u32).to_le_bytes());
            of_section.extend_from_slice(name.as_bytes());
            of_section.extend_from_slice(&(content.len() as u64).to_le_bytes());
            of_section.extend_from_slice(&section_crc(name, content.iter()).to_le_bytes());
            head(&of_section, sink);
            content.iter().for_each(&mut *sink);
        }
        sink(&crc.finalize().to_le_bytes());
    }
}

/// An envelope that has been read and found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The checkpoint's number.
    pub checkpoint: u64,
    /// Name and content of each section, where they stand.
    pub sections: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Opened<'a> {
    /// Reads an envelope.
    ///
    /// # Errors
    /// `snapshot.corrupt` for anything but exactly what [`Snapshot::encode`] wrote;
    /// `snapshot.version` for another format.
    pub fn read(bytes: &'a [u8]) -> Result<Opened<'a>> {
        let mut at = Cursor { bytes, pos: 0 };
        if at.take(4)? != MAGIC {
            return Err(corrupt("it does not begin with a snapshot's mark"));
        }
        let format = at.u32()?;
        if format != FORMAT {
            return Err(Diagnostic::new(
                "snapshot.version",
                format!("the snapshot has format {format}, this engine reads {FORMAT}"),
            )
            .hint("restore it with the version that made it"));
        }
        let checkpoint = at.u64()?;
        let count = at.u32()?;
        let mut heads = crc32fast::Hasher::new();
        heads.update(&bytes[..at.pos]);
        let mut sections = Vec::new();
        for _ in 0..count {
            let begin = at.pos;
            let name_len = at.u32()? as usize;
            let name = std::str::from_utf8(at.take(name_len)?)
                .map_err(|_| corrupt("a section's name is not text"))?;
            // More than there is, in words that are the same however long addresses are.
            let len = usize::try_from(at.u64()?).unwrap_or(usize::MAX);
            let crc = at.u32()?;
            heads.update(&bytes[begin..at.pos]);
            let content = at.take(len)?;
            let believed = seeded("damaged-state-is-believed");
            if section_crc(name, [content].into_iter()) != crc && !believed {
                return Err(corrupt(&format!("section `{name}` does not match its checksum")));
            }
            sections.push((name, content));
        }
        if at.u32()? != heads.finalize() {
            return Err(corrupt("its checksum does not match"));
        }
        if at.pos != bytes.len() {
            return Err(corrupt("there are bytes after its end"));
        }
        Ok(Opened { checkpoint, sections })
    }

    /// The sections' names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.sections.iter().map(|(name, _)| *name)
    }

    /// The content of a section.
    ///
    /// # Errors
    /// `snapshot.mismatch` when there is none of that name.
    pub fn section(&self, name: &str) -> Result<&'a [u8]> {
        self.sections.iter().find(|(n, _)| *n == name).map(|(_, content)| *content).ok_or_else(
            || {
                Diagnostic::new(
                    "snapshot.mismatch",
                    format!("the snapshot has no state for `{name}`: it is of another pipeline"),
                )
                .hint("restore it with the same script and guests")
            },
        )
    }
}

fn section_crc<'a>(name: &str, content: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(name.as_bytes());
    content.for_each(|piece| hasher.update(piece));
    hasher.finalize()
}

struct Cursor<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.pos.checked_add(n).filter(|e| *e <= self.bytes.len());
        let end = end.ok_or_else(|| corrupt("it is cut short"))?;
        let slice = &self.bytes[self.pos..end];
        self.pos = end;
        Ok(slice)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_cut_is_detected() {
        let mut shared = Pieces::from(vec![1, 2]);
        shared.push(vec![3]);
        let snapshot = Snapshot {
            checkpoint: 7,
            sections: vec![("window/0".into(), shared), ("sink/0".into(), Pieces::default())],
        };
        let bytes = snapshot.encode();
        let opened = Opened::read(&bytes).expect("intact");
        assert_eq!(opened.checkpoint, 7);
        assert_eq!(opened.sections, [("window/0", &[1, 2, 3][..]), ("sink/0", &[])]);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Opened::read(&bad).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Opened::read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Opened::read(&longer).is_err());
    }

    /// What the first format wrote: an empty checkpoint 7.
    #[test]
    fn an_older_format_is_refused_by_its_number() {
        let old = b"HWSN\x01\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\xd5\x4e\x8b\x05";
        let error = Opened::read(old).expect_err("refused");
        assert_eq!(error.code, "snapshot.version");
        assert!(error.message.contains("format 1"), "{}", error.message);
    }
}
