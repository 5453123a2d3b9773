//! VAR_POP, VAR_SAMP, STDDEV_POP and STDDEV_SAMP: exact sums of the values and of their squares, rounded once
//! at the end. So a result depends on the values alone, and cancels no digit however far they lie from zero.

use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type};

use super::exact::{Exact, Natural, root, square};
use super::set::MOST_ROWS;
use super::sum::LIMIT;
use super::{Accumulator, Function, Words, WordsMut};
use crate::column::from_values;
use crate::error::Result;
use crate::schema::DataType;
use crate::snapshot::bytes::Reader;
use crate::value::Value;

/// The accumulators of one of the four over an argument type.
pub(super) fn spread(
    function: Function,
    data_type: DataType,
    result: DataType,
) -> Box<dyn Accumulator> {
    let sample = matches!(function, Function::VarSamp | Function::StddevSamp);
    let rooted = matches!(function, Function::StddevPop | Function::StddevSamp);
    Box::new(Spread { sample, rooted, data_type, result, sums: Vec::new() })
}

/// The sums of a slot.
#[derive(Clone, Default)]
struct Sums {
    values: Exact,
    squares: Exact,
}

/// The word of a slot counts its values that are no finite numbers.
#[derive(Clone)]
struct Spread {
    /// Whether it is by one value less.
    sample: bool,
    /// Whether it is the square root.
    rooted: bool,
    data_type: DataType,
    result: DataType,
    sums: Vec<Sums>,
}

/// A number without its sign, the power of 2 it is to be multiplied by, and whether it is negative.
type Parts = (u128, i32, bool);

