//! State as plain little-endian bytes: numbers, columns of them, pieces shared between snapshots.

use std::sync::Arc;

use super::corrupt;
use crate::error::Result;

/// Bytes in pieces. A piece that has not changed since an earlier snapshot is the same memory there and
/// here: it is neither encoded nor copied again.
#[derive(Clone, Debug, Default)]
pub struct Pieces(Vec<Arc<Vec<u8>>>);

impl Pieces {
    /// Appends bytes.
    pub fn push(&mut self, bytes: Vec<u8>) {
        self.share(Arc::new(bytes));
    }

    /// Appends bytes that somebody else keeps, too.
    pub fn share(&mut self, bytes: Arc<Vec<u8>>) {
        if !bytes.is_empty() {
            self.0.push(bytes);
        }
    }

    /// Appends all pieces of another.
    pub fn append(&mut self, other: Pieces) {
        self.0.extend(other.0);
    }

    /// Piece after piece.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|piece| piece.as_slice())
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.iter().map(|piece| piece.len()).sum()
    }

    /// True without bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All bytes in a row.
    pub fn concat(self) -> Vec<u8> {
        let mut pieces = self.0;
        match pieces.pop() {
            None => Vec::new(),
            Some(only) if pieces.is_empty() => Arc::unwrap_or_clone(only),
            Some(last) => {
                pieces.push(last);
                pieces.iter().map(|p| p.as_slice()).collect::<Vec<_>>().concat()
            }
        }
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Pieces {
        let mut pieces = Pieces::default();
        pieces.push(bytes);
        pieces
    }
}

/// Appends a number.
pub fn put(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends an event time, or another number with a sign.
pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends bytes behind their length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends numbers side by side, without their count.
pub fn put_all(out: &mut Vec<u8>, numbers: &[u64]) {
    if cfg!(target_endian = "little") {
        out.extend_from_slice(arrow_buffer::ToByteSlice::to_byte_slice(numbers));
        return;
    }
    numbers.iter().for_each(|&number| put(out, number));
}

/// Reads what the `put` functions wrote. Whatever is not there is an error of code `snapshot.corrupt`.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// From the first byte on.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next so many bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| corrupt("it is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// What is left, without taking it.
    pub fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// The next number.
    ///
    /// # Errors
    /// When there are too few bytes.
    pub fn number(&mut self) -> Result<u64> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// The next number with a sign.
    ///
    /// # Errors
    /// When there are too few bytes.
    pub fn signed(&mut self) -> Result<i64> {
        Ok(self.number()? as i64)
    }

    /// How many things follow, each of at least one byte: never more than there are bytes.
    ///
    /// # Errors
    /// When there cannot be so many.
    pub fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        let count = usize::try_from(count).ok().filter(|&count| count <= self.left());
        count.ok_or_else(|| corrupt("it counts more than it holds"))
    }

    /// Bytes behind their length.
    ///
    /// # Errors
    /// When there are too few.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }

    /// The next so many numbers.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn numbers(&mut self, count: usize) -> Result<impl ExactSizeIterator<Item = u64> + 'a> {
        let len = count.checked_mul(8).ok_or_else(|| corrupt("it counts more than it holds"))?;
        let chunks = self.take(len)?.chunks_exact(8);
        Ok(chunks.map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))))
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// When something is.
    pub fn end(&self) -> Result<()> {
        match self.rest {
            [] => Ok(()),
            _ => Err(corrupt("there are bytes after a state's end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read_and_nothing_else() {
        let mut out = Vec::new();
        put(&mut out, u64::MAX);
        put_signed(&mut out, -5);
        put_bytes(&mut out, b"pane");
        put_all(&mut out, &[1, 1 << 63]);
        assert_eq!(out[8..16], [0xfb, 255, 255, 255, 255, 255, 255, 255]);
        let mut r = Reader::new(&out);
        assert_eq!((r.number().expect("there"), r.signed().expect("there")), (u64::MAX, -5));
        assert_eq!(r.bytes().expect("there"), b"pane");
        assert!(r.end().is_err());
        let numbers: Vec<u64> = r.numbers(2).expect("there").collect();
        assert_eq!(numbers, [1, 1 << 63]);
        r.end().expect("all is read");
        assert!(r.number().is_err());
        for bad in [9_u64, u64::MAX, 1 << 61] {
            let mut bytes = bad.to_le_bytes().to_vec();
            bytes.extend([0; 8]);
            assert!(Reader::new(&bytes).bytes().is_err());
            assert!(Reader::new(&bytes).numbers(bad as usize).is_err());
        }
    }

    #[test]
    fn pieces_are_shared_and_read_as_one() {
        let kept = Arc::new(vec![3, 4]);
        let mut pieces = Pieces::from(vec![1, 2]);
        pieces.share(Arc::clone(&kept));
        pieces.push(Vec::new());
        pieces.append(Pieces::from(vec![5]));
        assert_eq!((pieces.len(), pieces.iter().count()), (5, 3));
        assert_eq!(Arc::strong_count(&kept), 2);
        assert_eq!(pieces.concat(), [1, 2, 3, 4, 5]);
        assert_eq!(Pieces::from(vec![7]).concat(), [7]);
    }
}
