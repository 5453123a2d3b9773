//! A comparison of two runs as text, and as JSON lines.

use std::fmt::Write as _;

use highwater_engine::schema::SchemaRef;
use highwater_engine::session::{
    Comparison, Differing, Figures, Latency, TableDiff, jsonl_row, text_table,
};
use highwater_engine::trace::quoted;
use highwater_engine::value::Value;
use serde_json::{Value as Json, json};

/// The runs' names in text, and in JSON.
const RUNS: [(&str, &str); 2] = [("A", "a"), ("B", "b")];
/// What stands where a run has nothing of the kind.
const NOTHING: &str = "-";

/// For people; `rows`: how many that differ are shown of each table.
pub(super) fn report(found: &Comparison, rows: usize) -> String {
    let mut text = format!("\n{}", tables(found));
    for table in &found.tables {
        text += &columns(table);
        text += &differing(table, rows);
    }
    text += &dropped(found);
    text += "\nlatency in ms, from the first reading of a row's record until the row is shown\n";
    text += &latencies(found);
    text += &held(found);
    text += "\n";
    text += &figures(&found.runs);
    for (run, (name, _)) in found.runs.iter().zip(RUNS) {
        if let Some(stopped) = &run.stopped {
            let _ = writeln!(text, "{name} stopped: {} [{}]", stopped.message, stopped.code);
        }
    }
    match &found.parted {
        None => {
            let _ = writeln!(text, "\nthe traces are equal: {} events", found.runs[0].events);
        }
        Some(parted) => {
            let _ = writeln!(text, "\nthe traces part at event {}:", parted.event);
            for (line, sign) in parted.lines.iter().zip(["-", "+"]) {
                let line = line.as_deref().unwrap_or("(the trace has ended)");
                let _ = writeln!(text, "{sign} {line}");
            }
        }
    }
    text
}

/// A table of texts under a heading of texts.
fn aligned<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<Vec<String>> = rows.map(Vec::from).collect();
    text_table(&header.map(str::to_owned), &rows)
}

fn or_nothing(number: Option<u64>) -> String {
    number.map_or_else(|| NOTHING.to_owned(), |number| number.to_string())
}

fn tables(found: &Comparison) -> String {
    let row = |table: &TableDiff| {
        let [a, b] = table.rows;
        let [only_a, only_b] = table.only();
        let order = match (a, b) {
            (Some(_), None) => "only A has it".to_owned(),
            (None, _) => "only B has it".to_owned(),
            _ if table.reordered > 0 => format!("{} elsewhere", table.reordered),
            _ => "same".to_owned(),
        };
        let [a, b] = [a, b].map(or_nothing);
        let [both, only_a, only_b] = [table.both, only_a, only_b].map(|n| n.to_string());
        [table.table.clone(), a, b, both, only_a, only_b, order]
    };
    let header = ["table", "rows A", "rows B", "both", "only A", "only B", "order"];
    aligned(header, found.tables.iter().map(row))
}

/// What is said of a table whose columns are not the same.
fn columns(table: &TableDiff) -> String {
    let [Some(a), Some(b)] = &table.columns else { return String::new() };
    if table.same_columns() {
        return String::new();
    }
    let named = |schema: &SchemaRef| {
        let columns = schema.fields.iter().map(|f| format!("{} {}", f.name, f.data_type));
        columns.collect::<Vec<_>>().join(", ")
    };
    format!("\n{}, columns that differ:\n- {}\n+ {}\n", table.table, named(a), named(b))
}

/// The first rows that only one run has.
fn differing(table: &TableDiff, most: usize) -> String {
    let [Some(a), Some(b)] = &table.columns else { return String::new() };
    let shown = table.differing.len().min(most);
    if shown == 0 {
        return String::new();
    }
    let mut text = format!("\n{}, rows that differ:\n", table.table);
    // Rows of different columns cannot stand under one heading.
    if a.fields.len() == b.fields.len() {
        text += &signed(table, a, &table.differing[..shown].iter().collect::<Vec<_>>());
    } else {
        for (run, schema) in [a, b].into_iter().enumerate() {
            let own = table.differing[..shown].iter().filter(|row| row.run == run);
            text += &signed(table, schema, &own.collect::<Vec<_>>());
        }
    }
    let more = table.differing.len() - shown;
    if more > 0 {
        let _ = writeln!(text, "… and {more} more (--rows)");
    }
    text
}

