//! What stands between an export and the guest's own function. Called by the macros' code.

use highwater_abi::{Output, status, types};

use crate::answer::Windows;
use crate::{Input, Parts, Table, Window};

/// A record type the macros make.
pub trait Record<'a> {
    /// Columns it takes, the event time included.
    const COLUMNS: usize;
    /// Its columns, ready to be read.
    type Readers;
    /// The columns that begin at `first`.
    fn readers(input: &Input<'a>, first: usize) -> Self::Readers;
    /// Reads row `row`.
    fn read(readers: &Self::Readers, row: usize) -> Self;
}

/// An accumulator type the macros make.
pub trait Accumulator {
    /// Bytes it takes, as the manifest's layout says.
    const SIZE: usize;
    /// Reads one from its bytes.
    fn read(bytes: &[u8]) -> Self;
    /// Writes it to its bytes.
    fn write(&self, bytes: &mut [u8]);
}

/// An output type the macros make.
pub trait Answer {
    /// Its column types, after the slot.
    const TYPES: &'static [u8];
    /// Sets the cells of the row being written.
    fn write(&self, table: &mut Table<'_>);
}

/// The status for a frame that is none.
const NO_FRAME: i32 = status::ERROR;

/// The bytes of an accumulator.
#[inline(always)]
fn slot<S: Accumulator>(state: &mut [u8], slot: usize) -> &mut [u8] {
    &mut state[slot * S::SIZE..][..S::SIZE]
}

/// A frame taken apart, whose accumulators are `S`.
fn with_state<S: Accumulator>(frame: &mut [u8]) -> Option<Parts<'_>> {
    Parts::of(frame).filter(|p| p.header.slots == 0 || p.header.state_stride as usize == S::SIZE)
}

/// `win_assign`
pub fn assign<'a, R: Record<'a>, I: IntoIterator<Item = Window>>(
    frame: &'a mut [u8],
    windows: impl Fn(&R) -> I,
) -> i32 {
    let Some(parts) = Parts::of(frame) else { return NO_FRAME };
    let mut found = Windows::new(parts.output, parts.header.out_off);
    let readers = R::readers(&parts.input, 0);
    for row in 0..parts.header.rows {
        for window in windows(&R::read(&readers, row as usize)) {
            found.push(row, window);
        }
    }
    found.finish()
}

/// `win_merge_windows`: whether a window joins the group before it, given the group's bounds so far.
pub fn merge_windows(frame: &mut [u8], joins: impl Fn(Window, Window) -> bool) -> i32 {
    let Some(parts) = Parts::of(frame) else { return NO_FRAME };
    let mut table = Table::new(parts.output, parts.header.out_off, &[types::INT]);
    let (mut group, mut hull) = (0, (0, 0));
    for row in 0..parts.header.rows as usize {
        let window = (parts.input.time(0, row), parts.input.time(1, row));
        if row > 0 && joins(hull, window) {
            hull = (hull.0, hull.1.max(window.1));
        } else {
            group += i32::from(row > 0);
            hull = window;
        }
        table.set(0, Some(group));
        table.end_row();
    }
    table.finish()
}

/// `win_init`
pub fn init<S: Accumulator>(frame: &mut [u8], make: impl Fn() -> S) -> i32 {
    let Some(parts) = with_state::<S>(frame) else { return NO_FRAME };
    for i in 0..parts.header.slots as usize {
        make().write(slot::<S>(parts.state, i));
    }
    status::OK
}

/// `win_accumulate`
pub fn accumulate<'a, R: Record<'a>, S: Accumulator>(
    frame: &'a mut [u8],
    add: impl Fn(&R, &mut S),
) -> i32 {
    let Some(parts) = with_state::<S>(frame) else { return NO_FRAME };
    let (readers, slots) = (R::readers(&parts.input, 0), parts.input.reader::<i32>(R::COLUMNS));
    for row in 0..parts.header.rows as usize {
        let bytes = slot::<S>(parts.state, slots.get(row).unwrap_or_default() as usize);
        let mut state = S::read(bytes);
        add(&R::read(&readers, row), &mut state);
        state.write(bytes);
    }
    status::OK
}

/// `win_merge`
pub fn merge<S: Accumulator>(frame: &mut [u8], add: impl Fn(&mut S, &S)) -> i32 {
    let Some(parts) = with_state::<S>(frame) else { return NO_FRAME };
    let slots = [0, 1].map(|column| parts.input.reader::<i32>(column));
    for row in 0..parts.header.rows as usize {
        let [into, from] = slots.map(|s| s.get(row).unwrap_or_default() as usize);
        let other = S::read(slot::<S>(parts.state, from));
        let bytes = slot::<S>(parts.state, into);
        let mut state = S::read(bytes);
        add(&mut state, &other);
        state.write(bytes);
    }
    status::OK
}

