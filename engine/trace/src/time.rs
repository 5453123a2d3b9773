//! Time: event time in milliseconds, the simulation's virtual time in microseconds, never mixed.

pub mod date;

use std::fmt;

/// A point of event time: milliseconds since 1970-01-01 00:00:00 UTC (`TIMESTAMP(3)`).
///
/// Every `i64` is a valid event time, the two ends included; arithmetic saturates or is checked,
/// because timestamps are input and input may be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(pub i64);

impl EventTime {
    /// The earliest event time; as a watermark: nothing is known yet.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// The latest event time; as a watermark: the input has ended.
    pub const MAX: EventTime = EventTime(i64::MAX);

    /// This time moved by `millis`, held at the ends of the range.
    #[inline]
    pub fn saturating_add(self, millis: i64) -> EventTime {
        EventTime(self.0.saturating_add(millis))
    }

    /// This time moved by `millis`, or `None` when that cannot be represented.
    #[inline]
    pub fn checked_add(self, millis: i64) -> Option<EventTime> {
        self.0.checked_add(millis).map(EventTime)
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EventTime::MIN => f.write_str("-inf"),
            EventTime::MAX => f.write_str("+inf"),
            EventTime(ms) => f.write_str(&format_timestamp(ms)),
        }
    }
}

/// A point of the simulation's own time: microseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VirtualTime(pub u64);

impl VirtualTime {
    /// This time moved forward by `micros`, held at the end of the range.
    #[inline]
    pub fn after(self, micros: u64) -> VirtualTime {
        VirtualTime(self.0.saturating_add(micros))
    }
}

impl fmt::Display for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        match i64::try_from(seconds).ok().and_then(date_and_clock) {
            Some(text) => write!(f, "{text}.{micros:06}"),
            None => write!(f, "{}us", self.0),
        }
    }
}

/// `YYYY-MM-DD HH:MM:SS` for seconds since 1970, where the date has a text.
fn date_and_clock(seconds: i64) -> Option<String> {
    let date = date::write(seconds.div_euclid(86_400))?;
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    Some(format!("{date} {hour:02}:{minute:02}:{second:02}"))
}

/// `YYYY-MM-DD HH:MM:SS.mmm` in UTC, the form in which every front end prints timestamps.
///
/// Outside the calendar's range (about ±262,000 years) the plain number of milliseconds is printed.
pub fn format_timestamp(millis: i64) -> String {
    match date_and_clock(millis.div_euclid(1_000)) {
        Some(text) => format!("{text}.{:03}", millis.rem_euclid(1_000)),
        None => format!("{millis}ms"),
    }
}

/// `YYYY-MM-DD` for a number of days since 1970-01-01.
pub fn format_date(days: i32) -> String {
    date::write(days.into()).unwrap_or_else(|| format!("{days}d"))
}

/// Reads `YYYY-MM-DD[ T]HH:MM[:SS[.fffffffff]][Z]` or `YYYY-MM-DD` as milliseconds UTC; digits
/// beyond milliseconds are cut.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((d, t)) => (d, Some(t)),
        None => (text, None),
    };
    let day_ms = i64::from(parse_date(date)?).checked_mul(86_400_000)?;
    let Some(time) = time else { return Some(day_ms) };
    let (hms, fraction) = match time.split_once('.') {
        Some((h, f)) => (h, f),
        None => (time, ""),
    };
    let mut parts = hms.split(':');
    let mut next = |limit: i64, required: bool| -> Option<i64> {
        match parts.next() {
            Some(p) if !p.is_empty() && p.len() <= 2 && p.bytes().all(|b| b.is_ascii_digit()) => {
                p.parse().ok().filter(|v| *v < limit)
            }
            None if !required => Some(0),
            _ => None,
        }
    };
    let (hour, minute, second) = (next(24, true)?, next(60, true)?, next(60, false)?);
    if parts.next().is_some() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let mut millis = 0;
    for i in 0..3 {
        millis = millis * 10 + fraction.as_bytes().get(i).map_or(0, |b| i64::from(b - b'0'));
    }
    day_ms.checked_add(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

/// Reads `YYYY-MM-DD` as days since 1970-01-01.
pub fn parse_date(text: &str) -> Option<i32> {
    i32::try_from(date::read(text.trim())?).ok()
}

/// Reads a duration as Flink's settings write it: `10 s`, `500ms`, `5 min`, `2 h`, `1 d`, or a bare
/// number of milliseconds. Microseconds are the result's unit.
pub fn parse_duration_micros(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "us" | "µs" | "micros" | "microsecond" | "microseconds" => 1,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000,
        "h" | "hour" | "hours" => 3_600_000_000,
        "d" | "day" | "days" => 86_400_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut micros = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        micros = micros.checked_add(u64::from(digit - b'0') * place)?;
    }
    Some(micros)
}

