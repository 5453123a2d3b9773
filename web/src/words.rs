//! Times, spans and numbers in words, the same in every panel.

use highwater_trace::time::{EventTime, VirtualTime, format_timestamp};

/// A length of time in two units: `4 h 12 min`, `9.5 s`, `300 ms`.
pub fn span(millis: i64) -> String {
    let sign = if millis < 0 { "−" } else { "" };
    let ms = millis.unsigned_abs();
    let pair = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{sign}{big} {unit}")
        } else {
            format!("{sign}{big} {unit} {small} {small_unit}")
        }
    };
    let (s, min, h) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..=999 => format!("{sign}{ms} ms"),
        1_000..=59_999 if ms % 1000 >= 100 => format!("{sign}{s}.{} s", ms % 1000 / 100),
        1_000..=59_999 => format!("{sign}{s} s"),
        60_000..=3_599_999 => pair(min, "min", s % 60, "s"),
        3_600_000..=172_799_999 => pair(h, "h", min % 60, "min"),
        _ => pair(h / 24, "d", h % 24, "h"),
    }
}

/// An event time as the command line prints it, without a fraction that is zero.
pub fn event_time(ms: i64) -> String {
    match ms {
        i64::MIN => "−∞".to_owned(),
        i64::MAX => "+∞".to_owned(),
        _ => trim(&EventTime(ms).to_string()),
    }
}

/// A virtual time, to the millisecond, without a fraction that is zero.
pub fn virtual_time(us: u64) -> String {
    match i64::try_from(us / 1000) {
        Ok(ms) => trim(&format_timestamp(ms)),
        Err(_) => VirtualTime(us).to_string(),
    }
}

/// A time where there is little room: without year and fraction.
pub fn short(ms: i64) -> String {
    let text = event_time(ms);
    let seconds = text.split_once('.').map_or(text.as_str(), |(s, _)| s);
    match seconds.split_once('-') {
        Some((year, rest)) if year.len() == 4 => rest.to_owned(),
        _ => seconds.to_owned(),
    }
}

/// A virtual time where there is little room.
pub fn short_virtual(us: u64) -> String {
    short(i64::try_from(us / 1000).unwrap_or(i64::MAX))
}

/// Start and end of a window; the end's date is left out when it is the start's.
pub fn window(start: i64, end: i64) -> String {
    let (from, to) = (event_time(start), event_time(end));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((a, _)), Some((b, time))) if a == b => format!("{from} – {time}"),
        _ => format!("{from} – {to}"),
    }
}

/// A number with a thin space between thousands.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// A number and its word: `1 row`, `3 rows`.
pub fn count(n: u64, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{} {word}s", number(n)) }
}

/// Bytes: `812 B`, `4.2 KB`, `1.3 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..=999 => format!("{n} B"),
        1_000..=999_999 => format!("{}.{} KB", n / 1000, n % 1000 / 100),
        _ => format!("{}.{} MB", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}

fn trim(text: &str) -> String {
    text.strip_suffix(".000").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (9_560, "9.5 s"),
            (60_000, "1 min"),
            (3_599_999, "59 min 59 s"),
            (15_120_000, "4 h 12 min"),
            (172_800_000, "2 d"),
            (-61_000, "−1 min 1 s"),
        ] {
            assert_eq!(span(ms), text);
        }
        assert_eq!(span(i64::MIN), "−106751991167 d 7 h");
    }

    #[test]
    fn times_lose_only_what_says_nothing() {
        assert_eq!(event_time(1_517_365_101_235), "2018-01-31 02:18:21.235");
        assert_eq!(event_time(1_517_364_000_000), "2018-01-31 02:00:00");
        assert_eq!(event_time(i64::MAX), "+∞");
        assert_eq!(short(1_517_365_101_235), "01-31 02:18:21");
        assert_eq!(short(i64::MIN), "−∞");
        assert_eq!(window(1_517_364_000_000, 1_517_367_600_000), "2018-01-31 02:00:00 – 03:00:00");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(0, "row"), "0 rows");
        assert_eq!(bytes(4_250), "4.2 KB");
    }
}
