//! Rows made: the named records alone, in a file of their own.

use super::*;

/// The text with only these records, by their place in the block.
fn only(text: &str, wanted: &BTreeSet<usize>) -> Session {
    let mut nth = None;
    let lines = text.lines().filter(|line| {
        if line.starts_with("```jsonl") {
            nth = Some(0);
            return true;
        }
        match &mut nth {
            Some(n) if !line.starts_with("```") => {
                *n += 1;
                wanted.contains(&(*n - 1))
            }
            _ => true,
        }
    });
    session(&(lines.collect::<Vec<_>>().join("\n") + "\n"))
}

/// The rows of the only table, each with its kind.
fn printed(session: &Session) -> Vec<String> {
    session.tables()[0].jsonl().lines().map(str::to_owned).collect()
}

/// Asks about every `step`th row and does what the answers say. Answers how many records moved watermarks only.
fn check(text: &str, step: usize) -> usize {
    let rows = printed(&session(text));
    assert!(!rows.is_empty(), "{text}");
    let mut clocks = 0;
    for (i, row) in rows.iter().enumerate().step_by(step) {
        let (made, order): (Made, Vec<Seq>) = ask(text, |why| {
            let made = why.row(None, i + 1).unwrap_or_else(|e| panic!("{}", e[0]));
            (made, why.records().keys().copied().collect())
        });
        let place = |seq: &Seq| order.iter().position(|s| s == seq).expect("a record");
        let all: BTreeSet<usize> = made.records.iter().chain(&made.clock).map(place).collect();
        assert!(printed(&only(text, &all)).contains(row), "{row} is not made by {made:?}");
        assert!(made.complete, "{made:?}");
        for one in made.records.iter().chain(&made.clock) {
            let mut less = all.clone();
            less.remove(&place(one));
            let there = !less.is_empty() && printed(&only(text, &less)).contains(row);
            let needed = made.needed.contains(one) || made.clock.contains(one);
            assert_eq!(there, !needed, "{row} without {one}, {made:?}");
        }
        clocks += made.clock.len();
    }
    clocks
}

#[test]
fn the_named_records_alone_give_the_row_and_without_one_needed_they_do_not() {
    for script in
        [TUMBLING, HOPPING, SESSIONS, JOIN, JOIN_OF_ITSELF, ROW_WISE, UPDATING, OVER, OVER_SOME]
    {
        for text in streams(script) {
            check(&text, 11);
        }
    }
}

#[test]
fn rows_of_a_window_over_a_join_or_a_window_are_followed_through_both() {
    for text in [WINDOWS_OF_A_JOIN, WINDOWS_OF_WINDOWS].into_iter().flat_map(streams) {
        check(&text, 3);
    }
}

/// The window is made of the records the trace counts in it, also where fewer would give the same row.
#[test]
fn all_of_a_window_is_named_though_one_record_would_do() {
    let script = "SELECT window_start, MAX(v) AS hi \
        FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECONDS)) \
        GROUP BY window_start, window_end;";
    let text = scenario(&records(RECORDS, 1), script);
    let session = session(&text);
    let mut fired: Vec<BTreeSet<Seq>> = Vec::new();
    for event in session.events() {
        if let What::WindowFire { window, .. } = event.what {
            let added = session.events().iter().filter_map(|e| match e.what {
                What::WindowAdd { window: w, seq } if w == window => Some(seq),
                _ => None,
            });
            fired.push(added.collect());
        }
    }
    let mut spare = 0;
    for (i, added) in fired.iter().enumerate() {
        let made = ask(&text, |why| why.row(Some("result"), i + 1)).expect("a row");
        assert_eq!(made.records.iter().copied().collect::<BTreeSet<_>>(), *added, "{made:?}");
        spare += made.records.len() - made.needed.len();
    }
    assert!(spare > 0 && fired.len() > 3);
}

/// The second partition holds the watermark back until the pair is complete, and does so before it has said
/// anything: without it, the older of the two comes too late.
#[test]
fn records_that_only_hold_the_watermark_back_are_named_apart() {
    let at = 1_714_521_600_000;
    let record = |n: i64, partition, k, g, behind: i64| Record {
        at: at + n * 1_000,
        partition,
        k: Some(k),
        g,
        v: Some(n),
        ts: at + 100_000 - behind * 1_000,
    };
    let records = [
        record(1, 1, 'z', 0, 20),
        record(2, 0, 'y', 0, 0),
        record(3, 0, 'a', 0, 0),
        record(4, 0, 'a', 1, 5),
        record(5, 1, 'z', 0, 1),
        record(6, 0, 'y', 0, 0),
    ];
    let script = JOIN.replace("INTERVAL '6' SECOND", "INTERVAL '30' SECOND");
    let script = format!("SET 'highwater.late.by' = 'record';\n{script}");
    let text = scenario(&records, &script);
    assert_eq!(check(&text, 1), 1);
    let made = ask(&text, |why| why.row(None, 1)).expect("a row");
    assert_eq!((made.records, made.clock), (vec![3, 4], vec![5]));
}

/// Records are known by where they stand in the file, wherever a storm of late data puts them, and it rages at its own time
/// when there are fewer of them.
#[test]
fn rows_of_late_records_are_told_with_the_records_they_are_made_of() {
    let storms = [
        "at 10s source-stall t/0 for 9s\nat 1s source-late t by 95s for 8s",
        "on window-fire 1 source-late t by 90s for 8s",
    ];
    let plain = streams(TUMBLING).remove(1);
    for storm in storms {
        let text = format!("{plain}\n```faults\n{storm}\n```\n");
        let rows = printed(&session(&text));
        assert_ne!(rows, printed(&session(&plain)), "{storm}");
        for (i, row) in rows.iter().enumerate() {
            let (made, times): (Made, Vec<Option<i64>>) = ask(&text, |why| {
                assert_eq!(why.tables()[0].jsonl().lines().nth(i), Some(row.as_str()));
                let made = why.row(None, i + 1).unwrap_or_else(|e| panic!("{}", e[0]));
                let time = |seq: &Seq| why.records()[seq].event_time;
                let times = made.records.iter().map(time).collect();
                (made, times)
            });
            assert!(made.complete && made.clock.is_empty(), "{row} is not made by {made:?}");
            assert_eq!(made.needed, made.records, "{row} counts and adds them up");
            assert!(row.contains(&format!("\"n\":{},", times.len())), "{row} of {times:?}");
            let window = |time: &Option<i64>| time.map(|time| time.div_euclid(10_000));
            assert!(times.iter().all(|time| window(time) == window(&times[0])), "{times:?}");
        }
    }
}
