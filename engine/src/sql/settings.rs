//! `SET 'key' = 'value'`: the settings the engine knows, and what values they take.

use sqlparser::tokenizer::Span as TokenSpan;

use super::connector::OptionValue;
use super::diagnose::{Locate, nearest};
use super::{batch, emission, profiles, suppress};
use crate::error::{Diagnostic, Error, Result};
use crate::plan::{Guarantee, Panes, Settings};
use crate::trace::Barriers;

/// A setting of a script.
#[derive(Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// What values it takes.
    pub value: OptionValue,
    /// One sentence on what it does.
    pub doc: &'static str,
}

const fn setting(key: &'static str, value: OptionValue, doc: &'static str) -> Setting {
    Setting { key, value, doc }
}

/// What barriers are to tasks.
pub(super) const BARRIERS: &str = "highwater.barriers";
const UNALIGNED: &str = "execution.checkpointing.unaligned.enabled";

/// What barriers do to what they meet in a job of these settings.
pub fn barriers(settings: &Settings) -> Barriers {
    let overtake = settings.get(UNALIGNED).is_some_and(|on| on.eq_ignore_ascii_case("true"));
    match settings.get(BARRIERS) {
        Some("none") => Barriers::Unawaited,
        _ if overtake => Barriers::Unaligned,
        _ => Barriers::Aligned,
    }
}

/// What is to be said of barriers that nobody waits for.
///
/// # Errors
/// When they are to overtake what is in flight, too.
pub(super) fn check_barriers(settings: &Settings) -> Result<Option<Error>> {
    if barriers(settings) != Barriers::Unawaited {
        return Ok(None);
    }
    if settings.get(UNALIGNED).is_some_and(|on| on.eq_ignore_ascii_case("true")) {
        let message =
            "barriers that overtake what is in flight are no barriers that nobody waits for";
        return Err(Diagnostic::new("sql.barriers", message)
            .hint(format!("leave '{BARRIERS}' = 'none' or '{UNALIGNED}' = 'true' out")));
    }
    let job = settings.get("highwater.guarantee").and_then(Guarantee::named).unwrap_or_default();
    let message = format!("'{BARRIERS}' = 'none' has no effect: the job is {}", job.name());
    let hint = "SET 'highwater.guarantee' = 'at-least-once'";
    Ok((job != Guarantee::AtLeastOnce).then(|| Diagnostic::new("sql.barriers", message).hint(hint)))
}

