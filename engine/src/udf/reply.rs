//! Reading an answer where it lies: its heads first, then each column, copied once.

use arrow_array::ArrayRef;
use arrow_buffer::MutableBuffer;
use highwater_abi::{Column, Header, Output};

use super::Instance;
use super::answer::{self, Answer, Lie};
use crate::schema::DataType;

/// A frame after its call.
pub(super) struct Reply<'a> {
    /// The guest.
    pub instance: &'a mut dyn Instance,
    /// Where the frame begins.
    pub arena: u32,
    /// Its head, as the engine wrote it.
    pub header: &'a Header,
}

impl Reply<'_> {
    /// Appends `len` bytes at an offset into the frame.
    fn copy(&mut self, offset: u32, len: usize, into: &mut MutableBuffer) -> Result<(), Lie> {
        let address = self.arena.checked_add(offset);
        match address.is_some_and(|address| self.instance.append(address, len, into)) {
            true => Ok(()),
            false => Err("its frame's address is out of memory".into()),
        }
    }

    /// The first bytes of the output region, at most `len`.
    pub fn head(&mut self, len: usize) -> Result<MutableBuffer, Lie> {
        let len = len.min(self.header.out_cap as usize);
        let mut head = MutableBuffer::with_capacity(len);
        self.copy(self.header.out_off, len, &mut head)?;
        Ok(head)
    }

    /// Appends the accumulators.
    pub fn state(&mut self, into: &mut MutableBuffer) -> Result<(), Lie> {
        let len = self.header.slots as usize * self.header.state_stride as usize;
        self.copy(self.header.state_off, len, into)
    }

    /// The columns of the answer and how many rows they have.
    pub fn columns(
        &mut self,
        types: &[DataType],
        most: usize,
    ) -> Result<(usize, Vec<ArrayRef>), Lie> {
        let (out_off, out_cap) = (self.header.out_off, self.header.out_cap as usize);
        let varies = |t: &DataType| matches!(t, DataType::String | DataType::Bytes);
        let len = match types.iter().any(varies) {
            true => out_cap,
            false => Output::LEN + types.len() * Column::LEN,
        };
        // The guest may have written anything: from here on its own memory is not looked at twice.
        let head = self.head(len)?;
        let answer = Answer { region: &head, out_off };
        if types.iter().any(varies) {
            return answer.columns(types, most);
        }
        let (rows, heads) = answer.heads(types, most)?;
        let mut columns = Vec::with_capacity(types.len());
        for (i, (head, data_type)) in heads.iter().zip(types).enumerate() {
            let column = self.column(head, *data_type, rows);
            columns.push(column.map_err(|lie| format!("column {i}: {lie}"))?);
        }
        Ok((rows, columns))
    }

    fn column(&mut self, head: &Column, data_type: DataType, rows: usize) -> Result<ArrayRef, Lie> {
        let bits = rows.div_ceil(8);
        let nulls = match head.validity_off {
            0 => None,
            at => {
                self.inside("validity bits", at, bits)?;
                let mut validity = MutableBuffer::with_capacity(bits);
                self.copy(at, bits, &mut validity)?;
                answer::nulls_of(&validity, rows)
            }
        };
        self.inside("values", head.data_off, head.data_len as usize)?;
        let len = match data_type {
            DataType::Boolean => bits,
            _ => rows * answer::width(data_type),
        };
        answer::enough(head.data_len as usize, len)?;
        let mut data = MutableBuffer::with_capacity(len);
        self.copy(head.data_off, len, &mut data)?;
        Ok(answer::whole(data.into(), data_type, rows, nulls))
    }

    fn inside(&self, what: &str, at: u32, len: usize) -> Result<(), Lie> {
        let end = u64::from(self.header.out_off) + u64::from(self.header.out_cap);
        if at < self.header.out_off || u64::from(at) + len as u64 > end {
            return Err(format!("its {what} ({len} bytes at {at}) leave the output region"));
        }
        Ok(())
    }
}
