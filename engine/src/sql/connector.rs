//! The registry of connectors: which options each takes, what they mean, which values they allow.

use std::collections::BTreeMap;

use crate::plan::Guarantee;
use crate::time::parse_duration_micros;

/// A connector a table may name in its `WITH` clause.
#[derive(Debug)]
pub struct Connector {
    /// The value of the `connector` option.
    pub name: &'static str,
    /// One sentence on what it is.
    pub doc: &'static str,
    /// Whether a table of it may be read.
    pub reads: bool,
    /// Whether a table of it may be written.
    pub writes: bool,
    /// Its options, beside `connector`.
    pub options: &'static [ConnectorOption],
}

/// An option of a connector.
#[derive(Debug)]
pub struct ConnectorOption {
    /// The key; `<column>` stands for the name of a column of the table.
    pub key: &'static str,
    /// What values it takes.
    pub value: OptionValue,
    /// Whether it must be given.
    pub required: bool,
    /// One sentence on what it does.
    pub doc: &'static str,
}

/// What values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// Any text.
    Text,
    /// Exactly one character, or an escape such as `\t`.
    Character,
    /// `true` or `false`.
    Boolean,
    /// A whole number from 0.
    Count,
    /// A whole number from 1.
    Positive,
    /// Any number.
    Number,
    /// A number from 0 to 1.
    Fraction,
    /// A length of time such as `10 s`.
    Duration,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl OptionValue {
    /// Whether a text is such a value.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            OptionValue::Text => true,
            OptionValue::Character => {
                text.chars().count() == 1 || matches!(text, "\\t" | "\\\\" | "\\n")
            }
            OptionValue::Boolean => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            OptionValue::Count => text.parse::<u64>().is_ok(),
            OptionValue::Positive => text.parse::<u64>().is_ok_and(|n| n > 0),
            OptionValue::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            OptionValue::Fraction => text.parse::<f64>().is_ok_and(|n| (0.0..=1.0).contains(&n)),
            OptionValue::Duration => parse_duration_micros(text).is_some(),
            OptionValue::OneOf(words) => words.contains(&text),
        }
    }

    /// What to write, for messages.
    pub fn describe(self) -> String {
        match self {
            OptionValue::Text => "any text".into(),
            OptionValue::Character => "one character".into(),
            OptionValue::Boolean => "true or false".into(),
            OptionValue::Count => "a whole number from 0".into(),
            OptionValue::Positive => "a whole number from 1".into(),
            OptionValue::Number => "a number".into(),
            OptionValue::Fraction => "a number from 0 to 1".into(),
            OptionValue::Duration => "a duration such as 10 s".into(),
            OptionValue::OneOf(words) => words.join(" or "),
        }
    }
}

const fn option(key: &'static str, value: OptionValue, doc: &'static str) -> ConnectorOption {
    ConnectorOption { key, value, required: false, doc }
}

const fn required(key: &'static str, value: OptionValue, doc: &'static str) -> ConnectorOption {
    ConnectorOption { key, value, required: true, doc }
}

/// The name of the connector of a table without a `WITH` clause.
pub const INLINE: &str = "inline";

/// When the watermark of a table that is read is said.
pub(super) const STRATEGY: &str = "scan.watermark.emit.strategy";
/// What moves it.
pub(super) const ADVANCE: &str = "scan.watermark.advance";

/// The option that says after how long a silent partition counts as idle.
pub(super) const IDLE: &str = "scan.watermark.idle-timeout";

/// The options that keep partitions together by their watermarks.
pub(super) const GROUP: &str = "scan.watermark.alignment.group";
pub(super) const DRIFT: &str = "scan.watermark.alignment.max-drift";

