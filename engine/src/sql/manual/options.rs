//! Connectors with their options, settings and profiles, each with an example found by its key.

use super::super::connector::{
    CONNECTORS, Connector, ConnectorOption, OptionValue, READ_OPTIONS, WRITE_OPTIONS,
};
use super::super::profiles::{PROFILE, PROFILES};
use super::super::settings::{SETTINGS, Setting, TABLE_SETTINGS};
use super::tables::{COUNTS, set};
use super::{Entry, Example, Gives, Section};

/// A table with an option: connector, the option's key, columns, options in which it stands.
pub(super) type Use =
    (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

/// What stands for the connector of an option that every table takes.
const ANY: &str = "filesystem";
/// The same of an option that every table takes to which something is written.
const ANY_WRITTEN: &str = "print";

const LEVELS: &str = "gauge STRING, level INT";
const TIMED: &str =
    "gauge STRING, level INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND";
const NUMBERS: &str = "n INT";
const TEXTS: &str = "word STRING";

/// An example for every option.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Use] = &[
    ("filesystem", "path", LEVELS, &[("path", "levels.jsonl"), ("format", "json")]),
    ("filesystem", "format", LEVELS, &[("path", "levels.csv"), ("format", "csv")]),
    ("filesystem", "json.ignore-parse-errors", LEVELS, &[("path", "broken.jsonl"), ("format", "json"), ("json.ignore-parse-errors", "true")]),
    ("filesystem", "json.fail-on-missing-field", LEVELS, &[("path", "levels.jsonl"), ("format", "json"), ("json.fail-on-missing-field", "true")]),
    ("filesystem", "json.timestamp-format.standard", TIMED, &[("path", "levels.jsonl"), ("format", "json"), ("json.timestamp-format.standard", "ISO-8601")]),
    ("filesystem", "csv.header", LEVELS, &[("path", "headed.csv"), ("format", "csv"), ("csv.header", "true")]),
    ("filesystem", "csv.ignore-parse-errors", LEVELS, &[("path", "broken.csv"), ("format", "csv"), ("csv.ignore-parse-errors", "true")]),
    ("filesystem", "csv.field-delimiter", LEVELS, &[("path", "semicolons.csv"), ("format", "csv"), ("csv.field-delimiter", ";")]),
    ("filesystem", "csv.quote-character", LEVELS, &[("path", "quoted.csv"), ("format", "csv"), ("csv.quote-character", "|")]),
    ("filesystem", "csv.disable-quote-character", LEVELS, &[("path", "unquoted.csv"), ("format", "csv"), ("csv.disable-quote-character", "true")]),
    ("filesystem", "csv.escape-character", LEVELS, &[("path", "escaped.csv"), ("format", "csv"), ("csv.escape-character", "\\")]),
    ("filesystem", "csv.allow-comments", LEVELS, &[("path", "commented.csv"), ("format", "csv"), ("csv.allow-comments", "true")]),
    ("filesystem", "csv.null-literal", LEVELS, &[("path", "nulls.csv"), ("format", "csv"), ("csv.null-literal", "n/a")]),
    ("filesystem", "parquet.ignore-parse-errors", LEVELS, &[("path", "levels.parquet"), ("format", "parquet"), ("parquet.ignore-parse-errors", "true")]),
    ("filesystem", "arrow.ignore-parse-errors", LEVELS, &[("path", "levels.arrow"), ("format", "arrow"), ("arrow.ignore-parse-errors", "true")]),
    ("datagen", "rows-per-second", NUMBERS, &[("rows-per-second", "5"), ("number-of-rows", "3")]),
    ("datagen", "number-of-rows", NUMBERS, &[("number-of-rows", "3")]),
    ("datagen", "fields.<column>.kind", NUMBERS, &[("fields.n.kind", "sequence"), ("fields.n.start", "1"), ("fields.n.end", "3")]),
    ("datagen", "fields.<column>.min", NUMBERS, &[("number-of-rows", "3"), ("fields.n.min", "10"), ("fields.n.max", "20")]),
    ("datagen", "fields.<column>.max", NUMBERS, &[("number-of-rows", "3"), ("fields.n.min", "10"), ("fields.n.max", "20")]),
    ("datagen", "fields.<column>.max-past", "ts TIMESTAMP(3)", &[("number-of-rows", "3"), ("fields.ts.max-past", "10 s")]),
    ("datagen", "fields.<column>.length", TEXTS, &[("number-of-rows", "3"), ("fields.word.length", "8")]),
    ("datagen", "fields.<column>.var-len", TEXTS, &[("number-of-rows", "3"), ("fields.word.length", "8"), ("fields.word.var-len", "true")]),
    ("datagen", "fields.<column>.start", NUMBERS, &[("fields.n.kind", "sequence"), ("fields.n.start", "1"), ("fields.n.end", "3")]),
    ("datagen", "fields.<column>.end", NUMBERS, &[("fields.n.kind", "sequence"), ("fields.n.start", "1"), ("fields.n.end", "3")]),
    ("datagen", "fields.<column>.null-rate", NUMBERS, &[("number-of-rows", "3"), ("fields.n.null-rate", "0.5")]),
    ("print", "print-identifier", LEVELS, &[("print-identifier", "high")]),
    (ANY, "scan.watermark.emit.strategy", TIMED, &[("path", "levels.jsonl"), ("format", "json"), ("scan.watermark.emit.strategy", "on-periodic")]),
    (ANY, "scan.watermark.advance", TIMED, &[("path", "levels.jsonl"), ("format", "json"), ("scan.watermark.advance", "with-time")]),
    (ANY, "scan.watermark.idle-timeout", TIMED, &[("path", "levels.jsonl"), ("format", "json"), ("scan.watermark.idle-timeout", "30 s")]),
    (ANY, "scan.watermark.alignment.group", TIMED, &[("path", "levels.jsonl"), ("format", "json"), ("scan.watermark.alignment.group", "rivers")]),
    (ANY, "scan.watermark.alignment.max-drift", TIMED, &[("path", "levels.jsonl"), ("format", "json"), ("scan.watermark.alignment.group", "rivers"), ("scan.watermark.alignment.max-drift", "30 s")]),
    (ANY_WRITTEN, "sink.delivery-guarantee", "gauge STRING, level INT, PRIMARY KEY (gauge) NOT ENFORCED", &[("sink.delivery-guarantee", "at-least-once")]),
];

