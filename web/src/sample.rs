//! A made-up run for the tests: a tiny simulation of its own, with a crash, written down as a trace.

use std::collections::BTreeMap;

use highwater_trace::trace::{Barriers, COORDINATOR, Chunk, Event, Header, TaskInfo, What};

/// One record: key, event time in milliseconds, arrival in virtual microseconds, text.
pub type Record = (String, i64, u64, String);

/// What the sample run does.
pub struct Plan {
    /// Length of the tumbling windows, milliseconds.
    pub window: i64,
    /// How far the watermark stays behind, milliseconds.
    pub disorder: i64,
    /// Virtual microseconds between checkpoints.
    pub checkpoint: u64,
    /// The job dies after that many records; 0: never.
    pub crash_after: usize,
}

#[derive(Clone, Default)]
struct State {
    next: usize,
    newest: i64,
    watermark: i64,
    open: BTreeMap<(i64, String), (u64, u32)>,
    ids: u64,
    staged: Vec<String>,
    window: i64,
}

struct Sim {
    events: Vec<Event>,
    step: u64,
    at: u64,
}

impl Sim {
    fn tell(&mut self, task: u16, what: What) {
        self.events.push(Event { step: self.step, at: self.at, task, what });
    }
}

const SOURCE: u16 = 0;
const SINK: u16 = 3;

/// Runs the records, ordered by arrival, through `quakes/0 -> window/0,1 -> print/0`.
pub fn run(records: &[Record], plan: &Plan) -> Chunk {
    let mut sim = Sim { events: Vec::new(), step: 0, at: records.first().map_or(0, |r| r.2) };
    let start =
        State { watermark: i64::MIN, newest: i64::MIN, window: plan.window, ..State::default() };
    let (mut state, mut saved, mut checkpoint) = (start.clone(), start, (0, 0));
    let (mut next_checkpoint, mut crashed) = (sim.at + plan.checkpoint, false);
    while let Some(record) = records.get(state.next) {
        sim.step += 1;
        sim.at = sim.at.max(record.2);
        if sim.at >= next_checkpoint {
            next_checkpoint += plan.checkpoint;
            checkpoint.0 += 1;
            snapshot(&mut sim, checkpoint.0, state.staged.len() as u64);
            checkpoint.1 = checkpoint.0;
            state.staged.clear();
            saved = state.clone();
            sim.step += 1;
        }
        read(&mut sim, &mut state, record, plan);
        if !crashed && plan.crash_after == state.next {
            crashed = true;
            sim.step += 1;
            sim.at += 1;
            let lost = state.staged.len() as u64;
            sim.tell(COORDINATOR, What::Fault { fault: "at now crash window/1".into() });
            sim.tell(2, What::Crash { lost_messages: 2, lost_rows: lost });
            sim.step += 1;
            sim.at += 60_000_000;
            sim.tell(COORDINATOR, What::Restore { checkpoint: checkpoint.1 });
            let (from, until) = (saved.next as u64, state.next as u64 - 1);
            sim.tell(SOURCE, What::Replay { partition: 0, offset: from, from, until });
            state = saved.clone();
        }
    }
    sim.step += 1;
    advance(&mut sim, &mut state, i64::MAX, 0);
    checkpoint.0 += 1;
    snapshot(&mut sim, checkpoint.0, state.staged.len() as u64);
    sim.step += 1;
    sim.tell(COORDINATOR, What::Finish);
    Chunk { header: header(), first: 0, events: sim.events }
}

fn read(sim: &mut Sim, state: &mut State, record: &Record, plan: &Plan) {
    let seq = state.next as u64;
    let (key, time, _, row) = record;
    state.next += 1;
    let event_time = Some(*time);
    sim.tell(SOURCE, What::Arrive { partition: 0, offset: seq, seq, event_time, row: row.clone() });
    sim.step += 1;
    let window = time.div_euclid(plan.window) * plan.window;
    let task = task_of(key);
    let end = window + plan.window;
    if state.watermark >= end - 1 {
        sim.tell(
            task,
            What::Late {
                seq,
                event_time: *time,
                watermark: state.watermark,
                start: window,
                end,
                key: key.clone(),
                row: row.clone(),
            },
        );
    } else {
        let slot = (window, key.clone());
        if !state.open.contains_key(&slot) {
            state.ids += 1;
            state.open.insert(slot.clone(), (state.ids, 0));
            let id = state.ids;
            sim.tell(task, What::WindowOpen { window: id, key: key.clone(), start: window, end });
        }
        let entry = state.open.get_mut(&slot).expect("just put there");
        entry.1 += 1;
        sim.tell(task, What::WindowAdd { window: entry.0, seq });
        sim.tell(
            task,
            What::GuestCall { export: "win_accumulate".into(), rows: 1, fuel: 412, pages: 2 },
        );
    }
    state.newest = state.newest.max(*time);
    let watermark = state.newest.saturating_sub(plan.disorder).saturating_sub(1);
    if watermark > state.watermark {
        sim.step += 1;
        advance(sim, state, watermark, seq);
    }
}