/// Options of every table that is read.
pub const READ_OPTIONS: &[ConnectorOption] = &[
    option(
        STRATEGY,
        OptionValue::OneOf(&["on-event", "on-periodic", "on-batch"]),
        "When the watermark is said: after each record (the default), every pipeline.auto-watermark-interval, or \
         at the end of micro-batches.",
    ),
    option(
        ADVANCE,
        OptionValue::OneOf(&["with-records", "with-time"]),
        "Whether the watermark moves with records alone (the default), or also as processing time goes on.",
    ),
    option(
        IDLE,
        OptionValue::Duration,
        "After how long a silent partition no longer holds the watermark back, instead of \
         table.exec.source.idle-timeout; 0 is never.",
    ),
    option(
        GROUP,
        OptionValue::Text,
        "The tables whose partitions wait for each other: none is read that is more than the drift ahead of the least \
         watermark among them.",
    ),
    option(
        DRIFT,
        OptionValue::Duration,
        "How far ahead of its group's least watermark a partition may be, 0 by default.",
    ),
];

/// The option that says what a table promises of the rows written to it.
pub(super) const DELIVERY: &str = "sink.delivery-guarantee";

/// Options of every table that is written.
pub const WRITE_OPTIONS: &[ConnectorOption] = &[option(
    DELIVERY,
    OptionValue::OneOf(Guarantee::OF_TABLES),
    "What holds of each row when the job has crashed, where that is less than the job's highwater.guarantee: \
     exactly-once is a transactional table, whose rows are visible once a checkpoint holds what they came from; \
     at-least-once shows rows at once, and again after a replay, or over themselves where the table has a PRIMARY KEY \
     (an idempotent table, which turns away what a writer of an earlier life still has on its way; files have no rows by key). In a simulation; the fast runner hands out each row once, and \
     with checkpoints publishes files when the job has ended, which is more than either asks for.",
)];

/// All connectors, in the order in which help lists them.
pub const CONNECTORS: &[Connector] = &[
    Connector {
        name: "filesystem",
        doc: "Reads a file of JSON lines, CSV, Parquet or Arrow IPC; writes JSON lines or CSV.",
        reads: true,
        writes: true,
        options: &[
            required("path", OptionValue::Text, "The file, relative to the script."),
            required(
                "format",
                OptionValue::OneOf(&["json", "csv", "parquet", "arrow"]),
                "How a record is written; `parquet` and `arrow` are read by the native host only.",
            ),
            option(
                "json.ignore-parse-errors",
                OptionValue::Boolean,
                "Count and skip records that are not JSON instead of failing.",
            ),
            option(
                "json.fail-on-missing-field",
                OptionValue::Boolean,
                "Fail when a record has no field of a column's name, instead of reading NULL.",
            ),
            option(
                "json.timestamp-format.standard",
                OptionValue::OneOf(&["SQL", "ISO-8601"]),
                "Taken as in Flink; when reading, timestamps of both forms are understood.",
            ),
            option(
                "csv.header",
                OptionValue::Boolean,
                "Whether the first line of a file that is read names the columns, in any order.",
            ),
            option(
                "csv.ignore-parse-errors",
                OptionValue::Boolean,
                "Count and skip records that do not fit instead of failing.",
            ),
            option(
                "csv.field-delimiter",
                OptionValue::Character,
                "What stands between fields, `,` by default.",
            ),
            option(
                "csv.quote-character",
                OptionValue::Character,
                "What encloses a field, `\"` by default.",
            ),
            option(
                "csv.disable-quote-character",
                OptionValue::Boolean,
                "Take quotes as part of the field.",
            ),
            option(
                "csv.escape-character",
                OptionValue::Character,
                "What makes the next character plain.",
            ),
            option("csv.allow-comments", OptionValue::Boolean, "Skip lines that start with `#`."),
            option("csv.null-literal", OptionValue::Text, "The text that stands for NULL."),
            option(
                "parquet.ignore-parse-errors",
                OptionValue::Boolean,
                "Count and skip rows with a value that its column cannot hold instead of failing.",
            ),
            option(
                "arrow.ignore-parse-errors",
                OptionValue::Boolean,
                "Count and skip rows with a value that its column cannot hold instead of failing.",
            ),
        ],
    },
    Connector {
        name: "datagen",
        doc: "Makes records from a seed.",
        reads: true,
        writes: false,
        options: &[
            option(
                "rows-per-second",
                OptionValue::Positive,
                "How many records arrive in a second of virtual time, 10000 by default.",
            ),
            option(
                "number-of-rows",
                OptionValue::Count,
                "How many records there are in all; without it the table never ends.",
            ),
            option(
                "fields.<column>.kind",
                OptionValue::OneOf(&["random", "sequence"]),
                "Random values, or a sequence from start to end.",
            ),
            option("fields.<column>.min", OptionValue::Number, "The least random value."),
            option("fields.<column>.max", OptionValue::Number, "The greatest random value."),
            option(
                "fields.<column>.max-past",
                OptionValue::Duration,
                "How far a random timestamp lies back at most.",
            ),
            option(
                "fields.<column>.length",
                OptionValue::Count,
                "The length of a random text or of random bytes, 100 by default.",
            ),
            option(
                "fields.<column>.var-len",
                OptionValue::Boolean,
                "Texts and bytes of any length up to `length`.",
            ),
            option("fields.<column>.start", OptionValue::Number, "The first value of a sequence."),
            option(
                "fields.<column>.end",
                OptionValue::Number,
                "The last value of a sequence; the table ends with it.",
            ),
            option("fields.<column>.null-rate", OptionValue::Fraction, "The share of NULLs."),
        ],
    },
    Connector {
        name: "push",
        doc: "Rows go in and out through the program around the engine. Written to, a table with a PRIMARY KEY takes upserts: no -U.",
        reads: true,
        writes: true,
        options: &[],
    },
    Connector {
        name: "print",
        doc: "Prints each row.",
        reads: false,
        writes: true,
        options: &[option("print-identifier", OptionValue::Text, "A prefix of each printed row.")],
    },
    Connector {
        name: "blackhole",
        doc: "Takes rows and forgets them; it takes no -U.",
        reads: false,
        writes: true,
        options: &[],
    },
    Connector {
        name: INLINE,
        doc: "The records stand in a block of the scenario; a table without a WITH clause is one.",
        reads: true,
        writes: false,
        options: &[],
    },
];