/// A finite number in parts.
fn parts(value: f64) -> Option<Parts> {
    let (bits, minus) = (value.abs().to_bits(), value.is_sign_negative());
    let (exponent, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let (digits, power) = match exponent {
        0 => (fraction, -1074),
        _ => (fraction | 1 << 52, exponent - 1075),
    };
    // Few limbs for numbers that are whole.
    let zeros = if digits == 0 { 0 } else { digits.trailing_zeros() };
    value.is_finite().then_some((u128::from(digits >> zeros), power + zeros as i32, minus))
}

/// The values of rows, none NULL; `None` for such that are no finite numbers.
fn numbers(array: &ArrayRef, data_type: DataType, rows: Range<usize>) -> Vec<Option<Parts>> {
    let whole = |v: i128| Some((v.unsigned_abs(), 0, v < 0));
    match data_type {
        DataType::Int => {
            let values = &array.as_primitive::<Int32Type>().values()[rows];
            values.iter().map(|&v| whole(v.into())).collect()
        }
        DataType::BigInt => {
            let values = &array.as_primitive::<Int64Type>().values()[rows];
            values.iter().map(|&v| whole(v.into())).collect()
        }
        DataType::Float => {
            let values = &array.as_primitive::<Float32Type>().values()[rows];
            values.iter().map(|&v| parts(v.into())).collect()
        }
        DataType::Double => {
            let values = &array.as_primitive::<Float64Type>().values()[rows];
            values.iter().map(|&v| parts(v)).collect()
        }
        _ => {
            let values = &array.as_primitive::<Decimal128Type>().values()[rows];
            values.iter().map(|&v| whole(v)).collect()
        }
    }
}

impl Spread {
    /// Takes values in, or back.
    fn change(
        &mut self,
        mut words: WordsMut<'_>,
        slots: &[u32],
        values: Vec<Option<Parts>>,
        back: bool,
    ) {
        for (&slot, value) in slots.iter().zip(values) {
            let Some((number, power, minus)) = value else {
                let odd = words.one(slot);
                *odd = if back { odd.saturating_sub(1) } else { *odd + 1 };
                continue;
            };
            let sums = &mut self.sums[slot as usize];
            let limbs = [number as u64, (number >> 64) as u64, 0, 0];
            sums.values.add_scaled(limbs, power, minus != back);
            sums.squares.add_scaled(square(number), 2 * power, back);
        }
    }

    /// The result over so many values; `None` where there is none, or none that the type holds.
    fn of(&self, slot: u32, odd: u64, count: i64) -> Option<Value> {
        let count = u64::try_from(count).ok().filter(|&count| count > 0)?;
        let divisor = count - u64::from(self.sample);
        if divisor == 0 {
            return None;
        }
        let sums = &self.sums[slot as usize];
        let spread = Natural::spread(count, &sums.values, &sums.squares)?;
        let double = |spread: Natural| {
            // Three limbs more than two divisions take away.
            let value = spread.finer(3).by(count).by(divisor).nearest();
            let value = if odd > 0 { f64::NAN.abs() } else { value };
            if self.rooted { value.sqrt() } else { value }
        };
        match self.result {
            DataType::Double => Some(Value::Double(double(spread))),
            DataType::Float => Some(Value::Float(double(spread) as f32)),
            DataType::Decimal(_, scale) => {
                let twice = self.twice(spread.units(), scale, [count, divisor])?;
                // Half up, as Flink divides decimals.
                let value = i128::try_from(twice / 2 + twice % 2).ok().filter(|&v| v < LIMIT)?;
                Some(Value::Decimal(value, scale))
            }
            result => {
                let whole = spread.units().by(count).by(divisor).whole()?;
                let whole = if self.rooted { root(whole) } else { low(whole)? };
                match result {
                    DataType::Int => i32::try_from(whole).ok().map(Value::Int),
                    _ => i64::try_from(whole).ok().map(Value::BigInt),
                }
            }
        }
    }

    /// Twice the result at that scale, cut.
    fn twice(&self, spread: Natural, scale: u8, divisors: [u64; 2]) -> Option<u128> {
        let DataType::Decimal(_, of) = self.data_type else { return None };
        // Squares have twice the scale of their values; the root of a scale is half of it.
        let scaled = match (self.rooted, scale.checked_sub(2 * of)) {
            (true, _) => spread.times(4 * ten(2 * (scale - of))),
            (false, Some(more)) => spread.times(2 * ten(more)),
            (false, None) => {
                let less = 2 * of - scale;
                spread.times(2).by(ten(less / 2)).by(ten(less - less / 2))
            }
        };
        let whole = scaled.by(divisors[0]).by(divisors[1]).whole()?;
        if self.rooted { Some(root(whole)) } else { low(whole) }
    }

    fn value_of(&self, words: Words<'_>, slot: u32, count: i64) -> Value {
        self.of(slot, words.many(slot, 1)[0], count).unwrap_or(Value::Null)
    }
}

/// A power of ten: at most half of 38 digits are asked for at once.
fn ten(power: u8) -> u64 {
    10_u64.pow(power.into())
}

/// The lower half of a number that has no upper one.
fn low([first, second, rest @ ..]: [u64; 4]) -> Option<u128> {
    (rest == [0, 0]).then_some(u128::from(first) | u128::from(second) << 64)
}

impl Accumulator for Spread {
    fn width(&self) -> usize {
        1
    }

    fn grow(&mut self, slots: usize) {
        self.sums.resize_with(slots.max(self.sums.len()), Sums::default);
    }

    fn clear(&mut self, from: u32, to: u32) {
        self.sums[from as usize..to as usize].fill_with(Sums::default);
    }

    fn update(
        &mut self,
        words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let argument = argument.expect("it has an argument");
        let values = numbers(argument, self.data_type, from..from + slots.len());
        self.change(words, slots, values, false);
    }

    fn retract(
        &mut self,
        words: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let argument = argument.expect("it has an argument");
        let values = numbers(argument, self.data_type, from..from + slots.len());
        self.change(words, slots, values, true);
    }

    fn merge(&mut self, mut words: WordsMut<'_>, pairs: &[(u32, u32)]) {
        for &(into, from) in pairs {
            let odd = *words.one(from);
            *words.one(into) += odd;
            let other = self.sums[from as usize].clone();
            let own = &mut self.sums[into as usize];
            own.values.add(&other.values);
            own.squares.add(&other.squares);
        }
    }

    fn result(&self, words: Words<'_>, slots: &[u32], values: &[i64]) -> ArrayRef {
        let one = |(&slot, &count): (&u32, &i64)| self.value_of(words, slot, count);
        from_values(&slots.iter().zip(values).map(one).collect::<Vec<_>>(), self.result)
    }

    fn value(&self, words: Words<'_>, slot: u32, values: i64) -> Value {
        self.value_of(words, slot, values)
    }

    fn valid(&self, words: &[u64]) -> bool {
        let floats = matches!(self.data_type, DataType::Float | DataType::Double);
        words[0] <= if floats { MOST_ROWS } else { 0 }
    }

    fn save(&self, slots: &[u32], out: &mut Vec<u8>) {
        for sums in slots.iter().map(|&slot| &self.sums[slot as usize]) {
            sums.values.save(out);
            sums.squares.save(out);
        }
    }

    fn load(&mut self, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        for &slot in slots {
            let (values, squares) = (Exact::load(reader)?, Exact::load(reader)?);
            let (Some(values), Some(squares)) = (values, squares) else { return Ok(false) };
            self.sums[slot as usize] = Sums { values, squares };
        }
        Ok(true)
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}
