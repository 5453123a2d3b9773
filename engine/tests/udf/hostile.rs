//! Guests that misbehave end in an error that says what they did, and leave the state as it was.

use std::sync::Arc;

use highwater_engine::udf::{Call, Failure, Guest};
use highwater_hostile::ALL;

use crate::{admit, sandbox};

struct Run {
    failure: Option<Failure>,
    slab: Vec<u8>,
    calls: Vec<Call>,
}

/// A record through its window, as an operator would.
fn run(module: &[u8], rows: u32) -> Run {
    let mut guest = Guest::new(admit(module), Arc::new(sandbox::Interpreter), &[]);
    let mut calls = Vec::new();
    let times = vec![1_000; rows as usize];
    let rows: Vec<u32> = (0..rows).collect();
    let slots = vec![0; rows.len()];
    let mut slab = vec![0; 8];
    let outcome = guest
        .assign(&times, &[], &rows, &mut calls)
        .and_then(|_| guest.accumulate(&times, &[], &rows, &slots, &mut slab, &mut calls))
        .and_then(|()| guest.result(&[(0, 3_600_000)], &slab, &mut calls));
    Run { failure: outcome.err(), slab, calls }
}

#[test]
fn each_ends_in_its_own_error() {
    assert_eq!(ALL.len(), 18);
    for hostile in ALL {
        let Run { failure, slab, calls } = run(&hostile.module(), 1);
        let code = failure.as_ref().map(|f| f.diagnostic.code);
        assert_eq!(code, hostile.code, "{}: {failure:?}", hostile.name);
        let Some(failure) = failure else { continue };
        assert_eq!(failure.row, Some(0), "{}", hostile.name);
        let in_result = calls.iter().any(|c| c.export == "win_result");
        let wanted = if in_result { [1, 0, 0, 0, 0, 0, 0, 0] } else { [0; 8] };
        assert_eq!(slab, wanted, "{}: the failed call changed nothing", hostile.name);
        assert!(failure.diagnostic.message.contains('`'), "{} names the export", hostile.name);
    }
}

#[test]
fn the_first_guilty_row_is_found_at_the_same_fuel() {
    // Fails at records of the second 13 only.
    let module = highwater_hostile::assemble(
        "thirteen",
        "(func (export \"win_accumulate\") (param $frame i32) (result i32)
           (local $n i32) (local $i i32)
           (local.set $n (i32.load offset=8 (local.get $frame)))
           (block $done (loop $next
             (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
             (if (i64.eq (i64.const 13000) (i64.load (i32.add
                   (call $values (local.get $frame) (i32.const 0))
                   (i32.mul (i32.const 8) (local.get $i)))))
               (then (unreachable)))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br $next)))
           (call $accumulate (local.get $frame)))",
    )
    .expect("valid text");
    let mut messages = Vec::new();
    for batch in [1, 7, 20] {
        let mut guest = Guest::new(admit(&module), Arc::new(sandbox::Interpreter), &[]);
        let times: Vec<i64> = (0..20).map(|s| s * 1000).collect();
        let mut slab = vec![0; 8];
        let mut calls = Vec::new();
        let rows: Vec<u32> = (0..20).collect();
        let failed = rows.chunks(batch).find_map(|rows| {
            let slots = vec![0; rows.len()];
            let failure =
                guest.accumulate(&times, &[], rows, &slots, &mut slab, &mut calls).err()?;
            Some((rows[failure.row.expect("a row") as usize], failure.diagnostic))
        });
        let (row, diagnostic) = failed.expect("it fails");
        assert_eq!(row, 13, "batches of {batch}");
        assert_eq!(slab, 13u64.to_le_bytes(), "the rows before it are counted");
        messages.push(diagnostic.message);
    }
    assert!(messages.iter().all(|m| *m == messages[0]), "{messages:?}");
}

#[test]
fn the_numbers_of_a_failure_are_exact() {
    let of = |name: &str| ALL.iter().find(|h| h.name == name).expect("a name").module();
    // 5,000,000 and 50,000 for one row. A round of the loop costs 1 for itself and 1 for the branch, the
    // entry 1; so the fuel ends one below zero, after 5,050,001.
    let endless = run(&of("endless-loop"), 1);
    assert_eq!(endless.calls.last().map(|c| c.fuel), Some(5_050_001));
    // A word of memory.fill costs 1 for 8 bytes: 7,500 and 4 for the call, and 3 for its operands, the
    // loop and its branch.
    let fill = run(&of("endless-fill"), 1).calls.last().map_or(0, |c| c.fuel);
    assert!((5_050_001..5_050_001 + 7_510).contains(&fill), "{fill}");
    // Sixteen pages may be had; then the seventeenth is refused.
    let bomb = run(&of("memory-bomb"), 1);
    assert_eq!(bomb.calls.last().map(|c| c.pages), Some(16));
    let said = run(&of("abort"), 1);
    assert!(said.failure.expect("it fails").diagnostic.message.ends_with("no more of this"));
    let own = run(&of("own-error"), 1);
    let message = own.failure.expect("it fails").diagnostic.message;
    assert!(message.contains("error 17") && message.contains('\u{fffd}'), "{message}");
}

#[test]
fn the_one_nan_comes_out() {
    let nan = ALL.iter().find(|h| h.name == "nan-payload").expect("a name").module();
    assert_eq!(run(&nan, 1).slab, 0x7ff8_0000_0000_0000u64.to_le_bytes());
}
