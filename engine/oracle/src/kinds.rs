//! What kinds of steps pipelines have, and how many of each there were.

use std::collections::{BTreeMap, BTreeSet};

use crate::parts::{Emission, Frame, Kind, Mode, Read, Sets, Trigger, Windows, Written};
use crate::pipeline::Node;

/// How many pipelines of each kind there were.
pub type Counts = BTreeMap<String, u64>;

/// The kinds of a pipeline, each once.
pub fn kinds(node: &Node) -> BTreeSet<String> {
    node.steps().into_iter().flat_map(kind).collect()
}

fn windows_of(what: &str, windows: Windows) -> String {
    format!("{what}: {}", windows.name())
}

/// The kinds of a step.
fn kind(node: &Node) -> Vec<String> {
    let one = |name: &str| vec![name.to_owned()];
    match node {
        Node::Source(_, dress) => dress.iter().map(|own| format!("type: {}", own.name())).collect(),
        Node::Versions(_) | Node::Map(..) => Vec::new(),
        Node::Filter(..) => one("WHERE"),
        Node::Having(..) => one("HAVING"),
        Node::Window(_, windows, ..) => vec![windows_of("windows", *windows)],
        Node::Panes(_, windows, .., emission) => panes(*windows, emission),
        Node::Late(_) => one("LATE"),
        Node::Rows(_, windows) => vec![windows_of("rows in windows", *windows)],
        Node::Carried(..) => one("windows: those that rows carry"),
        Node::Union(_) => one("UNION ALL"),
        Node::Merged(_) => one("UNION"),
        Node::Interval(_, kind, ..) => vec![format!("interval: {}", kind.name())],
        Node::Near(_, not, ..) => {
            let kind = if *not { Kind::Anti } else { Kind::Semi };
            vec![format!("interval: {}", kind.name())]
        }
        Node::WindowJoin(both, kind, _) => {
            let windows = both[0].windows().map_or("", Windows::name);
            vec![format!("window: {}", kind.name()), format!("window join: {windows}")]
        }
        Node::Temporal(both, outer, ..) => {
            let kind = if *outer { Kind::Left } else { Kind::Inner };
            let of = if matches!(both[1], Node::Versions(_)) { "a table" } else { "last rows" };
            vec![format!("temporal: {}", kind.name()), format!("temporal join: {of}")]
        }
        Node::First(..) => one("first rows"),
        Node::Last(..) => one("last rows"),
        Node::Top(_, rank) => match rank.written {
            Written::Limit => one("ORDER BY LIMIT"),
            _ => one("Top-N"),
        },
        Node::WindowTop(..) => one("window Top-N"),
        Node::Over(_, _, frame, _) => match frame {
            Frame::Rows(_) => one("OVER: ROWS"),
            Frame::Range(_) => one("OVER: RANGE"),
        },
        Node::Group(_, _, calls) => {
            let filtered = calls.iter().any(|call| call.filter.is_some());
            let mut all =
                one(if node.inputs()[0].changes() { "GROUP BY of changes" } else { "GROUP BY" });
            all.extend(filtered.then(|| "FILTER".to_owned()));
            all
        }
        Node::Sets(_, windows, _, sets, _) => {
            let name = match sets {
                Sets::Rollup => "ROLLUP",
                Sets::Cube => "CUBE",
                Sets::Listed(_) => "GROUPING SETS",
            };
            let of = if windows.is_some() { "sets of windows" } else { "sets" };
            vec![format!("{of}: {name}")]
        }
        Node::Distinct(..) => one("SELECT DISTINCT"),
        Node::Join(_, kind, _) => vec![format!("regular: {}", kind.name())],
        Node::In(_, not, ..) => one(if *not { "NOT IN" } else { "IN" }),
        Node::Against(..) => one("against (SELECT …)"),
    }
}

fn panes(windows: Windows, emission: &Emission) -> Vec<String> {
    let mode = match emission.mode {
        Mode::Retracting => "retracting",
        Mode::Accumulating => "accumulating",
        Mode::Discarding => "discarding",
    };
    let read = match (emission.mode, emission.read) {
        (Mode::Retracting, _) => "what is left",
        (_, Read::Each) => "each",
        (Mode::Accumulating, _) => "the last",
        (Mode::Discarding, _) => "added up",
    };
    let trigger = match &emission.trigger {
        Trigger::Fires(_) => "early-fire, late-fire",
        Trigger::Watermark(_) => "after_watermark",
        Trigger::Composed(_) => "composed",
    };
    let mut all = vec![
        format!("panes: {mode}, {read}"),
        windows_of("panes", windows),
        format!("trigger: {trigger}"),
    ];
    let mut when = |is: bool, name: &str| all.extend(is.then(|| format!("panes: {name}")));
    when(emission.lateness > 0, "allowed lateness");
    when(emission.by_time(), "by processing time");
    when(emission.by_record, "late by record");
    when(emission.non_empty, "non-empty on time");
    when(emission.apart && matches!(windows, Windows::Session(_)), "sessions apart at the gap");
    all
}

/// All kinds there are.
pub const ALL: &[&str] = &[
    "FILTER",
    "GROUP BY",
    "GROUP BY of changes",
    "HAVING",
    "IN",
    "LATE",
    "NOT IN",
    "ORDER BY LIMIT",
    "OVER: RANGE",
    "OVER: ROWS",
    "SELECT DISTINCT",
    "Top-N",
    "UNION",
    "UNION ALL",
    "WHERE",
    "against (SELECT …)",
    "first rows",
    "interval: EXISTS",
    "interval: FULL JOIN",
    "interval: JOIN",
    "interval: LEFT JOIN",
    "interval: NOT EXISTS",
    "interval: RIGHT JOIN",
    "last rows",
    "panes: CUMULATE",
    "panes: HOP",
    "panes: SESSION",
    "panes: TUMBLE",
    "panes: accumulating, each",
    "panes: accumulating, the last",
    "panes: allowed lateness",
    "panes: by processing time",
    "panes: discarding, added up",
    "panes: discarding, each",
    "panes: late by record",
    "panes: non-empty on time",
    "panes: retracting, what is left",
    "panes: sessions apart at the gap",
    "regular: EXISTS",
    "regular: FULL JOIN",
    "regular: JOIN",
    "regular: LEFT JOIN",
    "regular: NOT EXISTS",
    "regular: RIGHT JOIN",
    "rows in windows: CUMULATE",
    "rows in windows: HOP",
    "rows in windows: SESSION",
    "rows in windows: TUMBLE",
    "sets of windows: CUBE",
    "sets of windows: GROUPING SETS",
    "sets of windows: ROLLUP",
    "sets: CUBE",
    "sets: GROUPING SETS",
    "sets: ROLLUP",
    "temporal join: a table",
    "temporal join: last rows",
    "temporal: JOIN",
    "temporal: LEFT JOIN",
    "trigger: after_watermark",
    "trigger: composed",
    "trigger: early-fire, late-fire",
    "type: BIGINT",
    "type: BOOLEAN",
    "type: DATE",
    "type: DECIMAL",
    "type: DOUBLE",
    "type: INT",
    "type: STRING",
    "window Top-N",
    "window join: CUMULATE",
    "window join: HOP",
    "window join: SESSION",
    "window join: TUMBLE",
    "window: EXISTS",
    "window: FULL JOIN",
    "window: JOIN",
    "window: LEFT JOIN",
    "window: NOT EXISTS",
    "window: RIGHT JOIN",
    "windows: CUMULATE",
    "windows: HOP",
    "windows: SESSION",
    "windows: TUMBLE",
    "windows: those that rows carry",
];
