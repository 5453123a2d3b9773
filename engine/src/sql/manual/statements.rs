//! Statements, and the functions of a script's own.

use super::{Entry, Gives, Item, Section, item, listed};

const STATEMENTS: &[Item] = &[
    item(
        "CREATE TABLE",
        "CREATE TABLE name (column TYPE [NOT NULL], …) [WITH ('connector' = '…', …)]",
        "Declares a table that is read or written; without WITH its records stand in the scenario.",
        "CREATE TABLE levels (gauge STRING, level INT)\n  \
         WITH ('connector' = 'filesystem', 'path' = 'levels.jsonl', 'format' = 'json');\n\
         SELECT * FROM levels;",
    ),
    item(
        "AS",
        "CREATE TABLE name (…, column AS expression, …)",
        "A column that is computed of others as a record is read.",
        "CREATE TABLE levels (gauge STRING, level INT, feet AS level * 3.28)\n  \
         WITH ('connector' = 'filesystem', 'path' = 'levels.jsonl', 'format' = 'json');\n\
         SELECT gauge, feet FROM levels;",
    ),
    item(
        "PROCTIME",
        "CREATE TABLE name (…, column AS PROCTIME())",
        "When the record arrives, in the stream's own time: the same on every run. For lookup joins, and with a \
         watermark for windows by processing time.",
        "CREATE TABLE levels (gauge STRING, level INT, arrived AS PROCTIME(),\n  \
         WATERMARK FOR arrived AS arrived)\n  \
         WITH ('connector' = 'filesystem', 'path' = 'levels.jsonl', 'format' = 'json');\n\
         SELECT window_end, COUNT(*) AS n\n\
         FROM TABLE(TUMBLE(TABLE levels, DESCRIPTOR(arrived), INTERVAL '10' SECONDS))\n\
         GROUP BY window_start, window_end;",
    ),
    item(
        "WATERMARK FOR",
        "CREATE TABLE name (…, WATERMARK FOR time AS time - INTERVAL '5' SECOND)",
        "Makes a column the event time of the table, and says how far the watermark stays behind it.",
        "CREATE TABLE levels (gauge STRING, level INT, ts TIMESTAMP(3),\n  \
         WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)\n  \
         WITH ('connector' = 'filesystem', 'path' = 'levels.jsonl', 'format' = 'json');\n\
         SELECT window_end, COUNT(*) AS n\n\
         FROM TABLE(TUMBLE(TABLE levels, DESCRIPTOR(ts), INTERVAL '10' SECONDS))\n\
         GROUP BY window_start, window_end;",
    ),
    item(
        "PRIMARY KEY",
        "CREATE TABLE name (…, PRIMARY KEY (column, …) NOT ENFORCED)",
        "What tells rows apart: versions of a table that is read, upserts of one that is written, which may be \
         idempotent then ('sink.delivery-guarantee').",
        "CREATE TABLE highest (gauge STRING, level INT, PRIMARY KEY (gauge) NOT ENFORCED)\n  \
         WITH ('connector' = 'push');\n\
         INSERT INTO highest SELECT gauge, MAX(level) FROM readings GROUP BY gauge;",
    ),
    item(
        "CREATE VIEW",
        "CREATE VIEW name [(column, …)] AS SELECT …",
        "Names a query; what reads it reads the query.",
        "CREATE VIEW high AS SELECT gauge, level FROM readings WHERE level > 4;\n\
         SELECT * FROM high;",
    ),
    item(
        "SET",
        "SET 'key' = 'value'",
        "Gives a setting a value; those of windows hold for the statements that follow.",
        "SET 'table.exec.emit.allow-lateness' = '1 min';\n\
         SELECT window_end, COUNT(*) AS n\n\
         FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECONDS))\n\
         GROUP BY window_start, window_end;",
    ),
    item(
        "INSERT INTO",
        "INSERT INTO table [(column, …)] SELECT …",
        "Writes the rows of a query into a table.",
        "CREATE TABLE high (gauge STRING, level INT) WITH ('connector' = 'print');\n\
         INSERT INTO high SELECT gauge, level FROM readings WHERE level > 4;",
    ),
    item(
        "EXECUTE STATEMENT SET",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO …; INSERT INTO …; END",
        "Several INSERTs as one job; in a script they are one anyhow.",
        "CREATE TABLE high (gauge STRING, level INT) WITH ('connector' = 'print');\n\
         CREATE TABLE counts (gauge STRING, n BIGINT) WITH ('connector' = 'print');\n\
         EXECUTE STATEMENT SET BEGIN\n  \
         INSERT INTO high SELECT gauge, level FROM readings WHERE level > 4;\n  \
         INSERT INTO counts SELECT gauge, COUNT(*) FROM readings GROUP BY gauge;\n\
         END;",
    ),
    item(
        "SELECT",
        "SELECT expression [AS name], … FROM table",
        "A query; the last statement of a script may be one, and prints its rows.",
        "SELECT gauge, level * 100 AS millimetres FROM readings;",
    ),
];

