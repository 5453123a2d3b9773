//! Windows, panes, triggers and joins. The first three follow the engine's own lists.

use super::super::emission::Word;
use super::super::window::TableFunction;
use super::{Entry, Example, Gives, Item, Section, clauses, item, listed};
use crate::window::PaneColumn;

/// A query whose windows show what a setting does.
pub(super) const COUNTS: &str = "\
SELECT window_start, window_end, COUNT(*) AS n
FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS))
GROUP BY window_start, window_end;";

/// A setting in front of [`COUNTS`].
pub(super) fn set(shown: String) -> Example {
    Example { script: format!("{shown}\n{COUNTS}"), shown, gives: Gives::Rows }
}

fn window((name, function): (&'static str, TableFunction)) -> Entry {
    let (syntax, doc, script) = match function {
        TableFunction::Tumble => (
            "TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset]))",
            "Windows of one size, one after the other.",
            COUNTS,
        ),
        TableFunction::Hop => (
            "TABLE(HOP(TABLE t, DESCRIPTOR(time), slide, size [, offset]))",
            "Windows of one size, of which one begins every slide.",
            "SELECT window_start, window_end, COUNT(*) AS n\n\
             FROM TABLE(HOP(TABLE readings, DESCRIPTOR(ts), INTERVAL '5' SECONDS, INTERVAL '10' SECONDS))\n\
             GROUP BY window_start, window_end;",
        ),
        TableFunction::Cumulate => (
            "TABLE(CUMULATE(TABLE t, DESCRIPTOR(time), step, size [, offset]))",
            "Windows that begin together and end a step apart, up to the size.",
            "SELECT window_start, window_end, COUNT(*) AS n\n\
             FROM TABLE(CUMULATE(TABLE readings, DESCRIPTOR(ts), INTERVAL '5' SECONDS, INTERVAL '20' SECONDS))\n\
             GROUP BY window_start, window_end;",
        ),
        TableFunction::Session => (
            "TABLE(SESSION(TABLE t [PARTITION BY key, …], DESCRIPTOR(time), gap))",
            "Windows of records that lie at most the gap apart.",
            "SELECT gauge, window_start, window_end, COUNT(*) AS n\n\
             FROM TABLE(SESSION(TABLE readings PARTITION BY gauge, DESCRIPTOR(ts), INTERVAL '8' SECONDS))\n\
             GROUP BY gauge, window_start, window_end;",
        ),
        TableFunction::Late => (
            "TABLE(LATE(TABLE view))",
            "The records that the windows of an aggregation leave out as late.",
            "CREATE VIEW counts AS SELECT window_end, COUNT(*) AS n\n\
             FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS))\n\
             GROUP BY window_start, window_end;\n\
             SELECT gauge, level, ts FROM TABLE(LATE(TABLE counts));",
        ),
    };
    item(name, syntax, doc, script).entry(Section::Windows, Gives::Rows)
}

/// The columns that windows add.
const BOUNDS: &[Item] = &[
    item(
        "window_start",
        "window_start, window_end",
        "The first moment of a row's window, and the first one after it.",
        "SELECT gauge, window_start, window_end\n\
         FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS));",
    ),
    item(
        "window_time",
        "window_time",
        "The last millisecond of a window: the event time of what is computed of it.",
        "CREATE VIEW tens AS SELECT gauge, window_time AS closed, COUNT(*) AS n\n\
         FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS))\n\
         GROUP BY gauge, window_start, window_end, window_time;\n\
         SELECT window_end, MAX(n) AS most\n\
         FROM TABLE(TUMBLE(TABLE tens, DESCRIPTOR(closed), INTERVAL '20' SECONDS))\n\
         GROUP BY window_start, window_end;",
    ),
];

fn pane((name, column): (&'static str, PaneColumn)) -> Entry {
    let doc = match column {
        PaneColumn::Timing => {
            "EARLY, ON_TIME or LATE: when the window fired, against the watermark."
        }
        PaneColumn::Index => "How many panes the window has had before, from 0.",
        PaneColumn::OnTimeIndex => "How many of those were not early; NULL of an early one.",
        PaneColumn::First => "Whether it is the first pane of the window.",
        PaneColumn::Last => "Whether the window says nothing more.",
    };
    let call = format!("{name}()");
    Entry {
        name,
        section: Section::Panes,
        doc: doc.to_owned(),
        example: Example {
            shown: format!("SELECT gauge, COUNT(*) AS n, {call} AS pane FROM TABLE(TUMBLE(…)) …"),
            script: format!(
                "SET 'highwater.emit.trigger' = 'after_watermark(early => after_count(2))';\n\
                 SELECT gauge, COUNT(*) AS n, {call} AS pane\n\
                 FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS))\n\
                 GROUP BY gauge, window_start, window_end;"
            ),
            gives: Gives::Rows,
        },
        syntax: call,
    }
}

fn trigger((name, word): (&'static str, Word)) -> Entry {
    let (syntax, doc, value) = match word {
        Word::AfterWatermark => (
            "after_watermark([early => trigger] [, late => trigger])",
            "When the watermark reaches the window's end; again and again before, and after, as the others say.",
            "after_watermark(early => after_count(2), late => after_count(1))",
        ),
        Word::AfterCount => {
            ("after_count(n)", "When so many records have come.", "repeatedly(after_count(2))")
        }
        Word::AfterProcessingTime => (
            "after_processing_time('delay' [, 'period' [, 'offset']])",
            "So long after a record, or at the next full period after that.",
            "repeatedly(after_processing_time(''5 s''))",
        ),
        Word::AfterAny => (
            "after_any(trigger, trigger, …)",
            "When one of them does.",
            "repeatedly(after_any(after_count(3), after_processing_time(''5 s'')))",
        ),
        Word::AfterAll => (
            "after_all(trigger, trigger, …)",
            "When all of them have.",
            "after_all(after_count(2), after_watermark())",
        ),
        Word::AfterEach => (
            "after_each(trigger, trigger, …)",
            "When the first does, then when the second does, and so on.",
            "after_each(after_count(2), after_watermark())",
        ),
        Word::Repeatedly => (
            "repeatedly(trigger)",
            "Whenever it does, for ever; without it a trigger fires once.",
            "repeatedly(after_count(1))",
        ),
        Word::OrFinally => (
            "or_finally(trigger, until)",
            "As the first says, until the second fires: a last time.",
            "or_finally(repeatedly(after_count(2)), after_watermark())",
        ),
    };
    Entry {
        name,
        section: Section::Triggers,
        syntax: syntax.to_owned(),
        doc: doc.to_owned(),
        example: set(format!("SET 'highwater.emit.trigger' = '{value}';")),
    }
}

const JOINS: &[Item] = &[
    item(
        "interval join",
        "a JOIN b ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts",
        "Pairs whose times lie within an interval; also LEFT, RIGHT, FULL. The watermark frees rows.",
        "SELECT r.gauge, r.level, a.kind FROM readings AS r JOIN alerts AS a\n\
         ON r.gauge = a.gauge AND r.ts BETWEEN a.ts - INTERVAL '10' SECOND AND a.ts;",
    ),
    item(
        "window join",
        "a JOIN b ON a.k = b.k AND a.window_start = b.window_start AND a.window_end = b.window_end",
        "Pairs of one window, when it closes; also LEFT, RIGHT, FULL.",
        "CREATE VIEW r AS SELECT gauge, level, window_start, window_end\n  \
         FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS));\n\
         CREATE VIEW a AS SELECT gauge, kind, window_start, window_end\n  \
         FROM TABLE(TUMBLE(TABLE alerts, DESCRIPTOR(ts), INTERVAL '10' SECONDS));\n\
         SELECT r.gauge, r.level, a.kind FROM r JOIN a ON r.gauge = a.gauge\n  \
         AND r.window_start = a.window_start AND r.window_end = a.window_end;",
    ),
    item(
        "temporal join",
        "a JOIN b FOR SYSTEM_TIME AS OF a.ts [AS b] ON a.k = b.k",
        "Each row with the version of b at its time; also LEFT. b is a table with a primary key and a watermark, or a \
         view of the last row of each key.",
        "SELECT r.gauge, r.level, l.highest FROM readings AS r\n\
         JOIN limits FOR SYSTEM_TIME AS OF r.ts AS l ON r.gauge = l.gauge;",
    ),
    item(
        "lookup join",
        "a JOIN b FOR SYSTEM_TIME AS OF PROCTIME() [AS b] ON a.k = b.k",
        "Each row, when it arrives, with what b holds then; also LEFT. A table whose records do not say when they \
         arrive is there from the first record on; with a primary key a row takes the place of the one with its key. \
         Where ON asks for no equality, b is broadcast: every subtask holds all of it.",
        "SELECT r.gauge, r.level, l.highest FROM readings AS r\n\
         JOIN limits FOR SYSTEM_TIME AS OF PROCTIME() AS l ON r.gauge = l.gauge;",
    ),
    item(
        "ASOF JOIN",
        "a ASOF JOIN b MATCH_CONDITION (a.ts >= b.ts) ON a.k = b.k",
        "Each row with the last row of b that is not later, with > the last that is earlier; a row without one stays, \
         with NULLs.",
        "SELECT r.gauge, r.level, a.kind FROM readings AS r\n\
         ASOF JOIN alerts AS a MATCH_CONDITION (r.ts >= a.ts) ON r.gauge = a.gauge;",
    ),
    item(
        "regular join",
        "a JOIN b ON a.k = b.k",
        "All pairs; the rows of both are kept for ever.",
        "SELECT r.gauge, r.level, a.kind FROM readings AS r JOIN alerts AS a ON r.gauge = a.gauge;",
    ),
    item(
        "LEFT JOIN",
        "a LEFT JOIN b ON …, RIGHT JOIN, FULL JOIN",
        "Also the rows of one side, or of both, that have no partner, with NULLs; a regular one takes them back when a \
         partner comes.",
        "SELECT r.gauge, r.level, a.kind FROM readings AS r LEFT JOIN alerts AS a ON r.gauge = a.gauge;",
    ),
    item(
        "CROSS JOIN",
        "a CROSS JOIN b, or a, b",
        "Each row of one with each of the other; conditions in WHERE make a join of another kind of it.",
        "SELECT r.gauge, m.highest FROM readings AS r\n\
         CROSS JOIN (SELECT MAX(highest) AS highest FROM limits) AS m;",
    ),
    item(
        "IN with a query",
        "WHERE x [NOT] IN (SELECT y FROM b)",
        "Keeps the rows whose value a query has, or has not: a semi or an anti join.",
        "SELECT gauge, level FROM readings WHERE gauge IN (SELECT gauge FROM alerts);",
    ),
    item(
        "EXISTS",
        "WHERE [NOT] EXISTS (SELECT * FROM b WHERE b.k = a.k)",
        "Keeps the rows for which a query has rows, or has none.",
        "SELECT gauge, level FROM readings AS r\n\
         WHERE NOT EXISTS (SELECT * FROM alerts AS a WHERE a.gauge = r.gauge);",
    ),
];

/// All of them, with what stands beside rows.
pub(super) fn entries() -> Vec<Entry> {
    let mut all: Vec<Entry> = TableFunction::ALL.into_iter().map(window).collect();
    all.extend(listed(Section::Windows, BOUNDS));
    all.extend(PaneColumn::ALL.into_iter().map(pane));
    all.extend(Word::ALL.into_iter().map(trigger));
    all.extend(listed(Section::Joins, JOINS));
    all.extend(clauses::beside());
    all
}
