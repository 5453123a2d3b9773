//! The conservation ledger: at every event of a run, also one that crashes, each task's account balances; and its
//! numbers are those of plain loops.

use std::collections::BTreeSet;

use highwater_engine::session::{Account, Files, Ledger, Session};
use highwater_engine::trace::EVENTS;

use crate::drivers::{options, watermarks};
use crate::sandbox::Interpreter;
use crate::stream::{Record, records, scenario};

fn opened(text: &str) -> Session {
    let sandbox = Interpreter::shared();
    Session::open("ledger.md", text, &Files::default(), sandbox, &options(2, 3)).expect("it opens")
}

/// The ledger at the end; it balances behind every event.
fn kept(session: &Session) -> Ledger {
    let mut ledger = Ledger::default();
    for event in session.events() {
        ledger.apply(event);
        assert!(EVENTS.contains(&event.what.name()), "{}", event.what.name());
        if let Some(account) = ledger.accounts().get(usize::from(event.task)) {
            assert!(account.balances(), "{account:?} behind {}", event.line(session.header()));
        }
    }
    ledger
}

fn sum(session: &Session, ledger: &Ledger, kind: &str) -> [u64; 4] {
    let tasks = session.header().tasks.iter().zip(ledger.accounts());
    let of_kind = tasks.filter(|(info, _)| info.kind == kind).map(|(_, account)| account);
    of_kind.fold([0; 4], |sum, a: &Account| {
        [sum[0] + a.taken, sum[1] + a.gone, sum[2] + a.dropped, sum[3] + a.held()]
    })
}

const TUMBLE: &str = "SELECT k, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
    INTERVAL '5' SECONDS)) GROUP BY k, window_start, window_end;";
const HOP: &str = "SELECT k, window_end, COUNT(*) AS n FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), \
    INTERVAL '5' SECONDS, INTERVAL '10' SECONDS)) GROUP BY k, window_start, window_end;";
const INTERVAL: &str = "SELECT a.v, b.v AS w FROM t AS a JOIN t AS b ON a.k = b.k AND \
    a.ts BETWEEN b.ts - INTERVAL '3' SECOND AND b.ts;";

/// Further operators that say what they hold.
const OTHERS: [&str; 19] = [
    "SELECT k, window_end, COUNT(*) AS n FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECONDS, \
     INTERVAL '10' SECONDS)) GROUP BY k, window_start, window_end;",
    "SELECT k, window_end, COUNT(*) AS n FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), \
     INTERVAL '2' SECONDS)) GROUP BY k, window_start, window_end;",
    "SET 'highwater.emit.trigger' = 'after_watermark(early => after_count(2), late => after_count(1))';\n\
     SET 'table.exec.emit.allow-lateness' = '6 s';\n\
     SELECT k, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECONDS)) \
     GROUP BY k, window_start, window_end;",
    "SET 'highwater.emit.trigger' = 'after_watermark(early => after_count(3), late => after_count(2))';\n\
     SET 'table.exec.emit.allow-lateness' = '6 s';\n\
     SELECT k, window_end, COUNT(*) AS n FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), \
     INTERVAL '2' SECONDS)) GROUP BY k, window_start, window_end;",
    "SELECT a.v, b.v AS w FROM t AS a FULL JOIN t AS b ON a.k = b.k AND a.g < b.g AND \
     a.ts BETWEEN b.ts - INTERVAL '3' SECOND AND b.ts;",
    "CREATE VIEW last AS SELECT v, ts, k FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n \
     FROM t WHERE g = 1) WHERE n = 1;\n\
     SELECT t.v, r.v AS w FROM t JOIN last FOR SYSTEM_TIME AS OF t.ts AS r ON t.k = r.k;",
    "SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM t;",
    "CREATE VIEW a AS SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECONDS)) WHERE g = 0;\n\
     CREATE VIEW b AS SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECONDS)) WHERE g = 1;\n\
     SELECT a.v, b.v AS w FROM a LEFT JOIN b ON a.k = b.k AND a.window_start = b.window_start \
     AND a.window_end = b.window_end;",
    "SELECT t.v, r.v AS w FROM t ASOF JOIN t AS r MATCH_CONDITION (t.ts > r.ts) ON t.k = r.k;",
    "SELECT a.v, b.v AS w FROM t AS a FULL JOIN t AS b ON a.k = b.k AND a.g < b.g;",
    "SELECT v FROM t WHERE NOT EXISTS (SELECT 1 FROM t AS b WHERE b.k = t.k AND b.g > t.g);",
    COUNTED,
    "SET 'table.exec.state.ttl' = '5 s';\n\
     CREATE VIEW counts AS SELECT k, COUNT(*) AS n FROM t GROUP BY k;\n\
     SELECT t.v, counts.n FROM t JOIN counts ON t.k = counts.k;",
    "SET 'table.exec.state.ttl' = '3 s';\n\
     SELECT n, COUNT(*) AS groups FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) GROUP BY n;",
    "SET 'table.exec.mini-batch.enabled' = 'true';\nSET 'table.exec.mini-batch.size' = '7';\n\
     SELECT k, SUM(v) AS s FROM t GROUP BY k;",
    "SELECT k, v FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS n FROM t) WHERE n <= 2;",
    BEST_GROUPS,
    "SELECT k, v, window_end FROM (SELECT k, v, window_start, window_end, ROW_NUMBER() OVER (PARTITION BY \
     window_start, window_end ORDER BY v DESC) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECONDS))) \
     WHERE n <= 2;",
    "SET 'highwater.emit.suppress.time' = '4 s';\n\
     SELECT k, COUNT(*) AS n, MAX(ts) AS last FROM t GROUP BY k;",
];

