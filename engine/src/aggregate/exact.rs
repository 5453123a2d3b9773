//! Sums without rounding: binary fractions of as many digits as it takes. So a sum is the same in whatever
//! order it was added up, and what is taken out of it again leaves nothing behind.

use crate::error::Result;
use crate::snapshot::bytes::{Reader, put, put_signed};

/// A number in limbs of 64 bits, lowest first, in two's complement: times 2 to the power of 64 times `at`. The
/// lowest limb is not 0 and the highest is needed, so that equal numbers look alike; nothing is 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exact {
    at: i32,
    limbs: Vec<u64>,
}

/// The limbs that sums of squares of floats can have, those of very many together.
const RANGE: std::ops::Range<i64> = -34..40;

/// What the missing higher limbs of a number hold.
fn sign(limbs: &[u64]) -> u64 {
    limbs.last().map_or(0, |&high| ((high as i64) >> 63) as u64)
}

impl Exact {
    /// Adds a number in limbs from position `at` on.
    fn add_limbs(&mut self, at: i32, limbs: &[u64]) {
        if limbs.is_empty() {
            return;
        }
        if self.limbs.is_empty() {
            self.at = at;
        }
        if at < self.at {
            let below = (self.at - at) as usize;
            self.limbs.splice(0..0, std::iter::repeat_n(0, below));
            self.at = at;
        }
        let from = (at - self.at) as usize;
        let count = self.limbs.len().max(from + limbs.len()) + 1;
        let own = sign(&self.limbs);
        self.limbs.resize(count, own);
        let mut carry = false;
        for (i, limb) in self.limbs[from..].iter_mut().enumerate() {
            let (sum, over) =
                limb.overflowing_add(limbs.get(i).copied().unwrap_or_else(|| sign(limbs)));
            let (sum, again) = sum.overflowing_add(carry.into());
            (*limb, carry) = (sum, over || again);
        }
        self.trim();
    }

    /// Leaves out limbs that say nothing.
    fn trim(&mut self) {
        while let Some(&high) = self.limbs.last() {
            let below = &self.limbs[..self.limbs.len() - 1];
            if high != sign(below) {
                break;
            }
            self.limbs.pop();
        }
        let zeros = self.limbs.iter().take_while(|&&limb| limb == 0).count();
        self.limbs.drain(..zeros);
        self.at = if self.limbs.is_empty() { 0 } else { self.at + zeros as i32 };
    }

    /// Adds another number.
    pub(super) fn add(&mut self, other: &Exact) {
        self.add_limbs(other.at, &other.limbs);
    }

    /// Adds a number without sign, times 2 to the power of `power`, or takes it away.
    pub(super) fn add_scaled(&mut self, number: [u64; 4], power: i32, minus: bool) {
        let shift = power.rem_euclid(64) as u32;
        // One limb for what is shifted up, one for the sign.
        let mut limbs = [0; 6];
        for (i, &limb) in number.iter().enumerate() {
            let wide = u128::from(limb) << shift;
            limbs[i] |= wide as u64;
            limbs[i + 1] = (wide >> 64) as u64;
        }
        let used = limbs.iter().rposition(|&limb| limb != 0).map_or(0, |high| high + 2);
        if minus {
            negate(&mut limbs[..used]);
        }
        self.add_limbs(power.div_euclid(64), &limbs[..used]);
    }

    /// The number without its sign.
    fn magnitude(&self) -> Vec<u64> {
        let mut limbs = self.limbs.clone();
        if sign(&limbs) > 0 {
            negate(&mut limbs);
        }
        limbs
    }

    /// Appends the number.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        put_signed(out, self.at.into());
        put(out, self.limbs.len() as u64);
        self.limbs.iter().for_each(|&limb| put(out, limb));
    }

    /// Takes it back; `None` when it is none that was written.
    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Option<Exact>> {
        let (at, count) = (reader.signed()?, reader.count()?);
        let limbs: Vec<u64> = reader.numbers(count)?.collect();
        let within = RANGE.contains(&at) && at + count as i64 <= RANGE.end;
        let number = Exact { at: at as i32, limbs };
        let mut trimmed = number.clone();
        trimmed.trim();
        Ok(Some(number).filter(|number| within && *number == trimmed))
    }
}

/// The number with the other sign.
fn negate(limbs: &mut [u64]) {
    let mut carry = true;
    for limb in limbs {
        (*limb, carry) = (!*limb).overflowing_add(carry.into());
    }
}

/// A number that is not negative, times 2 to the power of 64 times `at`.
#[derive(Clone, Debug)]
pub(super) struct Natural {
    at: i32,
    limbs: Vec<u64>,
    /// Whether it is a little more than that: division has left a rest.
    more: bool,
}