/// All settings, in the order in which help lists them.
pub const SETTINGS: &[Setting] = &[
    setting(
        "execution.checkpointing.interval",
        OptionValue::Duration,
        "How often a checkpoint starts.",
    ),
    setting(
        UNALIGNED,
        OptionValue::Boolean,
        "Whether the barriers of a checkpoint overtake what is in flight, which then is part of the snapshot; the last \
         checkpoint's never do. In a simulation; elsewhere nothing is in flight when a barrier comes.",
    ),
    setting(
        BARRIERS,
        OptionValue::OneOf(&["aligned", "none"]),
        "Whether tasks wait at the barriers of a checkpoint (aligned, the default) or not: with none, a task writes its state \
         when it gets round to it, up to a quarter of the interval after the last barrier has come, and what came in the \
         meantime counts twice in it when the job has crashed. Under at-least-once, in a simulation; exactly-once always \
         waits, and so do savepoints and the last checkpoint.",
    ),
    setting(
        "highwater.guarantee",
        OptionValue::OneOf(Guarantee::NAMES),
        "What holds of each record when a job has crashed: exactly-once (the default; rows are visible once a \
         checkpoint holds what they came from), at-least-once (rows are visible at once, and again after a replay; \
         over themselves in a table with a PRIMARY KEY) \
         or at-most-once (nothing is kept, nothing replayed). A table may ask for less: 'sink.delivery-guarantee'.",
    ),
    setting(
        "table.exec.source.idle-timeout",
        OptionValue::Duration,
        "After how long a silent partition no longer holds the watermark back; 0 is never.",
    ),
    setting(
        "restart-strategy.type",
        OptionValue::OneOf(&["fixed-delay", "exponential-delay", "none"]),
        "What becomes of a job that crashed: it starts again after equal waits (the default), after waits that grow, or not \
         at all.",
    ),
    setting(
        "restart-strategy.exponential-delay.initial-backoff",
        OptionValue::Duration,
        "How long a job waits after the first crash in a row, 1 s by default.",
    ),
    setting(
        "restart-strategy.exponential-delay.backoff-multiplier",
        OptionValue::Number,
        "How many times as long as the wait before the next one in a row is, 1.5 by default; at least 1. No chance is in it.",
    ),
    setting(
        "restart-strategy.exponential-delay.max-backoff",
        OptionValue::Duration,
        "The longest wait, 1 min by default.",
    ),
    setting(
        "restart-strategy.exponential-delay.reset-backoff-threshold",
        OptionValue::Duration,
        "Crashes so far apart are not in a row, 1 h by default.",
    ),
    setting(
        "restart-strategy.fixed-delay.delay",
        OptionValue::Duration,
        "How long a job that crashed waits before it starts again, 1 s by default.",
    ),
    setting(
        "restart-strategy.fixed-delay.attempts",
        OptionValue::Positive,
        "How often a job that crashed is started again; as often as it takes by default.",
    ),
    setting(
        "state.checkpoints.num-retained",
        OptionValue::Positive,
        "How many checkpoints are kept, so that there is an older one when one is damaged; 3 by default.",
    ),
    setting(
        "highwater.store.replicas",
        OptionValue::OneOf(&["1", "2", "3", "4", "5"]),
        "On how many disks each snapshot is kept, 1 by default. They fail one by one; a checkpoint is complete once most of \
         them have it, and a recovery waits until most of them can be asked.",
    ),
    setting(
        "highwater.source.retention",
        OptionValue::Duration,
        "For how long sources can read a record again; a recovery that would go back further fails. For ever by \
         default.",
    ),
    setting(
        batch::MODE,
        OptionValue::OneOf(batch::MODES),
        "Whether results are said as records come (streaming, the default), or once all input has ended (batch): then no record \
         is late, no row is taken back, windows fire once, and ORDER BY needs no LIMIT. Of the whole script; what it reads \
         must have an end. Settings about when something is said, and how long state is kept, have no effect.",
    ),
    setting("parallelism.default", OptionValue::Positive, "How many subtasks an operator runs as."),
    setting(
        "pipeline.max-parallelism",
        OptionValue::Positive,
        "How many key groups there are, at most 32768.",
    ),
    setting(
        "table.exec.emit.allow-lateness",
        OptionValue::Duration,
        "For how long after its end a window still takes records, and fires again for them.",
    ),
    setting(
        "table.exec.emit.early-fire.enabled",
        OptionValue::Boolean,
        "Whether windows fire before the watermark reaches their end.",
    ),
    setting(
        "table.exec.emit.early-fire.delay",
        OptionValue::Duration,
        "How long after a record that is; 0, the default, is with each record.",
    ),
    setting(
        "table.exec.emit.late-fire.enabled",
        OptionValue::Boolean,
        "Whether a delay is set for records that come after a window's end.",
    ),
    setting(
        "table.exec.emit.late-fire.delay",
        OptionValue::Duration,
        "How long after a late record its window fires again; 0, the default, is with each.",
    ),
    setting(
        emission::TRIGGER,
        OptionValue::Text,
        "When windows fire, as a trigger of the Beam model; it comes before early-fire and late-fire.",
    ),
    setting(
        "highwater.emit.panes",
        OptionValue::OneOf(Panes::NAMES),
        "What a window that fires again says: all so far, taking back what it said before (the default), all \
         so far as a row of its own, or what has come since.",
    ),
    setting(
        "highwater.emit.on-time",
        OptionValue::OneOf(&["always", "non-empty"]),
        "Whether a window fires at its end even when nothing has come since it fired before.",
    ),
    setting(
        suppress::TIME,
        OptionValue::Duration,
        "How long changes of a key are held back, only the last being said, by the watermark from the first on; 0 is \
         not at all.",
    ),
    setting(
        suppress::ROWS,
        OptionValue::Positive,
        "Of how many keys changes are held back at most; those held longest are said to make room.",
    ),
    setting(
        "table.exec.state.ttl",
        OptionValue::Duration,
        "After how long without a write the state of regular joins, running aggregates and ranks is forgotten; 0 is never.",
    ),
    setting(
        "table.exec.mini-batch.enabled",
        OptionValue::Boolean,
        "Whether changes of aggregates leave, and triggers are asked, at the end of micro-batches only.",
    ),
    setting(
        "table.exec.mini-batch.allow-latency",
        OptionValue::Duration,
        "How long a micro-batch is, in processing time.",
    ),
    setting(
        "table.exec.mini-batch.size",
        OptionValue::Positive,
        "How many records of all sources a micro-batch has, when it has no time.",
    ),
    setting(
        "highwater.late.by",
        OptionValue::OneOf(&["window", "record"]),
        "Whether a record is late when its windows have fired, or when it meets no row of an interval join and none can come \
         any more (the default), or when it is behind the watermark.",
    ),
    setting(
        "highwater.session.at-gap",
        OptionValue::OneOf(&["merge", "separate"]),
        "Whether two records exactly the gap apart are one session (the default) or two.",
    ),
    setting(
        "pipeline.auto-watermark-interval",
        OptionValue::Duration,
        "How often a watermark is said whose table says so periodically, 200 ms by default.",
    ),
    setting(
        "highwater.watermark.emit",
        OptionValue::OneOf(&["on-event", "on-periodic", "on-batch"]),
        "When watermarks are said whose table has no 'scan.watermark.emit.strategy'.",
    ),
    setting(
        "highwater.watermark.advance",
        OptionValue::OneOf(&["with-records", "with-time"]),
        "What moves watermarks whose table has no 'scan.watermark.advance'.",
    ),
    setting(
        profiles::PROFILE,
        OptionValue::OneOf(profiles::NAMES),
        "Whose small print is followed: defaults of other settings (`highwater help profiles`).",
    ),
    setting(
        "highwater.batch-rows",
        OptionValue::Positive,
        "How many rows a batch has at most; never changes a result.",
    ),
    setting("highwater.seed", OptionValue::Count, "What the simulation's chance starts from."),
];

