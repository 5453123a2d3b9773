//! Loops that deal rows out.

/// Deals rows `from..to` out by `owners`: list `k` is `lists[k * room..]`, filled up to `ends[k]`. No
/// branch depends on the rows.
#[inline(never)]
pub fn deal(owners: &[u8], (from, to): (usize, usize), lists: &mut [u32], ends: &mut [usize; 128]) {
    for (i, &owner) in owners[from..to].iter().enumerate() {
        let end = &mut ends[usize::from(owner & 127)];
        lists[*end] = (from + i) as u32;
        *end += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_dealt_out_in_order() {
        let owners = [1, 0, 1, 1, 2, 0];
        let mut lists = [9; 18];
        let mut ends = [0; 128];
        (ends[1], ends[2]) = (6, 12);
        deal(&owners, (0, 4), &mut lists, &mut ends);
        deal(&owners, (4, 6), &mut lists, &mut ends);
        assert_eq!(ends[..3], [2, 9, 13]);
        assert_eq!(
            (&lists[..2], &lists[6..9], &lists[12..13]),
            (&[1, 5][..], &[0, 2, 3][..], &[4][..])
        );
    }
}