/// A length of time in the largest unit that holds it without a rest.
pub fn format_duration(millis: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    match units.into_iter().find(|(scale, _)| millis != 0 && millis % scale == 0) {
        Some((scale, unit)) => format!("{} {unit}", millis / scale),
        None => format!("{millis} ms"),
    }
}

/// When aligned windows are: window `n` is `[n * step + offset, n * step + offset + size)`, milliseconds.
///
/// The windows cut time into slices as long as the step; window `n` is made of slices
/// `n..n + overlap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// How long a window is: a multiple of the step.
    pub size: i64,
    /// From one window to the next.
    pub step: i64,
    /// A shift of all windows, from 0 to the step.
    pub offset: i64,
}

impl Alignment {
    /// Windows of `size` ms, one every `step` ms, shifted by `offset`.
    ///
    /// # Panics
    /// When the size is no positive multiple of the step: the planner refuses those.
    #[inline]
    pub fn new(size: i64, step: i64, offset: i64) -> Alignment {
        assert!(step > 0 && size >= step && size % step == 0, "a size of whole steps");
        Alignment { size, step, offset: offset.rem_euclid(step) }
    }

    /// How long a slice is, milliseconds.
    #[inline]
    pub fn step(&self) -> i64 {
        self.step
    }

    /// How many windows contain a moment.
    #[inline]
    pub fn overlap(&self) -> i64 {
        self.size / self.step
    }

    /// The slice of a time, which is also the last window that contains it.
    #[inline]
    pub fn slice(&self, time: i64) -> i64 {
        let n = (i128::from(time) - i128::from(self.offset)).div_euclid(i128::from(self.step));
        // A step of 1 ms has no offset, so this fits. The last moment is in the last window that has an
        // end: as a window of its own it could never be told from what comes after all windows.
        (n as i64).min(i64::MAX - 1)
    }

