//! `linear(a, b)`: `a * 908 + b`, around 2^64. A function that costs next to nothing, so that what a call of a
//! guest costs by itself is seen.

#![cfg_attr(target_arch = "wasm32", no_std)]

highwater_udf::function! {
    name: "linear",
    description: "a * 908 + b.",
    arguments { a: BIGINT, b: BIGINT }
    returns: BIGINT,
    nulls: strict,
}

fn call(a: i64, b: i64) -> i64 {
    a.wrapping_mul(908).wrapping_add(b)
}
