//! Earthquake swarms: a session whose gap grows with the magnitude.
//!
//! The rule, exactly:
//!
//! * A quake keeps its neighbourhood awake for
//!   `gap = gap_minutes × 60000 + trunc(minutes_per_magnitude × 60000 × m)` milliseconds, where `m` is its
//!   magnitude held between 0 and 10, and 0 when it is NULL or NaN; at least 1 ms. Its window is
//!   `[time, time + gap)`.
//! * Windows of one key that overlap or touch are one swarm, from the earliest start to the latest end.
//! * The main shock is the quake of the largest magnitude; among equals the earlier, then the one of
//!   smaller latitude, then of smaller longitude. Quakes without magnitude cannot be it.
//! * Depths are counted in whole metres, `round(depth_km × 1000)`, halves away from zero, so that the
//!   order in which records come cannot change the mean: `sum / n / 1000`, both divisions in DOUBLE.
//!
//! A built-in session has one gap for all: it either tears the sequence after a strong quake apart or
//! glues unrelated weak ones together.

#![cfg_attr(target_arch = "wasm32", no_std)]

use highwater_udf::Window;

highwater_udf::window! {
    name: "swarm",
    description: "Sessions of earthquakes; a stronger quake waits longer for the next.",
    parameters { gap_minutes: BIGINT = 30, minutes_per_magnitude: BIGINT = 30 }
    row { mag: DOUBLE, depth_km: DOUBLE, lat: DOUBLE, lon: DOUBLE }
    state {
        quakes: BIGINT,
        depth_sum_m: BIGINT,
        depths: BIGINT,
        max_mag: DOUBLE,
        mainshock_time: TIMESTAMP,
        lat: DOUBLE,
        lon: DOUBLE,
        measured: BOOLEAN,
    }
    output {
        quakes: BIGINT,
        max_mag: DOUBLE,
        mainshock_time: TIMESTAMP,
        mainshock_lat: DOUBLE,
        mainshock_lon: DOUBLE,
        mean_depth_km: DOUBLE,
    }
    exports { assign, accumulate, merge, result }
}

/// How long a quake keeps its swarm open, milliseconds.
fn gap(p: &Parameters, mag: Option<f64>) -> i64 {
    let m = mag.filter(|m| *m > 0.0).map_or(0.0, |m| if m > 10.0 { 10.0 } else { m });
    let base = p.gap_minutes.saturating_mul(60_000);
    let more = (p.minutes_per_magnitude.saturating_mul(60_000) as f64 * m) as i64;
    base.saturating_add(more).max(1)
}

fn assign(p: &Parameters, row: &Row) -> Option<Window> {
    let end = row.time.saturating_add(gap(p, row.mag));
    (end > row.time).then_some((row.time, end))
}

/// Whether `a` is more of a main shock than `b`: magnitude, time, latitude, longitude.
fn outranks(a: &State, b: &State) -> bool {
    if !a.measured || !b.measured {
        return a.measured;
    }
    if a.max_mag != b.max_mag {
        return a.max_mag > b.max_mag;
    }
    (a.mainshock_time, a.lat, a.lon) < (b.mainshock_time, b.lat, b.lon)
}

fn accumulate(p: &Parameters, row: &Row, state: &mut State) {
    let metres = row.depth_km.filter(|d| d.is_finite()).map(|d| libm::round(d * 1000.0) as i64);
    let one = State {
        quakes: 1,
        depth_sum_m: metres.unwrap_or(0),
        depths: i64::from(metres.is_some()),
        max_mag: row.mag.unwrap_or(0.0),
        mainshock_time: row.time,
        lat: row.lat.unwrap_or(0.0),
        lon: row.lon.unwrap_or(0.0),
        measured: row.mag.is_some_and(|m| !m.is_nan()),
    };
    merge(p, state, &one);
}

fn merge(_: &Parameters, state: &mut State, other: &State) {
    let main = if outranks(other, state) { *other } else { *state };
    *state = State {
        quakes: state.quakes + other.quakes,
        depth_sum_m: state.depth_sum_m.saturating_add(other.depth_sum_m),
        depths: state.depths + other.depths,
        ..main
    };
}

fn result(_: &Parameters, _: Window, state: &State) -> Option<Output> {
    let mean = state.depth_sum_m as f64 / state.depths as f64 / 1000.0;
    Some(Output {
        quakes: Some(state.quakes),
        max_mag: state.measured.then_some(state.max_mag),
        mainshock_time: state.measured.then_some(state.mainshock_time),
        mainshock_lat: state.measured.then_some(state.lat),
        mainshock_lon: state.measured.then_some(state.lon),
        mean_depth_km: (state.depths > 0).then_some(mean),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Parameters = Parameters::DEFAULT;

    fn quake(time: i64, mag: f64, depth_km: f64) -> Row<'static> {
        Row { time, mag: Some(mag), depth_km: Some(depth_km), ..Row::default() }
    }

    #[test]
    fn a_stronger_quake_waits_longer() {
        // 30 minutes, and 30 more for each magnitude.
        assert_eq!(assign(&P, &quake(1_000, 0.0, 0.0)), Some((1_000, 1_801_000)));
        assert_eq!(assign(&P, &quake(0, 2.5, 0.0)), Some((0, 105 * 60_000)));
        assert_eq!(assign(&P, &quake(0, -1.5, 0.0)), Some((0, 1_800_000)));
        assert_eq!(assign(&P, &quake(0, 99.0, 0.0)), Some((0, 330 * 60_000)));
        assert_eq!(assign(&P, &quake(0, f64::NAN, 0.0)), Some((0, 1_800_000)));
        assert_eq!(assign(&P, &Row { time: 5, ..Row::default() }), Some((5, 1_800_005)));
        let hasty = Parameters { gap_minutes: -7, minutes_per_magnitude: 0 };
        assert_eq!(assign(&hasty, &quake(5, 1.0, 0.0)), Some((5, 6)));
    }

    #[test]
    fn windows_end_with_time_itself() {
        assert_eq!(assign(&P, &quake(i64::MAX, 1.0, 0.0)), None);
        assert_eq!(assign(&P, &quake(i64::MAX - 1, 1.0, 0.0)), Some((i64::MAX - 1, i64::MAX)));
    }

    #[test]
    fn the_order_of_records_and_merges_does_not_matter() {
        let quakes =
            [quake(3, 2.0, 1.1), quake(1, 4.5, 0.7), quake(2, 4.5, 33.33), quake(9, 1.0, 5.0)];
        let mut forward = State::default();
        quakes.iter().for_each(|q| accumulate(&P, q, &mut forward));
        let (mut left, mut right) = (State::default(), State::default());
        accumulate(&P, &quakes[3], &mut left);
        accumulate(&P, &quakes[2], &mut left);
        accumulate(&P, &quakes[1], &mut right);
        accumulate(&P, &quakes[0], &mut right);
        merge(&P, &mut left, &right);
        assert_eq!(left, forward);
        let row = result(&P, (0, 0), &forward).expect("one row");
        assert_eq!((row.quakes, row.max_mag, row.mainshock_time), (Some(4), Some(4.5), Some(1)));
        // (1100 + 700 + 33330 + 5000) / 4 metres
        assert_eq!(row.mean_depth_km, Some(10.0325));
    }

    #[test]
    fn what_was_not_measured_is_null() {
        let mut state = State::default();
        accumulate(&P, &Row { time: 7, lat: Some(1.0), ..Row::default() }, &mut state);
        let row = result(&P, (0, 0), &state).expect("one row");
        assert_eq!(row, Output { quakes: Some(1), ..Output::default() });
    }
}
