//! Rows as text: JSON lines and aligned tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::batch::{Batch, RowKind, Seq};
use crate::key::encode;
use crate::plan::{Guarantee, SinkKind, SinkSpec};
use crate::schema::SchemaRef;
use crate::sim::Sim;
use crate::trace::quoted;
use crate::value::Value;

/// A sink and the rows that it has shown.
#[derive(Clone, Debug)]
pub struct Rows {
    /// What the sink is.
    pub spec: SinkSpec,
    /// What its table makes of rows.
    pub kind: SinkKind,
    /// The rows' columns.
    pub schema: SchemaRef,
    /// Whether rows may be updates.
    pub updating: bool,
    /// Kind, place in the stream, values.
    pub rows: Vec<(RowKind, Seq, Vec<Value>)>,
}

impl Rows {
    /// What the sinks of a run show, in the order of the script.
    pub fn of(sim: &Sim) -> Vec<Rows> {
        let sinks = sim.job().graph.sinks();
        let tables = sinks.into_iter().zip(sim.tables());
        tables
            .map(|((spec, schema, updating), table)| {
                let rows = Rows::new(spec, schema, updating, table.rows().collect());
                Rows { kind: table.kind, ..rows }
            })
            .collect()
    }

    /// Rows of a sink.
    pub fn new(
        spec: &SinkSpec,
        schema: &SchemaRef,
        updating: bool,
        rows: Vec<(RowKind, Seq, Vec<Value>)>,
    ) -> Rows {
        let kind = spec.kind(Guarantee::default());
        Rows { spec: spec.clone(), kind, schema: schema.clone(), updating, rows }
    }

    /// Adds the rows of a batch.
    pub fn extend(&mut self, batch: &Batch) {
        self.rows.extend((0..batch.rows).map(|i| (batch.kind(i), batch.seqs.at(i), batch.row(i))));
    }

    /// One JSON object a row, each with a line end.
    pub fn jsonl(&self) -> String {
        let mut out = String::new();
        for (kind, _, values) in &self.rows {
            out.push_str(&jsonl_row(&self.schema, self.updating.then_some(*kind), values));
            out.push('\n');
        }
        out
    }

    /// The JSON form of the embedding interface; values as text.
    pub fn to_json(&self) -> serde_json::Value {
        let columns: Vec<_> = self
            .schema
            .fields
            .iter()
            .map(|f| serde_json::json!({"name": f.name, "type": f.data_type.to_string()}))
            .collect();
        let text = |v: &Value| match v {
            Value::Null => serde_json::Value::Null,
            v => v.to_text().into(),
        };
        let committed: Vec<Vec<_>> =
            self.rows.iter().map(|(_, _, r)| r.iter().map(text).collect()).collect();
        serde_json::json!({
            "name": self.spec.table,
            "connector": self.spec.connector,
            "options": self.spec.options,
            "columns": columns,
            "updating": self.updating,
            "committed": committed,
            "kinds": self.rows.iter().map(|r| r.0.symbol()).collect::<Vec<_>>(),
            "seqs": self.rows.iter().map(|r| r.1).collect::<Vec<_>>(),
        })
    }

    /// An aligned table with a heading: what `expect rows` blocks hold.
    pub fn text(&self) -> String {
        let mut header: Vec<String> = self.schema.fields.iter().map(|f| f.name.clone()).collect();
        if self.updating {
            header.insert(0, "op".into());
        }
        let rows = self.rows.iter().map(|(kind, _, values)| {
            let op = self.updating.then(|| kind.symbol().to_owned());
            op.into_iter().chain(values.iter().map(visible)).collect()
        });
        text_table(&header, &rows.collect::<Vec<_>>())
    }

    /// What a table holds that keeps these rows by its key: of each key the last, in the order in which they came.
    pub fn held(&self) -> Vec<&(RowKind, Seq, Vec<Value>)> {
        let mut held: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (place, (kind, _, values)) in self.rows.iter().enumerate() {
            let key = self.spec.key.iter().map(|&c| values[c].clone()).collect::<Vec<_>>();
            match kind {
                RowKind::Insert | RowKind::UpdateAfter => held.insert(encode(&key), place),
                RowKind::UpdateBefore | RowKind::Delete => held.remove(&encode(&key)),
            };
        }
        let mut places: Vec<usize> = held.into_values().collect();
        places.sort();
        places.into_iter().map(|place| &self.rows[place]).collect()
    }

    /// The same of what is left in the end, without the changes that led there: rows in the order of
    /// their values, one that is there twice twice. In an idempotent table, and in the changelog of one with a
    /// primary key, a row replaces the one of its key.
    pub fn left(&self) -> String {
        let mut left: BTreeMap<Vec<u8>, (usize, &Vec<Value>)> = BTreeMap::new();
        let keyed = self.kind == SinkKind::Idempotent || self.updating && !self.spec.key.is_empty();
        let rows = if keyed { self.held() } else { self.rows.iter().collect() };
        for (kind, _, values) in rows {
            let key = encode(values);
            match kind {
                RowKind::Insert | RowKind::UpdateAfter => {
                    left.entry(key).or_insert((0, values)).0 += 1;
                }
                RowKind::UpdateBefore | RowKind::Delete => match left.get_mut(&key) {
                    Some((count, _)) if *count > 1 => *count -= 1,
                    _ => _ = left.remove(&key),
                },
            }
        }
        let header: Vec<String> = self.schema.fields.iter().map(|f| f.name.clone()).collect();
        let row = |(count, values): (usize, &Vec<Value>)| {
            std::iter::repeat_n(values.iter().map(visible).collect::<Vec<_>>(), count)
        };
        let mut left: Vec<(usize, &Vec<Value>)> = left.into_values().collect();
        left.sort_by_cached_key(|(_, values)| encode(values));
        text_table(&header, &left.into_iter().flat_map(row).collect::<Vec<_>>())
    }
}

/// A value's text with control characters escaped.
fn visible(value: &Value) -> String {
    let text = value.to_text();
    if text.chars().any(char::is_control) { quoted(&text) } else { text }
}

/// One row as a JSON object, a field a column in order; with `kind`, a last field `op`.
pub fn jsonl_row(schema: &SchemaRef, kind: Option<RowKind>, values: &[Value]) -> String {
    let mut object = serde_json::Map::new();
    for (field, value) in schema.fields.iter().zip(values) {
        object.insert(field.name.clone(), value.to_json());
    }
    if let Some(kind) = kind {
        object.insert("op".into(), kind.symbol().into());
    }
    serde_json::Value::Object(object).to_string()
}

/// Columns aligned under their names, ` | ` between them; no line ends in a space.
pub fn text_table(header: &[String], rows: &[Vec<String>]) -> String {
    let width = |c: usize| {
        let cells = rows.iter().map(|r| &r[c]).chain([&header[c]]);
        cells.map(|s| s.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut out = String::new();
    for row in [header.to_vec()].iter().chain(rows) {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            let gap = widths[i] - cell.chars().count();
            let separator = if i == 0 { "" } else { " | " };
            write!(line, "{separator}{cell}{:gap$}", "").expect("writing to a string cannot fail");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