/// Rows under their columns, in front of each the sign of its run.
fn signed(table: &TableDiff, schema: &SchemaRef, rows: &[&Differing]) -> String {
    let op = table.updating.then(|| "op".to_owned());
    let names = schema.fields.iter().map(|f| f.name.clone());
    let header: Vec<String> = op.into_iter().chain(names).collect();
    let cells = |row: &&Differing| {
        let op = table.updating.then(|| row.kind.symbol().to_owned());
        op.into_iter().chain(row.values.iter().map(cell)).collect()
    };
    let text = text_table(&header, &rows.iter().map(cells).collect::<Vec<_>>());
    let signs = [" "].into_iter().chain(rows.iter().map(|row| ["-", "+"][row.run]));
    signs.zip(text.lines()).map(|(sign, line)| format!("{sign} {line}\n")).collect()
}

/// A value's text, of one line.
fn cell(value: &Value) -> String {
    let text = if value.is_null() { "NULL".to_owned() } else { value.to_text() };
    if text.chars().any(char::is_control) { quoted(&text) } else { text }
}

fn dropped(found: &Comparison) -> String {
    if found.dropped.is_empty() {
        return "\nno record is dropped\n".to_owned();
    }
    let rows = found.dropped.iter().map(|d| {
        let [a, b] = d.records.map(or_nothing);
        [d.operator.clone(), why(d.unreadable).to_owned(), a, b]
    });
    format!("\n{}", aligned(["records dropped", "why", "A", "B"], rows))
}

fn why(unreadable: bool) -> &'static str {
    if unreadable { "unreadable" } else { "late" }
}

