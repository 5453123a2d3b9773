//! OVER and the plans it must become.

use super::explained;

/// The plan's lines without their names and indents, the sink's last one left out.
fn lines(script: &str) -> Vec<String> {
    let plan = explained(script);
    let line = |l: &str| {
        let line = l.trim_start().trim_start_matches("+- ");
        line.split_once(": ").map_or(line, |(_, what)| what).to_owned()
    };
    plan.lines().map(line).collect()
}

/// The line of the only OVER.
fn over(script: &str) -> String {
    let mut lines = lines(script).into_iter().filter(|line| line.starts_with("Over("));
    let (found, more) = (lines.next(), lines.next());
    assert!(more.is_none(), "{script}: one OVER is enough");
    found.unwrap_or_else(|| panic!("{script}: {}", explained(script)))
}

#[test]
fn frames_are_read_in_all_their_forms() {
    for (frame, wanted) in [
        ("", "RANGE UNBOUNDED PRECEDING"),
        ("RANGE UNBOUNDED PRECEDING", "RANGE UNBOUNDED PRECEDING"),
        ("RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "RANGE UNBOUNDED PRECEDING"),
        ("ROWS UNBOUNDED PRECEDING", "ROWS UNBOUNDED PRECEDING"),
        ("ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", "ROWS 2 PRECEDING"),
        ("ROWS (7) PRECEDING", "ROWS 7 PRECEDING"),
        ("RANGE INTERVAL '1:30' MINUTE TO SECOND PRECEDING", "RANGE 90 s PRECEDING"),
        ("RANGE BETWEEN INTERVAL '2' DAY PRECEDING AND CURRENT ROW", "RANGE 2 d PRECEDING"),
    ] {
        let call = format!("SUM(depth) OVER (PARTITION BY net ORDER BY event_time {frame})");
        assert_eq!(
            over(&format!("SELECT id, {call} AS s FROM quakes")),
            format!(
                "Over(keys=[net], order=[event_time], frame=[{wanted}], aggregates=[SUM(depth)], \
                 columns=[id])"
            ),
            "{frame}"
        );
    }
}

#[test]
fn a_window_has_one_meaning_however_it_is_written() {
    let wanted = "Over(keys=[net], order=[event_time], frame=[ROWS 1 PRECEDING], \
        aggregates=[MIN(depth), COUNT(*)], columns=[])";
    let whole = "PARTITION BY net ORDER BY event_time ROWS 1 PRECEDING";
    for script in [
        format!("SELECT MIN(depth) OVER ({whole}) + COUNT(*) OVER ({whole}) AS x FROM quakes"),
        format!("SELECT MIN(depth) OVER w, COUNT(*) OVER w AS n FROM quakes WINDOW w AS ({whole})"),
        format!(
            "SELECT MIN(depth) OVER w, COUNT(*) OVER ({whole}) FROM quakes AS q WINDOW w AS \
            (PARTITION BY q.net ORDER BY q.event_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
        ),
        "SELECT MIN(depth) OVER (w ROWS 1 PRECEDING), COUNT(*) OVER v FROM quakes \
            WINDOW u AS (PARTITION BY net), w AS (u ORDER BY event_time), v AS (w ROWS 1 PRECEDING)"
            .to_owned(),
    ] {
        assert_eq!(over(&script), wanted, "{script}");
    }
}

#[test]
fn what_is_read_is_computed_below_and_what_nobody_reads_is_not_made() {
    assert_eq!(
        lines(
            "SELECT id, n FROM (SELECT *, SUM(depth * 2) FILTER (WHERE depth > 1) OVER w AS s, COUNT(*) OVER w \
             AS n FROM quakes WINDOW w AS (PARTITION BY UPPER(net) ORDER BY event_time)) WHERE n > 3"
        )[1..5],
        [
            "Project(id, n)",
            "Filter(n > 3)",
            "Project(id, net, mag, depth, event_ms, event_time, sum_0 AS s, count_1 AS n)",
            "Over(keys=[key], order=[event_time], frame=[RANGE UNBOUNDED PRECEDING], \
             aggregates=[SUM(argument) FILTER (WHERE filter), COUNT(*)], \
             columns=[id, net, mag, depth, event_ms, event_time])",
        ],
    );
}

/// The time stays the time: windows, interval joins and another OVER can be over it.
#[test]
fn the_time_goes_on() {
    let running = "CREATE VIEW r AS SELECT net, event_time, COUNT(*) OVER (ORDER BY event_time) AS n FROM quakes;";
    let windowed = lines(&format!(
        "{running} SELECT MAX(n) FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(event_time), INTERVAL '1' DAY)) \
         GROUP BY window_start, window_end"
    ));
    assert!(windowed.iter().any(|l| l.starts_with("WindowAggregate(TUMBLE 1 d")), "{windowed:#?}");
    let again = explained(&format!(
        "{running} SELECT SUM(n) OVER (PARTITION BY net ORDER BY event_time) FROM r"
    ));
    assert_eq!(again.matches("Over(").count(), 2, "{again}");
    assert!(!again.contains("changes"), "{again}");
    let windows = over(
        "SELECT SUM(COUNT(*)) OVER (ORDER BY window_time) AS n FROM TABLE(TUMBLE(TABLE quakes, \
         DESCRIPTOR(event_time), INTERVAL '1' DAY)) GROUP BY net, window_start, window_end, window_time",
    );
    assert_eq!(
        windows,
        "Over(keys=[], order=[window_time], frame=[RANGE UNBOUNDED PRECEDING], \
         aggregates=[SUM(count_0)], columns=[])"
    );
}

/// A number by time is final. With a condition that ends it, it is a rank as ever.
#[test]
fn numbers_by_time_are_running_counts_until_a_condition_makes_ranks_of_them() {
    let numbered =
        "SELECT id, ROW_NUMBER() OVER (PARTITION BY net ORDER BY event_time) AS n FROM quakes";
    let running = "Over(keys=[net], order=[event_time], frame=[ROWS UNBOUNDED PRECEDING], \
        aggregates=[COUNT(*)], columns=[id])";
    assert_eq!(over(numbered), running);
    let ranked = explained(&format!("SELECT id FROM ({numbered}) WHERE n <= 3"));
    assert!(ranked.contains("Rank(keys=[net], order=[event_time], ranks=[1 to 3]"), "{ranked}");
    assert!(!ranked.contains("Over("), "{ranked}");
    let odd = lines(&format!("SELECT id, n FROM ({numbered}) WHERE MOD(n, 2) = 1"));
    assert!(odd.iter().any(|l| l.starts_with("Over(")), "{odd:#?}");
    // A count that somebody has written as one stays one.
    let counted = "SELECT id, COUNT(*) OVER (PARTITION BY net ORDER BY event_time \
        ROWS UNBOUNDED PRECEDING) AS n FROM quakes";
    let counted = lines(&format!("SELECT id, n FROM ({counted}) WHERE n <= 3"));
    assert!(counted.contains(&running.to_owned()), "{counted:#?}");
}

/// LAG looks at no frame: it takes that of the aggregates beside it, wherever it stands.
#[test]
fn lag_shares_the_window_of_aggregates() {
    let rows = "ORDER BY event_time ROWS 3 PRECEDING";
    assert_eq!(
        over(&format!(
            "SELECT LAG(id, 2, net) OVER (ORDER BY event_time), \
             LISTAGG(DISTINCT id, '''; ') OVER ({rows}), LAG(depth) OVER (ORDER BY event_time), \
             VARIANCE(depth) OVER ({rows}) FROM quakes"
        )),
        "Over(keys=[], order=[event_time], frame=[ROWS 3 PRECEDING], \
         aggregates=[LISTAGG(DISTINCT id, '''; '), VAR_SAMP(depth)], \
         lags=[LAG(id, 2, net), LAG(depth, 1)], columns=[])"
    );
}
