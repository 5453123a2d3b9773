//! The JSON that `engine.wasm` answers with, read into types.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use highwater_engine::error::{Diagnostic, Error, Position, Result, Span};
use serde_json::Value as Json;

/// A file a script asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireNeed {
    /// As the script writes it.
    pub path: String,
    /// True for a guest, false for data.
    pub guest: bool,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WireStatus {
    /// The step just done; 0 at the start.
    pub step: u64,
    /// The simulation's time in microseconds since 1970.
    pub at_us: u64,
    /// How many events the trace has.
    pub events: u64,
    /// Whether the job is through.
    pub finished: bool,
    /// Why the job stopped for good.
    pub failed: Option<Diagnostic>,
    /// The hash over the trace so far, 32 hexadecimal digits.
    pub hash: String,
    /// Rows visible in sinks.
    pub committed_rows: u64,
    /// Completed checkpoints.
    pub checkpoints: u64,
    /// Fuel guests have used.
    pub fuel: u64,
    /// The furthest step reached so far.
    pub horizon: u64,
}

/// What a sink has committed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WireTable {
    /// The table's name.
    pub name: String,
    /// `collect`, `print`, `filesystem` or `blackhole`.
    pub connector: String,
    /// All other options of the table.
    pub options: Vec<(String, String)>,
    /// Name and SQL type of each column.
    pub columns: Vec<(String, String)>,
    /// Whether rows may be other than inserts.
    pub updating: bool,
    /// The rows: kind (`+I` …), place in the stream, one text a column, `None` for NULL.
    pub rows: Vec<(String, u64, Vec<Option<String>>)>,
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

pub(super) fn status(json: &Json) -> Result<WireStatus> {
    let number = |field: &str| json[field].as_u64().unwrap_or(0);
    Ok(WireStatus {
        step: json["step"].as_u64().ok_or_else(|| broken("no number `step`"))?,
        at_us: number("at_us"),
        events: number("events"),
        finished: json["finished"].as_bool().unwrap_or(false),
        failed: json["failed"].is_object().then(|| diagnostic(&json["failed"])),
        hash: json["hash"].as_str().unwrap_or_default().to_owned(),
        committed_rows: number("committed_rows"),
        checkpoints: number("checkpoints"),
        fuel: number("fuel"),
        horizon: number("horizon"),
    })
}

pub(super) fn tables(json: &Json) -> Result<Vec<WireTable>> {
    list(json, "tables")?.iter().map(table).collect()
}

fn table(json: &Json) -> Result<WireTable> {
    let columns = list(json, "columns")?
        .iter()
        .map(|c| Ok((text(c, "name")?, text(c, "type")?)))
        .collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for (i, cells) in list(json, "committed")?.iter().enumerate() {
        let cells = cells.as_array().ok_or_else(|| broken("a row that is no list"))?;
        if cells.len() != columns.len() {
            return Err(broken("a row of the wrong width"));
        }
        let cells = cells.iter().map(|c| c.as_str().map(str::to_owned)).collect();
        let kind = json["kinds"][i].as_str().unwrap_or("+I").to_owned();
        rows.push((kind, json["seqs"][i].as_u64().unwrap_or(0), cells));
    }
    let options = json["options"].as_object().into_iter().flatten();
    Ok(WireTable {
        name: text(json, "name")?,
        connector: json["connector"].as_str().unwrap_or("collect").to_owned(),
        options: options.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
        columns,
        updating: json["updating"].as_bool().unwrap_or(false),
        rows,
    })
}

/// The diagnostics of a refusal; never empty.
pub(super) fn diagnostics(json: &Json) -> Vec<Diagnostic> {
    match json["diagnostics"].as_array() {
        Some(list) if !list.is_empty() => list.iter().map(diagnostic).collect(),
        _ => vec![*broken("it refuses without saying why")],
    }
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
