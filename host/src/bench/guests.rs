//! The guests of the workloads, found where the build puts them.

use std::path::PathBuf;
use std::sync::Arc;

use highwater_engine::error::Result;

use super::ground::native::{self, Host};
use super::ground::{Columns, Totals, Workload, loops};
use crate::files::Script;
use crate::sandbox::WasmtimeSandbox;

/// The module of a workload's guest.
///
/// # Errors
/// `host.no-guest` when it has not been built.
pub fn module(path: &str) -> Result<Arc<[u8]>> {
    let here = PathBuf::from("bench.sql");
    Script { path: here, name: "bench.sql".into(), text: String::new() }.guest(path)
}

/// What the workload needs to run here.
///
/// # Errors
/// As [`module`], and when the guest is refused.
pub fn host(workload: Workload) -> Result<Host> {
    let mut host = Host { sandbox: Arc::new(WasmtimeSandbox::default()), ..Host::default() };
    if let Some(path) = workload.guest() {
        host.guests.admit(path, &module(path)?)?;
    }
    Ok(host)
}

/// One run of F2 by an expression, its values looked at but not added up: what is measured is the
/// expression.
///
/// # Errors
/// When the expression fails, or a result is not the loop's.
pub fn function(sql: &str, columns: &Columns, batch_rows: usize, host: &Host) -> Result<Totals> {
    let expr = native::expression(sql, host)?;
    let mut totals = Totals::default();
    native::evaluate(&expr, columns, batch_rows, &mut |values| see(values, &mut totals))?;
    Ok(totals)
}

/// The same by the loop.
pub fn function_by_hand(columns: &Columns, batch_rows: usize) -> Totals {
    let mut totals = Totals::default();
    let (a, b) = (columns.long(0), columns.long(1));
    loops::linear(a, b, batch_rows, &mut |values| see(values, &mut totals));
    totals
}

/// Takes a batch's result: rows, and the first and last of its values.
fn see(values: &[i64], totals: &mut Totals) {
    let values = std::hint::black_box(values);
    let ends = values.first().into_iter().chain(values.last());
    totals.rows += values.len() as u64;
    totals.sums = ends.fold(totals.sums, |sum, v| sum.wrapping_add(*v));
}

/// Checks every value that an expression gives against the loop's.
///
/// # Errors
/// `bench.wrong-totals` when one differs.
pub fn check(sql: &str, columns: &Columns, batch_rows: usize, host: &Host) -> Result<()> {
    let (mut expected, mut found) = (Totals::default(), Totals::default());
    let add = |totals: &mut Totals, values: &[i64]| {
        for value in values {
            totals.rows += 1;
            // The order matters: a permutation is not the same.
            totals.sums = totals.sums.wrapping_mul(31).wrapping_add(*value);
        }
    };
    let (a, b) = (columns.long(0), columns.long(1));
    loops::linear(a, b, batch_rows, &mut |values| add(&mut expected, values));
    let expr = native::expression(sql, host)?;
    native::evaluate(&expr, columns, batch_rows, &mut |values| add(&mut found, values))?;
    super::agree("the function", &found, &expected)
}
