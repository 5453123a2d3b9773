//! Numbers that look drawn, the same on every machine.

use std::sync::LazyLock;

use super::super::ground::stream::mix;

/// Draws of one event or thing: the next one needs nothing but how many there were.
pub struct Draws(u64);

/// How many draws one number has to itself, as a power of two.
const EACH: u32 = 16;

/// 1000, its square root, the root of that, and so on: a price's power of ten put together from bits. Roots are
/// exact to the last bit everywhere, powers are not.
static ROOTS: LazyLock<[f64; 24]> = LazyLock::new(|| {
    let mut root = 1_000_000.0_f64;
    std::array::from_fn(|_| {
        root = root.sqrt();
        root
    })
});

impl Draws {
    /// Those of that number.
    pub fn of(number: u64) -> Draws {
        Draws(number << EACH)
    }

    fn next(&mut self) -> u64 {
        self.0 += 1;
        mix(self.0)
    }

    /// Evenly one below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// Evenly one of these.
    pub fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let place = self.below(all.len() as u64);
        all[usize::try_from(place).unwrap_or(0)]
    }

    /// A price: 100 times ten to the power of six draws of 0 to 1.
    pub fn price(&mut self) -> i64 {
        let bits = self.next();
        let chosen = ROOTS.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
        (chosen.map(|(_, root)| root).product::<f64>() * 100.0).round() as i64
    }
}
