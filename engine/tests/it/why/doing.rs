//! Windows, records and held rows: the proposed record, or delay, written into the file.

use super::*;

/// The text with more records right behind record number `after`, and the numbers these get. They arrive at once,
/// so that nothing comes between.
fn with_records(text: &str, after: Seq, rows: &[(u16, String)]) -> (Session, Vec<Seq>) {
    let before = session(text);
    let arrivals = |session: &Session| -> Vec<(Seq, u64)> {
        let events = session.events().iter();
        let arrive = |e: &Event| match e.what {
            What::Arrive { seq, .. } => Some((seq, e.at)),
            _ => None,
        };
        events.filter_map(arrive).collect()
    };
    let all = arrivals(&before);
    let nth = all.iter().position(|(seq, _)| *seq == after).expect("a record");
    let at = |n: usize| EventTime(all[nth].1 as i64 / 1_000 + 1 + n as i64).to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let first = lines.iter().position(|l| l.starts_with("```jsonl")).expect("a block") + 1;
    for (n, (partition, row)) in rows.iter().enumerate() {
        let line = format!("{{\"@at\": \"{}\", \"@partition\": {partition}, {row}}}", at(n));
        lines.insert(first + nth + 1 + n, line);
    }
    let session = session(&(lines.join("\n") + "\n"));
    let new = arrivals(&session)[nth + 1..nth + 1 + rows.len()].iter().map(|(s, _)| *s).collect();
    (session, new)
}

/// `k=a, v=NULL` as fields of a JSON object, `ts` with another time.
fn json(row: &str, ts: i64) -> String {
    let fields = row.split(", ").map(|f| {
        let (name, value) = f.split_once('=').expect("name=value");
        match value {
            _ if name == "ts" => format!("\"ts\": \"{}\"", EventTime(ts)),
            "NULL" => format!("\"{name}\": null"),
            number if number.parse::<i64>().is_ok() => format!("\"{name}\": {number}"),
            text => format!("\"{name}\": \"{text}\""),
        }
    });
    fields.collect::<Vec<_>>().join(", ")
}

/// Whether an event happened in the task of that name.
fn is_of(session: &Session, event: &Event, task: &str) -> bool {
    session.header().tasks.get(usize::from(event.task)).is_some_and(|t| t.name == task)
}

/// The record that moved a task's watermark to at least `watermark`, and the events from there to the next step.
fn moved(session: &Session, task: &str, watermark: i64) -> Option<(Seq, Vec<What>)> {
    let events = session.events().iter();
    let of_task = events.filter(|e| is_of(session, e, task));
    let mut rest = of_task
        .map(|e| e.what.clone())
        .skip_while(|w| !matches!(w, What::Watermark { watermark: w, .. } if *w >= watermark));
    let Some(What::Watermark { seq, .. }) = rest.next() else { return None };
    Some((seq, rest.take_while(|w| !matches!(w, What::Watermark { .. })).collect()))
}

/// Checks that these records make it happen, and that with any of them 1 ms earlier it does not.
fn check_pushes(
    text: &str,
    after: Seq,
    pushes: &[Push],
    happens: &dyn Fn(&Session, Seq) -> bool,
    what: &str,
) {
    for short in (0..=pushes.len()).rev() {
        let row = |(i, p): (usize, &Push)| {
            let time = if i == short { p.below } else { p.event_time };
            (p.partition, json(&p.row, time))
        };
        let rows: Vec<_> = pushes.iter().enumerate().map(row).collect();
        let (session, seqs) = with_records(text, after, &rows);
        let last = *seqs.last().expect("a record");
        assert_eq!(happens(&session, last), short == pushes.len(), "{what}: {pushes:?}, {short}");
    }
    assert!(pushes.iter().all(|p| p.below == p.event_time - 1), "{pushes:?}");
}

/// Whether the window fires because of record `seq`.
fn fires(session: &Session, w: &Open, seq: Seq) -> bool {
    let Some((by, then)) = moved(session, &w.task, w.end - 1) else { return false };
    by == seq
        && then.iter().any(|e| match e {
            What::WindowFire { key, start, end, .. } => {
                (key, *start, *end) == (&w.key, w.start, w.end)
            }
            _ => false,
        })
}

fn frees(session: &Session, r: &HeldRow, seq: Seq) -> bool {
    let Some((by, then)) = moved(session, &r.task, r.frees_at.0) else { return false };
    by == seq
        && then.iter().any(|e| match e {
            What::JoinExpire { side, seqs } => {
                seqs.contains(&r.seq) && ["left", "right"][usize::from(*side)] == r.side
            }
            _ => false,
        })
}

