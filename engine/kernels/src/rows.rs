//! Loops over rows: which slot each belongs to, new highs, gathers.

/// No block of slots serves these keys.
pub const MISSING: u32 = u32::MAX;

/// Slots come in blocks of this many keys with neighbouring numbers.
const BLOCK: usize = Spread::BLOCK;

/// How rows spread over a few slices of time, and where each slice's blocks of slots are listed.
pub struct Spread<'a> {
    /// Event times of the rows.
    pub times: &'a [i64],
    /// Key numbers of the rows.
    pub ids: &'a [u32],
    /// Block numbers by slice and key number over [`Spread::BLOCK`].
    pub tables: &'a [u32],
    /// Where in `tables` the list of each slice begins; the first is that of rows before `open`.
    pub bases: &'a [usize; 16],
    /// Times below this belong to no slice.
    pub open: i64,
    /// Where each slice but the first begins, rising; at most 7.
    pub starts: &'a [i64],
    /// Where the first slice begins and how long each is, when all are as long and none is held at an end of time.
    pub step: Option<(i64, i64)>,
}

impl Spread<'_> {
    /// Keys a block of slots.
    pub const BLOCK: usize = 16;

    /// Finds each row's slot without a branch; answers how many rows come before `open`, and whether a block
    /// is [`MISSING`] (the slot then holds only the key's place in it below, all bits set above).
    #[inline(never)]
    pub fn find(&self, slots: &mut [u32]) -> (u64, bool) {
        match (self.starts, self.step) {
            ([], _) => self.find_by(|_| 0, slots),
            (&[a], _) => self.find_by(|time| usize::from(time >= a), slots),
            (_, Some((first, step))) if step < 1 << 28 => {
                // A product for a quotient (Granlund, Montgomery: Division by Invariant Integers using Multiplication,
                // 1994): the factor is less than 1 + step / 2^60 times what it should be, and a time of the run lies
                // less than 8 steps behind the first, so what is too much stays below one.
                let factor = (1 << 60) / step as u64 + 1;
                let slice = |time: i64| {
                    ((time.wrapping_sub(first) as u64).wrapping_mul(factor) >> 60) as usize
                };
                self.find_by(slice, slots)
            }
            _ => {
                let mut all = [i64::MAX; 7];
                all[..self.starts.len()].copy_from_slice(self.starts);
                let after = |time: i64| all.iter().map(|&s| usize::from(time >= s)).sum();
                self.find_by(after, slots)
            }
        }
    }

    /// `slice`: how many slices lie before that of a time, if it is in one.
    #[inline(always)]
    fn find_by(&self, slice: impl Fn(i64) -> usize, slots: &mut [u32]) -> (u64, bool) {
        let (mut late, mut missing) = (0, false);
        for ((slot, &time), &id) in slots.iter_mut().zip(self.times).zip(self.ids) {
            let on_time = usize::from(time >= self.open);
            late += 1 - on_time as u64;
            let base = self.bases[(on_time * (1 + slice(time))) & 15];
            let block = self.tables[base + id as usize / BLOCK];
            missing |= block == MISSING;
            *slot = block.wrapping_mul(BLOCK as u32) | (id % BLOCK as u32);
        }
        (late, missing)
    }
}

/// The lowest and the highest of some values; the ends of all integers when there are none.
///
/// In four lanes: with one, each value waits for what the one before has made of both.
#[inline(never)]
pub fn span(values: &[i64]) -> (i64, i64) {
    let (mut low, mut high) = ([i64::MAX; 4], [i64::MIN; 4]);
    let (lanes, rest) = values.as_chunks::<4>();
    for four in lanes {
        for i in 0..4 {
            low[i] = low[i].min(four[i]);
            high[i] = high[i].max(four[i]);
        }
    }
    let least = |all: &[i64]| all.iter().copied().fold(i64::MAX, i64::min);
    let most = |all: &[i64]| all.iter().copied().fold(i64::MIN, i64::max);
    (least(&low).min(least(rest)), most(&high).max(most(rest)))
}

/// The positions at which a value is higher than `highest` and all before it; answers the highest.
#[inline(never)]
pub fn record_highs(values: &[i64], mut highest: i64, found: &mut Vec<u32>) -> i64 {
    for (i, &value) in values.iter().enumerate() {
        if value > highest {
            highest = value;
            found.push(i as u32);
        }
    }
    highest
}

