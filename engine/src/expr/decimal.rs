//! Decimal arithmetic as Flink rounds and bounds it: 38 digits, half up, NULL beyond.

use arrow_buffer::i256;

use crate::schema::DataType;

/// The most digits a decimal has.
pub(super) const MAX_PRECISION: u8 = 38;

/// An operator on two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// The type of `a op b` for precisions and scales.
pub(super) fn result_type(op: Operator, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> DataType {
    let (p1, s1, p2, s2) = (u32::from(p1), u32::from(s1), u32::from(p2), u32::from(s2));
    let (precision, scale) = match op {
        Operator::Add | Operator::Subtract => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
        Operator::Multiply => (p1 + p2 + 1, s1 + s2),
        Operator::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        Operator::Modulo => {
            let scale = s1.max(s2);
            (((p1 - s1).min(p2 - s2) + scale).max(1), scale)
        }
    };
    fit(precision, scale)
}

/// The type of that many digits, giving up decimals (but not the last six) for whole digits.
fn fit(precision: u32, scale: u32) -> DataType {
    let most = u32::from(MAX_PRECISION);
    let (precision, scale) = if precision <= most {
        (precision, scale)
    } else {
        let whole = precision - scale;
        (most, scale.min(6).max(most.saturating_sub(whole)))
    };
    DataType::Decimal(precision as u8, scale as u8)
}

/// `10^n` for n up to 38.
pub(super) fn power_of_ten(n: u8) -> i128 {
    10_i128.pow(u32::from(n.min(MAX_PRECISION)))
}

fn wide_power_of_ten(n: u32) -> Option<i256> {
    let ten = i256::from_i128(10);
    if n > 76 { None } else { ten.checked_pow(n) }
}

/// The number if it has at most that many digits.
pub(super) fn within(value: i128, precision: u8) -> Option<i128> {
    let limit = power_of_ten(precision);
    (value > -limit && value < limit).then_some(value)
}

/// The same number with another scale, rounded half up, if it has at most that many digits.
pub(super) fn rescale(value: i128, from: u8, to: u8, precision: u8) -> Option<i128> {
    if from <= to {
        let scaled = value.checked_mul(power_of_ten(to - from))?;
        return within(scaled, precision);
    }
    within(divide_half_up(value, power_of_ten(from - to)), precision)
}

/// `a / b` rounded half away from zero; `b` is positive.
pub(super) fn divide_half_up(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    let rest = rest.unsigned_abs();
    // Compared with what is missing, since twice the rest may not fit.
    if rest >= b.unsigned_abs() - rest { quotient + a.signum() } else { quotient }
}

/// Divides wide numbers, rounding half away from zero.
fn wide_divide(a: i256, b: i256) -> Option<i256> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let (rest, size) = (rest.checked_abs()?, b.checked_abs()?);
    if rest < size.checked_sub(rest)? {
        return Some(quotient);
    }
    let up = if a.is_negative() == b.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    quotient.checked_add(up)
}

fn wide_rescale(value: i256, from: u32, to: u32) -> Option<i256> {
    if from <= to {
        value.checked_mul(wide_power_of_ten(to - from)?)
    } else {
        wide_divide(value, wide_power_of_ten(from - to)?)
    }
}

/// Computes `a op b`, decimals of scales `s1` and `s2`, as a decimal of that precision and scale.
/// `None` when it has too many digits, or when `b` is zero for `/` and `%`.
pub(super) fn compute(
    op: Operator,
    (a, s1): (i128, u8),
    (b, s2): (i128, u8),
    (precision, scale): (u8, u8),
) -> Option<i128> {
    let common = s1.max(s2);
    let (s1, s2, common, to) = (u32::from(s1), u32::from(s2), u32::from(common), u32::from(scale));
    if op == Operator::Add || op == Operator::Subtract {
        // Both numbers have the common scale more often than not.
        if s1 == s2 && to == s1 {
            let sum = if op == Operator::Add { a.checked_add(b) } else { a.checked_sub(b) };
            return within(sum?, precision);
        }
    }
    let (a, b) = (i256::from_i128(a), i256::from_i128(b));
    let wide = match op {
        Operator::Add | Operator::Subtract | Operator::Modulo => {
            let a = wide_rescale(a, s1, common)?;
            let b = wide_rescale(b, s2, common)?;
            let value = match op {
                Operator::Add => a.checked_add(b)?,
                Operator::Subtract => a.checked_sub(b)?,
                _ => a.checked_rem(b)?,
            };
            wide_rescale(value, common, to)?
        }
        Operator::Multiply => wide_rescale(a.checked_mul(b)?, s1 + s2, to)?,
        // Where the dividend does not fit 76 digits the quotient does not fit 38 either.
        Operator::Divide => {
            if to + s2 >= s1 {
                wide_divide(a.checked_mul(wide_power_of_ten(to + s2 - s1)?)?, b)?
            } else {
                wide_divide(a, b.checked_mul(wide_power_of_ten(s1 - to - s2)?)?)?
            }
        }
    };
    within(wide.to_i128()?, precision)
}

/// Compares decimals of two scales.
pub(super) fn compare((a, s1): (i128, u8), (b, s2): (i128, u8)) -> std::cmp::Ordering {
    if s1 == s2 {
        return a.cmp(&b);
    }
    let common = u32::from(s1.max(s2));
    // 38 digits and 38 more fit; should they not, the sign of the larger number decides.
    let wide = |v, s: u8| wide_rescale(i256::from_i128(v), u32::from(s), common);
    match (wide(a, s1), wide(b, s2)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(&b),
    }
}

/// Reads `[+-]digits[.digits][e[+-]digits]` as a decimal of that scale, rounded half up.
/// `Err` when it is no number, `Ok(None)` when it has too many digits.
pub(super) fn parse(text: &str, precision: u8, scale: u8) -> Result<Option<i128>, ()> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().map_err(|_| ())?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = || whole.bytes().chain(fraction.bytes());
    if all().next().is_none() || !all().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    // How many of the digits stand before the last place kept.
    let kept = (whole.len() as i64) + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    let mut place = 0_i64;
    for digit in all() {
        if place >= kept {
            break;
        }
        let next = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit - b'0')));
        let Some(next) = next else { return Ok(None) };
        value = next;
        place += 1;
    }
    if value != 0 && kept - place > 38 {
        return Ok(None);
    }
    if value != 0 {
        for _ in place..kept {
            let Some(next) = value.checked_mul(10) else { return Ok(None) };
            value = next;
        }
    }
    if kept >= 0 && usize::try_from(kept).is_ok_and(|k| all().nth(k).is_some_and(|d| d >= b'5')) {
        value += 1;
    }
    Ok(within(if negative { -value } else { value }, precision))
}

/// The nearest double.
pub(super) fn to_f64(value: i128, scale: u8) -> f64 {
    // Both exact in a double, so their quotient is rounded once.
    if value.unsigned_abs() < 1 << 53 && scale <= 22 {
        let power = POWERS[usize::from(scale)];
        return value as f64 / power;
    }
    crate::value::decimal_text(value, scale).parse().unwrap_or(f64::NAN)
}

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
