//! A fault's line read.

use super::{Aim, At, Fault, KINDS, Kind, Target};
use crate::error::{Diagnostic, Error, Result};
use crate::time::{VirtualTime, parse_duration_micros, parse_timestamp};
use crate::trace::{EVENTS, Header};

impl Fault {
    /// Reads a line such as `at 12s crash window/1`, `at 2018-02-01 00:00 crash sink/0`, `at now crash window/0`,
    /// `at 5s..20s drop window/0->sink/0`, or `on checkpoint-start 2 crash coordinator`.
    ///
    /// # Errors
    /// `fault.syntax`, `fault.task` or `fault.event`, with what would be right.
    pub fn parse(line: &str, header: &Header) -> Result<Fault> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let named = |word: &str| KINDS.iter().any(|kind| kind.name.split(' ').next() == Some(word));
        // Behind `at` or `on` and one word more; an event may be called what a kind of fault is called.
        let place = (2..words.len()).find(|&place| named(words[place]));
        let Some(place) = place else { return Err(no_fault(line)) };
        let (when, what) = words.split_at(place);
        let at = match when[0] {
            "at" => match at(&when[1..].join(" ")).ok_or_else(|| no_fault(line))? {
                At::Between(from, to) if from > to => {
                    let message = format!("`{}` ends before it begins", when[1..].join(" "));
                    let hint = "write the earlier time first: `at 5s..20s`";
                    return Err(Diagnostic::new("fault.syntax", message).hint(hint));
                }
                at => at,
            },
            "on" => on(&when[1..], line)?,
            _ => return Err(no_fault(line)),
        };
        let (kind, aim) = aimed(what, line, header)?;
        Ok(Fault { at, kind, aim, when: when.join(" "), what: what.join(" ") })
    }
}

fn no_fault(line: &str) -> Error {
    let kinds: Vec<String> = KINDS.iter().map(Kind::syntax).collect();
    Diagnostic::new("fault.syntax", format!("`{}` is no fault", line.trim())).hint(format!(
        "write `at 12s crash window/1` or `on checkpoint-start 2 crash coordinator`: a time after the start (or \
         `now`, or `5s..20s`) or an event, then one of: {}",
        kinds.join(", ")
    ))
}

fn at(text: &str) -> Option<At> {
    if text == "now" {
        return Some(At::Now);
    }
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (parse_duration_micros(from)?, parse_duration_micros(to)?);
        return Some(At::Between(from, to));
    }
    match (parse_duration_micros(text), parse_timestamp(text)) {
        (Some(micros), _) => Some(At::After(micros)),
        (None, Some(ms)) => {
            Some(At::Time(VirtualTime(u64::try_from(ms).ok()?.saturating_mul(1000))))
        }
        _ => None,
    }
}

fn on(words: &[&str], line: &str) -> Result<At> {
    let (event, count) = match words {
        [event] => (*event, 1),
        [event, count] => (*event, count.parse().ok().filter(|n| *n > 0).unwrap_or(0)),
        _ => return Err(no_fault(line)),
    };
    if count == 0 {
        return Err(no_fault(line));
    }
    if !EVENTS.contains(&event) {
        return Err(Diagnostic::new("fault.event", format!("there is no event `{event}`"))
            .hint(format!("the events are {}", EVENTS.join(", "))));
    }
    Ok(At::On(event.to_owned(), count))
}

/// The kind, whom it strikes, and for how long.
fn aimed(words: &[&str], line: &str, header: &Header) -> Result<(&'static Kind, Aim)> {
    let kind = KINDS.iter().find(|kind| kind.name == words[0]).expect("the caller has found it");
    // `crash coordinator` and `crash store` are named by two words.
    let longer = words.get(1).map(|next| format!("{} {next}", words[0]));
    let kind = KINDS.iter().find(|k| Some(k.name) == longer.as_deref()).unwrap_or(kind);
    let mut rest = &words[kind.name.split(' ').count()..];
    let mut number = 0;
    if kind.target != Target::Nothing {
        let [name, others @ ..] = rest else { return Err(no_fault(line)) };
        number = kind.target.number(name, header).ok_or_else(|| {
            let what = kind.target.called();
            Diagnostic::new("fault.task", format!("there is no {what} `{name}` to {}", kind.name))
                .hint(format!("the {what}s are {}", kind.target.names(header).join(", ")))
        })?;
        rest = others;
    }
    let (count, step, lasts) = amounts(kind, rest).ok_or_else(|| no_fault(line))?;
    Ok((kind, Aim { number, count, step, lasts }))
}

