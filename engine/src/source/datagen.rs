//! `connector` = `datagen`: generated rows. Row i depends on the seed and i alone.

use super::builder::Builder;
use super::number::{parse_decimal, parse_f64, parse_i64};
use super::options::duration;
use super::{Chunk, Context, Detached, Input, Reader};
use crate::error::{Diagnostic, Error, Result};
use crate::numbers::Numbers;
use crate::schema::{DataType, Field};

/// Flink's default of `rows-per-second`.
const ROWS_PER_SECOND: u64 = 10_000;
/// Flink's default length of a generated string.
const LENGTH: u64 = 100;
/// The longest generated string.
const MAX_LENGTH: u64 = 1 << 16;

/// What a column's values are.
#[derive(Clone, Debug)]
enum Kind {
    /// `start + i`, an integer scaled to the column.
    Sequence { start: i128, step: i128 },
    /// A sequence in floating point.
    FloatSequence { start: i64 },
    /// A sequence as text.
    TextSequence { start: i64 },
    /// Whole numbers, or unscaled decimals, evenly from `min` on.
    Whole { min: i128, span: u128 },
    /// Floats evenly between the two.
    Real { min: f64, max: f64 },
    /// True or false.
    Boolean,
    /// Hexadecimal digits.
    Text { length: u64, varied: bool },
    /// Bytes.
    Bytes { length: u64, varied: bool },
    /// The arrival in milliseconds, less up to `max_past`; in days for a DATE.
    Time { max_past: u64 },
}

/// A generated column.
struct Generated {
    kind: Kind,
    /// What sets its draws apart from those of other columns.
    salt: u64,
    /// How likely NULL is, as a limit of a 64-bit draw.
    null_below: u64,
}

/// Rows out of nothing.
struct Generator {
    columns: Vec<Generated>,
    builders: Vec<Builder>,
    rows_per_second: u64,
    /// The first row that is not there.
    end: u64,
    next: u64,
}

/// Opens the table.
pub(super) fn open(context: &Context<'_>) -> Result<Vec<Input>> {
    let fields = &context.spec.physical.fields;
    context.only(
        |key| matches!(key, "rows-per-second" | "number-of-rows") || is_field_option(fields, key),
        "'rows-per-second', 'number-of-rows' and 'fields.<column>.kind', .min, .max, .start, .end, \
         .length, .var-len, .max-past, .null-rate",
    )?;
    let rows_per_second = context.number("rows-per-second")?.unwrap_or(ROWS_PER_SECOND);
    if rows_per_second == 0 {
        return Err(context.bad_option("rows-per-second", "0", "a positive number"));
    }
    let mut end = context.number("number-of-rows")?.unwrap_or(u64::MAX);
    let mut columns = Vec::new();
    for field in fields {
        let options = FieldOptions { context, field };
        let (kind, rows) = options.kind()?;
        end = end.min(rows);
        let salt = hash(context.seed, [context.spec.table.as_str(), "\0", field.name.as_str()]);
        columns.push(Generated { kind, salt, null_below: options.null_below()? });
    }
    let builders = fields.iter().map(|f| Builder::new(f.data_type)).collect();
    let reader = Generator { columns, builders, rows_per_second, end, next: 0 };
    let name = context.spec.table.clone();
    let first = context.spec.lookup;
    Ok(vec![Input { partition: 0, name, reader: Box::new(reader), first }])
}

fn is_field_option(fields: &[Field], key: &str) -> bool {
    key.strip_prefix("fields.").and_then(|rest| rest.rsplit_once('.')).is_some_and(
        |(name, what)| {
            let known = [
                "kind",
                "min",
                "max",
                "start",
                "end",
                "length",
                "var-len",
                "max-past",
                "null-rate",
            ]
            .contains(&what);
            known && fields.iter().any(|f| f.name == name)
        },
    )
}

/// The options of one column.
struct FieldOptions<'a> {
    context: &'a Context<'a>,
    field: &'a Field,
}

