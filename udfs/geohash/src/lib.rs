//! `geohash(latitude, longitude, length)`: the name of the cell of the earth that holds a place.
//!
//! The rule, exactly: longitude and latitude in degrees are halved in turn, longitude first, from [-180, 180]
//! and [-90, 90]; a place at or above the middle gives the bit 1 and keeps the upper half. Five bits, the first
//! the highest, are a character of `0123456789bcdefghjkmnpqrstuvwxyz`. `length` characters, 1 to 12; NULL for
//! another length, for a place that is not on the earth, and for NaN. (Niemeyer, 2008.)

#![cfg_attr(target_arch = "wasm32", no_std)]

use highwater_udf::Text;

highwater_udf::function! {
    name: "geohash",
    description: "The geohash of a place in degrees: a name for its cell, shorter for a larger one.",
    arguments { latitude: DOUBLE, longitude: DOUBLE, length: INT }
    returns: STRING,
    nulls: strict,
}

const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

fn call(latitude: f64, longitude: f64, length: i32, out: &mut Text<'_>) -> Option<()> {
    let on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    if !on_earth || !(1..=12).contains(&length) {
        return None;
    }
    // Middles are sums of halves of 180: exact in a DOUBLE.
    let mut axes = [(longitude, -180.0, 180.0), (latitude, -90.0, 90.0)];
    let mut axis = 0;
    for _ in 0..length {
        let mut digit = 0;
        for _ in 0..5 {
            let (at, low, high) = &mut axes[axis];
            let middle = (*low + *high) / 2.0;
            let upper = *at >= middle;
            *(if upper { low } else { high }) = middle;
            digit = digit << 1 | usize::from(upper);
            axis = 1 - axis;
        }
        out.push(&DIGITS[digit..=digit]);
    }
    Some(())
}
