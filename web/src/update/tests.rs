//! The page's behaviour without a page: messages in, state and commands out.

use super::*;
use crate::sample::{Plan, records, run};

fn opened() -> Model {
    let mut m = Model::new();
    let example =
        |file: &str| Example { file: file.into(), title: file.into(), summary: "".into() };
    let examples = vec![example("first-window.md"), example("earthquakes.md")];
    let out = update(&mut m, Msg::Gallery { examples, wanted: None });
    assert!(out.contains(&Command::Fetch("earthquakes.md".into())), "quakes come first");
    let out = update(&mut m, Msg::Text { file: "earthquakes.md".into(), text: "# Hi".into() });
    assert!(matches!(out[..], [Command::Open { seek: 0, .. }]));
    let out = update(
        &mut m,
        Msg::Opened {
            status: Status::default(),
            tables: Vec::new(),
            faults: Vec::new(),
            chunk: None,
        },
    );
    assert!(out.is_empty() && m.phase == Phase::Ready && m.play == Play::Paused, "starts paused");
    m
}

fn trace() -> Chunk {
    let plan = Plan { window: 120_000, disorder: 30_000, checkpoint: 400_000_000, crash_after: 0 };
    run(&records(100), &plan)
}

/// What the engine would answer after standing at `step`.
fn answer_at(m: &mut Model, step: u64, finished: bool) -> Vec<Command> {
    let chunk = trace();
    let first = m.run.events.len();
    let events: Vec<_> =
        chunk.events.iter().skip(first).filter(|e| e.step <= step).cloned().collect();
    let chunk = Chunk { header: chunk.header, first: first as u64, events };
    let status = Status { step, finished, horizon: step, ..Status::default() };
    update(m, Msg::Moved { status, chunk: Some(chunk) })
}

#[test]
fn an_address_chooses_the_example_when_it_exists() {
    for (wanted, file) in [("first-window.md", "first-window.md"), ("../secret", "earthquakes.md")]
    {
        let mut m = Model::new();
        let examples = opened().examples;
        update(&mut m, Msg::Gallery { examples, wanted: Some(wanted.into()) });
        assert_eq!(m.file, file);
    }
}

#[test]
fn playing_asks_for_as_many_steps_as_time_has_passed() {
    let mut m = opened();
    update(&mut m, Msg::Speed(100.0));
    update(&mut m, Msg::Play);
    let out = update(&mut m, Msg::Frame(50.0));
    assert!(matches!(out[..], [Command::Step { steps: 6, since: 0, .. }]), "{out:?}");
    assert!(update(&mut m, Msg::Frame(50.0)).is_empty(), "one request at a time");
    answer_at(&mut m, 6, false);
    assert_eq!(m.step(), 6);
    update(&mut m, Msg::Pause);
    assert!(update(&mut m, Msg::Frame(50.0)).is_empty());
}

#[test]
fn scrubbing_shows_known_history_at_once_and_sends_only_the_last_place() {
    let mut m = opened();
    update(&mut m, Msg::ToEnd);
    update(&mut m, Msg::Frame(16.0));
    let last = trace().events.last().expect("events").step;
    answer_at(&mut m, last, true);
    assert_eq!((m.play, m.at_end()), (Play::Paused, true));
    let all = m.run.clone();
    let first = update(&mut m, Msg::Seek(40));
    assert_eq!(first, [Command::Seek { step: 40, since: all.events.len() as u64 }]);
    assert!(update(&mut m, Msg::Seek(30)).is_empty() && update(&mut m, Msg::Seek(20)).is_empty());
    assert_eq!(m.step(), 20);
    assert!(m.run.step() <= 20, "the picture is there before the engine is");
    let out = answer_at(&mut m, 40, false);
    assert!(matches!(out[..], [Command::Seek { step: 20, .. }]), "{out:?}");
    answer_at(&mut m, 20, false);
    assert_eq!((m.step(), m.wanted), (20, None));
    assert_eq!(m.run.events, all.events, "the future is remembered");
}

#[test]
fn a_crash_forgets_the_future() {
    let mut m = opened();
    update(&mut m, Msg::StepBy(60));
    answer_at(&mut m, 60, false);
    update(&mut m, Msg::Seek(30));
    let out = update(&mut m, Msg::CrashTask(2));
    assert!(out.is_empty(), "the engine is still on its way to step 30");
    let out = answer_at(&mut m, 30, false);
    let since = m.run.applied as u64;
    assert_eq!(out, [Command::Inject { fault: "at now crash window/1".into(), since }]);
    assert_eq!(m.run.events.len(), m.run.applied);
    assert_eq!(m.injected, [(30, "at now crash window/1".to_owned())]);
    update(&mut m, Msg::CrashTask(99));
    assert_eq!(m.queued_fault, None, "there is no such task");
    update(&mut m, Msg::Strike("  ".into()));
    assert_eq!(m.queued_fault, None, "nothing is no fault");
    update(&mut m, Msg::Strike(" snapshot-torn ".into()));
    assert_eq!(m.queued_fault.as_deref(), Some("at now snapshot-torn"));
}

#[test]
fn a_lost_worker_is_started_anew_at_the_same_step_with_the_same_faults() {
    let mut m = opened();
    update(&mut m, Msg::StepBy(30));
    answer_at(&mut m, 30, false);
    update(&mut m, Msg::CrashTask(1));
    answer_at(&mut m, 30, false);
    let out = update(&mut m, Msg::WorkerLost("no answer".into()));
    let [Command::RestartWorker, Command::Open { faults, seek: 30, .. }] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(faults.len(), 1);
    update(&mut m, Msg::WorkerLost("no answer".into()));
    update(&mut m, Msg::WorkerLost("no answer".into()));
    assert!(matches!(m.phase, Phase::Broken(_)), "it does not go on for ever");
}

#[test]
fn answers_to_older_texts_are_ignored() {
    let mut m = opened();
    update(&mut m, Msg::Edit("one".into()));
    let out = update(&mut m, Msg::CheckNow);
    let [Command::Check { revision, .. }] = out[..] else { panic!("{out:?}") };
    update(&mut m, Msg::Edit("two".into()));
    update(&mut m, Msg::Checked { revision, problems: vec![Problem::new("a", "b")] });
    assert!(m.problems.is_empty() && m.edited());
    let out = update(&mut m, Msg::RunText);
    assert!(matches!(&out[..], [Command::Open { text, .. }] if text == "two"));
    assert!(!m.edited());
}