/// Those that nothing runs of.
const PLANNED: &[Item] = &[item(
    "EXPLAIN",
    "EXPLAIN [PLAN FOR] SELECT … or INSERT INTO …",
    "Prints how a query would be run, instead of running the script.",
    "EXPLAIN SELECT gauge, MAX(level) FROM readings GROUP BY gauge;",
)];

const GUESTS: &[Item] = &[
    item(
        "CREATE FUNCTION",
        "SELECT f(a, b) FROM t",
        "A module's own function, wherever a value stands: it gets whole columns, and its arguments widen to what its \
         manifest declares.",
        "CREATE FUNCTION linear AS 'linear.wasm' LANGUAGE WASM;\n\
         SELECT gauge, linear(level, 2.5) AS y FROM readings;",
    ),
    item(
        "user-defined window",
        "TABLE(f(TABLE t PARTITION BY k, DESCRIPTOR(time), parameter => 1))",
        "A module's own windows and what it computes of each.",
        "CREATE FUNCTION swarm AS 'swarm.wasm' LANGUAGE WASM;\n\
         CREATE VIEW quakes AS SELECT gauge, CAST(level AS DOUBLE) AS mag, ts FROM readings;\n\
         SELECT gauge, quakes, strongest FROM TABLE(swarm(\n  \
         TABLE quakes PARTITION BY gauge, DESCRIPTOR(ts), base_gap => INTERVAL '1' MINUTE));",
    ),
    item(
        "user-defined join",
        "TABLE(f(left => TABLE a PARTITION BY k, right => TABLE b PARTITION BY k, UPPER => INTERVAL '1' HOUR))",
        "Pairs of two tables within an interval, of which a module says which belong together.",
        "CREATE FUNCTION aftershocks AS 'aftershocks.wasm' LANGUAGE WASM;\n\
         CREATE VIEW quakes AS SELECT gauge, CAST(level AS DOUBLE) AS mag, ts FROM readings;\n\
         SELECT * FROM TABLE(aftershocks(\n  \
         mainshock => TABLE quakes PARTITION BY gauge, aftershock => TABLE quakes PARTITION BY gauge,\n  \
         ON_TIME => DESCRIPTOR(ts), LOWER => INTERVAL '1' SECOND, UPPER => INTERVAL '3' DAY, km => 100));",
    ),
];

/// Statements.
pub(super) fn entries() -> Vec<Entry> {
    let planned = PLANNED.iter().map(|item| item.entry(Section::Statements, Gives::Plan));
    listed(Section::Statements, STATEMENTS).chain(planned).collect()
}

/// What a script does with modules of its own.
pub(super) fn guests() -> Vec<Entry> {
    GUESTS.iter().map(|item| item.entry(Section::Guests, Gives::Plan)).collect()
}
