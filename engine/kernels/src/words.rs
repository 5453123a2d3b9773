//! Loops over accumulators: words of 64 bits, `stride` a slot, an aggregate's own at `at` in each.

/// Adds a row to word 0 of each slot.
#[inline(never)]
pub fn count_rows(words: &mut [u64], stride: usize, slots: &[u32]) {
    slots.iter().for_each(|&slot| words[slot as usize * stride] += 1);
}

/// Adds each value to the word of the slot beside it, around 2^64.
#[inline(never)]
pub fn sum_i64(words: &mut [u64], stride: usize, at: usize, slots: &[u32], values: &[i64]) {
    each(words, stride, at, slots, values, |word, value| word.wrapping_add(value));
}

/// Keeps the larger of each value and the word of the slot beside it.
#[inline(never)]
pub fn largest(words: &mut [u64], stride: usize, at: usize, slots: &[u32], values: &[i64]) {
    each(words, stride, at, slots, values, i64::max);
}

/// Keeps the smaller of each value and the word of the slot beside it.
#[inline(never)]
pub fn smallest(words: &mut [u64], stride: usize, at: usize, slots: &[u32], values: &[i64]) {
    each(words, stride, at, slots, values, i64::min);
}

#[inline(always)]
fn each(
    words: &mut [u64],
    stride: usize,
    at: usize,
    slots: &[u32],
    values: &[i64],
    change: impl Fn(i64, i64) -> i64,
) {
    for (&slot, &value) in slots.iter().zip(values) {
        let word = &mut words[slot as usize * stride + at];
        *word = change(*word as i64, value) as u64;
    }
}

/// For each pair, adds the word of the second slot to that of the first.
#[inline(never)]
pub fn merge_sums(words: &mut [u64], stride: usize, at: usize, pairs: &[(u32, u32)]) {
    merge(words, stride, at, pairs, i64::wrapping_add);
}

/// For each pair, adds `count` words from the second position on to those from the first on.
#[inline(never)]
pub fn merge_runs(words: &mut [u64], count: usize, pairs: &[(usize, usize)]) {
    for &(into, from) in pairs {
        // Runs never overlap; the later half holds one of them whole.
        let (low, high) = words.split_at_mut(into.max(from));
        let (into, from) = match into < from {
            true => (&mut low[into..into + count], &high[..count]),
            false => (&mut high[..count], &low[from..from + count]),
        };
        for (word, other) in into.iter_mut().zip(from) {
            *word = word.wrapping_add(*other);
        }
    }
}

/// For each pair, keeps the larger word in the first slot.
#[inline(never)]
pub fn merge_largest(words: &mut [u64], stride: usize, at: usize, pairs: &[(u32, u32)]) {
    merge(words, stride, at, pairs, i64::max);
}

/// For each pair, keeps the smaller word in the first slot.
#[inline(never)]
pub fn merge_smallest(words: &mut [u64], stride: usize, at: usize, pairs: &[(u32, u32)]) {
    merge(words, stride, at, pairs, i64::min);
}

#[inline(always)]
fn merge(
    words: &mut [u64],
    stride: usize,
    at: usize,
    pairs: &[(u32, u32)],
    join: impl Fn(i64, i64) -> i64,
) {
    for &(into, from) in pairs {
        let other = words[from as usize * stride + at] as i64;
        let word = &mut words[into as usize * stride + at];
        *word = join(*word as i64, other) as u64;
    }
}

/// Makes every slot of `words` look like `empty`.
#[inline(never)]
pub fn fill(words: &mut [u64], empty: &[u64]) {
    if empty.iter().all(|&word| word == 0) {
        return words.fill(0);
    }
    for slot in words.chunks_exact_mut(empty.len()) {
        slot.iter_mut().zip(empty).for_each(|(word, &empty)| *word = empty);
    }
}

/// The words of slots.
#[inline(never)]
pub fn gather_words(words: &[u64], stride: usize, at: usize, slots: &[u32]) -> Vec<i64> {
    slots.iter().map(|&slot| words[slot as usize * stride + at] as i64).collect()
}

/// Writes slot after slot of `from` over the slots beside them.
#[inline(never)]
pub fn scatter_slots(words: &mut [u64], stride: usize, slots: &[u32], from: &[u64]) {
    // A slot has a handful of words: a call that copies any number takes longer to begin than they do.
    match stride {
        1 => scatter::<1>(words, slots, from),
        2 => scatter::<2>(words, slots, from),
        3 => scatter::<3>(words, slots, from),
        4 => scatter::<4>(words, slots, from),
        5 => scatter::<5>(words, slots, from),
        6 => scatter::<6>(words, slots, from),
        _ => {
            for (&slot, from) in slots.iter().zip(from.chunks_exact(stride)) {
                words[slot as usize * stride..][..stride].copy_from_slice(from);
            }
        }
    }
}

#[inline(always)]
fn scatter<const STRIDE: usize>(words: &mut [u64], slots: &[u32], from: &[u64]) {
    let own = words.as_chunks_mut::<STRIDE>().0;
    for (&slot, from) in slots.iter().zip(from.as_chunks::<STRIDE>().0) {
        own[slot as usize] = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_change_as_plain_numbers_do() {
        // Rows, sum, largest, smallest of two slots.
        let mut words = [0, 0, i64::MIN as u64, i64::MAX as u64].repeat(2);
        let (slots, values) = ([1, 0, 1, 1], [5, -7, i64::MAX, 2]);
        count_rows(&mut words, 4, &slots);
        sum_i64(&mut words, 4, 1, &slots, &values);
        largest(&mut words, 4, 2, &slots, &values);
        smallest(&mut words, 4, 3, &slots, &values);
        let sum = i64::MAX.wrapping_add(7);
        assert_eq!(gather_words(&words, 4, 0, &[0, 1]), [1, 3]);
        assert_eq!(gather_words(&words, 4, 1, &[1, 0]), [sum, -7]);
        assert_eq!(gather_words(&words, 4, 2, &[0, 1]), [-7, i64::MAX]);
        assert_eq!(gather_words(&words, 4, 3, &[0, 1]), [-7, 2]);
        merge_sums(&mut words, 4, 0, &[(0, 1)]);
        merge_sums(&mut words, 4, 1, &[(0, 1)]);
        merge_largest(&mut words, 4, 2, &[(0, 1)]);
        merge_smallest(&mut words, 4, 3, &[(1, 0)]);
        assert_eq!(gather_words(&words, 4, 0, &[0]), [4]);
        assert_eq!(gather_words(&words, 4, 1, &[0]), [sum.wrapping_sub(7)]);
        assert_eq!(gather_words(&words, 4, 2, &[0]), [i64::MAX]);
        assert_eq!(gather_words(&words, 4, 3, &[1]), [-7]);
        scatter_slots(&mut words, 4, &[1, 0], &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(words, [5, 6, 7, 8, 1, 2, 3, 4]);
        fill(&mut words[2..6], &[8, 9]);
        assert_eq!(words[2..6], [8, 9, 8, 9]);
        let mut runs = [1, 2, 3, 10, 20, 30, u64::MAX, 0, 0];
        merge_runs(&mut runs, 3, &[(0, 3), (6, 3)]);
        assert_eq!(runs, [11, 22, 33, 10, 20, 30, 9, 20, 30]);
    }
}
