//! Functions that guests compute: called with whole columns, once a batch.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;

use crate::column;
use crate::error::Result;
use crate::operator::Output;
use crate::schema::DataType;
use crate::udf::manifest::Manifest;
use crate::udf::{Call, Guest};
use crate::value::Value;

use super::evaluate::{Datum, Input, datum};
use super::{Expr, ExprKind, Outcome, RowError, resolve};

/// A function of the script's own. It is called only once [`GuestFunction::link`] has given it a guest.
#[derive(Clone)]
pub struct GuestFunction {
    /// The name in SQL.
    pub name: String,
    /// The path as written in `CREATE FUNCTION … AS '…'`.
    pub path: String,
    manifest: Arc<Manifest>,
    running: Running,
}

/// The guest, and what it has been called for since somebody asked.
#[derive(Default)]
struct Running(Option<Box<Mutex<Live>>>);

struct Live {
    guest: Guest,
    calls: Vec<Call>,
}

impl Clone for Running {
    /// A copy has an instance of its own: an operator's copy may run elsewhere.
    fn clone(&self) -> Running {
        let fresh =
            |live: MutexGuard<'_, Live>| Live { guest: live.guest.clone(), calls: Vec::new() };
        Running(self.live().map(|live| Box::new(Mutex::new(fresh(live)))))
    }
}

impl Running {
    fn live(&self) -> Option<MutexGuard<'_, Live>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for GuestFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.name, self.path)
    }
}

impl GuestFunction {
    /// The function of a manifest, by its name in SQL and its module's path.
    pub fn new(name: &str, path: &str, manifest: Arc<Manifest>) -> GuestFunction {
        let (name, path) = (name.to_owned(), path.to_owned());
        GuestFunction { name, path, manifest, running: Running::default() }
    }

    /// Gives it the guest that computes it.
    pub fn link(&mut self, guest: Guest) {
        self.running = Running(Some(Box::new(Mutex::new(Live { guest, calls: Vec::new() }))));
    }

    /// How it is written: `f(a BIGINT, b STRING)`.
    pub fn syntax(&self) -> String {
        let arguments = self.manifest.inputs.iter().flat_map(|i| &i.columns);
        let arguments: Vec<String> =
            arguments.map(|a| format!("{} {}", a.name, a.data_type)).collect();
        format!("{}({})", self.name, arguments.join(", "))
    }

    /// The types of its arguments.
    pub fn arguments(&self) -> impl ExactSizeIterator<Item = DataType> + '_ {
        self.manifest.inputs[0].columns.iter().map(|c| c.data_type)
    }

    fn run(&self, columns: &[ArrayRef], rows: usize) -> Outcome<ArrayRef> {
        let mut live = self.running.live().expect("the graph has linked every function");
        let Live { guest, calls } = &mut *live;
        guest.function(columns, rows, calls).map_err(|failure| {
            let mut diagnostic = failure.diagnostic;
            diagnostic.message = format!("{}: {}", self.name, diagnostic.message);
            RowError { row: failure.row.unwrap_or(0), diagnostic }
        })
    }
}

impl Expr {
    /// A call of a guest's function whose arguments are of the right number and types.
    pub fn guest(function: GuestFunction, args: Vec<Expr>) -> Expr {
        let data_type = function.manifest.output[0].data_type;
        Expr {
            kind: ExprKind::Guest { function: function.into(), args },
            data_type,
            nullable: true,
        }
    }

    /// The expression as that type where it widens to it without a CAST; itself otherwise.
    pub fn widen(self, to: DataType) -> std::result::Result<Expr, Expr> {
        resolve::widen(self, to)
    }

    /// Shows all guests' functions in the expression to `see`.
    ///
    /// # Errors
    /// The first of `see`'s.
    pub fn guests(&mut self, see: &mut dyn FnMut(&mut GuestFunction) -> Result<()>) -> Result<()> {
        match &mut self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) => Ok(()),
            ExprKind::Call { args, .. } => args.iter_mut().try_for_each(|a| a.guests(see)),
            ExprKind::Guest { function, args } => {
                see(function)?;
                args.iter_mut().try_for_each(|a| a.guests(see))
            }
            ExprKind::Cast { input, .. } => input.guests(see),
            ExprKind::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    condition.guests(see)?;
                    result.guests(see)?;
                }
                otherwise.guests(see)
            }
            ExprKind::And(a, b) | ExprKind::Or(a, b) => {
                a.guests(see)?;
                b.guests(see)
            }
        }
    }
}

