//! The `toml settings` block: of TOML, what whole numbers under top-level keys need.

use std::ops::Range;

use super::Knobs;

/// What is wrong, and the bytes of the block where it stands.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) range: Range<usize>,
    pub(super) message: String,
}

/// Reads a whole block.
pub(super) fn read(text: &str) -> Result<Knobs, Mistake> {
    let mut knobs = Knobs::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = &line[..line.find('#').unwrap_or(line.len())];
        if !content.trim().is_empty() {
            read_line(content, &mut knobs).map_err(|mistake| Mistake {
                range: start + mistake.range.start..start + mistake.range.end,
                ..mistake
            })?;
        }
        start += line.len();
    }
    Ok(knobs)
}

fn read_line(line: &str, knobs: &mut Knobs) -> Result<(), Mistake> {
    let whole = trimmed(line, 0..line.len());
    let Some(equals) = line.find('=') else {
        let message = format!("`{}` is no setting, expected `key = number`", &line[whole.clone()]);
        return Err(Mistake { range: whole, message });
    };
    let key = trimmed(line, 0..equals);
    let value = trimmed(line, equals + 1..line.len());
    let name = unquoted(&line[key.clone()]);
    let known = match name {
        "seed" => set(&mut knobs.seed, &line[value.clone()]),
        "parallelism" => set(&mut knobs.parallelism, &line[value.clone()]),
        "batch_rows" => set(&mut knobs.batch_rows, &line[value.clone()]),
        _ => {
            let message = format!(
                "unknown setting `{name}`, expected one of `seed`, `parallelism`, `batch_rows`"
            );
            return Err(Mistake { range: key, message });
        }
    };
    known.map_err(|wrong| match wrong {
        Wrong::Twice => Mistake { range: key, message: format!("`{name}` is set twice") },
        Wrong::Value(most) => Mistake {
            message: format!(
                "`{name}` is `{}`, expected a whole number from 0 to {most}",
                &line[value.clone()]
            ),
            range: value,
        },
    })
}

/// Why a setting is refused.
enum Wrong {
    Twice,
    /// It is no number up to this one.
    Value(u64),
}

fn set<T: TryFrom<u64>>(slot: &mut Option<T>, text: &str) -> Result<(), Wrong> {
    let most = u64::MAX >> (64 - 8 * size_of::<T>());
    let value = whole_number(text).and_then(|n| T::try_from(n).ok()).ok_or(Wrong::Value(most))?;
    if slot.replace(value).is_some() { Err(Wrong::Twice) } else { Ok(()) }
}

/// A part of the text without the spaces around it.
fn trimmed(text: &str, part: Range<usize>) -> Range<usize> {
    let inner = &text[part.clone()];
    let start = part.start + inner.len() - inner.trim_start().len();
    start..start + inner.trim().len()
}

/// A key without its quotes, if it has any.
fn unquoted(key: &str) -> &str {
    let inside = |quote: char| key.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(key)
}

/// A whole number as TOML writes it: underscores between digits, no leading zeros, or a radix.
fn whole_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x', ..] => (&text[2..], 16),
        [b'0', b'o', ..] => (&text[2..], 8),
        [b'0', b'b', ..] => (&text[2..], 2),
        _ => (text.strip_prefix('+').unwrap_or(text), 10),
    };
    if digits.split('_').any(|run| run.is_empty() || !run.chars().all(|c| c.is_digit(radix))) {
        return None;
    }
    let plain = digits.replace('_', "");
    let padded = radix == 10 && plain.len() > 1 && plain.starts_with('0');
    if padded { None } else { u64::from_str_radix(&plain, radix).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_toml_allows_for_whole_numbers_is_read() {
        let text = "# first\n\n  seed = 0xdead_beef # why not\n\"parallelism\"=+1_0\n'batch_rows'\t=\t0b11";
        let knobs = read(text).expect("all of it is TOML");
        let expected =
            Knobs { seed: Some(3_735_928_559), parallelism: Some(10), batch_rows: Some(3) };
        assert_eq!(knobs, expected);
        assert_eq!(read("seed = 18446744073709551615").expect("fits").seed, Some(u64::MAX));
    }

    #[test]
    fn what_toml_does_not_allow_is_refused_where_it_stands() {
        for (text, range) in [
            ("seed = 1\nseed = 2", 9..13),
            ("seed = 01", 7..9),
            ("seed = 1_", 7..9),
            ("seed = 1__0", 7..11),
            ("seed = 0x", 7..9),
            ("seed = 0x+1", 7..11),
            ("seed = 1.5", 7..10),
            ("seed = ", 7..7),
            ("seed", 0..4),
            ("[seed]", 0..6),
            ("a.seed = 1", 0..6),
            ("parallelism = 65536", 14..19),
        ] {
            assert_eq!(read(text).expect_err(text).range, range, "{text}");
        }
    }
}
