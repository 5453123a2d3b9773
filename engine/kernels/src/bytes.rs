//! Short runs of bytes, as most keys are: a call that copies or compares any number of bytes takes longer to
//! begin than they do, above all in WebAssembly.

/// Copies bytes over as many others.
///
/// # Panics
/// When they are not as many.
#[inline(always)]
pub fn copy_short(into: &mut [u8], from: &[u8]) {
    let n = from.len();
    assert_eq!(into.len(), n, "as many bytes");
    // The two halves overlap where the length is no power of two.
    match n {
        16..=32 => halves::<16>(into, from),
        8..16 => halves::<8>(into, from),
        4..8 => halves::<4>(into, from),
        2..4 => halves::<2>(into, from),
        1 => into[0] = from[0],
        _ => into.copy_from_slice(from),
    }
}

#[inline(always)]
fn halves<const N: usize>(into: &mut [u8], from: &[u8]) {
    if let (Some(a), Some(b)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        let (a, b) = (*a, *b);
        if let Some(first) = into.first_chunk_mut::<N>() {
            *first = a;
        }
        if let Some(last) = into.last_chunk_mut::<N>() {
            *last = b;
        }
    }
}

/// Whether two runs of bytes are the same.
#[inline(always)]
pub fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let n = a.len();
    if n != b.len() {
        return false;
    }
    match n {
        8..=16 => {
            long(a.first_chunk()) == long(b.first_chunk())
                && long(a.last_chunk()) == long(b.last_chunk())
        }
        17..=32 => {
            let middle =
                |all: &[u8]| (long(all[8..].first_chunk()), long(all[..n - 8].last_chunk()));
            long(a.first_chunk()) == long(b.first_chunk())
                && middle(a) == middle(b)
                && long(a.last_chunk()) == long(b.last_chunk())
        }
        _ => a == b,
    }
}

#[inline(always)]
fn long(bytes: Option<&[u8; 8]>) -> u64 {
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_lengths_are_copied_and_compared() {
        for n in 0..70_usize {
            let from: Vec<u8> = (0..n).map(|i| (i * 37 + 1) as u8).collect();
            let mut into = vec![0xEE; n + 2];
            copy_short(&mut into[1..=n], &from);
            assert_eq!((into[0], &into[1..=n], into[n + 1]), (0xEE, &from[..], 0xEE));
            assert!(same_bytes(&from, &into[1..=n]));
            assert!(!same_bytes(&from, &into[..=n]));
            for i in 0..n {
                let mut other = from.clone();
                other[i] ^= 0x40;
                assert!(!same_bytes(&from, &other), "byte {i} of {n}");
            }
        }
    }
}