/// How many records, the duration with a word of its own, and for how long.
fn amounts(kind: &Kind, mut words: &[&str]) -> Option<(u64, u64, u64)> {
    let mut count = kind.count.unwrap_or(0);
    if kind.count.is_some()
        && let [first, others @ ..] = words
    {
        count = first.parse().ok().filter(|count| *count > 0)?;
        words = others;
    }
    let (step, lasts) =
        words.split_at(words.iter().position(|w| *w == "for").unwrap_or(words.len()));
    let duration = |words: &[&str]| parse_duration_micros(&words.join(" "));
    let step = match (step, kind.step) {
        ([], step) => step.map_or(0, |(_, micros)| micros),
        ([own, rest @ ..], Some((word, _))) if *own == word => duration(rest)?,
        _ => return None,
    };
    let lasts = match (lasts, kind.lasts) {
        ([], lasts) => lasts.unwrap_or(0),
        (["for", rest @ ..], Some(_)) => duration(rest)?,
        _ => return None,
    };
    Some((count, step, lasts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::TaskInfo;

    fn header() -> Header {
        let task = |(name, kind): (&str, &str)| TaskInfo {
            name: name.to_owned(),
            kind: kind.to_owned(),
            describe: String::new(),
            partitions: if kind == "source" { vec![1, 4] } else { Vec::new() },
        };
        let tasks = [
            ("sales/0", "source"),
            ("window/0", "window"),
            ("window/1", "window"),
            ("out/0", "sink"),
        ];
        let channels = vec![(0, 1), (1, 3), (2, 3)];
        Header { tasks: tasks.map(task).to_vec(), channels, seed: 1 }
    }

    #[test]
    fn every_kind_is_read_by_its_own_syntax() {
        let names: std::collections::BTreeSet<&str> = KINDS.iter().map(|k| k.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            for when in
                ["at 3s", "at now", "at 1s..2s", "at 2024-05-01 12:00", "on crash 2", "on commit"]
            {
                let target = kind.target.names(&header()).pop();
                let target = target.map_or(String::new(), |name| format!(" {name}"));
                let line = format!("{when} {}{target}", kind.name);
                let fault = Fault::parse(&line, &header()).expect("a fault");
                assert_eq!((fault.kind.name, fault.to_string()), (kind.name, line.clone()));
                assert_eq!(fault.aim.lasts, kind.lasts.unwrap_or(0));
                let longer = Fault::parse(&format!("{line} for 7 s"), &header());
                assert_eq!(longer.is_ok(), kind.lasts.is_some(), "{line}");
                assert!(longer.map_or(true, |fault| fault.aim.lasts == 7_000_000));
            }
        }
        let number = |line: &str| Fault::parse(line, &header()).map(|fault| fault.aim.number);
        assert_eq!(number("at now drop window/0->out/0").ok(), Some(1));
        assert_eq!(number("at now sink-slow out/0").ok(), Some(3));
        let partition = |line: &str| number(&format!("at now source-stall {line}")).ok();
        let partitions = ["sales", "sales/1", "sales/4", "sales/0", "window/0"].map(partition);
        assert_eq!(partitions, [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn every_example_is_a_fault() {
        for kind in KINDS {
            let fault = Fault::parse(&kind.example(), &header()).expect("it is one");
            assert_eq!(fault.kind.name, kind.name);
        }
    }

    #[test]
    fn amounts_stand_behind_the_target() {
        let aim = |line: &str| {
            let fault = Fault::parse(&format!("at 5s {line}"), &header()).ok()?;
            Some((fault.aim.count, fault.aim.step, fault.aim.lasts))
        };
        assert_eq!(aim("source-gap sales/1"), Some((1, 0, 0)));
        assert_eq!(aim("source-gap sales/1 7"), Some((7, 0, 0)));
        assert_eq!(aim("source-slow sales"), Some((0, 1_000_000, u64::MAX)));
        assert_eq!(aim("source-slow sales every 3 s"), Some((0, 3_000_000, u64::MAX)));
        assert_eq!(aim("source-slow sales for 1 m"), Some((0, 1_000_000, 60_000_000)));
        assert_eq!(aim("source-late sales by 7s for 2s"), Some((0, 7_000_000, 2_000_000)));
        for wrong in [
            "source-gap sales/1 0",
            "source-gap sales/1 few",
            "source-gap sales/1 2 3",
            "source-stall sales 3",
            "source-stall sales every 3s",
            "source-slow sales by 3s",
            "source-slow sales every",
            "source-slow sales for 3s every 2s",
            "source-slow",
        ] {
            assert_eq!(aim(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_fault_is_told_with_what_would_be_one() {
        for (line, code) in [
            ("crash window/0", "fault.syntax"),
            ("at crash window/0", "fault.syntax"),
            ("at noon crash window/0", "fault.syntax"),
            ("at 5s..2s disk-full", "fault.syntax"),
            ("at 5s disk-full window/0", "fault.syntax"),
            ("at 5s crash", "fault.syntax"),
            ("at 5s crash window/7", "fault.task"),
            ("at 5s drop out/0->window/0", "fault.task"),
            ("at 5s sink-slow window/0", "fault.task"),
            ("on sunrise disk-full", "fault.event"),
            ("on commit 0 disk-full", "fault.syntax"),
            ("", "fault.syntax"),
        ] {
            let error = Fault::parse(line, &header()).expect_err(line);
            assert_eq!(error.code, code, "{line}");
            assert!(error.hint.is_some(), "{line}");
        }
    }
}
