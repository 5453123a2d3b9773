//! The settings that say when windows fire and what they say, and the trigger language among them.

use sqlparser::ast::{
    Expr as Ast, Function as AstFunction, FunctionArg, FunctionArgExpr, FunctionArguments,
    Value as Literal,
};
use sqlparser::parser::Parser;

use super::batch::is_batch;
use super::connector::{ADVANCE, DRIFT, GROUP, IDLE, STRATEGY};
use super::dialect::Flink;
use super::profiles::value;
use crate::error::{Diagnostic, Error, Result};
use crate::plan::{Align, Clock, Emission, Node, Op, Pace, Panes, Said, Settings, Trigger};
use crate::time::parse_duration_micros;

/// The setting that holds a trigger.
pub(super) const TRIGGER: &str = "highwater.emit.trigger";
/// The settings of micro-batches.
const MINI_BATCH: &str = "table.exec.mini-batch.enabled";
const LATENCY: &str = "table.exec.mini-batch.allow-latency";
const SIZE: &str = "table.exec.mini-batch.size";

/// The most triggers in one another, and the most altogether.
const MOST: usize = 64;

/// An example of a trigger, for messages.
const EXAMPLE: &str = "after_watermark(early => after_count(2), late => after_count(1))";

/// What triggers are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    AfterWatermark,
    AfterCount,
    AfterProcessingTime,
    AfterAny,
    AfterAll,
    AfterEach,
    Repeatedly,
    OrFinally,
}

