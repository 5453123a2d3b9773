//! Tumbling windows that count, add up and take the largest of a price: what the built-in window does for
//! `COUNT(*), SUM(price), MAX(price)`, to be measured beside it.
//!
//! The rule, exactly: a record's window begins at the last multiple of `size_ms` that is not after its time
//! and ends `size_ms` later; a window that would end after the last representable time takes no record. The
//! sum goes around 2^64. A NULL price is counted and otherwise left out; without a price sum and maximum are
//! NULL.

#![cfg_attr(target_arch = "wasm32", no_std)]

use highwater_udf::Window;

highwater_udf::window! {
    name: "tally",
    description: "Tumbling windows: count, sum and maximum of a price.",
    parameters { size_ms: BIGINT = 10000 }
    row { price: BIGINT }
    state { records: BIGINT, prices: BIGINT, total: BIGINT, highest: BIGINT }
    output { n: BIGINT, total: BIGINT, highest: BIGINT }
    exports { assign, accumulate, result }
}

fn assign(p: &Parameters, row: &Row) -> Option<Window> {
    // One division: the remainder of a positive size is positive.
    let into = if p.size_ms > 0 { row.time.rem_euclid(p.size_ms) } else { return None };
    let start = row.time.checked_sub(into)?;
    Some((start, start.checked_add(p.size_ms)?))
}

fn accumulate(_: &Parameters, row: &Row, state: &mut State) {
    state.records += 1;
    if let Some(price) = row.price {
        let first = state.prices == 0;
        state.prices += 1;
        state.total = state.total.wrapping_add(price);
        state.highest = if first { price } else { price.max(state.highest) };
    }
}

fn result(_: &Parameters, _: Window, state: &State) -> Option<Output> {
    let some = state.prices > 0;
    Some(Output {
        n: Some(state.records),
        total: some.then_some(state.total),
        highest: some.then_some(state.highest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Parameters = Parameters::DEFAULT;

    #[test]
    fn windows_begin_at_multiples_of_their_size() {
        let assign = |time| assign(&P, &Row { time, ..Row::default() });
        assert_eq!(assign(0), Some((0, 10_000)));
        assert_eq!(assign(9_999), Some((0, 10_000)));
        assert_eq!(assign(-1), Some((-10_000, 0)));
        assert_eq!(assign(i64::MIN), None);
        assert_eq!(assign(i64::MAX), None);
        let none = Parameters { size_ms: 0 };
        assert_eq!(super::assign(&none, &Row::default()), None);
    }

    #[test]
    fn prices_are_counted_added_and_compared() {
        let mut state = State::default();
        for price in [Some(-7), None, Some(-9)] {
            accumulate(&P, &Row { price, ..Row::default() }, &mut state);
        }
        let row = result(&P, (0, 1), &state).expect("one row");
        assert_eq!((row.n, row.total, row.highest), (Some(3), Some(-16), Some(-7)));
        let nothing = State { records: 2, ..State::default() };
        let row = result(&P, (0, 1), &nothing).expect("one row");
        assert_eq!((row.n, row.total, row.highest), (Some(2), None, None));
    }
}