    /// When a slice, or the window of that number, starts; held at the ends of event time.
    #[inline]
    pub fn start(&self, slice: i64) -> i64 {
        let start = i128::from(slice) * i128::from(self.step) + i128::from(self.offset);
        start.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// When a window starts and ends; held at the ends of event time.
    #[inline]
    pub fn bounds(&self, window: i64) -> (i64, i64) {
        (self.start(window), self.start(window.saturating_add(self.overlap())))
    }

    /// The first window that has not fired under a watermark: a window fires when the watermark reaches
    /// its end minus 1 ms.
    #[inline]
    pub fn first_open(&self, watermark: EventTime) -> i64 {
        if watermark.0 >= i64::MAX - 1 {
            return i64::MAX;
        }
        let next = i128::from(watermark.0) + 1 - i128::from(self.offset);
        let window = next.div_euclid(i128::from(self.step)) - i128::from(self.overlap()) + 1;
        window.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

/// When cumulating windows are: those of a group begin together, at every multiple of `size` shifted by
/// `offset`, and end one after the other, every `step` up to `size`. Milliseconds.
///
/// They cut time into slices as long as the step. Window `n` is the one that ends with slice `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cumulation {
    /// From one window's end to the next.
    pub step: i64,
    /// How long the longest window is: a multiple of the step.
    pub size: i64,
    /// A shift of all windows, from 0 to the size.
    pub offset: i64,
}

impl Cumulation {
    /// Windows that grow by `step` ms up to `size`, shifted by `offset`.
    ///
    /// # Panics
    /// When the size is no positive multiple of the step: the planner refuses those.
    #[inline]
    pub fn new(step: i64, size: i64, offset: i64) -> Cumulation {
        assert!(step > 0 && size >= step && size % step == 0, "a size of whole steps");
        Cumulation { step, size, offset: offset.rem_euclid(size) }
    }

    /// The slices.
    #[inline]
    pub fn slices(&self) -> Alignment {
        Alignment::new(self.step, self.step, self.offset)
    }

    /// The first window of the group that a window is of.
    #[inline]
    pub fn first(&self, window: i64) -> i64 {
        window.saturating_sub(self.within(window))
    }

    /// The last window of that group: the longest.
    #[inline]
    pub fn last(&self, window: i64) -> i64 {
        let after = self.size / self.step - 1 - self.within(window);
        // No slice is behind the last but one.
        window.saturating_add(after).min(i64::MAX - 1)
    }

    /// How many windows of its group end before a window.
    #[inline]
    fn within(&self, window: i64) -> i64 {
        let (count, shift) = (self.size / self.step, self.offset / self.step);
        (i128::from(window) - i128::from(shift)).rem_euclid(count.into()) as i64
    }

    /// When a window starts and ends; held at the ends of event time.
    #[inline]
    pub fn bounds(&self, window: i64) -> (i64, i64) {
        let slices = self.slices();
        (slices.start(self.first(window)), slices.start(window.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use chrono::Datelike;

    use super::*;

    #[test]
    fn timestamps_round_trip_and_reject_nonsense() {
        for text in
            ["2018-01-31 02:18:21.235", "1969-12-31 23:59:59.999", "2020-02-29 00:00:00.000"]
        {
            assert_eq!(format_timestamp(parse_timestamp(text).expect(text)), text);
        }
        assert_eq!(parse_timestamp("2020-04-15 08:05"), Some(1_586_937_900_000));
        assert_eq!(parse_timestamp("2020-04-15T08:05:00Z"), Some(1_586_937_900_000));
        for bad in ["", "2020-13-01", "2020-04-15 25:00", "2020-04-15 08:05:00.x", "08:05"] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
        assert_eq!(format_timestamp(i64::MAX), "9223372036854775807ms");
    }

    #[test]
    fn timestamps_are_printed_as_the_calendar_says() {
        // Steps of a prime number of milliseconds over the whole range and past its ends.
        let step = 3_000_000_019_i64;
        for millis in (-2_900_000..2_900_000).step_by(29).map(|i| i * step) {
            let expected = match chrono::DateTime::from_timestamp_millis(millis) {
                Some(t) => format!("{:04}-{}", t.year(), t.format("%m-%d %H:%M:%S%.3f")),
                None => format!("{millis}ms"),
            };
            assert_eq!(format_timestamp(millis), expected);
        }
        assert_eq!(VirtualTime(1_000_000 * 86_400 + 7).to_string(), "1970-01-02 00:00:00.000007");
        assert_eq!(VirtualTime(u64::MAX).to_string(), format!("{}us", u64::MAX));
    }

    #[test]
    fn durations_follow_the_settings_syntax() {
        assert_eq!(parse_duration_micros("10 s"), Some(10_000_000));
        assert_eq!(parse_duration_micros("1.5ms"), Some(1_500));
        assert_eq!(parse_duration_micros("250"), Some(250_000));
        assert_eq!(parse_duration_micros("2 weeks"), None);
        assert_eq!(parse_duration_micros(""), None);
        assert_eq!(parse_duration_micros("1.2.3"), None);
    }

    /// The windows of some times, against the definition.
    #[test]
    fn cumulating_windows_begin_together_and_grow() {
        for (step, size, offset) in [(2, 10, 0), (2, 10, 3), (5, 5, 1), (3, 12, -4), (1, 4, 7)] {
            let c = Cumulation::new(step, size, offset);
            for time in -40_i64..40 {
                let start = (time - offset).div_euclid(size) * size + offset;
                let all = (1..=size / step).map(|k| (start, start + k * step));
                let expected: Vec<(i64, i64)> = all.filter(|w| w.1 > time).collect();
                let slice = c.slices().slice(time);
                let found: Vec<(i64, i64)> = (slice..=c.last(slice)).map(|n| c.bounds(n)).collect();
                assert_eq!(found, expected, "{time} in {c:?}");
                assert!((c.first(slice)..=slice).all(|n| c.last(n) == c.last(slice)));
            }
        }
        let c = Cumulation::new(1, 7, 3);
        for time in [i64::MIN, i64::MIN + 3, i64::MAX - 2, i64::MAX] {
            let slice = c.slices().slice(time);
            assert!(c.first(slice) <= slice && slice <= c.last(slice), "{time}");
        }
    }

    /// Every window around some times, against the definition.
    #[test]
    fn aligned_windows_contain_what_their_numbers_say() {
        for (size, step, offset) in [(10, 10, 0), (10, 10, 3), (10, 2, 0), (9, 3, -1), (4, 1, 7)] {
            let a = Alignment::new(size, step, offset);
            for time in -25..25 {
                let last = a.slice(time);
                for n in last - a.overlap() - 1..=last + 2 {
                    let (start, end) = a.bounds(n);
                    assert_eq!((start - offset).rem_euclid(step), 0);
                    assert_eq!(end - start, size);
                    let inside = start <= time && time < end;
                    assert_eq!(inside, n > last - a.overlap() && n <= last, "{time} in window {n}");
                    let fired = end - 1 <= time;
                    assert_eq!(n < a.first_open(EventTime(time)), fired, "{n} at {time}");
                }
            }
        }
        let a = Alignment::new(10, 5, 2);
        for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let (start, end) = a.bounds(a.slice(time));
            assert!(start <= time && (time < end || end == i64::MAX), "{time}: {start}..{end}");
        }
        assert_eq!(a.first_open(EventTime::MAX), i64::MAX);
        let finest = Alignment::new(1, 1, 0);
        let last = finest.slice(i64::MAX);
        assert!(finest.first_open(EventTime(i64::MAX - 2)) <= last);
        assert!(finest.first_open(EventTime(i64::MAX - 1)) > last, "it fires");
        assert_eq!(finest.bounds(last), (i64::MAX - 1, i64::MAX));
    }
}