impl Word {
    /// All of them by name, in the order in which help lists them.
    pub(super) const ALL: [(&'static str, Word); 8] = [
        ("after_watermark", Word::AfterWatermark),
        ("after_count", Word::AfterCount),
        ("after_processing_time", Word::AfterProcessingTime),
        ("after_any", Word::AfterAny),
        ("after_all", Word::AfterAll),
        ("after_each", Word::AfterEach),
        ("repeatedly", Word::Repeatedly),
        ("or_finally", Word::OrFinally),
    ];
}

/// Whether a setting is on.
fn enabled(settings: &Settings, key: &str) -> bool {
    value(settings, key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Whether two records exactly the gap apart are two sessions.
pub(super) fn apart(settings: &Settings) -> bool {
    value(settings, "highwater.session.at-gap") == Some("separate")
}

/// Whether a record is late when it is behind the watermark, whoever still waits for it.
pub(super) fn by_record(settings: &Settings) -> bool {
    value(settings, "highwater.late.by") == Some("record") && !is_batch(settings)
}

/// Whether changes leave at the end of micro-batches.
pub(super) fn batched(settings: &Settings) -> bool {
    enabled(settings, MINI_BATCH) && !is_batch(settings)
}

/// A setting that is a length of time, in milliseconds.
pub(super) fn millis(settings: &Settings, key: &str) -> Option<i64> {
    let micros = value(settings, key).and_then(parse_duration_micros)?;
    i64::try_from(micros / 1000).ok()
}

/// What the settings so far say of the windows that follow.
pub(super) fn emission(settings: &Settings) -> Result<Emission> {
    if is_batch(settings) {
        return Ok(Emission { apart: apart(settings), ..Emission::ON_TIME });
    }
    let lateness = millis(settings, "table.exec.emit.allow-lateness").unwrap_or(0);
    // Flink's settings: fire after each record, or a while after the first.
    let fires = |side: &str| {
        let key = |what: &str| format!("table.exec.emit.{side}-fire.{what}");
        enabled(settings, &key("enabled")).then(|| {
            Box::new(match millis(settings, &key("delay")).unwrap_or(0) {
                0 => Trigger::AfterCount(1),
                delay => Trigger::AfterProcessingTime { delay, aligned: None },
            })
        })
    };
    let each = || Some(Box::new(Trigger::AfterCount(1)));
    // What is written comes before what a profile has, whichever way it is written.
    let written = settings.values.keys().any(|key| key.starts_with("table.exec.emit.early-fire."))
        || settings.values.keys().any(|key| key.starts_with("table.exec.emit.late-fire."));
    let trigger = match if written { settings.get(TRIGGER) } else { value(settings, TRIGGER) } {
        Some(text) => parse(text)?,
        None => Trigger::AfterWatermark {
            early: fires("early"),
            late: fires("late").or_else(|| each().filter(|_| lateness > 0)),
        },
    };
    let panes = value(settings, "highwater.emit.panes").and_then(Panes::named);
    Ok(Emission {
        trigger,
        lateness,
        panes: panes.unwrap_or(Panes::Retracting),
        always_on_time: value(settings, "highwater.emit.on-time") != Some("non-empty"),
        by_record: by_record(settings),
        apart: apart(settings),
        by_tick: false,
    })
}

/// Gives windows and sources what the whole script decides: whether triggers are asked behind micro-batches,
/// and the pace of each watermark, as its table's options say, else the settings.
pub(super) fn paces(nodes: &mut [Node], settings: &Settings) {
    let by_tick = batched(settings);
    for node in nodes {
        if let Op::WindowAggregate { emission: Some(emission), .. }
        | Op::LateRows { emission, .. } = &mut node.op
        {
            emission.by_tick = by_tick;
        }
        let Op::Source(source) = &mut node.op else { continue };
        let options = &mut source.options;
        let mut own = |option: &str, setting: &str| {
            options.remove(option).or_else(|| value(settings, setting).map(str::to_owned))
        };
        let emit = own(STRATEGY, "highwater.watermark.emit");
        let advance = own(ADVANCE, "highwater.watermark.advance");
        let idle = options.remove(IDLE);
        let (group, drift) = (options.remove(GROUP), options.remove(DRIFT));
        let Some(watermark) = &mut source.watermark else { continue };
        if is_batch(settings) {
            // Whoever is silent has not ended.
            (watermark.idle, watermark.align) = (Some(0), None);
            watermark.pace = Pace { at: Said::AtEnd, runs: false };
            continue;
        }
        watermark.idle = idle.as_deref().and_then(parse_duration_micros);
        let drift = drift.as_deref().and_then(parse_duration_micros).unwrap_or(0) / 1000;
        let drift = i64::try_from(drift).unwrap_or(i64::MAX);
        watermark.align = group.map(|group| Align { group, drift });
        let period = millis(settings, "pipeline.auto-watermark-interval").unwrap_or(200);
        watermark.pace = Pace {
            at: match emit.as_deref() {
                Some("on-periodic") if period > 0 => Said::Every(period),
                Some("on-batch") => Said::EachTick,
                _ => Said::EachRecord,
            },
            runs: advance.as_deref() == Some("with-time"),
        };
    }
}

/// After how many milliseconds state is forgotten that no watermark frees.
pub(super) fn ttl(settings: &Settings) -> Option<i64> {
    millis(settings, "table.exec.state.ttl").filter(|&ttl| ttl > 0 && !is_batch(settings))
}

/// When the stream of a plan has to say what time it is.
///
/// # Errors
/// When micro-batches have neither a time nor a size, or are counted where windows wait for time.
pub(super) fn clock(nodes: &[Node], settings: &Settings) -> Result<Clock> {
    let paced = |n: &&Node, such: fn(&Pace) -> bool| match &n.op {
        Op::Source(source) => source.watermark.as_ref().is_some_and(|w| such(&w.pace)),
        _ => false,
    };
    let ages = ttl(settings).is_some();
    let waits = nodes.iter().find(|n| match &n.op {
        op if ages && op.is_kept_for_ever() => true,
        Op::WindowAggregate { emission: Some(e), .. } | Op::LateRows { emission: e, .. } => {
            e.trigger.waits()
        }
        _ => paced(n, |pace| pace.runs || matches!(pace.at, Said::Every(_))),
    });
    let batched = nodes.iter().find(|n| paced(n, |pace| pace.at == Said::EachTick));
    if is_batch(settings) {
        return Ok(Clock::None);
    }
    if !enabled(settings, MINI_BATCH) {
        return match (batched, waits) {
            (Some(node), _) => {
                let text = format!(
                    "the watermark of `{}` is said at the end of micro-batches, and there are none",
                    node.name
                );
                let hint = format!("SET '{MINI_BATCH}' = 'true', and '{LATENCY}' or '{SIZE}'");
                Err(placed(Diagnostic::new("sql.setting", text).hint(hint), node))
            }
            (None, Some(_)) => Ok(Clock::Time(1)),
            (None, None) => Ok(Clock::None),
        };
    }
    let size = value(settings, SIZE).and_then(|size| size.parse().ok());
    let counted = settings.get(SIZE).is_some() && settings.get(LATENCY).is_none();
    let latency = millis(settings, LATENCY).filter(|&latency| latency > 0 && !counted);
    match (latency, size, waits) {
        (Some(latency), ..) => Ok(Clock::Time(latency)),
        (None, Some(size), None) => Ok(Clock::Records(size)),
        (None, Some(_), Some(node)) => {
            let text = format!(
                "`{}` waits for processing time, but micro-batches are counted in records",
                node.name
            );
            let error = Diagnostic::new("sql.setting", text)
                .hint(format!("give micro-batches a time: SET '{LATENCY}' = '1 s'"));
            Err(placed(error, node))
        }
        (None, None, _) => Err(Diagnostic::new(
            "sql.setting",
            format!("'{MINI_BATCH}' needs to know how large a micro-batch is"),
        )
        .hint(format!("SET '{LATENCY}' = '1 s', or SET '{SIZE}' = '100' for so many records"))
        .at(super::statement::START)),
    }
}

/// An error where the script asks for a node.
fn placed(error: Error, node: &Node) -> Error {
    match node.span {
        Some(span) => error.at(span),
        None => error,
    }
}

/// Reads a trigger as the setting writes it.
pub(super) fn parse(text: &str) -> Result<Trigger> {
    let wrong = |e: String| {
        Diagnostic::new("sql.trigger", format!("the trigger cannot be read: {e}"))
            .hint(format!("for example {EXAMPLE}"))
    };
    let dialect = Flink::default();
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MOST)
        .try_with_sql(text)
        .map_err(|e| wrong(e.to_string()))?;
    let ast = parser.parse_expr().map_err(|e| wrong(e.to_string()))?;
    let rest = parser.next_token();
    if rest.token != sqlparser::tokenizer::Token::EOF {
        return Err(wrong(format!("`{rest}` stands behind its end")));
    }
    let mut room = MOST;
    trigger(&ast, &mut room)
}

fn refused(text: impl Into<String>) -> Error {
    Diagnostic::new("sql.trigger", text).hint(format!("for example {EXAMPLE}"))
}

fn trigger(ast: &Ast, room: &mut usize) -> Result<Trigger> {
    *room = room.checked_sub(1).ok_or_else(|| refused("the trigger is made of too many"))?;
    let Ast::Function(call) = ast else {
        return Err(refused(format!("`{ast}` is no trigger")));
    };
    let name = call.name.to_string().to_ascii_lowercase();
    let args = arguments(call, &name)?;
    let none_named = || match args.iter().find_map(|(name, _)| *name) {
        Some(given) => Err(refused(format!("{name} has no argument `{given}`"))),
        None => Ok(args.iter().map(|(_, arg)| *arg).collect::<Vec<&Ast>>()),
    };
    let Some((_, word)) = Word::ALL.iter().find(|(known, _)| *known == name) else {
        let known = Word::ALL.map(|(known, _)| known).join(", ");
        return Err(Diagnostic::new("sql.trigger", format!("there is no trigger `{name}`"))
            .hint(format!("there are {known}")));
    };
    Ok(match word {
        Word::AfterWatermark => {
            let (mut early, mut late) = (None, None);
            for (given, arg) in &args {
                let side = match given.map(str::to_ascii_lowercase).as_deref() {
                    Some("early") => &mut early,
                    Some("late") => &mut late,
                    _ => {
                        return Err(refused(
                            "after_watermark takes `early => …` and `late => …`, each of them once",
                        ));
                    }
                };
                if side.replace(Box::new(trigger(arg, room)?)).is_some() {
                    return Err(refused("after_watermark takes `early` and `late` once each"));
                }
            }
            Trigger::AfterWatermark { early, late }
        }
        Word::AfterCount => Trigger::AfterCount(count(&none_named()?)?),
        Word::AfterProcessingTime => processing_time(&none_named()?)?,
        Word::AfterAny => Trigger::AfterAny(several(&name, &none_named()?, room)?),
        Word::AfterAll => Trigger::AfterAll(several(&name, &none_named()?, room)?),
        Word::AfterEach => Trigger::AfterEach(several(&name, &none_named()?, room)?),
        Word::Repeatedly => match none_named()?.as_slice() {
            [inner] => Trigger::Repeatedly(Box::new(trigger(inner, room)?)),
            _ => return Err(refused("repeatedly takes one trigger")),
        },
        Word::OrFinally => match none_named()?.as_slice() {
            [main, until] => {
                Trigger::OrFinally(Box::new(trigger(main, room)?), Box::new(trigger(until, room)?))
            }
            _ => return Err(refused("or_finally takes two triggers")),
        },
    })
}

/// The arguments of a trigger, with their names where they have some.
fn arguments<'a>(call: &'a AstFunction, name: &str) -> Result<Vec<(Option<&'a str>, &'a Ast)>> {
    let plain = call.over.is_none()
        && call.filter.is_none()
        && call.null_treatment.is_none()
        && call.within_group.is_empty();
    let list = match &call.args {
        FunctionArguments::List(list)
            if plain && list.clauses.is_empty() && list.duplicate_treatment.is_none() =>
        {
            list.args.as_slice()
        }
        FunctionArguments::None if plain => &[],
        _ => return Err(refused(format!("{name} takes triggers, numbers or times"))),
    };
    let argument = |arg: &'a FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Ok((None, e)),
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(e), .. } => {
            Ok((Some(name.value.as_str()), e))
        }
        _ => Err(refused(format!("`{arg}` is no argument of {name}"))),
    };
    list.iter().map(argument).collect()
}