/// The connector of that name.
pub fn connector(name: &str) -> Option<&'static Connector> {
    CONNECTORS.iter().find(|c| c.name == name)
}

impl Connector {
    /// The option a key means, and the column in it where the key has one.
    pub fn option<'k>(&self, key: &'k str) -> Option<(&'static ConnectorOption, Option<&'k str>)> {
        self.options.iter().chain(self.common()).find_map(|option| {
            match option.key.split_once("<column>") {
                None => (option.key == key).then_some((option, None)),
                Some((before, after)) => {
                    let column = key.strip_prefix(before)?.strip_suffix(after)?;
                    (!column.is_empty()).then_some((option, Some(column)))
                }
            }
        })
    }

    /// The options that it has with others.
    pub fn common(&self) -> impl Iterator<Item = &'static ConnectorOption> + use<> {
        let read = if self.reads { READ_OPTIONS } else { &[] };
        let written = if self.writes { WRITE_OPTIONS } else { &[] };
        read.iter().chain(written)
    }

    /// The required options that are not among these.
    pub fn missing<'a>(
        &'a self,
        given: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'static ConnectorOption> + 'a {
        self.options.iter().filter(|option| option.required && !given.contains_key(option.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_a_column_are_found() {
        let datagen = connector("datagen").expect("it is listed");
        let (option, column) = datagen.option("fields.a.b.max-past").expect("a known option");
        assert_eq!((option.key, column), ("fields.<column>.max-past", Some("a.b")));
        assert!(datagen.option("fields..min").is_none());
        assert!(datagen.option("fields.x.mean").is_none());
    }

    #[test]
    fn values_are_checked() {
        assert!(OptionValue::Boolean.accepts("TRUE") && !OptionValue::Boolean.accepts("yes"));
        assert!(OptionValue::Character.accepts("\\t") && !OptionValue::Character.accepts("ab"));
        assert!(!OptionValue::Positive.accepts("0") && OptionValue::Count.accepts("0"));
        assert!(!OptionValue::Number.accepts("inf") && !OptionValue::Fraction.accepts("1.5"));
    }
}
