//! Measurements in processes of their own, in turns.

use std::ffi::OsString;
use std::process::Command;

use highwater::bench::Measurement;
use highwater::report::Sources;
use highwater_engine::error::{Diagnostic, Result};
use serde_json::Value as Json;

use super::console::Console;
use super::{Done, Failure};

/// A measurement, or why there is none.
pub(super) type Measured = std::result::Result<Measurement, Diagnostic>;

/// What a process is started for.
pub(super) struct Turn {
    /// What the user is told is measured.
    pub name: String,
    /// What the command is called with; how many runs is added.
    pub arguments: Vec<OsString>,
}

/// All measurements, one after the other, and again until all rounds are over, which share the runs.
pub(super) fn in_turns(
    turns: &[Turn],
    (rounds, repeats): (u32, u32),
    console: &mut Console,
) -> Done<Vec<Measured>> {
    let mut all: Vec<Option<Measured>> = turns.iter().map(|_| None).collect();
    let rounds = repeats.clamp(1, rounds);
    for round in 0..rounds {
        // The remainder goes to the first rounds.
        let repeats = (repeats.max(1) + rounds - 1 - round) / rounds;
        for (turn, measured) in turns.iter().zip(&mut all) {
            if matches!(measured, Some(Err(_))) {
                continue;
            }
            if round == 0 {
                console.say(&format!("measuring {} …", turn.name));
            }
            let again = child(turn, repeats, console)?;
            *measured = Some(match (measured.take(), again) {
                (Some(Ok(mut sofar)), Ok(more)) => {
                    sofar.merge(&more).map(|()| sofar).map_err(|e| *e)
                }
                (_, again) => again,
            });
        }
    }
    Ok(all.into_iter().flatten().collect())
}

/// Measures in a process of its own: peak memory is a process's.
fn child(turn: &Turn, repeats: u32, console: &mut Console) -> Done<Measured> {
    let mut arguments = turn.arguments.clone();
    arguments.extend(["--repeats".into(), repeats.to_string().into()]);
    let unread = Diagnostic::new("bench.failed", "the measuring process died");
    let told = told(&arguments, console)?;
    Ok(told.and_then(|json| Measurement::from_json(&json).ok_or(*unread)))
}

/// What a process of this command prints, one JSON value; else what is wrong, as it says.
pub(super) fn told(
    arguments: &[OsString],
    console: &mut Console,
) -> Done<std::result::Result<Json, Diagnostic>> {
    let run = || Command::new(std::env::current_exe()?).args(arguments).output();
    let output = match run() {
        Ok(output) => output,
        Err(error) => {
            console.say(&format!("error: cannot start a measuring process: {error}"));
            return Err(Failure::Input);
        }
    };
    let json: Json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if output.status.success() {
        return Ok(Ok(json));
    }
    console.say(String::from_utf8_lossy(&output.stderr).trim_end());
    let message = json["message"].as_str().unwrap_or("the measuring process died");
    let wrong = output.status.code() == Some(1);
    let code = if wrong { "bench.wrong-totals" } else { "bench.failed" };
    Ok(Err(*Diagnostic::new(code, message)))
}

/// The started process's side: its runs as one line.
pub(super) fn answer(measured: Result<Measurement>, console: &mut Console) -> Done {
    match measured {
        Ok(measured) => console.print(&format!("{}\n", measured.to_json())),
        Err(error) => {
            console.print(&format!("{}\n", error.to_json()))?;
            Err(failure(&error, console))
        }
    }
}

/// Shows what is wrong. Wrong results are a failed check, not a mistake of the caller.
pub(super) fn failure(error: &Diagnostic, console: &mut Console) -> Failure {
    match console.error(error, &Sources::default()) {
        Failure::Input if error.code == "bench.wrong-totals" => Failure::Check,
        other => other,
    }
}
