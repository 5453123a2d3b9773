//! The pipeline: tasks in columns by their distance from the sources, channels between them.

use crate::model::Model;
use crate::words;

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its position in the trace's header.
    pub task: u16,
    /// `name/subtask`
    pub name: String,
    /// What kind of task it is.
    pub kind: String,
    /// What it does.
    pub describe: String,
    /// Its column, from 0.
    pub column: usize,
    /// Its row in the column, from 0.
    pub row: usize,
    /// How many the column has.
    pub rows: usize,
    /// Its watermark, in words.
    pub watermark: String,
    /// What it counted: word, number and whether the number is bad news.
    pub counters: Vec<(&'static str, String, bool)>,
    /// It died and is not back.
    pub down: bool,
}

/// What the panel shows.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct GraphView {
    /// Tasks.
    pub nodes: Vec<Node>,
    /// Channels: positions in `nodes`.
    pub edges: Vec<(usize, usize)>,
    /// Number of columns.
    pub columns: usize,
    /// The most rows a column has.
    pub tallest: usize,
    /// One sentence.
    pub summary: String,
}

/// What the panel shows of the model.
pub fn build(m: &Model) -> GraphView {
    let header = &m.run.header;
    let count = header.tasks.len();
    let mut column = vec![0_usize; count];
    // A longest path has fewer edges than there are tasks; more rounds cannot change anything.
    for _ in 0..count {
        for &(from, to) in &header.channels {
            let (from, to) = (usize::from(from), usize::from(to));
            if from < count && to < count && from != to {
                column[to] = column[to].max(column[from] + 1).min(count);
            }
        }
    }
    let columns = column.iter().max().map_or(0, |c| c + 1);
    let mut filled = vec![0_usize; columns];
    let places: Vec<(usize, usize)> = column
        .iter()
        .map(|&c| {
            filled[c] += 1;
            (c, filled[c] - 1)
        })
        .collect();
    let down = m.run.recovery.crashes.last().is_some_and(|c| c.restore.is_none());
    let node = |(i, info): (usize, &highwater_trace::trace::TaskInfo)| Node {
        task: u16::try_from(i).unwrap_or(u16::MAX),
        name: info.name.clone(),
        kind: info.kind.clone(),
        describe: info.describe.clone(),
        column: places[i].0,
        row: places[i].1,
        rows: filled[places[i].0],
        watermark: watermark(m, i, &info.kind),
        counters: counters(m, i, &info.kind),
        down: down && m.run.recovery.crashes.last().is_some_and(|c| usize::from(c.task) == i),
    };
    let edge = |&(from, to): &(u16, u16)| (usize::from(from), usize::from(to));
    GraphView {
        nodes: header.tasks.iter().enumerate().map(node).collect(),
        edges: header.channels.iter().map(edge).filter(|e| e.0 < count && e.1 < count).collect(),
        columns,
        tallest: filled.iter().copied().max().unwrap_or(0),
        summary: format!(
            "{} and {}.",
            words::count(count as u64, "task"),
            words::count(header.channels.len() as u64, "channel")
        ),
    }
}

/// Sinks let watermarks pass without a word.
fn watermark(m: &Model, task: usize, kind: &str) -> String {
    match m.run.tasks.all.get(task).map(|t| t.watermark()) {
        Some(i64::MIN) | None if kind == "sink" => String::new(),
        Some(at) => words::short(at),
        None => words::short(i64::MIN),
    }
}

fn counters(m: &Model, task: usize, kind: &str) -> Vec<(&'static str, String, bool)> {
    let Some(t) = m.run.tasks.all.get(task) else { return Vec::new() };
    let n = |n: usize| words::number(n as u64);
    let taken = match kind {
        "source" => "read",
        "sink" => "rows",
        _ => "in",
    };
    let mut out = vec![(taken, n(t.taken.len()), false)];
    if let Some((_, fired)) = t.fired.last() {
        let word = if matches!(kind, "guest-join" | "join") { "pairs" } else { "fired" };
        out.push((word, words::number(*fired), false));
    }
    if !t.late.is_empty() {
        out.push(("late", n(t.late.len()), true));
    }
    if !t.bad.is_empty() {
        out.push(("bad", n(t.bad.len()), true));
    }
    if let Some((_, rows)) = t.committed.last() {
        out.push(("committed", words::number(*rows), false));
    }
    if let Some((_, fuel, _)) = t.fuel.last() {
        out.push(("fuel", words::number(*fuel), false));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn tasks_stand_in_columns_by_distance_from_the_source() {
        let m = sample::model(u64::MAX);
        let g = build(&m);
        let places: Vec<(usize, usize, usize)> =
            g.nodes.iter().map(|n| (n.column, n.row, n.rows)).collect();
        assert_eq!(places, [(0, 0, 1), (1, 0, 2), (1, 1, 2), (2, 0, 1)]);
        assert_eq!((g.columns, g.tallest, g.edges.len()), (3, 2, 4));
        assert!(g.nodes[1].counters.iter().any(|c| c.0 == "late" && c.2));
    }

    #[test]
    fn a_ring_of_channels_ends_too() {
        let mut m = sample::model(10);
        m.run.header.channels.push((3, 0));
        assert!(build(&m).columns <= 5);
    }
}
