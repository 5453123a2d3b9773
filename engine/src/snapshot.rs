//! Snapshots: state as bytes, in a versioned, checksummed envelope with a section per task.
//!
//! Layout, little endian: magic `HWSN`, format version u32, checkpoint u64, number of sections u32;
//! then per section: name length u32, name, content length u64, CRC-32 of name and content u32,
//! content (rkyv); last a CRC-32 of everything before it. Any flipped bit and any cut is detected.

use rkyv::{Archive, Deserialize, Serialize};

use crate::error::{Diagnostic, Result};
use crate::value::Value;

/// The envelope's format. Raised when a section's content changes shape.
pub const FORMAT: u32 = 1;
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The checkpoint's number.
    pub checkpoint: u64,
    /// Name and content, in the order of the job's tasks.
    pub sections: Vec<(String, Vec<u8>)>,
}

impl Snapshot {
    /// The envelope's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&self.checkpoint.to_le_bytes());
        out.extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
        for (name, content) in &self.sections {
            out.extend_from_slice(&(name.len() as u32).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&(content.len() as u64).to_le_bytes());
            out.extend_from_slice(&section_crc(name, content).to_le_bytes());
            out.extend_from_slice(content);
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// `snapshot.corrupt` for anything but exactly what [`Snapshot::encode`] wrote;
    /// `snapshot.version` for another format.
    pub fn decode(bytes: &[u8]) -> Result<Snapshot> {
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
        let body = bytes.len().checked_sub(4).ok_or_else(|| corrupt("it is cut short"))?;
        let stored = u32::from_le_bytes(bytes[body..].try_into().expect("four bytes"));
        if crc32fast::hash(&bytes[..body]) != stored {
            return Err(corrupt("its checksum does not match"));
        }
        let checkpoint = at.u64()?;
        let count = at.u32()?;
        let mut sections = Vec::new();
        for _ in 0..count {
            let name_len = at.u32()? as usize;
            let name = std::str::from_utf8(at.take(name_len)?)
                .map_err(|_| corrupt("a section's name is not text"))?
                .to_owned();
            let len = usize::try_from(at.u64()?).map_err(|_| corrupt("a section is too long"))?;
            let crc = at.u32()?;
            let content = at.take(len)?.to_vec();
            if section_crc(&name, &content) != crc {
                return Err(corrupt(&format!("section `{name}` does not match its checksum")));
            }
            sections.push((name, content));
        }
        if at.pos != body {
            return Err(corrupt("there are bytes after its end"));
        }
        Ok(Snapshot { checkpoint, sections })
    }

    /// The content of a section.
    ///
    /// # Errors
    /// `snapshot.mismatch` when there is none of that name.
    pub fn section(&self, name: &str) -> Result<&[u8]> {
        self.sections
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, content)| content.as_slice())
            .ok_or_else(|| {
                Diagnostic::new(
                    "snapshot.mismatch",
                    format!("the snapshot has no state for `{name}`: it is of another pipeline"),
                )
                .hint("restore it with the same script, guests and parallelism")
            })
    }
}

fn section_crc(name: &str, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(name.as_bytes());
    hasher.update(content);
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
        let snapshot = Snapshot {
            checkpoint: 7,
            sections: vec![("window/0".into(), vec![1, 2, 3]), ("sink/0".into(), vec![])],
        };
        let bytes = snapshot.encode();
        assert_eq!(Snapshot::decode(&bytes).expect("intact"), snapshot);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Snapshot::decode(&bad).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Snapshot::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Snapshot::decode(&longer).is_err());
    }
}
