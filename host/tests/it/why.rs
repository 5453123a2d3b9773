//! Why, asked of the example with guests' windows and joins: what is said of the first places is so.

use std::collections::BTreeSet;
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::why::{Change, Wanted, Why, interval};
use highwater_engine::session::{Options, Session};
use highwater_engine::trace::What;

use crate::example::{Example, open, with_text};

const HOUR: i64 = 3_600_000;

fn session(example: &Example) -> Session {
    let Example { name, text, files } = example;
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let session = Session::open(name, text, files, sandbox, &Options::default());
    let mut session = session.unwrap_or_else(|e| panic!("{}", e[0]));
    assert!(session.finish().finished);
    session
}

/// The tasks that drop a record.
fn droppers(session: &Session, seq: u64) -> BTreeSet<String> {
    let tasks = &session.header().tasks;
    let events = session.events().iter().filter(|e| match e.what {
        What::Late { seq: s, .. } | What::JoinLate { seq: s, .. } => s == seq,
        _ => false,
    });
    events.map(|e| tasks[usize::from(e.task)].name.clone()).collect()
}

#[test]
fn the_earthquakes_are_explained_through_guests() {
    let example = open("earthquakes.md");
    let run = session(&example);
    let late = run.events().iter().find_map(|e| match e.what {
        What::Late { seq, .. } if seq > 100 => Some(seq),
        _ => None,
    });
    let late = late.expect("a late record");
    let Example { name, text, files } = &example;
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let why = Why::open(name, text, files, sandbox, &Options::default())
        .unwrap_or_else(|e| panic!("{}", e[0]));

    // Windows of a guest, and built-in ones, over a computed time.
    let answer = why.window(Some(late), &Wanted::default()).expect("open windows");
    let end = (answer.open[0].watermark.0 / (6 * HOUR) + 1) * 6 * HOUR;
    let built_in = Wanted { key: None, end: Some(end) };
    let built_in = why.window(Some(late), &built_in).expect("open windows").open;
    assert!(answer.open.iter().any(|w| w.task == "swarm/0"));
    assert!(built_in.iter().any(|w| w.task == "window/0"));
    for w in answer.open.iter().chain(&built_in) {
        let [push] = w.fires.as_deref().expect("a record") else { panic!("{w:?}") };
        assert!(push.event_time >= w.end - 1 + 6 * HOUR && push.below == push.event_time - 1);
        assert!(push.row.contains(&format!("event_time={},", push.event_time)), "{push:?}");
    }

    // A guest's join.
    let held = why.held(Some(late), None).expect("a join");
    assert!(!held.rows.is_empty());
    for row in &held.rows {
        let [push] = row.frees.as_deref().expect("a record") else { panic!("{row:?}") };
        assert_eq!(push.event_time, row.frees_at.0 + 6 * HOUR);
    }

    // A late record, and the delay that keeps it written into the file.
    let told = why.record(late).expect("a record");
    let dropped: BTreeSet<String> =
        told.places.iter().filter(|p| !p.kept).map(|p| p.task.clone()).collect();
    assert_eq!(dropped, droppers(&run, late));
    let place = told.places.iter().find(|p| !p.kept).expect("it is late");
    let Change::Keeps(delay) = place.change else { panic!("{place:?}") };
    for (delay, drops) in [(delay, false), (delay - 1, true)] {
        let text = text.replace("INTERVAL '6' HOUR\n", &format!("{}\n", interval(delay)));
        let run = session(&with_text("other.md", &text));
        assert_eq!(droppers(&run, late).contains(&place.task), drops, "{delay}");
    }

    // What made rows of each: a swarm of a window that merged, a pair of the join.
    let swarm = why.row(Some("swarms"), 1).expect("a swarm");
    assert_eq!((swarm.records.len(), swarm.clock.len()), (21, 0), "{swarm:?}");
    let pair = why.row(Some("pairs"), 1).expect("a pair");
    assert_eq!((pair.records.len(), pair.needed.len()), (2, 2), "{pair:?}");
    let count = why.row(Some("counts"), 5).expect("a count");
    assert!(count.window.is_some() && count.complete, "{count:?}");
}