/// Records with room behind them, from all over the stream; all partitions go on after each. A partition that
/// ends in the file would hold nothing back.
fn places(text: &str) -> Vec<Seq> {
    ask(text, |why| {
        let all: Vec<_> = why.records().values().collect();
        let last = |p: u16| all.iter().rposition(|r| r.partition == p);
        let end = (0..2).filter_map(last).min().expect("a record");
        let room = all[..end].windows(2).filter(|w| w[1].at.0 - w[0].at.0 > 20_000);
        room.map(|w| w[0].seq).skip(4).step_by(9).collect()
    })
}

#[test]
fn the_proposed_record_fires_the_window_and_one_millisecond_less_does_not() {
    let (mut tried, mut several) = (0, 0);
    for script in [TUMBLING, HOPPING, SESSIONS, WINDOWS_OF_A_JOIN] {
        for text in streams(script) {
            for after in places(&text) {
                let Ok(answer) = ask(&text, |why| why.window(Some(after), &Wanted::default()))
                else {
                    continue;
                };
                for w in answer.open.iter().take(2) {
                    let pushes =
                        w.fires.as_ref().unwrap_or_else(|e| panic!("{e}: {w:?} of {script}"));
                    check_pushes(&text, after, pushes, &|s, seq| fires(s, w, seq), script);
                    assert!(!w.held_by.is_empty());
                    (tried, several) = (tried + 1, several + usize::from(pushes.len() > 1));
                }
            }
        }
    }
    assert!(tried > 30 && several > 0, "{tried} windows, {several} held by both partitions");
}

#[test]
fn the_proposed_record_frees_the_row_and_one_millisecond_less_does_not() {
    let mut tried = 0;
    for script in [JOIN, JOIN_OF_ITSELF, OVER, OVER_SOME] {
        for text in streams(script) {
            for after in places(&text).into_iter().step_by(2) {
                let answer = ask(&text, |why| why.held(Some(after), None)).expect("a join");
                for r in answer.rows.iter().take(2) {
                    let pushes =
                        r.frees.as_ref().unwrap_or_else(|e| panic!("{e}: {r:?} of {script}"));
                    check_pushes(&text, after, pushes, &|s, seq| frees(s, r, seq), script);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 10, "{tried} rows");
}

/// Whether a task drops a record when the watermark is delayed by so much.
fn drops(text: &str, delay: i64, task: &str, seq: Seq) -> bool {
    let other = text.replace("INTERVAL '4' SECOND", &interval(delay));
    assert!(other != *text || delay == 4_000);
    let session = session(&other);
    session.events().iter().any(|e| {
        is_of(&session, e, task)
            && match e.what {
                What::Late { seq: s, .. } | What::JoinLate { seq: s, .. } => s == seq,
                _ => false,
            }
    })
}

#[test]
fn the_proposed_delay_keeps_the_record_and_one_millisecond_less_drops_it() {
    let (mut dropped, mut kept) = (0, 0);
    for script in [TUMBLING, HOPPING, SESSIONS, JOIN, OVER, OVER_SOME] {
        for text in streams(script) {
            let seqs: Vec<Seq> = ask(&text, |why| why.records().keys().copied().collect());
            let late = session(&text);
            let late = late.events().iter().filter_map(|e| match e.what {
                What::Late { seq, .. } | What::JoinLate { seq, .. } => Some(seq),
                _ => None,
            });
            let asked: BTreeSet<Seq> = seqs.into_iter().step_by(3).chain(late).collect();
            for seq in asked {
                let told = ask(&text, |why| why.record(seq)).expect("a record");
                assert_eq!(told.delay, Some(4_000));
                for place in &told.places {
                    assert_eq!(drops(&text, 4_000, &place.task, seq), !place.kept);
                    match place.change {
                        Change::Keeps(delay) => {
                            assert_eq!(delay <= 4_000, place.kept, "{place:?}");
                            assert!(!drops(&text, delay, &place.task, seq), "{place:?} {script}");
                            assert!(drops(&text, delay - 1, &place.task, seq), "{place:?}");
                            if place.kept { kept += 1 } else { dropped += 1 }
                        }
                        Change::None => {
                            assert!(place.kept && !drops(&text, 0, &place.task, seq), "{place:?}");
                        }
                        Change::NotFixed => panic!("{place:?}"),
                    }
                }
            }
        }
    }
    assert!(dropped > 9 && kept > 9, "{dropped} dropped, {kept} kept");
}
