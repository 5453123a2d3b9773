//! Variances: rounded once, whatever the order of values, of merges and of what is taken back.

use super::*;
use crate::batch::RowKind;

const FOUR: [Function; 4] =
    [Function::VarPop, Function::VarSamp, Function::StddevPop, Function::StddevSamp];

fn doubles(values: &[f64]) -> Vec<Value> {
    values.iter().copied().map(Value::Double).collect()
}

/// Numbers that look random.
fn bits(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (*seed ^ (*seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The square of a number is the variance of it and its opposite, and the processor rounds that as it should.
#[test]
fn of_a_number_and_its_opposite_it_is_the_square() {
    let (mut seed, mut tiny, mut endless) = (7, 0, 0);
    // 2 to the power of -600.
    let small = f64::from_bits((1_023 - 600) << 52);
    for round in 0..4_000 {
        let x = f64::from_bits(bits(&mut seed));
        // Many of them have squares with few bits.
        let x = if round % 2 == 0 { x } else { x * small };
        if !x.is_finite() {
            continue;
        }
        let square = x * x;
        let found = one(Function::VarPop, DataType::Double, &doubles(&[x, -x]));
        assert_eq!(found, Value::Double(square).to_text(), "{x:e}");
        tiny += u32::from(square > 0.0 && !square.is_normal());
        endless += u32::from(square.is_infinite());
    }
    assert!(tiny > 20 && endless > 20, "{tiny} {endless}");
}

#[test]
fn digits_do_not_cancel() {
    let far = doubles(&[1e15, 1e15 + 1.0, 1e15 + 2.0]);
    assert_eq!(one(Function::VarPop, DataType::Double, &far), (2.0 / 3.0).to_string());
    assert_eq!(one(Function::StddevSamp, DataType::Double, &far), "1.0");
    let apart = doubles(&[1e200, 3.0, -1e200, f64::from_bits(1)]);
    assert_eq!(one(Function::VarPop, DataType::Double, &apart), "Infinity");
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let odd = doubles(&[1.0, odd]);
        FOUR.into_iter().for_each(|f| assert_eq!(one(f, DataType::Double, &odd), "NaN"));
    }
    let single = [1.5, 2.5].map(Value::Float);
    assert_eq!(one(Function::VarPop, DataType::Float, &single), "0.25");
}

/// Values and results that Flink's documentation gives.
#[test]
fn decimals_are_rounded_half_up() {
    let values = [0, 10, 20, 30].map(|v| Value::Decimal(v, 1));
    let of = |f| one(f, DataType::Decimal(2, 1), &values);
    assert_eq!(FOUR.map(of), ["1.250000", "1.666667", "1.118034", "1.290994"]);
    let fine = [1, 2].map(|v| Value::Decimal(v, 10));
    // A quarter of 10 to the power of -20, at ten decimals.
    assert_eq!(one(Function::VarPop, DataType::Decimal(12, 10), &fine), "0.0000000000");
    assert_eq!(one(Function::StddevPop, DataType::Decimal(12, 10), &fine), "0.0000000001");
    let most = [LIMIT - 1, 1 - LIMIT].map(|v| Value::Decimal(v, 0));
    assert_eq!(one(Function::VarPop, DataType::Decimal(38, 0), &most), "NULL", "too many digits");
}

#[test]
fn integers_are_cut_and_never_wrong() {
    let few = [1, 2, 4].map(Value::Int);
    // 14/9 and 7/3.
    assert_eq!(FOUR.map(|f| one(f, DataType::Int, &few)), ["1", "2", "1", "1"]);
    let wide = [i64::MIN, i64::MAX].map(Value::BigInt);
    let of = |f| one(f, DataType::BigInt, &wide);
    // The distance from the mean is 2 to the power of 63 less a half: its root fits, its square does not.
    assert_eq!(FOUR.map(of), ["NULL", "NULL", &i64::MAX.to_string(), "NULL"]);
    let alone = [Value::BigInt(7), Value::Null];
    assert_eq!(FOUR.map(|f| one(f, DataType::BigInt, &alone)), ["0", "NULL", "0", "NULL"]);
    assert_eq!(one(Function::VarPop, DataType::Int, &[Value::Null]), "NULL");
}

/// What is taken back leaves nothing behind, be it ever so large.
#[test]
fn taking_back_is_exact() {
    let (mut seed, mut values) = (11, Vec::new());
    for _ in 0..60 {
        let x = f64::from_bits(bits(&mut seed) & !(3 << 60) | 1 << 60);
        values.push(Value::Double(if x.is_finite() { x } else { f64::INFINITY }));
    }
    let rows = batch(DataType::Double, &values);
    let call = AggregateCall::of(Function::VarSamp, Some(0));
    let mut set = AggregateSet::retracting(&[call], &rows.schema);
    set.grow(2);
    set.follow(&[0; 60], &rows);
    set.update(&[1; 5], 55, &rows);
    let gone = Batch { kinds: Some(vec![RowKind::Delete; 55].into()), ..rows.slice(0, 55) };
    set.follow(&[0; 55], &gone);
    let bytes = |slot| {
        let mut bytes = Vec::new();
        set.save(&[slot], &mut bytes);
        bytes
    };
    assert_eq!(bytes(0), bytes(1));
}