impl FieldOptions<'_> {
    fn key(&self, what: &str) -> String {
        format!("fields.{}.{what}", self.field.name)
    }

    fn get(&self, what: &str) -> Option<&str> {
        self.context.option(&self.key(what))
    }

    fn bad(&self, what: &str, expected: &str) -> Error {
        let text = self.get(what).unwrap_or_default();
        self.context.bad_option(&self.key(what), text, expected)
    }

    /// A whole number, or the default.
    fn whole(&self, what: &str, default: i64) -> Result<i64> {
        self.get(what).map_or(Ok(default), |text| {
            parse_i64(text.trim()).map_err(|_| self.bad(what, "a whole number"))
        })
    }

    /// What the column holds, and how many rows that allows.
    fn kind(&self) -> Result<(Kind, u64)> {
        match self.get("kind").unwrap_or("random") {
            "random" => Ok((self.random()?, u64::MAX)),
            "sequence" => self.sequence(),
            _ => Err(self.bad("kind", "random or sequence")),
        }
    }

    fn sequence(&self) -> Result<(Kind, u64)> {
        for what in ["start", "end"] {
            if self.get(what).is_none() {
                return Err(Diagnostic::new(
                    "source.missing-option",
                    format!("a sequence needs the option '{}'", self.key(what)),
                ));
            }
        }
        let (start, end) = (self.whole("start", 0)?, self.whole("end", 0)?);
        if end < start {
            return Err(self.bad("end", "a number from the start on"));
        }
        let rows = end.abs_diff(start).saturating_add(1);
        let (low, high) = (i128::from(start), i128::from(end));
        let in_range = |limit: i128| low >= -limit - 1 && high <= limit;
        let kind = match self.field.data_type {
            DataType::Int if !in_range(i128::from(i32::MAX)) => {
                return Err(self.bad("end", "a sequence within INT"));
            }
            DataType::Int | DataType::BigInt => Kind::Sequence { start: low, step: 1 },
            DataType::Decimal(p, s) => {
                let step = 10i128.pow(u32::from(s));
                let limit = 10i128.pow(u32::from(p - s));
                if low <= -limit || high >= limit {
                    return Err(self.bad("end", "a sequence within the column's precision"));
                }
                Kind::Sequence { start: low * step, step }
            }
            DataType::Float | DataType::Double => Kind::FloatSequence { start },
            DataType::String => Kind::TextSequence { start },
            _ => return Err(self.bad("kind", "random: this type has no sequence")),
        };
        Ok((kind, rows))
    }

    fn random(&self) -> Result<Kind> {
        let kind = match self.field.data_type {
            DataType::Int => self.between(i128::from(i32::MIN), i128::from(i32::MAX), 0)?,
            DataType::BigInt => self.between(i128::from(i64::MIN), i128::from(i64::MAX), 0)?,
            DataType::Decimal(p, s) => {
                let limit = 10i128.pow(u32::from(p)) - 1;
                self.between(-limit, limit, s)?
            }
            DataType::Float => self.real(f64::from(f32::MAX))?,
            DataType::Double => self.real(f64::MAX)?,
            DataType::Boolean => Kind::Boolean,
            DataType::String => Kind::Text { length: self.length()?, varied: self.varied()? },
            DataType::Bytes => Kind::Bytes { length: self.length()?, varied: self.varied()? },
            DataType::Timestamp | DataType::TimestampLtz | DataType::Date => {
                let max_past = match self.get("max-past") {
                    Some(text) => {
                        duration(text).ok_or_else(|| self.bad("max-past", "a duration"))? / 1000
                    }
                    None => 0,
                };
                Kind::Time { max_past }
            }
            DataType::Null => return Err(self.bad("kind", "a column with a type")),
        };
        Ok(kind)
    }

    /// `min` and `max` as unscaled numbers within the type's limits.
    fn between(&self, lowest: i128, highest: i128, scale: u8) -> Result<Kind> {
        let bound = |what: &str, default: i128| {
            self.get(what).map_or(Ok(default), |text| {
                let value = parse_decimal(text.trim(), 38, scale).ok();
                value
                    .filter(|v| (lowest..=highest).contains(v))
                    .ok_or_else(|| self.bad(what, &format!("a number ({})", self.field.data_type)))
            })
        };
        let (min, max) = (bound("min", lowest)?, bound("max", highest)?);
        if max < min {
            return Err(self.bad("max", "a number from the minimum on"));
        }
        Ok(Kind::Whole { min, span: max.abs_diff(min) + 1 })
    }

    fn real(&self, highest: f64) -> Result<Kind> {
        let bound = |what: &str, default: f64| {
            self.get(what).map_or(Ok(default), |text| {
                let value = parse_f64(text.trim()).ok();
                value
                    .filter(|v| v.is_finite() && v.abs() <= highest)
                    .ok_or_else(|| self.bad(what, &format!("a number ({})", self.field.data_type)))
            })
        };
        let (min, max) = (bound("min", 0.0)?, bound("max", highest)?);
        if max < min {
            return Err(self.bad("max", "a number from the minimum on"));
        }
        Ok(Kind::Real { min, max })
    }

    /// Whether texts and bytes are of any length up to the one that is given.
    fn varied(&self) -> Result<bool> {
        self.context.flag(&self.key("var-len"), false)
    }

    fn length(&self) -> Result<u64> {
        let key = self.key("length");
        let length = self.context.number(&key)?.unwrap_or(LENGTH);
        if length > MAX_LENGTH {
            return Err(self.bad("length", &format!("at most {MAX_LENGTH}")));
        }
        Ok(length)
    }

    fn null_below(&self) -> Result<u64> {
        let Some(text) = self.get("null-rate") else { return Ok(0) };
        let rate = parse_f64(text.trim()).ok().filter(|r| (0.0..=1.0).contains(r));
        // 2^64 as a float; the cast holds a rate of 1 at the largest limit.
        rate.map(|r| (r * 18_446_744_073_709_551_616.0) as u64)
            .ok_or_else(|| self.bad("null-rate", "a number from 0 to 1"))
    }
}

