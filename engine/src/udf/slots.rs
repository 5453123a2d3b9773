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

/// The accumulators of these slots.
pub(super) fn gather(used: &[u32], slab: &[u8], stride: u32) -> Vec<u8> {
    let stride = stride as usize;
    let mut part = Vec::with_capacity(used.len() * stride);
    for slot in used {
        part.extend_from_slice(&slab[*slot as usize * stride..][..stride]);
    }
    part
}

/// Puts the accumulators of these slots back.
pub(super) fn scatter(used: &[u32], part: &[u8], slab: &mut [u8], stride: u32) {
    let stride = stride as usize;
    for (i, slot) in used.iter().enumerate() {
        slab[*slot as usize * stride..][..stride].copy_from_slice(&part[i * stride..][..stride]);
    }
}