/// A rank of rows that are taken back.
const BEST_GROUPS: &str = "SELECT k, n FROM (SELECT k, n, ROW_NUMBER() OVER (ORDER BY n DESC) AS r FROM \
    (SELECT k, COUNT(*) AS n FROM t GROUP BY k)) WHERE r <= 2;";

/// A join that keeps both its inputs whole; one of them takes rows back.
const COUNTED: &str = "CREATE VIEW counts AS SELECT k, COUNT(*) AS n FROM t GROUP BY k;\n\
    SELECT t.v, counts.n FROM t JOIN counts ON t.k = counts.k;";

#[test]
fn places_in_windows_are_those_of_plain_loops() {
    let all = records(200, 1);
    let marks = watermarks(&all);
    for (script, windows) in [(TUMBLE, 1), (HOP, 2)] {
        let mut session = opened(&scenario(&all, script));
        session.step(u64::MAX);
        let ledger = kept(&session);
        let (mut places, mut late) = (0, 0);
        for (r, mark) in all.iter().zip(&marks) {
            let last = r.ts - r.ts.rem_euclid(5_000);
            let starts = (0..windows).map(|back| last - back * 5_000);
            let open = starts.filter(|start| start + windows * 5_000 - 1 > *mark).count() as u64;
            places += open;
            late += u64::from(open == 0);
        }
        assert!(late > 0);
        assert_eq!(sum(&session, &ledger, "window"), [places + late, places, late, 0]);
        let count = all.len() as u64;
        assert_eq!(sum(&session, &ledger, "source"), [count, count, 0, 0]);
        let sink = sum(&session, &ledger, "sink");
        assert!(sink[0] > 50 && sink == [sink[0], sink[0], 0, 0]);
    }
}

#[test]
fn what_a_join_without_bounds_keeps_is_its_whole_input() {
    let all = records(200, 1);
    let mut session = opened(&scenario(&all, COUNTED));
    session.step(u64::MAX);
    let keyed = all.iter().filter(|r| r.k.is_some());
    let keys: BTreeSet<_> = keyed.clone().map(|r| r.k).collect();
    let (rows, keys) = (keyed.count() as u64, keys.len() as u64);
    // A key's first count comes, each further one takes the one before it back.
    let counts = 2 * rows - keys;
    let taken_back = rows - keys;
    let expected = [rows + counts, 2 * taken_back, 0, rows + keys];
    assert_eq!(sum(&session, &kept(&session), "join"), expected);
}

#[test]
fn what_groups_and_ranks_hold_are_the_rows_that_have_not_been_taken_back() {
    let all = records(200, 1);
    let mut session = opened(&scenario(&all, BEST_GROUPS));
    session.step(u64::MAX);
    let ledger = kept(&session);
    let keys: BTreeSet<_> = all.iter().map(|r| r.k).collect();
    let (rows, keys) = (all.len() as u64, keys.len() as u64);
    assert_eq!(sum(&session, &ledger, "aggregate"), [rows, 0, 0, rows]);
    // Each further count of a key takes the one before it back.
    let taken_back = rows - keys;
    assert_eq!(sum(&session, &ledger, "rank"), [2 * rows - keys, 2 * taken_back, 0, keys]);
}

/// In the middle of a run: what is held are the rows that a loop finds in open windows.
#[test]
fn what_is_held_is_in_open_windows() {
    let all: Vec<Record> = records(200, 1).into_iter().take(99).collect();
    let mut session = opened(&scenario(&all, TUMBLE));
    session.stand_after(Some(60)).expect("it runs");
    let marks = watermarks(&all);
    let now = marks[60];
    let held = all[..60].iter().zip(&marks).filter(|(r, mark)| {
        let last = r.ts - r.ts.rem_euclid(5_000) + 5_000 - 1;
        last > **mark && last > now
    });
    let held = held.count() as u64;
    assert!(held > 0);
    assert_eq!(sum(&session, &kept(&session), "window")[3], held);
}

#[test]
fn accounts_balance_at_every_event_whatever_crashes() {
    let all = records(160, 2);
    for script in [TUMBLE, HOP, INTERVAL].iter().chain(&OTHERS) {
        let start = opened(&scenario(&all, script));
        let mut whole = start.fork();
        whole.step(u64::MAX);
        let steps = whole.status().step;
        kept(&whole);
        let tasks: Vec<String> = start.header().tasks.iter().map(|t| t.name.clone()).collect();
        for i in 1..8 {
            let mut session = start.fork();
            session.step(steps * i / 8);
            let task = &tasks[i as usize % tasks.len()];
            session.inject(&format!("at now crash {task}")).expect("a fault");
            session.step(u64::MAX);
            let ledger = kept(&session);
            for (info, account) in session.header().tasks.iter().zip(ledger.accounts()) {
                assert!(account.balances(), "{script}: {} {account:?}", info.name);
            }
        }
    }
}