impl Generator {
    /// When row `i` arrives, in microseconds after the start.
    fn arrival(&self, i: u64) -> u64 {
        let micros = u128::from(i) * 1_000_000 / u128::from(self.rows_per_second);
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}

impl Generated {
    fn fill(&self, rows: std::ops::Range<u64>, arrivals: &[u64], into: &mut Builder) {
        let date = into.data_type() == DataType::Date;
        for (i, arrival) in rows.zip(arrivals) {
            // Draw 0 decides about NULL, draw 1 is the value, further ones its digits.
            let base = splitmix(self.salt ^ splitmix(i));
            if self.null_below > 0 && draw(base, 0) < self.null_below {
                into.push_null();
                continue;
            }
            // A draw that no digit is made of.
            let long = |length: u64, varied: bool| match varied {
                true => draw(base, u64::MAX) % (length + 1),
                false => length,
            };
            match self.kind {
                Kind::Sequence { start, step } => into.push_integer(start + i128::from(i) * step),
                Kind::FloatSequence { start } => {
                    into.push_float((i128::from(start) + i128::from(i)) as f64)
                }
                Kind::TextSequence { start } => {
                    let text = (i128::from(start) + i128::from(i)).to_string();
                    into.push_bytes(text.bytes());
                }
                Kind::Whole { min, span } => into.push_integer(min + below(base, span) as i128),
                Kind::Real { min, max } => {
                    let unit = (draw(base, 1) >> 11) as f64 / (1u64 << 53) as f64;
                    into.push_float(min * (1.0 - unit) + max * unit);
                }
                Kind::Boolean => into.push_boolean(draw(base, 1) >> 63 == 1),
                Kind::Text { length, varied } => {
                    into.push_bytes((0..long(length, varied)).map(|k| {
                        b"0123456789abcdef"[(draw(base, 1 + k / 16) >> (k % 16 * 4) & 15) as usize]
                    }))
                }
                Kind::Bytes { length, varied } => into.push_bytes(
                    (0..long(length, varied)).map(|k| (draw(base, 1 + k / 8) >> (k % 8 * 8)) as u8),
                ),
                Kind::Time { max_past } => {
                    let past = below(base, u128::from(max_past) + 1) as i128;
                    let millis = i128::from(arrival / 1000) - past;
                    into.push_integer(if date { millis.div_euclid(86_400_000) } else { millis });
                }
            }
        }
    }
}

impl Reader for Generator {
    fn read(&mut self, max_rows: usize) -> Result<Option<Chunk>> {
        let left = self.end - self.next;
        let count = left.min(max_rows.clamp(1, 1 << 14) as u64);
        if count == 0 {
            return Ok(None);
        }
        let rows = self.next..self.next + count;
        self.next = rows.end;
        let arrivals: Vec<u64> = rows.clone().map(|i| self.arrival(i)).collect();
        for (column, builder) in self.columns.iter().zip(&mut self.builders) {
            column.fill(rows.clone(), &arrivals, builder);
        }
        Ok(Some(Chunk {
            columns: self.builders.iter_mut().map(Builder::finish).collect(),
            rows: count as usize,
            offsets: Numbers::run(rows.start, count as usize),
            lines: Numbers::same(0, count as usize),
            arrivals: arrivals.into(),
            bad: Vec::new(),
        }))
    }

    fn detach(self: Box<Self>) -> Detached {
        Ok(self)
    }

    fn relative(&self) -> bool {
        true
    }
}

/// The increment of the splitmix64 generator: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of splitmix64.
fn splitmix(state: u64) -> u64 {
    let mut z = state.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The draw number `k` of a row.
pub(super) fn draw(base: u64, k: u64) -> u64 {
    splitmix(base.wrapping_add(k.wrapping_mul(GOLDEN)))
}

/// A number evenly below `span`; spans beyond 64 bits take two draws.
fn below(base: u64, span: u128) -> u128 {
    let low = u128::from(draw(base, 1));
    if span < 1 << 64 {
        (low * span) >> 64
    } else {
        ((u128::from(draw(base, 2)) << 64) | low) % span
    }
}

/// FNV-1a over the parts, begun with the seed.
fn hash<'a>(seed: u64, parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ splitmix(seed);
    parts
        .into_iter()
        .flat_map(str::bytes)
        .fold(start, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
