//! Output rows of each sink: committed, staged, lost and made again.

use std::collections::BTreeMap;

use crate::model::Model;
use crate::run::{Pos, RowState, SinkRow};
use crate::words;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowLine {
    /// Its event: what identifies it.
    pub pos: Pos,
    /// The step to go to.
    pub step: u64,
    /// `+I`, `-U`, `+U`, `-D`.
    pub kind: &'static str,
    /// Its cells; `None`: NULL.
    pub cells: Vec<Option<String>>,
    /// Staged, committed or lost.
    pub state: RowState,
    /// It was made again after a crash.
    pub again: bool,
}

/// One sink.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SinkView {
    /// The table's name.
    pub name: String,
    /// Column names, when known.
    pub columns: Vec<String>,
    /// Rows may be taken back: the kind is shown.
    pub updating: bool,
    /// Newest first.
    pub lines: Vec<RowLine>,
    /// Rows visible to readers.
    pub committed: usize,
    /// Rows not visible yet.
    pub staged: usize,
    /// Rows lost in crashes.
    pub lost: usize,
    /// One sentence.
    pub summary: String,
}

/// What the panel shows of the model, `limit` rows a sink at most.
pub fn build(m: &Model, limit: usize) -> Vec<SinkView> {
    let mut sinks: BTreeMap<&str, SinkView> = BTreeMap::new();
    for t in &m.tables {
        let (columns, updating) = (t.columns.clone(), t.updating);
        sinks.insert(&t.name, SinkView { columns, updating, ..SinkView::default() });
    }
    for row in m.run.rows.all.iter().rev() {
        let view = sinks.entry(table_of(m, row)).or_default();
        match row.state() {
            RowState::Staged => view.staged += 1,
            RowState::Committed => view.committed += 1,
            RowState::Lost => view.lost += 1,
            // It stands there once, from before.
            RowState::Known => {}
        }
        view.updating |= row.kind != 0;
        if view.lines.len() < limit {
            view.lines.push(RowLine {
                pos: row.pos,
                step: row.step,
                kind: ["+I", "−U", "+U", "−D"][usize::from(row.kind & 3)],
                cells: cells(&row.text, view.columns.len()),
                state: row.state(),
                again: row.again,
            });
        }
    }
    let named = |(name, mut view): (&str, SinkView)| {
        view.name = name.to_owned();
        view.summary = summary(&view);
        view
    };
    sinks.into_iter().map(named).collect()
}

fn summary(v: &SinkView) -> String {
    let mut text = format!(
        "✓ {} committed, … {} staged",
        words::number(v.committed as u64),
        words::number(v.staged as u64)
    );
    if v.lost > 0 {
        text.push_str(&format!(", ✕ {} lost in a crash", words::number(v.lost as u64)));
    }
    text
}

/// A sink task is called after its table: `print/0`.
fn table_of<'a>(m: &'a Model, row: &SinkRow) -> &'a str {
    let name = m.run.task_name(row.task);
    name.rsplit_once('/').map_or(name, |(table, _)| table)
}

/// A row's text, `name=value` pairs joined by `, `, as cells: `count` of them, or the whole text as one.
///
/// The names are the query's own and need not be the table's. A comma within a value is told from one
/// between values by the name that must follow.
fn cells(text: &str, count: usize) -> Vec<Option<String>> {
    let named = |part: &str| {
        part.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_$".contains(c))
        })
    };
    let mut values: Vec<String> = Vec::with_capacity(count);
    for part in text.split(", ") {
        match values.last_mut() {
            Some(last) if !named(part) => {
                last.push_str(", ");
                last.push_str(part);
            }
            _ => values.push(part.split_once('=').map_or(part, |(_, v)| v).to_owned()),
        }
    }
    if values.len() != count {
        return vec![Some(text.to_owned())];
    }
    let shorter = |v: String| v.strip_suffix(":00.000").map_or(v.clone(), |s| format!("{s}:00"));
    values.into_iter().map(|v| (v != "NULL").then(|| shorter(v))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn texts_become_cells() {
        let cell = |t: &str| Some(t.to_owned());
        assert_eq!(cells("a=1, EXPR$1=NULL, c=x", 3), [cell("1"), None, cell("x")]);
        assert_eq!(cells("a=1, 2, b=, c=x = y", 3), [cell("1, 2"), cell(""), cell("x = y")]);
        assert_eq!(cells("a=5km N of X, CA", 1), [cell("5km N of X, CA")]);
        for odd in ["a=1, c=2", "", "a=1, b=2, c=3, d=4"] {
            assert_eq!(cells(odd, 3), [cell(odd)]);
        }
    }

    #[test]
    fn rows_are_counted_by_state_and_shown_newest_first() {
        let m = sample::model(u64::MAX);
        let views = build(&m, 5);
        assert_eq!(views.len(), 1);
        let v = &views[0];
        assert_eq!((v.name.as_str(), v.lines.len()), ("print", 5));
        assert_eq!(v.committed + v.staged + v.lost, m.run.rows.all.len());
        assert!(v.lost > 0 && v.staged == 0);
        assert!(v.lines[0].pos > v.lines[4].pos);
    }
}
