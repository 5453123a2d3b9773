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
        }
        view.updating |= row.kind != 0;
        if view.lines.len() < limit {
            view.lines.push(RowLine {
                pos: row.pos,
                step: row.step,
                kind: ["+I", "−U", "+U", "−D"][usize::from(row.kind & 3)],
                cells: cells(&row.text, &view.columns),
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
        "{} committed, {} staged",
        words::number(v.committed as u64),
        words::number(v.staged as u64)
    );
    if v.lost > 0 {
        text.push_str(&format!(", {} lost in a crash", words::number(v.lost as u64)));
    }
    text
}

/// A sink task is called after its table: `print/0`.
fn table_of<'a>(m: &'a Model, row: &SinkRow) -> &'a str {
    let name = m.run.task_name(row.task);
    name.rsplit_once('/').map_or(name, |(table, _)| table)
}

/// A row's text, `name=value` pairs joined by `, `, as cells. The names tell a comma between values
/// from a comma in one.
fn cells(text: &str, names: &[String]) -> Vec<Option<String>> {
    let whole = || vec![Some(text.to_owned())];
    let mut rest = text;
    let mut out = Vec::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        let Some(value) = rest.strip_prefix(name).and_then(|r| r.strip_prefix('=')) else {
            return whole();
        };
        let end = match names.get(i + 1) {
            Some(next) => match value.find(&format!(", {next}=")) {
                Some(end) => end,
                None => return whole(),
            },
            None => value.len(),
        };
        out.push((&value[..end] != "NULL").then(|| value[..end].to_owned()));
        rest = value.get(end + 2..).unwrap_or_default();
    }
    if out.is_empty() { whole() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn texts_become_cells() {
        let names = ["a", "b", "c"].map(String::from);
        let cell = |t: &str| Some(t.to_owned());
        assert_eq!(cells("a=1, b=NULL, c=x", &names), [cell("1"), None, cell("x")]);
        assert_eq!(cells("a=1, 2, b=, c=x, y=3", &names), [cell("1, 2"), cell(""), cell("x, y=3")]);
        for odd in ["a=1, c=2", "", "b=1, a=2, c=3"] {
            assert_eq!(cells(odd, &names), [cell(odd)]);
        }
        assert_eq!(cells("a=1", &[]), [cell("a=1")]);
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