impl Natural {
    /// `count` times the sum of the squares less the square of the sum: `count` squared times the variance.
    /// `None` when that is negative, which sums of the same values are not.
    pub(super) fn spread(count: u64, sum: &Exact, squares: &Exact) -> Option<Natural> {
        let mut whole = Exact { at: squares.at, limbs: product(&squares.limbs, &[count]) };
        let square = sum.magnitude();
        let mut less = product(&square, &square);
        less.push(0);
        negate(&mut less);
        // Both have room for their signs.
        whole.limbs.push(0);
        whole.add_limbs(2 * sum.at, &less);
        let negative = sign(&whole.limbs) > 0 || sign(&squares.limbs) > 0;
        (!negative).then_some(Natural { at: whole.at, limbs: whole.limbs, more: false })
    }

    /// Times a number.
    pub(super) fn times(mut self, by: u64) -> Natural {
        self.limbs = product(&self.limbs, &[by]);
        self
    }

    /// By a number, cut.
    pub(super) fn by(mut self, divisor: u64) -> Natural {
        let mut rest = 0;
        for limb in self.limbs.iter_mut().rev() {
            let wide = u128::from(rest) << 64 | u128::from(*limb);
            *limb = (wide / u128::from(divisor)) as u64;
            rest = (wide % u128::from(divisor)) as u64;
        }
        self.more |= rest > 0;
        self
    }

    /// With so many limbs below, for what a division would cut off.
    pub(super) fn finer(mut self, limbs: usize) -> Natural {
        self.limbs.splice(0..0, std::iter::repeat_n(0, limbs));
        self.at -= limbs as i32;
        self
    }

    /// A whole number down to its units, so that division cuts it there.
    pub(super) fn units(self) -> Natural {
        let zeros = usize::try_from(self.at).unwrap_or(0);
        self.finer(zeros)
    }

    /// As a whole number, when it is one and less than 2 to the power of 256.
    pub(super) fn whole(&self) -> Option<[u64; 4]> {
        let mut whole = [0; 4];
        for (place, &limb) in (self.at..).zip(&self.limbs).filter(|(_, limb)| **limb > 0) {
            *usize::try_from(place).ok().and_then(|place| whole.get_mut(place))? = limb;
        }
        Some(whole)
    }

    /// The bit of that power.
    fn bit(&self, power: i64) -> bool {
        let place = usize::try_from(power.div_euclid(64) - i64::from(self.at)).ok();
        let limb = place.and_then(|place| self.limbs.get(place)).copied().unwrap_or(0);
        limb >> power.rem_euclid(64) & 1 > 0
    }

    /// The nearest double, of two that are as near the even one.
    pub(super) fn nearest(&self) -> f64 {
        let Some(high) = self.limbs.iter().rposition(|&limb| limb > 0) else { return 0.0 };
        let from = 64 * i64::from(self.at);
        let end = from + 64 * high as i64 + 64 - i64::from(self.limbs[high].leading_zeros());
        // The power of the last bit that a double of that size has.
        let last = (end - 53).max(-1074);
        let mut bits = (last..end).rev().fold(0_u64, |bits, p| bits << 1 | u64::from(self.bit(p)));
        let rest = self.more || (from..last - 1).any(|power| self.bit(power));
        if self.bit(last - 1) && (rest || bits & 1 > 0) {
            bits += 1;
        }
        // A carry goes over into the exponent, which is what it has to do.
        let exponent = (last + 1074) as u64;
        if exponent > 2_045 {
            return f64::INFINITY;
        }
        f64::from_bits((exponent << 52) + bits)
    }
}

/// The product of two numbers without sign.
fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut made = vec![0_u64; a.len() + b.len()];
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0;
        for (j, &y) in b.iter().enumerate() {
            let wide = u128::from(x) * u128::from(y) + u128::from(made[i + j]) + carry;
            made[i + j] = wide as u64;
            carry = wide >> 64;
        }
        made[i + b.len()] = carry as u64;
    }
    made
}

/// The square of a number.
pub(super) fn square(number: u128) -> [u64; 4] {
    let limbs = [number as u64, (number >> 64) as u64];
    product(&limbs, &limbs).try_into().expect("two and two limbs")
}

/// The square root, cut.
pub(super) fn root(number: [u64; 4]) -> u128 {
    let mut root = 0;
    for power in (0..128).rev() {
        let more = root | 1 << power;
        // The highest limb decides.
        if square(more).iter().rev().le(number.iter().rev()) {
            root = more;
        }
    }
    root
}