/// Settings of a single table that is read, whose name stands for `<table>`.
pub const TABLE_SETTINGS: &[Setting] = &[
    setting(
        "highwater.<table>.arrival",
        OptionValue::Text,
        "The column that says when a record arrives: a TIMESTAMP(3), TIMESTAMP_LTZ(3) or BIGINT of milliseconds.",
    ),
    setting(
        "highwater.<table>.interval",
        OptionValue::Duration,
        "The time between two records that do not say when they arrive, 1 ms by default.",
    ),
    setting(
        "highwater.<table>.partition",
        OptionValue::Text,
        "The column that says of which partition a record is; each has a watermark of its own.",
    ),
];

/// The setting of a single table that a key names, and the table: `highwater.orders.interval` is one of `orders`.
pub fn of_table(key: &str) -> Option<(&str, &'static Setting)> {
    TABLE_SETTINGS.iter().find_map(|setting| {
        let (before, behind) = setting.key.split_once("<table>")?;
        let table = key.strip_prefix(before)?.strip_suffix(behind)?;
        (!table.is_empty()).then_some((table, setting))
    })
}

/// Checks a setting that stands in no script. There a key that nobody knows may be one of Flink's and is let pass;
/// whoever asks what a setting changes wants to hear of it.
///
/// # Errors
/// When the key is not known, or the value is none of the key's.
pub fn check(key: &str, value: &str) -> Result<()> {
    let known = SETTINGS.iter().find(|s| s.key == key);
    match known.or_else(|| of_table(key).map(|(_, setting)| setting)) {
        Some(known) => fits(known, key, value),
        None => Err(match not_known(key) {
            error if error.hint.is_some() => error,
            error => error.hint("`highwater help sql` lists them under SETTINGS"),
        }),
    }
}

/// What settings begin with that say how a job is kept alive.
const OWN: [&str; 4] =
    ["restart-strategy.", "execution.checkpointing.", "state.checkpoints.", "highwater."];

/// What is said of a key that is not known; with a hint where one is near that it may have meant.
fn not_known(key: &str) -> Error {
    let message = format!("the setting `{key}` is not known and has no effect");
    let error = Diagnostic::new("sql.unknown-setting", message);
    match nearest(key, SETTINGS.iter().map(|s| s.key)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// Refuses a value that is none of the key's.
fn fits(known: &Setting, key: &str, value: &str) -> Result<()> {
    let in_range =
        key != "pipeline.max-parallelism" || value.parse::<u64>().is_ok_and(|n| n <= 32_768);
    if key == emission::TRIGGER {
        emission::parse(value)?;
    }
    if known.value.accepts(value) && in_range {
        return Ok(());
    }
    Err(Diagnostic::new("sql.setting", format!("'{value}' is no value of {key}"))
        .hint(format!("it takes {}", known.value.describe())))
}

/// Takes one setting over; a later one of the same key wins, as in Flink.
pub(super) fn apply(
    settings: &mut Settings,
    warnings: &mut Vec<Diagnostic>,
    (key, key_at): (&str, TokenSpan),
    (value, value_at): (&str, TokenSpan),
) -> Result<()> {
    match SETTINGS.iter().find(|s| s.key == key) {
        Some(known) => fits(known, key, value).map_err(|e| e.located_at(value_at))?,
        // Others may be settings of Flink's that mean nothing here; of what there is here they would mean something.
        None => {
            let near = of_table(key).is_none() && OWN.iter().any(|own| key.starts_with(own));
            let slip = Some(not_known(key)).filter(|error| error.hint.is_some() || near);
            warnings.extend(slip.map(|error| *error.located_at(key_at)));
        }
    }
    settings.values.insert(key.to_owned(), value.to_owned());
    Ok(())
}