fn held(found: &Comparison) -> String {
    if found.held.is_empty() {
        return String::new();
    }
    let rows = found.held.iter().map(|held| {
        let [a, b] = held.bytes.map(or_nothing);
        [held.operator.clone(), a, b]
    });
    let table = aligned(["operator", "A", "B"], rows);
    format!("\nstate: the most bytes that an operator's subtasks wrote for a checkpoint\n{table}")
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

fn latencies(found: &Comparison) -> String {
    let of_table = |table: &TableDiff| -> Vec<[String; 7]> {
        let runs = table.latency.iter().zip(RUNS);
        let there = runs.filter_map(|(latency, (run, _))| Some((latency.as_ref()?, run)));
        let row = |(l, run): (&Latency, &str)| {
            let time = |micros: u64| match l.rows {
                0 => NOTHING.to_owned(),
                _ => format!("{:.3}", ms(micros)),
            };
            let counts = [l.rows, l.without_record].map(|n| n.to_string());
            let [rows, without] = counts;
            let name = table.table.clone();
            [name, run.to_owned(), time(l.p50), time(l.p99), time(l.max), rows, without]
        };
        there.map(row).collect()
    };
    let header = ["table", "run", "p50", "p99", "max", "rows", "without record"];
    aligned(header, found.tables.iter().flat_map(of_table))
}

fn figures(runs: &[Figures; 2]) -> String {
    let line = |name: &str, value: &dyn Fn(&Figures) -> String| {
        [name.to_owned(), value(&runs[0]), value(&runs[1])]
    };
    let end = |f: &Figures| match (f.finished, &f.stopped) {
        (true, _) => "finished",
        (false, Some(_)) => "stopped",
        (false, None) => "no end",
    };
    let rows = [
        line("end", &|f| end(f).to_owned()),
        line("most bytes of a checkpoint", &|f| or_nothing(f.most_bytes)),
        line("bytes of the last one", &|f| or_nothing(f.last_bytes)),
        line("checkpoints completed", &|f| f.checkpoints.to_string()),
        line("checkpoints failed", &|f| f.failed_checkpoints.to_string()),
        line("restarts", &|f| f.restarts.to_string()),
        line("fuel of guests", &|f| f.fuel.to_string()),
        line("steps", &|f| f.steps.to_string()),
        line("virtual time, s", &|f| format!("{:.6}", f.duration as f64 / 1e6)),
    ];
    aligned(["run", "A", "B"], rows.into_iter())
}

/// For programs: an object a line, told apart by `kind`; the last one sums up. `rows`: how many that differ are told of
/// each table.
pub(super) fn lines(found: &Comparison, rows: usize) -> String {
    let mut all = Vec::new();
    for table in &found.tables {
        all.push(table_line(table));
        all.extend(table.differing.iter().take(rows).map(|row| row_line(table, row)));
    }
    all.extend(found.dropped.iter().map(|d| {
        json!({"kind": "dropped", "operator": d.operator, "why": why(d.unreadable),
            "a": d.records[0], "b": d.records[1]})
    }));
    for table in &found.tables {
        let runs = table.latency.iter().zip(RUNS);
        let there = runs.filter_map(|(latency, (_, run))| Some((latency.as_ref()?, run)));
        all.extend(there.map(|(l, run)| latency_line(&table.table, run, l)));
    }
    all.extend(found.held.iter().map(|held| {
        let [a, b] = held.bytes;
        json!({"kind": "state", "operator": held.operator, "a": a, "b": b})
    }));
    all.extend(found.runs.iter().zip(RUNS).map(|(figures, (_, run))| run_line(run, figures)));
    let [a, b] = found.parted.as_ref().map_or([None, None], |parted| parted.lines.clone());
    all.push(json!({"kind": "trace", "equal": found.parted.is_none(),
        "event": found.parted.as_ref().map(|parted| parted.event), "a": a, "b": b}));
    all.push(summary(found));
    all.iter().map(|line| format!("{line}\n")).collect()
}

fn table_line(table: &TableDiff) -> Json {
    let [only_a, only_b] = table.only();
    json!({
        "kind": "table",
        "table": table.table,
        "a": table.rows[0],
        "b": table.rows[1],
        "both": table.both,
        "only_a": only_a,
        "only_b": only_b,
        "reordered": table.reordered,
        "same_columns": table.same_columns(),
    })
}

fn row_line(table: &TableDiff, row: &Differing) -> Json {
    let op = table.updating.then_some(row.kind);
    let schema = table.columns[row.run].as_ref().expect("a run that has a row has its table");
    let values: Json =
        serde_json::from_str(&jsonl_row(schema, op, &row.values)).unwrap_or_default();
    json!({"kind": "row", "table": table.table, "only": RUNS[row.run].1, "seq": row.seq, "row": values})
}

fn latency_line(table: &str, run: &str, l: &Latency) -> Json {
    let time = |micros: u64| (l.rows > 0).then(|| ms(micros));
    json!({
        "kind": "latency",
        "table": table,
        "run": run,
        "rows": l.rows,
        "without_record": l.without_record,
        "p50_ms": time(l.p50),
        "p99_ms": time(l.p99),
        "max_ms": time(l.max),
    })
}

fn run_line(run: &str, figures: &Figures) -> Json {
    json!({
        "kind": "run",
        "run": run,
        "finished": figures.finished,
        "stopped": figures.stopped.as_ref().map(|error| error.to_json()),
        "most_bytes": figures.most_bytes,
        "last_bytes": figures.last_bytes,
        "checkpoints": figures.checkpoints,
        "failed_checkpoints": figures.failed_checkpoints,
        "restarts": figures.restarts,
        "fuel": figures.fuel,
        "steps": figures.steps,
        "events": figures.events,
        "virtual_ms": ms(figures.duration),
    })
}

fn summary(found: &Comparison) -> Json {
    let only = found.tables.iter().map(TableDiff::only);
    let [a, b] = only.fold([0; 2], |sum, only| [sum[0] + only[0], sum[1] + only[1]]);
    let dropped =
        [0, 1].map(|run| -> u64 { found.dropped.iter().filter_map(|d| d.records[run]).sum() });
    json!({
        "kind": "summary",
        "rows_differ": found.rows_differ(),
        "only_a": a,
        "only_b": b,
        "reordered": found.tables.iter().map(|table| table.reordered).sum::<u64>(),
        "dropped_a": dropped[0],
        "dropped_b": dropped[1],
        "traces_equal": found.parted.is_none(),
    })
}