/// The guests' functions of an operator's expressions: what it has to do for them besides evaluating.
#[derive(Clone, Copy, Debug)]
pub struct Called {
    any: bool,
}

impl Called {
    /// Those of some expressions.
    pub fn of<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Called {
        let mut any = false;
        let see = &mut |e: &Expr| any |= matches!(e.kind, ExprKind::Guest { .. });
        exprs.into_iter().for_each(|e| e.visit(see));
        Called { any }
    }

    /// To be called after the expressions were evaluated, also in vain: tells of the guests' calls.
    pub fn tell<'a>(self, exprs: impl IntoIterator<Item = &'a Expr>, out: &mut Output) {
        if !self.any {
            return;
        }
        let mut calls = Vec::new();
        each(exprs, &mut |live| calls.append(&mut live.calls));
        out.calls(calls);
    }

    /// To be called before the expressions are evaluated: whether somebody looks.
    pub fn trace<'a>(self, exprs: impl IntoIterator<Item = &'a Expr>, traced: bool) {
        if self.any {
            each(exprs, &mut |live| live.guest.trace(traced));
        }
    }

    /// What the expressions' guests are known by, one after the other: a snapshot's state is of these.
    pub fn identities<'a>(self, exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<u8> {
        let mut all = Vec::new();
        if self.any {
            each(exprs, &mut |live| all.extend_from_slice(&live.guest.module().identity()));
        }
        all
    }
}

fn each<'a>(exprs: impl IntoIterator<Item = &'a Expr>, see: &mut dyn FnMut(&mut Live)) {
    for expr in exprs {
        expr.visit(&mut |e| {
            if let ExprKind::Guest { function, .. } = &e.kind
                && let Some(mut live) = function.running.live()
            {
                see(&mut live);
            }
        });
    }
}

/// Calls the guest for the rows of an input. A strict function sees only rows without NULL.
pub(super) fn call(
    function: &GuestFunction,
    args: &[Expr],
    result: DataType,
    input: &Input<'_>,
) -> Outcome<Datum> {
    let columns = args.iter().map(|a| datum(a, input)).collect::<Outcome<Vec<_>>>()?;
    let constant = columns.iter().all(|c| c.constant);
    let rows = if constant { 1 } else { input.rows() };
    let strict = function.manifest.strict;
    let columns: Vec<ArrayRef> = columns.into_iter().map(|c| c.expand(rows)).collect();
    let nulls = columns
        .iter()
        .filter(|_| strict)
        .fold(None, |nulls, column| NullBuffer::union(nulls.as_ref(), column.nulls()));
    let array = match nulls.filter(|n| n.null_count() > 0) {
        None => function.run(&columns, rows),
        Some(nulls) => without_nulls(function, &columns, &nulls, result),
    };
    Ok(Datum { array: array.map_err(|e| input.blame(e))?, constant })
}

/// Calls the guest for the rows where no argument is NULL; the others are NULL.
fn without_nulls(
    function: &GuestFunction,
    columns: &[ArrayRef],
    nulls: &NullBuffer,
    result: DataType,
) -> Outcome<ArrayRef> {
    let rows: Vec<u32> = nulls.valid_indices().map(|i| i as u32).collect();
    let null = column::from_values(&[Value::Null], result);
    if rows.is_empty() {
        return Ok(column::take(&null, &vec![0; nulls.len()]));
    }
    let some: Vec<ArrayRef> = columns.iter().map(|c| column::take(c, &rows)).collect();
    let values = function.run(&some, rows.len()).map_err(|e| {
        let row = rows.get(e.row as usize).copied().unwrap_or(0);
        RowError { row, ..e }
    })?;
    let mut next = 0;
    let places: Vec<(u32, u32)> = nulls
        .iter()
        .map(|valid| {
            next += u32::from(valid);
            if valid { (0, next - 1) } else { (1, 0) }
        })
        .collect();
    Ok(column::interleave(&[&values, &null], &places))
}
