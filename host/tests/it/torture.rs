//! Every example crashed at its steps, and again at the steps of each recovery, under every guarantee; and its guests ill.

use std::io::Write as _;
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::{Delivery, Every, Guarantee, Options, Session, Victim, broken};
use highwater_engine::trace::What;

use crate::cli::{QUERY, TABLE, err, folder, highwater};
use crate::example;

/// The fewest places in a run behind which it is crashed, and the most; long runs have fewer.
const PLACES: (u64, u64) = (20, 60);
/// Steps of the run, times the places.
const STEPS: u64 = 300_000;
/// Every so many-th part of a run there is one in a recovery.
const AGAIN: u64 = 12;

#[test]
fn no_crash_breaks_an_example() {
    let mut table = String::from("torture over every example:\n");
    let mut costs = [(0, 0); 3];
    for example in example::all() {
        let sandbox = Arc::new(WasmtimeSandbox::default());
        let (name, text) = (&example.name, &example.text);
        let session = Session::open(name, text, &example.files, sandbox, &Options::default());
        let session = session.expect("an example opens");
        let steps = session.faultless().finish().step;
        let places = (STEPS / steps).clamp(PLACES.0, PLACES.1);
        let (step, again) = ((steps / places).max(1), (steps / AGAIN).max(1));
        let victims = Victim::ALL.map(|(_, victim)| victim);
        for guarantee in Guarantee::ALL {
            let every = Every { victims: &victims, step, again: Some(again) };
            let found = session.promising(guarantee).torture(every, &mut |_, _| ());
            let found = found.expect("it runs without a fault");
            let sum = |of: fn(&Delivery) -> u64| found.tables.iter().map(of).sum::<u64>();
            table += &format!(
                "{name:>22} {:>13}: {} steps, {} crashes, {} more in a recovery, {} of {} rows lost, {} doubled\n",
                guarantee.name(),
                found.steps,
                found.single,
                found.double,
                sum(|d| d.lost),
                sum(|d| d.expected),
                sum(|d| d.duplicated)
            );
            let at = Guarantee::ALL.iter().position(|one| *one == guarantee).expect("one of all");
            for table in found.tables.iter().filter(|d| d.promise(guarantee) == guarantee) {
                costs[at].0 += table.lost;
                costs[at].1 += table.duplicated;
            }
            assert!(found.single >= 3 * PLACES.0.min(steps), "{table}");
            assert!(found.double >= found.single, "{table}");
            assert_eq!(found.violated, 0, "{name}, {}: {:?}", guarantee.name(), found.violations);
        }
    }
    // Crashes that cost nothing under any guarantee would be none.
    let [(lost, _), (kept, doubled), (none, once)] = costs;
    assert!(lost > 0 && doubled > 0 && (kept, none, once) == (0, 0, 0), "{costs:?}");
    // What it has cost is worth a look each time.
    std::io::stderr().write_all(table.as_bytes()).expect("writing to the terminal");
}

/// What befalls guests, and the error that the engine makes of it.
const ILLNESSES: [(&str, &str); 3] = [
    ("guest-trap", "guest.trap"),
    ("guest-loop", "guest.out-of-fuel"),
    ("guest-garbage", "guest.bad-output"),
];

/// A task whose guest traps, loops or lies dies and comes back as from any crash: what the guarantee keeps is kept.
#[test]
fn ill_guests_cost_no_more_than_a_crash() {
    let mut deaths = 0;
    for example in example::all() {
        let sandbox = Arc::new(WasmtimeSandbox::default());
        let (name, text) = (&example.name, &example.text);
        let session = Session::open(name, text, &example.files, sandbox, &Options::default());
        let session = session.expect("an example opens");
        let calm = session.trial(Guarantee::ExactlyOnce, &[], 0).expect("it runs");
        let calls = |task: u16| {
            let of = calm.events.iter().filter(|event| event.task == task);
            of.filter(|event| matches!(event.what, What::GuestCall { .. })).count()
        };
        let tasks = (0..).zip(&session.header().tasks).filter(|(number, _)| calls(*number) > 20);
        for ((_, task), (kind, code)) in tasks.flat_map(|task| ILLNESSES.map(|ill| (task, ill))) {
            if calm.steps < 2_000 {
                again(&session, &format!("at now {kind} {}", task.name), calm.steps / 3);
            }
            for guarantee in Guarantee::ALL {
                let place = format!("{name}, {} {kind}, {}", task.name, guarantee.name());
                let fault = format!("on arrive 9 {kind} {}", task.name);
                let trial = session.trial(guarantee, &[fault], calm.steps).expect("a fault");
                assert_eq!(trial.stopped, None, "{place}");
                let told =
                    |what: &What| matches!(what, What::Fault { fault } if fault.starts_with(code));
                let died = trial.events.iter().filter(|event| told(&event.what)).count();
                let crashes = trial.events.iter().filter(|e| matches!(e.what, What::Crash { .. }));
                assert_eq!((died, crashes.count()), (1, 1), "{place}");
                deaths += died;
                assert_eq!(broken(&trial.events, session.header(), guarantee), [""; 0], "{place}");
                if guarantee != Guarantee::AtMostOnce {
                    let kept = trial.against(&calm).iter().all(|d| d.keeps(guarantee));
                    assert!(kept, "{place}");
                }
            }
        }
    }
    assert!(deaths >= 3 * 3 * 3, "{deaths} guests made their tasks die");
}

/// Guests of a run that goes on are warm, those of one that comes back by a copy are new: both tell the same.
fn again(session: &Session, fault: &str, step: u64) {
    let mut run = session.fork();
    run.step(step);
    run.inject(fault).expect("a fault");
    let (first, events) = (run.finish(), run.events().to_vec());
    for back in [step, step + 40] {
        run.seek(back);
        assert_eq!(run.finish(), first, "{fault}");
        assert!(run.events() == events, "{fault}");
    }
    assert!(first.fuel < 1 << 40, "{fault}: {}", first.fuel);
}

/// A fault whose moment never comes shows nothing, which nobody should take for a job that withstood it.
#[test]
fn a_fault_that_never_strikes_is_told_of() {
    let folder = folder(&format!("{TABLE}{QUERY}"));
    let never = ["on snapshot 99 crash t/0", "at 90000s crash t/0"];
    let faults = format!("on arrive 1 crash t/0\n{}\n", never.join("\n"));
    let text = format!("```sql\n{TABLE}{QUERY}```\n\n```faults\n{faults}```\n");
    std::fs::write(folder.path().join("job.md"), text).expect("written");
    for args in [&["run", "job.md", "--driver", "sim"][..], &["check", "job.md"]] {
        let said = err(&highwater(folder.path(), args));
        let told: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_once("could strike: "))
            .map(|l| l.1)
            .collect();
        assert_eq!(told.len(), 2, "{said}");
        assert!(never.iter().all(|fault| told.contains(fault)), "{said}");
    }
}