fn advance(sim: &mut Sim, state: &mut State, watermark: i64, seq: u64) {
    state.watermark = watermark;
    sim.tell(SOURCE, What::PartitionWatermark { partition: 0, watermark });
    for task in 0..4 {
        sim.tell(task, What::Watermark { watermark, seq });
    }
    let due: Vec<_> =
        state.open.keys().filter(|k| k.0 + state.window - 1 <= watermark).cloned().collect();
    for slot in due {
        let (id, count) = state.open.remove(&slot).expect("it is there");
        let (start, key) = slot;
        let end = start + state.window;
        sim.tell(
            task_of(&key),
            What::WindowFire { window: id, key: key.clone(), start, end, rows: 1 },
        );
        let text = highwater_trace::time::format_timestamp(start);
        let row = format!("net={key}, window_start={text}, quakes={count}");
        state.staged.push(row.clone());
        sim.tell(SINK, What::Stage { row, kind: 0, seq });
    }
}

fn snapshot(sim: &mut Sim, checkpoint: u64, rows: u64) {
    sim.tell(COORDINATOR, What::CheckpointStart { checkpoint, barriers: Barriers::Aligned });
    for (task, channel) in [(1, 0), (2, 1), (3, 2), (3, 3)] {
        sim.step += 1;
        sim.at += 700;
        sim.tell(task, What::Barrier { checkpoint, channel });
    }
    for task in 0..4 {
        sim.tell(task, What::Snapshot { checkpoint, bytes: 800 + u64::from(task) * 300 });
    }
    sim.step += 1;
    sim.tell(COORDINATOR, What::CheckpointComplete { checkpoint, bytes: 5_000, hash: 7 });
    sim.tell(SINK, What::Commit { checkpoint, rows });
}

fn task_of(key: &str) -> u16 {
    1 + key.bytes().fold(0u16, |a, b| a.wrapping_mul(31).wrapping_add(u16::from(b))) % 2
}

fn header() -> Header {
    let task = |name: &str, kind: &str, describe: &str, partitions: &[u16]| TaskInfo {
        name: name.into(),
        kind: kind.into(),
        describe: describe.into(),
        partitions: partitions.to_vec(),
    };
    Header {
        tasks: vec![
            task("quakes/0", "source", "filesystem data/earthquakes.jsonl", &[0]),
            task("window/0", "window", "TUMBLE 6 h by net: COUNT(*)", &[]),
            task("window/1", "window", "TUMBLE 6 h by net: COUNT(*)", &[]),
            task("print/0", "sink", "print", &[]),
        ],
        channels: vec![(0, 1), (0, 2), (1, 3), (2, 3)],
        seed: 7,
    }
}

/// `n` records with keys `a`, `b`, `c`, one every ten seconds, each up to three minutes old.
pub fn records(n: u64) -> Vec<Record> {
    let mut x = 12_345_u64;
    let mut next = move |limit: u64| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 33) % limit
    };
    let start = 1_517_364_000_000_u64;
    (0..n)
        .map(|i| {
            let arrival = start + i * 10_000;
            let key = ["a", "b", "c"][next(3) as usize].to_owned();
            let time = (arrival - next(180_000)) as i64;
            (key.clone(), time, arrival * 1000, format!("[\"{key}\",{time}]"))
        })
        .collect()
}

/// A model that shows the sample run up to `step`.
pub fn model(step: u64) -> crate::model::Model {
    let plan =
        Plan { window: 120_000, disorder: 30_000, checkpoint: 400_000_000, crash_after: 150 };
    let mut m = crate::model::Model::new();
    m.run.extend(run(&records(240), &plan));
    m.run.show(step);
    m.status.at = m.run.shown().last().map_or(0, |e| e.at);
    m.status.step = m.run.step();
    m
}
