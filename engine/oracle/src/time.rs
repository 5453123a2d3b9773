//! Event times as text, counted by years and months.

const DAY: i64 = 86_400_000;
/// So many days have 400 years, wherever they begin.
const CYCLE: i64 = 146_097;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn months(year: i64) -> [i64; 12] {
    let february = if is_leap(year) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Milliseconds since 1970 as `YYYY-MM-DD HH:MM:SS.mmm`.
pub(crate) fn written(millis: i64) -> String {
    let (days, millis) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let (mut year, mut month) = (1970 + 400 * days.div_euclid(CYCLE), 0);
    let mut day = days.rem_euclid(CYCLE);
    while day >= months(year).iter().sum() {
        day -= months(year).iter().sum::<i64>();
        year += 1;
    }
    while day >= months(year)[month] {
        day -= months(year)[month];
        month += 1;
    }
    let (second, millis) = (millis / 1_000, millis % 1_000);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{:02}-{:02} {hour:02}:{minute:02}:{second:02}.{millis:03}",
        month + 1,
        day + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_says() {
        for (millis, text) in [
            (0, "1970-01-01 00:00:00.000"),
            (-1, "1969-12-31 23:59:59.999"),
            (1_714_521_600_000, "2024-05-01 00:00:00.000"),
            (1_709_251_199_999, "2024-02-29 23:59:59.999"),
            (1_709_251_200_000, "2024-03-01 00:00:00.000"),
            (1_735_689_599_999, "2024-12-31 23:59:59.999"),
            (951_782_400_000, "2000-02-29 00:00:00.000"),
            (-2_203_891_200_001, "1900-02-28 23:59:59.999"),
            (-2_203_891_200_000, "1900-03-01 00:00:00.000"),
            (-62_167_219_200_000, "0000-01-01 00:00:00.000"),
            (253_402_300_799_999, "9999-12-31 23:59:59.999"),
        ] {
            assert_eq!(written(millis), text);
        }
    }
}
