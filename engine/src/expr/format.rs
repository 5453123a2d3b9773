//! Patterns of dates and times, in the letters of Java: `yyyy-MM-dd HH:mm:ss.SSS`.

use crate::error::{Diagnostic, Result};

use super::calendar::{self, DAY, Date, Unit};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// The most letters in a row that mean one field.
const WIDEST: usize = 19;

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// A field, by its letter, and how many letters.
    Field(char, usize),
}

impl Pattern {
    /// Takes a pattern apart.
    pub(super) fn parse(text: &str) -> Result<Pattern> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut chars = text.chars().peekable();
        let literal = |pieces: &mut Vec<Piece>, c: char| match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            _ => pieces.push(Piece::Text(c.to_string())),
        };
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.next_if_eq(&'\'').is_some() {
                    literal(&mut pieces, '\'');
                    continue;
                }
                loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_none() => break,
                        Some(c) => literal(&mut pieces, c),
                        None => return Err(bad(text, "a quote is not closed")),
                    }
                }
            } else if c.is_ascii_alphabetic() {
                let mut width = 1;
                while chars.next_if_eq(&c).is_some() {
                    width += 1;
                }
                if !"yuMdDHhmsSaE".contains(c) {
                    return Err(bad(text, &format!("the letter {c} has no meaning here")));
                }
                if width > WIDEST {
                    return Err(bad(text, &format!("there are too many letters {c} in a row")));
                }
                pieces.push(Piece::Field(c, width));
            } else {
                literal(&mut pieces, c);
            }
        }
        Ok(Pattern { pieces })
    }

    /// Appends the time in this pattern.
    pub(super) fn write(&self, millis: i64, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(letter, width) => write_field(millis, *letter, *width, out),
            }
        }
    }

    /// Reads a time in this pattern; missing fields are those of 1970-01-01 00:00:00.
    pub(super) fn read(&self, text: &str) -> Option<i64> {
        let mut rest = text;
        let mut found = Fields::default();
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Field(letter, width) => {
                    let glued = matches!(self.pieces.get(i + 1), Some(Piece::Field(..)));
                    rest = found.read(rest, *letter, *width, glued)?;
                }
            }
        }
        if rest.is_empty() { found.millis() } else { None }
    }
}

fn bad(pattern: &str, why: &str) -> crate::error::Error {
    Diagnostic::new("sql.argument", format!("{pattern:?} is no pattern of a time: {why}")).hint(
        "letters: y year, M month, d day, H hour, h hour of 12, m minute, s second, S fraction, \
         a AM or PM, E day of the week, D day of the year; other text in 'quotes'",
    )
}

fn write_field(millis: i64, letter: char, width: usize, out: &mut String) {
    let name = |names: &[&str], index: i64, out: &mut String| {
        let name = usize::try_from(index - 1).ok().and_then(|i| names.get(i)).unwrap_or(&"");
        out.push_str(if width >= 4 { name } else { name.get(..3).unwrap_or(name) });
    };
    let field = |unit| calendar::field(millis, unit);
    let value = match letter {
        'y' | 'u' if width == 2 => field(Unit::Year).rem_euclid(100),
        'y' | 'u' => field(Unit::Year),
        'M' if width >= 3 => return name(&MONTHS, field(Unit::Month), out),
        'M' => field(Unit::Month),
        'd' => field(Unit::Day),
        'D' => field(Unit::Doy),
        'H' => field(Unit::Hour),
        'h' => (field(Unit::Hour) + 11) % 12 + 1,
        'm' => field(Unit::Minute),
        's' => field(Unit::Second),
        'a' => return out.push_str(if field(Unit::Hour) < 12 { "AM" } else { "PM" }),
        'E' => return name(&DAYS, field(Unit::IsoDow), out),
        _ => {
            let digits = format!("{:03}", field(Unit::Millisecond));
            return out.extend(digits.chars().chain(std::iter::repeat('0')).take(width));
        }
    };
    let sign = if value < 0 { "-" } else { "" };
    out.push_str(&format!("{sign}{:0width$}", value.unsigned_abs()));
}

/// What a text said about a time.
#[derive(Clone, Copy)]
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    /// Hour of a clock of twelve, and whether it is the afternoon.
    half: Option<i64>,
    afternoon: bool,
    minute: i64,
    second: i64,
    milli: i64,
}

impl Default for Fields {
    fn default() -> Fields {
        Fields {
            year: 1970,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            half: None,
            afternoon: false,
            minute: 0,
            second: 0,
            milli: 0,
        }
    }
}

impl Fields {
    /// Reads one field from the front; gives what is left.
    fn read<'t>(
        &mut self,
        text: &'t str,
        letter: char,
        width: usize,
        glued: bool,
    ) -> Option<&'t str> {
        if letter == 'a' {
            let (word, rest) = text.split_at_checked(2)?;
            self.afternoon = word.eq_ignore_ascii_case("PM");
            return (self.afternoon || word.eq_ignore_ascii_case("AM")).then_some(rest);
        }
        if letter == 'E' || (letter == 'M' && width >= 3) {
            let names: &[&str] = if letter == 'E' { &DAYS } else { &MONTHS };
            let short = |n: &'static str| if width >= 4 { n } else { n.get(..3).unwrap_or(n) };
            let index = names.iter().position(|n| text.starts_with(short(n)))?;
            if letter == 'M' {
                self.month = index as i64 + 1;
            }
            return text.get(short(names[index]).len()..);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        // One letter takes what digits there are, more letters take as many; years may be longer.
        let long_year = (letter == 'y' || letter == 'u') && width != 2 && !glued;
        let take = if (width == 1 && !glued) || long_year { digits.min(WIDEST - 1) } else { width };
        if take < width || take > digits {
            return None;
        }
        let (number, rest) = text.split_at_checked(take)?;
        let value: i64 = number.parse().ok()?;
        match letter {
            'y' | 'u' => self.year = if width == 2 { 2000 + value } else { value },
            'M' => self.month = value,
            'd' => self.day = value,
            'D' => self.day_of_year = Some(value),
            'H' => self.hour = value,
            'h' => self.half = Some(value),
            'm' => self.minute = value,
            's' => self.second = value,
            _ => {
                let three: String = number.chars().chain(std::iter::repeat('0')).take(3).collect();
                self.milli = three.parse().ok()?;
            }
        }
        Some(rest)
    }

    fn millis(self) -> Option<i64> {
        let hour = match self.half {
            Some(h) if (1..=12).contains(&h) => h % 12 + if self.afternoon { 12 } else { 0 },
            Some(_) => return None,
            None => self.hour,
        };
        let ranges = (1..=12).contains(&self.month)
            && self.day >= 1
            && self.day <= calendar::month_length(self.year, self.month)
            && hour < 24
            && self.minute < 60
            && self.second < 60;
        if !ranges {
            return None;
        }
        let mut days =
            calendar::days_of(Date { year: self.year, month: self.month, day: self.day })?;
        if let Some(of_year) = self.day_of_year {
            let leap = calendar::month_length(self.year, 2) - 28;
            if !(1..=365 + leap).contains(&of_year) {
                return None;
            }
            days = calendar::days_of(Date { year: self.year, month: 1, day: 1 })? + of_year - 1;
        }
        let of_day = ((hour * 60 + self.minute) * 60 + self.second) * 1_000 + self.milli;
        days.checked_mul(DAY)?.checked_add(of_day)
    }
}
