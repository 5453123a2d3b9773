//! Good scripts and the plans they must become.

use super::explained;

/// The source lines of the tables of the tests.
const QUAKES: &str = "quakes: Source(filesystem, 'quakes.jsonl', [id STRING, net STRING, mag DECIMAL(4, 2), \
    depth DOUBLE, event_ms BIGINT, event_time TIMESTAMP_LTZ(3) *ROWTIME*], event_time = \
    TO_TIMESTAMP_LTZ(event_ms, 3), watermark=[event_time: event_time - INTERVAL '4' HOUR])";
const PLAIN: &str = "plain: Source(inline, [a INT, b BIGINT, s STRING, ts TIMESTAMP(3)])";

#[test]
fn show() {
    for s in [
        "SELECT a, b FROM plain",
        "SELECT * FROM plain WHERE a > 1 AND s IS NOT NULL",
        "SELECT net, window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE quakes, DESCRIPTOR(event_time), INTERVAL '6' HOURS)) GROUP BY net, window_start, window_end",
        "INSERT INTO out2 SELECT s, SUM(a) / COUNT(*) FROM plain GROUP BY s HAVING COUNT(*) > 2",
        "SELECT * FROM TABLE(swarm(TABLE quakes PARTITION BY net, DESCRIPTOR(event_time), base_gap => 30))",
        "SELECT * FROM TABLE(aftershocks(mainshock => TABLE quakes PARTITION BY net, aftershock => TABLE quakes PARTITION BY net, UPPER => INTERVAL '3' DAY, km => 100))",
    ] {
        println!("{}\n{}", s, explained(s));
    }
    let _ = (QUAKES, PLAIN);
}
