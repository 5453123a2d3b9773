//! W5 by hand: the running sum of the price per key, a row a record.

use super::Totals;
use super::keys::Keys;

/// Rows a consumer takes at a time.
const ROWS: usize = 4_096;

/// The running sums. A row's key is its record's: that column goes on as it came.
pub fn run(keys: &mut impl Keys, price: &[i64]) -> Totals {
    let mut totals = Totals::default();
    let mut sums: Vec<i64> = Vec::new();
    let mut out: Vec<i64> = Vec::with_capacity(ROWS);
    for (block, prices) in price.chunks(ROWS).enumerate() {
        for (i, price) in prices.iter().enumerate() {
            let id = keys.id(block * ROWS + i);
            if id >= sums.len() {
                sums.resize(keys.count().max(id + 1), 0);
            }
            sums[id] += price;
            out.push(sums[id]);
        }
        totals.rows += out.len() as u64;
        totals.counts += out.len() as u64;
        totals.sums += out.iter().sum::<i64>();
        out.clear();
    }
    totals
}