/// The positions of values that are `limit` or more, counted from `first`; whatever was in `found` goes.
///
/// Without a branch: which records are late is nothing a processor can guess.
#[inline(never)]
pub fn at_least(values: &[i64], limit: i64, first: u32, found: &mut Vec<u32>) {
    found.clear();
    found.resize(values.len(), 0);
    let mut count = 0;
    for (&value, position) in values.iter().zip(first..) {
        found[count] = position;
        count += usize::from(value >= limit);
    }
    found.truncate(count);
}

/// The values at `indices`.
#[inline(never)]
pub fn gather_i64(values: &[i64], indices: &[u32]) -> Vec<i64> {
    indices.iter().map(|&i| values[i as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_among_any_number_of_slices() {
        let ids: Vec<u32> = (0..40).collect();
        let times: Vec<i64> = (0..40).map(|i| i * 37 % 90 - 5).collect();
        for (slices, by_step) in (1..=8_usize).flat_map(|n| [(n, false), (n, true)]) {
            let starts: Vec<i64> = (1..slices as i64).map(|s| s * 10).collect();
            // Three blocks a list; the last slice has no second block.
            let mut tables: Vec<u32> =
                (0..9).flat_map(|list| [list * 3, list * 3 + 1, 27]).collect();
            tables[slices * 3 + 1] = MISSING;
            let mut bases = [0; 16];
            (0..9).for_each(|list| bases[list] = list * 3);
            let mut slots = vec![0; 40];
            let (times, ids) = (&times[..], &ids[..]);
            // What lies behind the last slice is in the last of those that are compared, but not by a product.
            let in_slices =
                |time: i64| if by_step { time.min(slices as i64 * 10 - 1) } else { time };
            let held: Vec<i64> = times.iter().map(|&time| in_slices(time)).collect();
            let spread = Spread {
                times: &held,
                ids,
                tables: &tables,
                bases: &bases,
                open: 0,
                starts: &starts,
                step: by_step.then_some((0, 10)),
            };
            let (late, missing) = spread.find(&mut slots);
            assert_eq!(late, times.iter().filter(|&&t| t < 0).count() as u64);
            let mut expect_missing = false;
            for i in 0..40 {
                let list = match times[i] {
                    t if t < 0 => 0,
                    t => 1 + (t as usize / 10).min(slices - 1),
                };
                let block = tables[list * 3 + i / 16];
                expect_missing |= block == MISSING;
                let place = (i % 16) as u32;
                let slot = if block == MISSING { !15 | place } else { block * 16 + place };
                assert_eq!(slots[i], slot, "row {i} of {slices} slices");
            }
            assert_eq!(missing, expect_missing);
        }
    }

    /// At the edges of slices, for lengths short and long: what is multiplied is what is divided.
    #[test]
    fn a_product_is_the_quotient() {
        let bases: [usize; 16] = std::array::from_fn(|i| i);
        let tables: Vec<u32> = (0..9).collect();
        for step in [1, 2, 3, 7, 999, 1_000, 2_000, 86_400_000, (1 << 28) - 1, 1 << 28, 1 << 40] {
            for first in [0, -5 * step, 1_700_000_000_000 - 1_700_000_000_000 % step] {
                let edges = (1..=8).flat_map(|n| [first + (n - 1) * step, first + n * step - 1]);
                let times: Vec<i64> = edges.collect();
                let starts: Vec<i64> = (1..8).map(|n| first + n * step).collect();
                let (open, step) = (first, Some((first, step)));
                let (ids, bases) = (&[0; 16], &bases);
                let mut slots = [0; 16];
                let spread = Spread {
                    times: &times,
                    ids,
                    tables: &tables,
                    bases,
                    open,
                    starts: &starts,
                    step,
                };
                assert_eq!(spread.find(&mut slots), (0, false));
                let expected: [u32; 16] = std::array::from_fn(|i| (i as u32 / 2 + 1) * 16);
                assert_eq!(slots, expected, "{step:?}");
            }
        }
    }

    #[test]
    fn highs_and_gathers() {
        for length in 0..9 {
            let values = &[3, -7, 5, i64::MAX, 0, i64::MIN, 2, 2][..length.min(8)];
            let expected = (values.iter().min(), values.iter().max());
            let expected = (*expected.0.unwrap_or(&i64::MAX), *expected.1.unwrap_or(&i64::MIN));
            assert_eq!(span(values), expected);
        }
        let mut found = Vec::new();
        assert_eq!(record_highs(&[3, 5, 5, 4, 9], 3, &mut found), 9);
        assert_eq!(found, [1, 4]);
        assert_eq!(gather_i64(&[7, 8, 9], &[2, 0, 2]), [9, 7, 9]);
        at_least(&[5, 4, i64::MIN, i64::MAX, 5], 5, 10, &mut found);
        assert_eq!(found, [10, 13, 14]);
    }
}
