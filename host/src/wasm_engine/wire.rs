//! The JSON that `engine.wasm` answers with, read into types.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use highwater_engine::error::{Diagnostic, Error, Position, Result, Span};
use highwater_engine::runner::Report;
use highwater_engine::session::{Options, Status};
use serde_json::Value as Json;

use crate::table::{Column, Row, Table};

/// A file a script asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireNeed {
    /// As the script writes it.
    pub path: String,
    /// True for a guest, false for data.
    pub guest: bool,
}

/// Only what is set: the module has its own defaults.
pub(super) fn options(options: &Options) -> String {
    let mut object = serde_json::Map::new();
    let set = [
        ("seed", options.seed),
        ("parallelism", options.parallelism.map(u64::from)),
        ("batch_rows", options.batch_rows.map(u64::from)),
    ];
    for (name, value) in set {
        if let Some(value) = value {
            object.insert(name.to_owned(), value.into());
        }
    }
    Json::Object(object).to_string()
}

pub(super) fn parse(text: &str) -> Result<Json> {
    serde_json::from_str(text).map_err(|e| broken(&format!("its answer is no JSON ({e})")))
}

fn broken(what: &str) -> Error {
    Diagnostic::new("host.refused-engine", format!("engine.wasm breaks its ABI: {what}"))
        .hint("build engine.wasm from the same source as this command")
}

fn list<'a>(json: &'a Json, field: &str) -> Result<&'a [Json]> {
    json[field].as_array().map(Vec::as_slice).ok_or_else(|| broken(&format!("no list `{field}`")))
}

fn text(json: &Json, field: &str) -> Result<String> {
    let found = json[field].as_str().ok_or_else(|| broken(&format!("no text `{field}`")))?;
    Ok(found.to_owned())
}

pub(super) fn needs(json: &Json) -> Result<Vec<WireNeed>> {
    list(json, "needs")?
        .iter()
        .map(|n| Ok(WireNeed { path: text(n, "path")?, guest: n["kind"] == "guest" }))
        .collect()
}

pub(super) fn status(json: &Json) -> Result<Status> {
    let number = |field: &str| json[field].as_u64().unwrap_or(0);
    Ok(Status {
        step: json["step"].as_u64().ok_or_else(|| broken("no number `step`"))?,
        at: number("at_us"),
        events: number("events"),
        finished: json["finished"].as_bool().unwrap_or(false),
        failed: json["failed"].is_object().then(|| diagnostic(&json["failed"])),
        hash: json["hash"].as_str().unwrap_or_default().to_owned(),
        committed_rows: number("committed_rows"),
        checkpoints: number("checkpoints"),
        fuel: number("fuel"),
        horizon: number("horizon"),
        faults_to_come: (json["faults_to_come"].as_array().into_iter().flatten())
            .filter_map(|fault| fault.as_str().map(str::to_owned))
            .collect(),
    })
}

pub(super) fn tables(json: &Json) -> Result<Vec<Table>> {
    list(json, "tables")?.iter().map(table).collect()
}

fn table(json: &Json) -> Result<Table> {
    let columns = list(json, "columns")?
        .iter()
        .map(|c| Ok(Column { name: text(c, "name")?, data_type: text(c, "type")? }))
        .collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for (i, cells) in list(json, "committed")?.iter().enumerate() {
        let cells = cells.as_array().ok_or_else(|| broken("a row that is no list"))?;
        if cells.len() != columns.len() {
            return Err(broken("a row of the wrong width"));
        }
        let cells = cells.iter().map(|c| c.as_str().map(str::to_owned)).collect();
        rows.push(Row { kind: kind(&json["kinds"][i])?, cells });
    }
    let options = json["options"].as_object().into_iter().flatten();
    Ok(Table {
        name: text(json, "name")?,
        connector: json["connector"].as_str().unwrap_or("collect").to_owned(),
        options: options.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
        columns,
        updating: json["updating"].as_bool().unwrap_or(false),
        rows,
    })
}

fn kind(json: &Json) -> Result<&'static str> {
    let known = ["+I", "-U", "+U", "-D"];
    let kind = json.as_str().and_then(|kind| known.into_iter().find(|k| *k == kind));
    kind.ok_or_else(|| broken("a row of no known kind"))
}

/// A list of diagnostics; empty when there is none.
pub(super) fn list_of(json: &Json) -> Vec<Diagnostic> {
    json.as_array().into_iter().flatten().map(diagnostic).collect()
}

/// What the fast runner did.
pub(super) fn report(json: &Json) -> Report {
    let number = |field: &str| json[field].as_u64().unwrap_or(0);
    Report {
        records: number("records"),
        bad: number("bad"),
        late: number("late"),
        rows: number("rows"),
        fuel: number("fuel"),
        described: texts(&json["described"]),
    }
}

/// A list of texts, an absent one empty.
fn texts(json: &Json) -> Vec<String> {
    let list = json.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// The diagnostics of a refusal; never empty.
pub(super) fn diagnostics(json: &Json) -> Vec<Diagnostic> {
    let list = list_of(&json["diagnostics"]);
    if list.is_empty() { vec![*broken("it refuses without saying why")] } else { list }
}

fn diagnostic(json: &Json) -> Diagnostic {
    let text = |field: &str| json[field].as_str().map(str::to_owned);
    let position = |line: &str, column: &str| {
        let number = |field: &str| u32::try_from(json[field].as_u64()?).ok();
        Some(Position { line: number(line)?, column: number(column)? })
    };
    let start = position("line", "column");
    let end = position("end_line", "end_column");
    Diagnostic {
        code: intern(json["code"].as_str().unwrap_or("engine.unknown")),
        message: text("message").unwrap_or_default(),
        hint: text("hint"),
        source: text("source"),
        span: start.map(|start| Span { start, end: end.unwrap_or(start) }),
    }
}

/// Codes are `'static`. Those of `engine.wasm` come from its own finite list, so each is leaked once.
fn intern(code: &str) -> &'static str {
    static CODES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut codes = CODES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = codes.get(code) {
        return known;
    }
    let leaked: &'static str = Box::leak(code.to_owned().into_boxed_str());
    codes.insert(leaked);
    leaked
}
