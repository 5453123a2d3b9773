//! The measured stream: any record from its number alone, so that every worker can make it.

/// The first record's event time without its delay, milliseconds.
const START: i64 = 1_700_000_000_000;
/// Records a millisecond of event time.
const PER_MILLISECOND: u64 = 10;
/// How many auctions there are.
const AUCTIONS: f64 = 10_000.0;
/// Delays are below this, milliseconds.
const DISORDER: u64 = 5_000;
/// Prices go from 1 to this.
const PRICES: u64 = 10_000;

/// One bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    /// The key: 10,000 auctions, the hottest with 4.6 % of all bids.
    pub auction: i64,
    /// From 1 to 10,000.
    pub price: i64,
    /// Event time in milliseconds, up to 5 seconds out of order.
    pub ts: i64,
}

/// The finaliser of splitmix64 over a counter.
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Scales the low 32 bits of `x` to `0..limit`.
fn scale(x: u64, limit: u64) -> u64 {
    ((x & 0xffff_ffff) * limit) >> 32
}

impl Bid {
    /// The bid of that number, counted from 0.
    pub fn new(i: u64) -> Bid {
        let a = mix(i.wrapping_mul(2).wrapping_add(1));
        let b = mix(i.wrapping_mul(2).wrapping_add(2));
        let u = (a >> 32) as f64 / 4_294_967_296.0;
        // All below 2^63 by their definitions.
        Bid {
            auction: (u * u * u * AUCTIONS) as i64,
            price: 1 + scale(b >> 32, PRICES) as i64,
            ts: START + (i / PER_MILLISECOND) as i64 - scale(b, DISORDER) as i64,
        }
    }
}

/// Bids in memory, a column each.
#[derive(Clone, Debug, Default)]
pub struct Bids {
    /// See [`Bid::auction`].
    pub auction: Vec<i64>,
    /// See [`Bid::price`].
    pub price: Vec<i64>,
    /// See [`Bid::ts`].
    pub ts: Vec<i64>,
}

impl Bids {
    /// The first `records` bids.
    pub fn generate(records: u64) -> Bids {
        let capacity = usize::try_from(records).unwrap_or(usize::MAX);
        let mut bids = Bids {
            auction: Vec::with_capacity(capacity),
            price: Vec::with_capacity(capacity),
            ts: Vec::with_capacity(capacity),
        };
        for bid in (0..records).map(Bid::new) {
            bids.auction.push(bid.auction);
            bids.price.push(bid.price);
            bids.ts.push(bid.ts);
        }
        bids
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_has_the_published_shape() {
        let n = 200_000;
        let bids = Bids::generate(n);
        let mut per_auction = vec![0_u32; 10_000];
        for auction in &bids.auction {
            per_auction[usize::try_from(*auction).expect("not negative")] += 1;
        }
        per_auction.sort_by(|a, b| b.cmp(a));
        let share = |count: u32| f64::from(count) / n as f64;
        assert!((share(per_auction[0]) - 0.046).abs() < 0.002, "{}", share(per_auction[0]));
        let top: u32 = per_auction[..100].iter().sum();
        assert!((share(top) - 0.215).abs() < 0.005, "{}", share(top));
        assert!(bids.price.iter().all(|p| (1..=10_000).contains(p)));
        for (i, ts) in bids.ts.iter().enumerate() {
            let delay = START + i as i64 / 10 - ts;
            assert!((0..5_000).contains(&delay), "{delay}");
        }
    }
}
