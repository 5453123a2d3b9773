//! Numbers and bytes from text, without rounding on the way: integers, decimals, floats, base64.

/// Why a text is no value of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not written as such a value at all.
    Syntax,
    /// Well written, but outside the type's range.
    Range,
    /// Well written, but with a fraction where the type has none.
    Fraction,
}

/// A 64-bit integer: digits with a sign, or a decimal notation of a whole number such as `1e3`.
pub(super) fn parse_i64(text: &str) -> Result<i64, Fault> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    // 18 digits always fit, so the loop needs no checks.
    if (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        let magnitude = digits.iter().fold(0i64, |n, b| n * 10 + i64::from(b - b'0'));
        return Ok(if text.starts_with('-') { -magnitude } else { magnitude });
    }
    let (value, exact) = parse_scaled(text, 0)?;
    if !exact {
        return Err(Fault::Fraction);
    }
    i64::try_from(value).map_err(|_| Fault::Range)
}

/// A decimal as its unscaled number, rounded half up (away from zero) to `scale` as Flink does.
pub(super) fn parse_decimal(text: &str, precision: u8, scale: u8) -> Result<i128, Fault> {
    let (value, _) = parse_scaled(text, i64::from(scale))?;
    let limit = 10u128.checked_pow(u32::from(precision)).unwrap_or(u128::MAX);
    if value.unsigned_abs() >= limit { Err(Fault::Range) } else { Ok(value) }
}

/// A float, correctly rounded; `NaN`, `Infinity` and `-Infinity` by these names.
pub(super) fn parse_f64(text: &str) -> Result<f64, Fault> {
    match text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" | "+Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return Err(Fault::Syntax);
    }
    let value: f64 = text.parse().map_err(|_| Fault::Syntax)?;
    if value.is_finite() { Ok(value) } else { Err(Fault::Range) }
}

/// `text * 10^scale` as an integer rounded half up, and whether nothing was rounded away.
fn parse_scaled(text: &str, scale: i64) -> Result<(i128, bool), Fault> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(Fault::Syntax);
    }
    // How many of the digits stand before the point of the result; beyond the last digit come zeros.
    let kept = whole.len() as i64 + exponent + scale;
    let mut value: i128 = 0;
    let (mut rounds_up, mut exact) = (false, true);
    for (i, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let (i, digit) = (i as i64, i128::from(digit - b'0'));
        if i < kept {
            value = push_digit(value, digit)?;
        } else {
            exact &= digit == 0;
            rounds_up |= i == kept && digit >= 5;
        }
    }
    if value != 0 {
        for _ in (whole.len() + fraction.len()) as i64..kept {
            value = push_digit(value, 0)?;
        }
    }
    value += i128::from(rounds_up);
    Ok((if negative { -value } else { value }, exact))
}

fn push_digit(value: i128, digit: i128) -> Result<i128, Fault> {
    // 38 digits are the most a decimal has; one more is room for the check against its precision.
    if value >= 10i128.pow(37) * 10 { Err(Fault::Range) } else { Ok(value * 10 + digit) }
}

fn parse_exponent(text: &str) -> Result<i64, Fault> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    // Far beyond any decimal; held there so that sums cannot overflow.
    let size = digits.bytes().fold(0i64, |n, b| (n * 10 + i64::from(b - b'0')).clamp(0, 1 << 30));
    Ok(if text.starts_with('-') { -size } else { size })
}

/// The bytes of a base64 text (standard alphabet, padded or not).
pub(super) fn decode_base64(text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let digits = text.trim_end_matches('=').as_bytes();
    let padding = text.len() - digits.len();
    if padding > 2 || digits.len() % 4 == 1 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return Err(Fault::Syntax);
    }
    let (mut bits, mut held) = (0u32, 0u32);
    for &b in digits {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(Fault::Syntax),
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_all_digits_and_reject_fractions() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-7", Ok(-7)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(Fault::Range)),
            ("1e3", Ok(1000)),
            ("1.50e1", Ok(15)),
            ("10.0", Ok(10)),
            ("1.5", Err(Fault::Fraction)),
            ("1e999999999999", Err(Fault::Range)),
            ("0e999999999999", Ok(0)),
            ("1e-999999999999", Err(Fault::Fraction)),
            ("", Err(Fault::Syntax)),
            ("-", Err(Fault::Syntax)),
            ("+-1", Err(Fault::Syntax)),
            ("1x", Err(Fault::Syntax)),
            ("1e", Err(Fault::Syntax)),
            (".", Err(Fault::Syntax)),
        ] {
            assert_eq!(parse_i64(text), expected, "{text}");
        }
    }

    #[test]
    fn decimals_round_half_up_and_know_their_precision() {
        for (text, precision, scale, expected) in [
            ("12.345", 5, 2, Ok(1235)),
            ("-12.345", 5, 2, Ok(-1235)),
            ("12.3449", 5, 2, Ok(1234)),
            ("0.05", 3, 1, Ok(1)),
            ("0.005", 3, 1, Ok(0)),
            ("999.995", 5, 2, Err(Fault::Range)),
            ("1e2", 5, 2, Ok(10_000)),
            ("1e3", 5, 2, Err(Fault::Range)),
            (
                "99999999999999999999999999999999999999",
                38,
                0,
                Ok(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            ("100000000000000000000000000000000000000", 38, 0, Err(Fault::Range)),
            ("1e400", 38, 0, Err(Fault::Range)),
            ("1,5", 5, 2, Err(Fault::Syntax)),
        ] {
            assert_eq!(parse_decimal(text, precision, scale), expected, "{text}");
        }
    }

    #[test]
    fn floats_have_a_range_and_three_names() {
        assert_eq!(parse_f64("-1.25e2"), Ok(-125.0));
        assert_eq!(parse_f64("-Infinity"), Ok(f64::NEG_INFINITY));
        assert!(parse_f64("NaN").is_ok_and(f64::is_nan));
        assert_eq!(parse_f64("1e999"), Err(Fault::Range));
        for bad in ["", "nan", "inf", "1_0", "0x1", "e"] {
            assert_eq!(parse_f64(bad), Err(Fault::Syntax), "{bad}");
        }
    }

    #[test]
    fn base64_follows_the_examples_of_rfc_4648() {
        for (text, expected) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            let mut out = Vec::new();
            decode_base64(text, &mut out).expect(text);
            assert_eq!(out, expected.as_bytes(), "{text}");
        }
        for bad in ["A", "Zg=", "Z===", "Zm9v!", "Zm 9"] {
            assert_eq!(decode_base64(bad, &mut Vec::new()), Err(Fault::Syntax), "{bad}");
        }
    }
}
