//! The measured stream: any record from its number alone, so that every worker can make it.

/// The first record's event time without its delay, milliseconds.
pub const START: i64 = 1_700_000_000_000;
/// Records a millisecond of event time.
pub const PER_MILLISECOND: u64 = 10;
/// Prices go from 1 to this.
const PRICES: u64 = 10_000;
/// An auction opens just before every so many bids.
pub const BIDS_PER_OPENING: u64 = 50;

/// What makes one stream differ from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// How many auctions there are.
    pub auctions: u64,
    /// How many bidders there are.
    pub bidders: u64,
    /// Delays are below this, milliseconds; 0 for a stream in order.
    pub disorder: u64,
}

/// One bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    /// Of the published 10,000 the hottest has 4.6 % of all bids.
    pub auction: i64,
    /// Evenly one of all.
    pub bidder: i64,
    /// From 1 to 10,000.
    pub price: i64,
    /// Event time in milliseconds, out of order.
    pub ts: i64,
}

/// An auction opens: the other side of the join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Evenly one of all auctions.
    pub auction: i64,
    /// From 1 to 10,000.
    pub reserve: i64,
    /// Event time in milliseconds, out of order.
    pub ts: i64,
}

/// The finaliser of splitmix64 over a counter.
pub fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Scales the low 32 bits of `x` to `0..limit`. What comes out is below `limit`, far below 2^63.
fn scale(x: u64, limit: u64) -> i64 {
    (((x & 0xffff_ffff) * limit) >> 32) as i64
}

/// The event time of what arrives together with bid `i`, `delay` milliseconds late.
fn time(i: u64, delay: i64) -> i64 {
    START + (i / PER_MILLISECOND) as i64 - delay
}

impl Stream {
    /// The stream of the published totals.
    pub const PUBLISHED: Stream = Stream { auctions: 10_000, bidders: 20_000, disorder: 5_000 };

    /// The bid of that number, counted from 0.
    #[inline]
    pub fn bid(&self, i: u64) -> Bid {
        let a = mix(i.wrapping_mul(2).wrapping_add(1));
        let b = mix(i.wrapping_mul(2).wrapping_add(2));
        let u = (a >> 32) as f64 / 4_294_967_296.0;
        Bid {
            auction: (u * u * u * self.auctions as f64) as i64,
            bidder: scale(a, self.bidders),
            price: 1 + scale(b >> 32, PRICES),
            ts: time(i, scale(b, self.disorder)),
        }
    }

    /// The opening of that number; it arrives just before bid `50 * j`.
    pub fn opening(&self, j: u64) -> Opening {
        let c = mix((1_u64 << 63).wrapping_add(j.wrapping_mul(2)).wrapping_add(1));
        let ts = time(j.wrapping_mul(BIDS_PER_OPENING), scale(c, self.disorder));
        let reserve = 1 + scale(mix(c), PRICES);
        Opening { auction: scale(c >> 32, self.auctions), reserve, ts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_has_the_published_shape() {
        let n = 200_000;
        let mut per_auction = vec![0_u32; 10_000];
        let mut per_bidder = vec![0_u32; 20_000];
        for i in 0..n {
            let bid = Stream::PUBLISHED.bid(i);
            per_auction[usize::try_from(bid.auction).expect("not negative")] += 1;
            per_bidder[usize::try_from(bid.bidder).expect("not negative")] += 1;
            assert!((1..=10_000).contains(&bid.price));
            let delay = START + i as i64 / 10 - bid.ts;
            assert!((0..5_000).contains(&delay), "{delay}");
        }
        per_auction.sort_by(|a, b| b.cmp(a));
        let share = |count: u32| f64::from(count) / n as f64;
        assert!((share(per_auction[0]) - 0.046).abs() < 0.002, "{}", share(per_auction[0]));
        let top: u32 = per_auction[..100].iter().sum();
        assert!((share(top) - 0.215).abs() < 0.005, "{}", share(top));
        // Ten bids a bidder, evenly: far fewer than thirty for each.
        assert!(per_bidder.iter().all(|n| *n < 40) && per_bidder.iter().any(|n| *n > 12));
    }

    #[test]
    fn openings_come_every_fifty_bids() {
        let mut auctions = std::collections::BTreeSet::new();
        for j in 0..20_000 {
            let opening = Stream::PUBLISHED.opening(j);
            let delay = START + 5 * j as i64 - opening.ts;
            assert!((0..5_000).contains(&delay), "{delay}");
            assert!((0..10_000).contains(&opening.auction));
            auctions.insert(opening.auction);
        }
        // 20,000 draws of 10,000 leave about a share of e^-2 out.
        assert!((8_500..8_800).contains(&auctions.len()), "{}", auctions.len());
    }
}