/// A table of a connector: whether it is read, its columns, its options.
pub(super) type TableOf =
    (&'static str, bool, &'static str, &'static [(&'static str, &'static str)]);

/// An example for every connector: a table of it, to be read or written.
#[rustfmt::skip]
pub(super) const TABLES_OF: &[TableOf] = &[
    ("filesystem", true, LEVELS, &[("path", "levels.jsonl"), ("format", "json")]),
    ("datagen", true, NUMBERS, &[("number-of-rows", "3")]),
    ("push", false, LEVELS, &[]),
    ("print", false, LEVELS, &[]),
    ("blackhole", false, LEVELS, &[]),
];

/// A setting with a value, the settings it needs beside it, and what shows it.
pub(super) type Setter =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

const TRIGGER: (&str, &str) =
    ("highwater.emit.trigger", "after_watermark(early => after_count(2))");
const LATENESS: (&str, &str) = ("table.exec.emit.allow-lateness", "1 min");
const EARLY: (&str, &str) = ("table.exec.emit.early-fire.enabled", "true");
const LATE: (&str, &str) = ("table.exec.emit.late-fire.enabled", "true");
const EXPONENTIAL: (&str, &str) = ("restart-strategy.type", "exponential-delay");
const REPLAYS: (&str, &str) = ("highwater.guarantee", "at-least-once");
const BATCHED: (&str, &str) = ("table.exec.mini-batch.enabled", "true");
const SESSIONS: &str = "\
SELECT window_start, window_end, COUNT(*) AS n
FROM TABLE(SESSION(TABLE readings, DESCRIPTOR(ts), INTERVAL '3' SECONDS))
GROUP BY window_start, window_end;";
const GROUPS: &str = "SELECT gauge, COUNT(*) AS n FROM readings GROUP BY gauge;";
const READ: &str = "\
CREATE TABLE levels (gauge STRING, site INT, level INT, ts TIMESTAMP(3))
  WITH ('connector' = 'filesystem', 'path' = 'levels.jsonl', 'format' = 'json');
SELECT * FROM levels;";

/// An example for every setting.
#[rustfmt::skip]
pub(super) const SETTERS: &[Setter] = &[
    ("execution.checkpointing.interval", "10 s", &[], COUNTS),
    ("execution.checkpointing.unaligned.enabled", "true", &[], COUNTS),
    ("highwater.barriers", "none", &[REPLAYS], COUNTS),
    ("highwater.guarantee", "at-least-once", &[], COUNTS),
    ("table.exec.source.idle-timeout", "1 min", &[], COUNTS),
    ("restart-strategy.type", "exponential-delay", &[], COUNTS),
    ("restart-strategy.exponential-delay.initial-backoff", "500 ms", &[EXPONENTIAL], COUNTS),
    ("restart-strategy.exponential-delay.backoff-multiplier", "2", &[EXPONENTIAL], COUNTS),
    ("restart-strategy.exponential-delay.max-backoff", "1 min", &[EXPONENTIAL], COUNTS),
    ("restart-strategy.exponential-delay.reset-backoff-threshold", "10 min", &[EXPONENTIAL], COUNTS),
    ("restart-strategy.fixed-delay.delay", "5 s", &[], COUNTS),
    ("restart-strategy.fixed-delay.attempts", "3", &[], COUNTS),
    ("state.checkpoints.num-retained", "2", &[], COUNTS),
    ("highwater.store.replicas", "3", &[], COUNTS),
    ("highwater.source.retention", "1 h", &[], COUNTS),
    ("execution.runtime-mode", "batch", &[], COUNTS),
    ("parallelism.default", "2", &[], COUNTS),
    ("pipeline.max-parallelism", "128", &[], COUNTS),
    ("table.exec.emit.allow-lateness", "1 min", &[], COUNTS),
    ("table.exec.emit.early-fire.enabled", "true", &[], COUNTS),
    ("table.exec.emit.early-fire.delay", "5 s", &[EARLY], COUNTS),
    ("table.exec.emit.late-fire.enabled", "true", &[LATENESS], COUNTS),
    ("table.exec.emit.late-fire.delay", "5 s", &[LATENESS, LATE], COUNTS),
    ("highwater.emit.trigger", "after_watermark(early => after_count(2))", &[], COUNTS),
    ("highwater.emit.panes", "discarding", &[TRIGGER], COUNTS),
    ("highwater.emit.on-time", "non-empty", &[TRIGGER], COUNTS),
    ("highwater.emit.suppress.time", "10 s", &[], GROUPS),
    ("highwater.emit.suppress.rows", "2", &[], GROUPS),
    ("table.exec.state.ttl", "1 h", &[], COUNTS),
    ("table.exec.mini-batch.enabled", "true", &[("table.exec.mini-batch.allow-latency", "5 s")], COUNTS),
    ("table.exec.mini-batch.allow-latency", "5 s", &[BATCHED], COUNTS),
    ("table.exec.mini-batch.size", "3", &[BATCHED], COUNTS),
    ("highwater.late.by", "record", &[], COUNTS),
    ("highwater.session.at-gap", "separate", &[], SESSIONS),
    ("pipeline.auto-watermark-interval", "1 s", &[("highwater.watermark.emit", "on-periodic")], COUNTS),
    ("highwater.watermark.emit", "on-periodic", &[], COUNTS),
    ("highwater.watermark.advance", "with-time", &[], COUNTS),
    ("semantics.profile", "beam", &[], COUNTS),
    ("highwater.batch-rows", "512", &[], COUNTS),
    ("highwater.seed", "7", &[], COUNTS),
    ("highwater.<table>.arrival", "ts", &[], READ),
    ("highwater.<table>.interval", "1 s", &[], READ),
    ("highwater.<table>.partition", "site", &[], READ),
];

/// A key and a value as SQL writes them.
fn pair((key, value): (&str, &str)) -> String {
    format!("'{key}' = '{}'", value.replace('\'', "''"))
}

/// A script with a table of these options, read or written.
fn with_table(
    (connector, reads): (&str, bool),
    columns: &str,
    options: &[(&str, &str)],
) -> (String, String) {
    let with: Vec<String> = std::iter::once(("connector", connector))
        .chain(options.iter().copied())
        .map(pair)
        .collect();
    let name = if reads { "levels" } else { "high" };
    let table = format!("CREATE TABLE {name} ({columns})\n  WITH ({});", with.join(", "));
    let use_of_it = match reads {
        true => "SELECT * FROM levels;",
        false => "INSERT INTO high SELECT gauge, level FROM readings WHERE level > 4;",
    };
    (format!("{table}\n{use_of_it}"), table)
}

/// What stands where an example is missing; a test finds it.
fn missing() -> Example {
    Example { shown: String::new(), script: String::new(), gives: Gives::Rows }
}

fn option(connector: &Connector, section: Section, option: &'static ConnectorOption) -> Entry {
    let found = OPTIONS.iter().find(|(of, key, ..)| *of == connector.name && *key == option.key);
    let example = found.map_or_else(missing, |&(of, _, columns, options)| {
        let is_it =
            |key: &str| connector.option(key).is_some_and(|(known, _)| known.key == option.key);
        let shown = options.iter().find(|(key, _)| is_it(key)).map(|&own| pair(own));
        // The engine leaves these formats to its host.
        let columnar = options.iter().any(|o| matches!(o, ("format", "parquet" | "arrow")));
        Example {
            shown: shown.unwrap_or_default(),
            script: with_table((of, connector.reads), columns, options).0,
            gives: if columnar { Gives::Plan } else { Gives::Rows },
        }
    });
    let required = if option.required { "; required" } else { "" };
    Entry {
        name: option.key,
        section,
        syntax: format!("'{}'", option.key),
        doc: format!("{} ({}{required})", option.doc, option.value.describe()),
        example,
    }
}

fn connector(connector: &'static Connector) -> Entry {
    let uses = match (connector.reads, connector.writes) {
        (true, true) => "reads and writes",
        (true, false) => "reads",
        _ => "writes",
    };
    let found = TABLES_OF.iter().find(|(name, ..)| *name == connector.name);
    let example = match found {
        Some(&(name, reads, columns, options)) => {
            let (script, shown) = with_table((name, reads), columns, options);
            Example { shown, script, gives: Gives::Rows }
        }
        // Every example over the shared tables is one.
        None if connector.name == super::super::connector::INLINE => Example {
            shown: "CREATE TABLE one (x INT);  -- and a block ```jsonl one of the scenario"
                .to_owned(),
            script: "SELECT x FROM one;".to_owned(),
            gives: Gives::Rows,
        },
        None => missing(),
    };
    Entry {
        name: connector.name,
        section: Section::Connectors,
        syntax: format!("'{}'", connector.name),
        doc: format!("{} ({uses})", connector.doc),
        example,
    }
}

fn setting(setting: &'static Setting) -> Entry {
    let found = SETTERS.iter().find(|(key, ..)| *key == setting.key);
    let example = found.map_or_else(missing, |&(key, value, beside, query)| {
        let line = |(key, value)| format!("SET {};", pair((key, value)));
        let key = key.replace("<table>", "levels");
        let lines: Vec<String> =
            beside.iter().copied().chain([(key.as_str(), value)]).map(line).collect();
        let shown = lines.join("\n");
        Example { script: format!("{shown}\n{query}"), shown, gives: Gives::Rows }
    });
    Entry {
        name: setting.key,
        section: Section::Settings,
        syntax: format!("'{}'", setting.key),
        doc: match setting.value {
            OptionValue::Text => setting.doc.to_owned(),
            value => format!("{} ({})", setting.doc, value.describe()),
        },
        example,
    }
}

/// Connectors, each before its options; settings; profiles.
pub(super) fn entries() -> Vec<Entry> {
    let mut all: Vec<Entry> = CONNECTORS.iter().map(connector).collect();
    for connector in CONNECTORS {
        let section = Section::OptionsOf(connector.name);
        all.extend(connector.options.iter().map(|o| option(connector, section, o)));
    }
    let any = CONNECTORS.iter().filter(|c| c.name == ANY);
    all.extend(any.flat_map(|c| READ_OPTIONS.iter().map(|o| option(c, Section::ReadOptions, o))));
    let any = CONNECTORS.iter().filter(|c| c.name == ANY_WRITTEN);
    all.extend(any.flat_map(|c| WRITE_OPTIONS.iter().map(|o| option(c, Section::WriteOptions, o))));
    all.extend(SETTINGS.iter().chain(TABLE_SETTINGS).map(setting));
    all.extend(PROFILES.iter().map(|p| Entry {
        name: p.name,
        section: Section::Profiles,
        syntax: format!("'{}'", p.name),
        doc: p.doc.to_owned(),
        example: set(format!("SET '{PROFILE}' = '{}';", p.name)),
    }));
    all
}
