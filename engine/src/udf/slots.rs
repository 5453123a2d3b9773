//! Only what a frame speaks about is copied: slots and rows renumbered from 0.

/// The few numbers out of many that a frame speaks about, renumbered from 0 in their own order.
pub(super) struct Dense {
    /// The old numbers, by new number.
    pub used: Vec<u32>,
}

impl Dense {
    /// Those among `numbers`.
    pub fn new(numbers: impl Iterator<Item = u32>) -> Dense {
        let mut used: Vec<u32> = numbers.collect();
        used.sort();
        used.dedup();
        Dense { used }
    }

    /// Their new numbers.
    pub fn positions(&self, numbers: impl Iterator<Item = u32>) -> Vec<u32> {
        numbers.map(|n| self.used.partition_point(|u| *u < n) as u32).collect()
    }

    /// The rows they stand for.
    pub fn select(&self, rows: &[u32]) -> Vec<u32> {
        self.used.iter().map(|u| rows[*u as usize]).collect()
    }
}

/// The slots that a frame speaks about, renumbered in the order in which its rows name them.
#[derive(Clone, Default)]
pub(super) struct Touched {
    /// The slots, by new number.
    pub used: Vec<u32>,
    /// The new number of each row's slot.
    pub places: Vec<u32>,
    /// For each slot, the round that named it last and its number then.
    seen: Vec<(u32, u32)>,
    round: u32,
}

impl Touched {
    /// Of the slots of a frame's rows.
    pub fn renumber(&mut self, slots: &[u32]) {
        self.round = self.round.checked_add(1).unwrap_or_else(|| {
            self.seen.fill((0, 0));
            1
        });
        let most = slots.iter().max().map_or(0, |most| *most as usize + 1);
        if most > self.seen.len() {
            self.seen.resize(most.next_power_of_two(), (0, 0));
        }
        let Touched { used, places, seen, round } = self;
        used.clear();
        places.clear();
        places.extend(slots.iter().map(|&slot| {
            let seen = &mut seen[slot as usize];
            if seen.0 != *round {
                *seen = (*round, used.len() as u32);
                used.push(slot);
            }
            seen.1
        }));
    }
}

/// Appends the accumulators of these slots.
pub(super) fn gather(used: &[u32], slab: &[u8], stride: u32, into: &mut Vec<u8>) {
    fn sized<const N: usize>(used: &[u32], slab: &[u8], into: &mut Vec<u8>) {
        let (slots, _) = slab.as_chunks::<N>();
        used.iter().for_each(|slot| into.extend_from_slice(&slots[*slot as usize]));
    }
    into.reserve(used.len() * stride as usize);
    // The usual sizes are known to the compiler: a few moves instead of a call.
    match stride {
        0 => {}
        8 => sized::<8>(used, slab, into),
        16 => sized::<16>(used, slab, into),
        24 => sized::<24>(used, slab, into),
        32 => sized::<32>(used, slab, into),
        40 => sized::<40>(used, slab, into),
        48 => sized::<48>(used, slab, into),
        64 => sized::<64>(used, slab, into),
        stride => {
            let stride = stride as usize;
            used.iter().for_each(|slot| {
                into.extend_from_slice(&slab[*slot as usize * stride..][..stride]);
            });
        }
    }
}

/// Puts the accumulators of these slots back.
pub(super) fn scatter(used: &[u32], part: &[u8], slab: &mut [u8], stride: u32) {
    fn sized<const N: usize>(used: &[u32], part: &[u8], slab: &mut [u8]) {
        let (slots, _) = slab.as_chunks_mut::<N>();
        let (parts, _) = part.as_chunks::<N>();
        used.iter().zip(parts).for_each(|(slot, part)| slots[*slot as usize] = *part);
    }
    match stride {
        0 => {}
        8 => sized::<8>(used, part, slab),
        16 => sized::<16>(used, part, slab),
        24 => sized::<24>(used, part, slab),
        32 => sized::<32>(used, part, slab),
        40 => sized::<40>(used, part, slab),
        48 => sized::<48>(used, part, slab),
        64 => sized::<64>(used, part, slab),
        stride => {
            let stride = stride as usize;
            for (slot, part) in used.iter().zip(part.chunks_exact(stride)) {
                slab[*slot as usize * stride..][..stride].copy_from_slice(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accumulators_of_any_size_go_out_and_come_back() {
        for stride in [0usize, 8, 16, 24, 32, 40, 48, 56, 64, 72, 200] {
            let slab: Vec<u8> = (0..stride * 5).map(|i| (i % 251) as u8).collect();
            let used = [3, 0, 4];
            let mut part = vec![9];
            gather(&used, &slab, stride as u32, &mut part);
            let of = |slot: usize| slab[slot * stride..][..stride].to_vec();
            assert_eq!(part[1..], [of(3), of(0), of(4)].concat(), "{stride} bytes");
            let mut back = vec![0; slab.len()];
            scatter(&used, &part[1..], &mut back, stride as u32);
            let none = vec![0; stride];
            let expected = [of(0), none.clone(), none, of(3), of(4)].concat();
            assert_eq!(back, expected, "{stride} bytes");
        }
    }
}