/// `win_result`
pub fn result<S: Accumulator, A: Answer, I: IntoIterator<Item = A>>(
    frame: &mut [u8],
    rows: impl Fn(Window, &S) -> I,
) -> i32 {
    let Some(parts) = with_state::<S>(frame) else { return NO_FRAME };
    let mut table = Table::new(parts.output, parts.header.out_off, A::TYPES);
    let bounds = [0, 1].map(|column| parts.input.reader::<i64>(column));
    for i in 0..parts.header.slots as usize {
        let [start, end] = bounds.map(|b| b.get(i).unwrap_or_default());
        let window = (start, end);
        let state = S::read(slot::<S>(parts.state, i));
        for row in rows(window, &state) {
            table.set(0, Some(i as i32));
            row.write(&mut table);
            table.end_row();
        }
    }
    table.finish()
}

/// `join_match`
pub fn join<'a, L: Record<'a>, R: Record<'a>>(
    frame: &'a mut [u8],
    matches: impl Fn(&L, &R) -> bool,
) -> i32 {
    let Some(parts) = Parts::of(frame) else { return NO_FRAME };
    let mut table = Table::new(parts.output, parts.header.out_off, &[types::BOOLEAN]);
    let (lefts, rights) = (L::readers(&parts.input, 0), R::readers(&parts.input, L::COLUMNS));
    let positions = L::COLUMNS + R::COLUMNS;
    let places = [positions, positions + 1].map(|column| parts.input.reader::<i32>(column));
    for pair in 0..parts.header.rows as usize {
        let [left, right] = places.map(|p| p.get(pair).unwrap_or_default() as usize);
        let (left, right) = (L::read(&lefts, left), R::read(&rights, right));
        table.set(0, Some(matches(&left, &right)));
        table.end_row();
    }
    table.finish()
}

/// `hw_configure`: parameters from a frame of one row, or a complaint.
pub fn configure<P>(
    frame: &mut [u8],
    read: impl Fn(&Input<'_>) -> Result<P, &'static str>,
    keep: impl FnOnce(P),
) -> i32 {
    let Some(parts) = Parts::of(frame) else { return NO_FRAME };
    match read(&parts.input) {
        Ok(parameters) => {
            keep(parameters);
            status::OK
        }
        Err(text) => {
            let len = text.len().min(parts.output.len() - Output::LEN);
            parts.output[Output::LEN..][..len].copy_from_slice(&text.as_bytes()[..len]);
            let head = Output { status: status::ERROR, need: len as u32, rows: 0, columns: 0 };
            head.write(parts.output);
            status::ERROR
        }
    }
}

/// A state field's type: its bytes and back.
pub trait Field: Copy {
    /// Bytes it takes, and what its place is a multiple of.
    const SIZE: usize;
    /// From the first `SIZE` bytes.
    fn read(bytes: &[u8]) -> Self;
    /// To the first `SIZE` bytes.
    fn write(self, bytes: &mut [u8]);
}

macro_rules! fields {
    ($($type:ty),*) => {$(
        impl Field for $type {
            const SIZE: usize = size_of::<$type>();

            #[inline(always)]
            fn read(bytes: &[u8]) -> $type {
                let mut own = [0; size_of::<$type>()];
                own.copy_from_slice(&bytes[..size_of::<$type>()]);
                <$type>::from_le_bytes(own)
            }

            #[inline(always)]
            fn write(self, bytes: &mut [u8]) {
                bytes[..size_of::<$type>()].copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

fields!(i32, i64, f32, f64);

impl Field for bool {
    const SIZE: usize = 1;

    fn read(bytes: &[u8]) -> bool {
        bytes[0] != 0
    }

    fn write(self, bytes: &mut [u8]) {
        bytes[0] = u8::from(self);
    }
}

/// Reads the next field of an accumulator.
#[inline(always)]
pub fn take<T: Field>(bytes: &[u8], at: &mut usize) -> T {
    let start = at.next_multiple_of(T::SIZE);
    *at = start + T::SIZE;
    T::read(&bytes[start..])
}

/// Writes the next field of an accumulator.
#[inline(always)]
pub fn put<T: Field>(bytes: &mut [u8], at: &mut usize, value: T) {
    let start = at.next_multiple_of(T::SIZE);
    *at = start + T::SIZE;
    value.write(&mut bytes[start..]);
}

/// A text's bytes as an array, for a custom section.
pub const fn section<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = text.as_bytes()[i];
        i += 1;
    }
    bytes
}
