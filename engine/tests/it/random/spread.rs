//! Variances by another road than the engine's: of the distances between all pairs, in whole numbers.

use highwater_engine::value::Value;

/// The square of the count times the variance of whole numbers: the sum of the squared distances of all pairs,
/// as two halves.
fn pairs(values: &[i128]) -> [u128; 2] {
    let (mut high, mut low) = (0, 0_u128);
    for (i, a) in values.iter().enumerate() {
        for b in &values[..i] {
            let distance = a.abs_diff(*b);
            let (sum, over) = low.overflowing_add(distance * distance);
            (high, low) = (high + u128::from(over), sum);
        }
    }
    [high, low]
}

/// By a small number, cut.
fn divided([high, low]: [u128; 2], by: u128) -> [u128; 2] {
    let (mut rest, mut made) = (high % by, 0);
    for power in (0..128).rev() {
        rest = rest << 1 | low >> power & 1;
        made = made << 1 | u128::from(rest >= by);
        rest %= by;
    }
    [high / by, made]
}

/// The square root, cut.
fn root(of: u128) -> u128 {
    let (mut low, mut high) = (0, 1 << 64);
    while high - low > 1 {
        let middle: u128 = (low + high) / 2;
        (low, high) = if middle * middle <= of { (middle, high) } else { (low, middle) };
    }
    low
}

/// What VAR_POP and the other three say of values, none NULL.
pub fn spread(name: &str, values: &[&Value]) -> Value {
    let whole = |value: &&Value| match **value {
        Value::Int(v) => v.into(),
        Value::BigInt(v) => v.into(),
        Value::Decimal(v, 2) => v,
        // All of them are quarters.
        Value::Double(v) => (v * 4.0) as i128,
        ref other => panic!("{other:?} is no number"),
    };
    let numbers: Vec<i128> = values.iter().map(whole).collect();
    let count = numbers.len() as u128;
    let divisor =
        if name.ends_with("POP") { count * count } else { count * count.saturating_sub(1) };
    if divisor == 0 {
        return Value::Null;
    }
    let (pairs, rooted) = (pairs(&numbers), name.starts_with("STDDEV"));
    if let Value::Double(_) = values[0] {
        let variance = pairs[1] as f64 / (16 * divisor) as f64;
        return Value::Double(if rooted { variance.sqrt() } else { variance });
    }
    if let Value::Decimal(..) = values[0] {
        // Twice as much, cut, and then half of it rounded up: hundredths become millionths.
        let twice = match rooted {
            true => root(4 * pairs[1] * 100_000_000 / divisor),
            false => 2 * pairs[1] * 100 / divisor,
        };
        return Value::Decimal(twice.div_ceil(2) as i128, 6);
    }
    let [high, low] = divided(pairs, divisor);
    let held = if high > 0 { None } else { Some(if rooted { root(low) } else { low }) };
    let made = match values[0] {
        Value::Int(_) => held.and_then(|v| i32::try_from(v).ok()).map(Value::Int),
        _ => held.and_then(|v| i64::try_from(v).ok()).map(Value::BigInt),
    };
    made.unwrap_or(Value::Null)
}