fn several(name: &str, args: &[&Ast], room: &mut usize) -> Result<Vec<Trigger>> {
    if args.len() < 2 {
        return Err(refused(format!("{name} takes at least two triggers")));
    }
    args.iter().map(|arg| trigger(arg, room)).collect()
}

fn count(args: &[&Ast]) -> Result<u64> {
    let number = match args {
        [Ast::Value(value)] => match &value.value {
            Literal::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    };
    number.filter(|&n| n > 0).ok_or_else(|| refused("after_count takes a whole number from 1"))
}

fn processing_time(args: &[&Ast]) -> Result<Trigger> {
    let wrong = || {
        Diagnostic::new("sql.trigger", "after_processing_time takes one time, or two or three")
            .hint(
                "after_processing_time('1 min') waits that long; after_processing_time('0 s', '2 min', '30 s') \
                 until the next full two minutes and 30 s",
            )
    };
    let time = |arg: &&Ast| match arg {
        Ast::Value(value) => match &value.value {
            Literal::SingleQuotedString(text) => parse_duration_micros(text)
                .filter(|micros| micros % 1000 == 0)
                .and_then(|micros| i64::try_from(micros / 1000).ok()),
            _ => None,
        },
        _ => None,
    };
    let times: Option<Vec<i64>> = args.iter().map(time).collect();
    let (delay, aligned) = match times.as_deref() {
        Some([delay]) => (*delay, None),
        Some([delay, period]) => (*delay, Some((*period, 0))),
        Some([delay, period, from]) => (*delay, Some((*period, *from))),
        _ => return Err(wrong()),
    };
    match aligned {
        Some((0, _)) => Err(refused("a period of no time")),
        _ => Ok(Trigger::AfterProcessingTime { delay, aligned }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_read_as_they_are_printed() {
        for text in [
            "after_watermark()",
            "after_watermark(early => after_count(2), late => after_count(3))",
            "repeatedly(after_processing_time('60000 ms'))",
            "after_processing_time('0 ms', '120000 ms', '30000 ms')",
            "after_any(after_count(1), after_all(after_count(2), after_watermark()))",
            "or_finally(repeatedly(after_count(1)), after_each(after_count(2), after_count(3)))",
        ] {
            let trigger = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(trigger.to_string(), text);
        }
        let minute = Trigger::AfterProcessingTime { delay: 60_000, aligned: None };
        assert_eq!(parse("AFTER_PROCESSING_TIME('1 min')").expect("a trigger"), minute);
    }

    #[test]
    fn what_is_no_trigger_is_refused() {
        let deep = format!("{}after_count(1){}", "repeatedly(".repeat(80), ")".repeat(80));
        for text in [
            "",
            "after",
            "after_count()",
            "after_count(0)",
            "after_count(-1)",
            "after_count('2')",
            "after_count(1) x",
            "after_count(n => 1)",
            "after_any(after_count(1))",
            "after_watermark(after_count(1))",
            "after_watermark(early => after_count(1), early => after_count(1))",
            "after_watermark(early => 3)",
            "after_processing_time()",
            "after_processing_time(5)",
            "after_processing_time('1 s', '0 s')",
            "after_processing_time('soon')",
            "after_processing_time('500 us')",
            "after_count(1) OVER (ORDER BY x)",
            "after_any(DISTINCT after_count(1), after_count(2))",
            "repeatedly()",
            "or_finally(after_count(1))",
            "later(after_count(1))",
            "after_count(1",
            deep.as_str(),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.code, "sql.trigger", "{text}");
            assert!(error.hint.is_some(), "{text}");
        }
    }
}
