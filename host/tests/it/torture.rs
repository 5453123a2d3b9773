//! Every example crashed at its steps, and again at the steps of each recovery, under every guarantee.

use std::io::Write as _;
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::{Every, Guarantee, Options, Session};

use crate::example;

/// Steps of all runs of an example under one guarantee come to about so many: long jobs are crashed behind fewer.
const STEPS: u64 = 60_000;

#[test]
fn no_crash_breaks_an_example() {
    let mut table = String::from("torture over every example:\n");
    for example in example::all() {
        let sandbox = Arc::new(WasmtimeSandbox::default());
        let (name, text) = (&example.name, &example.text);
        let session = Session::open(name, text, &example.files, sandbox, &Options::default());
        let session = session.expect("an example opens");
        let steps = session.faultless().finish().step;
        let step = (steps * steps / STEPS).max(1);
        for guarantee in Guarantee::ALL {
            let every = Every { step, again: Some(step) };
            let found = session.promising(guarantee).torture(every, &mut |_, _| ());
            let found = found.expect("it runs without a fault");
            table += &format!(
                "{name:>22} {:>13}: {} steps, {} crashes, {} more in a recovery, {} of {} rows lost, {} doubled\n",
                guarantee.name(),
                found.steps,
                found.single,
                found.double,
                found.total.lost,
                found.total.expected,
                found.total.duplicated
            );
            assert!(found.single > 0 && found.double > 0, "{table}");
            assert_eq!(found.violated, 0, "{name}, {}: {:?}", guarantee.name(), found.violations);
        }
    }
    // What it has cost is worth a look each time.
    std::io::stderr().write_all(table.as_bytes()).expect("writing to the terminal");
}
