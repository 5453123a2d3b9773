//! What the examples are over: three small tables with their records, and files.

/// The tables that every example may read.
pub const TABLES: &str = "\
CREATE TABLE readings (
  gauge STRING, river STRING, level INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
);
CREATE TABLE alerts (
  gauge STRING, kind STRING, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
);
CREATE TABLE limits (
  gauge STRING, highest INT, ts TIMESTAMP(3),
  PRIMARY KEY (gauge) NOT ENFORCED,
  WATERMARK FOR ts AS ts
);
CREATE TABLE one (x INT);
";

/// The records of each of them, as JSON lines with the time at which they arrive.
pub const RECORDS: &[(&str, &str)] = &[
    (
        "readings",
        r#"{"@at": "2024-05-01 08:00:02", "gauge": "a", "river": "east", "level": 3, "ts": "2024-05-01 08:00:01"}
{"@at": "2024-05-01 08:00:05", "gauge": "b", "river": "east", "level": 5, "ts": "2024-05-01 08:00:04"}
{"@at": "2024-05-01 08:00:09", "gauge": "a", "river": "east", "level": 4, "ts": "2024-05-01 08:00:08"}
{"@at": "2024-05-01 08:00:13", "gauge": "c", "river": "west", "level": 2, "ts": "2024-05-01 08:00:06"}
{"@at": "2024-05-01 08:00:14", "gauge": "a", "river": "east", "level": 7, "ts": "2024-05-01 08:00:13"}
{"@at": "2024-05-01 08:00:19", "gauge": "b", "river": "east", "level": 6, "ts": "2024-05-01 08:00:18"}
{"@at": "2024-05-01 08:00:20", "gauge": "a", "river": "east", "level": 9, "ts": "2024-05-01 08:00:02"}
{"@at": "2024-05-01 08:00:32", "gauge": "c", "river": "west", "level": 8, "ts": "2024-05-01 08:00:31"}
"#,
    ),
    (
        "alerts",
        r#"{"@at": "2024-05-01 08:00:06", "gauge": "a", "kind": "rising", "ts": "2024-05-01 08:00:06"}
{"@at": "2024-05-01 08:00:15", "gauge": "b", "kind": "flood", "ts": "2024-05-01 08:00:14"}
"#,
    ),
    (
        "limits",
        r#"{"@at": "2024-05-01 08:00:00", "gauge": "a", "highest": 6, "ts": "2024-05-01 08:00:00"}
{"@at": "2024-05-01 08:00:00", "gauge": "b", "highest": 5, "ts": "2024-05-01 08:00:00"}
{"@at": "2024-05-01 08:00:10", "gauge": "a", "highest": 5, "ts": "2024-05-01 08:00:10"}
"#,
    ),
    ("one", "{\"x\": 1}\n"),
];

/// The files that examples of options read.
pub const FILES: &[(&str, &str)] = &[
    (
        "levels.jsonl",
        "{\"gauge\": \"a\", \"site\": 1, \"level\": 3, \"ts\": \"2024-05-01T08:00:01\"}\n\
         {\"gauge\": \"b\", \"site\": 2, \"level\": 5, \"ts\": \"2024-05-01T08:00:04\"}\n",
    ),
    (
        "broken.jsonl",
        "{\"gauge\": \"a\", \"level\": 3}\nnot JSON\n{\"gauge\": \"b\", \"level\": 5}\n",
    ),
    ("levels.csv", "a,3\nb,5\n"),
    ("headed.csv", "level,gauge\n3,a\n5,b\n"),
    ("broken.csv", "a,3\nb,high\n"),
    ("semicolons.csv", "a;3\nb;5\n"),
    ("quoted.csv", "|a,b|,3\n"),
    ("unquoted.csv", "\"a,3\n"),
    ("escaped.csv", "\"a\\\"b\",3\n"),
    ("commented.csv", "# by hand\na,3\n"),
    ("nulls.csv", "a,n/a\n"),
];
