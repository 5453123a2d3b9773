//! The workloads' questions in SQL, and what may vary in them.

use super::Workload;

/// How late records may come, and how far hopping windows overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How far the watermark stays behind the highest event time, milliseconds.
    pub delay: i64,
    /// How many windows of W2 a record is in. One starts every 2 s, whatever their length.
    pub overlap: i64,
}

impl Timing {
    /// The timing of the published totals.
    pub const PUBLISHED: Timing = Timing { delay: 4_000, overlap: 5 };
}

impl Workload {
    /// The measured job; its one table is read from the connector of that name.
    pub fn sql(self, connector: &str) -> String {
        self.sql_at(connector, &Timing::PUBLISHED)
    }

    /// The same at another timing; W5, F2 and the further features have none.
    ///
    /// The engine closes a window at its end minus 1 ms, the definition at its end: 1 ms more of delay
    /// makes them equal. The join drops what is behind the watermark in both. Its two sides are views of
    /// one table, since both streams arrive in one order under one watermark.
    pub fn sql_at(self, connector: &str, timing: &Timing) -> String {
        let windows = Some(timing.delay + 1);
        let hop = hop(timing.overlap);
        let asked;
        let (columns, delay, query) = match self {
            Workload::W1 => ("auction BIGINT, price BIGINT, ", windows, TUMBLE),
            Workload::W1Text => ("auction STRING, price BIGINT, ", windows, TUMBLE),
            Workload::W1Pair => {
                ("auction BIGINT, channel BIGINT, price BIGINT, ", windows, TUMBLE_PAIR)
            }
            Workload::W2 => ("auction BIGINT, ", windows, hop.as_str()),
            Workload::W3 => ("bidder BIGINT, ", windows, SESSION),
            Workload::W4 => ("kind INT, auction BIGINT, price BIGINT, ", Some(timing.delay), JOIN),
            Workload::W5 => ("auction BIGINT, price BIGINT", None, RUNNING),
            Workload::W1Guest => ("auction BIGINT, price BIGINT, ", windows, TALLY),
            Workload::F2 => ("a BIGINT, b BIGINT", None, LINEAR),
            Workload::Asked(question) => {
                asked = question.table();
                (asked.0.as_str(), asked.1, question.definition().query)
            }
        };
        let time = delay.map_or(String::new(), |delay| {
            let delay = seconds(delay);
            format!("ts TIMESTAMP(3),\n  WATERMARK FOR ts AS ts - INTERVAL '{delay}' SECOND")
        });
        let options = match connector {
            // What is generated is not read: the benchmark brings its own reader.
            "datagen" => "'connector' = 'datagen', 'number-of-rows' = '0'".to_owned(),
            other => format!("'connector' = '{other}'"),
        };
        format!("CREATE TABLE events (\n  {columns}{time}\n) WITH ({options});\n{query}")
    }

    /// What the engine does without a guest for the same result, where there is one.
    pub fn built_in(self, connector: &str) -> Option<String> {
        match self {
            Workload::W1Guest => Some(Workload::W1.sql(connector)),
            Workload::F2 => Some(self.sql(connector).replace(LINEAR, LINEAR_BUILT_IN)),
            _ => None,
        }
    }

    /// The guest's path in [`Workload::sql`].
    pub fn guest(self) -> Option<&'static str> {
        match self {
            Workload::W1Guest => Some("udfs/tally.wasm"),
            Workload::F2 => Some("udfs/linear.wasm"),
            _ => None,
        }
    }
}

/// Milliseconds as seconds: `4`, `4.001`.
fn seconds(milliseconds: i64) -> String {
    match (milliseconds / 1_000, milliseconds % 1_000) {
        (whole, 0) => whole.to_string(),
        (whole, rest) => format!("{whole}.{rest:03}"),
    }
}

fn hop(overlap: i64) -> String {
    let size = 2 * overlap;
    format!(
        "SELECT auction, window_start, COUNT(*) AS n\n\
         FROM TABLE(HOP(TABLE events, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '{size}' SECOND))\n\
         GROUP BY auction, window_start, window_end;\n"
    )
}

const TUMBLE: &str = "\
SELECT auction, window_start, COUNT(*) AS n, SUM(price) AS total, MAX(price) AS highest
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;
";

const TALLY: &str = "\
CREATE FUNCTION tally AS 'udfs/tally.wasm' LANGUAGE WASM;
SELECT auction, window_start, n, total, highest
FROM TABLE(tally(TABLE events PARTITION BY auction, DESCRIPTOR(ts), size_ms => 10000));
";

const LINEAR: &str = "\
CREATE FUNCTION linear AS 'udfs/linear.wasm' LANGUAGE WASM;
SELECT linear(a, b) AS y FROM events;
";

const LINEAR_BUILT_IN: &str = "SELECT a * 908 + b AS y FROM events;\n";

const TUMBLE_PAIR: &str = "\
SELECT auction, channel, window_start, COUNT(*) AS n, SUM(price) AS total, MAX(price) AS highest
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY auction, channel, window_start, window_end;
";

const SESSION: &str = "\
SELECT bidder, window_start, COUNT(*) AS n
FROM TABLE(SESSION(TABLE events PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '5' SECOND))
GROUP BY bidder, window_start, window_end;
";

const JOIN: &str = "\
SET 'highwater.late.by' = 'record';
CREATE VIEW bids AS SELECT auction, price, ts FROM events WHERE kind = 0;
CREATE VIEW openings AS SELECT auction, ts FROM events WHERE kind = 1;
SELECT b.auction, b.price, b.ts AS bid_time, a.ts AS opening_time
FROM bids b JOIN openings a ON b.auction = a.auction
  AND b.ts BETWEEN a.ts - INTERVAL '10' SECOND AND a.ts + INTERVAL '10' SECOND;
";

const RUNNING: &str = "\
CREATE TABLE totals (auction BIGINT, total BIGINT, PRIMARY KEY (auction) NOT ENFORCED)
WITH ('connector' = 'push');
INSERT INTO totals SELECT auction, SUM(price) AS total FROM events GROUP BY auction;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_questions_are_those_of_the_definition() {
        assert!(Workload::W1.sql("push").contains("ts - INTERVAL '4.001' SECOND"));
        assert!(Workload::W4.sql("push").contains("ts - INTERVAL '4' SECOND"));
        let hop = "INTERVAL '2' SECOND, INTERVAL '10' SECOND";
        assert!(Workload::W2.sql("push").contains(hop));
        let in_order = Timing { delay: 0, overlap: 20 };
        let sql = Workload::W2.sql_at("push", &in_order);
        assert!(sql.contains("ts - INTERVAL '0.001' SECOND") && sql.contains("INTERVAL '40'"));
    }
}
