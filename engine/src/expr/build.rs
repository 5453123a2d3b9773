//! Building expressions: look-up by name, typing, casts, CASE, AND, OR, constants computed once.

use crate::error::{Diagnostic, Error, Result};
use crate::schema::{DataType, Schema};
use crate::value::Value;

use super::evaluate::constant;
use super::{Expr, ExprKind, cast, function, functions, resolve};

/// Names that would make a run depend on the machine or the moment.
const REFUSED: [&str; 15] = [
    "NOW",
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_ROW_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "PROCTIME",
    "RAND",
    "RANDOM",
    "RAND_INTEGER",
    "UUID",
    "CURRENT_USER",
    "CURRENT_DATABASE",
    "SESSION_USER",
];

impl Expr {
    /// A call of a function or operator by its name, in any case.
    ///
    /// Operators are named by their symbols (`+`, `<=`, `||`) or words (`NOT`, `IS NULL`, `LIKE`,
    /// `IN`, `BETWEEN`); `NEG` is the sign. Arguments are type-checked and widened; an error has no
    /// place, the caller knows it.
    pub fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
        let upper = name.to_ascii_uppercase();
        if REFUSED.contains(&upper.as_str()) || (upper == "UNIX_TIMESTAMP" && args.is_empty()) {
            return Err(Diagnostic::new(
                "sql.nondeterministic",
                format!("{upper} gives another value on every run, and runs are reproducible"),
            )
            .hint("use the event time of the record, or a column of the input"));
        }
        let Some(f) = function(name) else { return Err(unknown(&upper)) };
        resolve::resolve(f, args)
    }

    /// The expression converted to a type; `lenient` gives NULL where the conversion fails.
    pub fn cast(self, to: DataType, lenient: bool) -> Result<Expr> {
        let from = self.data_type;
        if from == to && !lenient {
            return Ok(self);
        }
        if let Some(hint) = cast::refused(from, to) {
            let error = Diagnostic::new("sql.type", format!("{from} cannot be cast to {to}"));
            return Err(if hint.is_empty() { error } else { error.hint(hint) });
        }
        Ok(self.cast_unchecked(to, lenient))
    }

    /// A cast known to be possible.
    pub(super) fn cast_unchecked(self, to: DataType, lenient: bool) -> Expr {
        if let Some(Value::Null) = self.as_literal() {
            return Expr::literal(Value::Null, to);
        }
        let nullable = self.nullable || lenient || matches!(to, DataType::Decimal(..));
        Expr { kind: ExprKind::Cast { input: Box::new(self), lenient }, data_type: to, nullable }
    }

    /// `CASE WHEN … THEN … ELSE … END`: conditions are BOOLEAN, results have a common type, and a
    /// missing `otherwise` is NULL.
    pub fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Result<Expr> {
        if branches.is_empty() {
            return Err(Diagnostic::new("sql.argument", "CASE needs at least one WHEN"));
        }
        let otherwise = otherwise.unwrap_or(Expr::literal(Value::Null, DataType::Null));
        let (conditions, mut results): (Vec<Expr>, Vec<Expr>) = branches.into_iter().unzip();
        let conditions =
            conditions.into_iter().map(|c| boolean("WHEN", c)).collect::<Result<Vec<_>>>()?;
        results.push(otherwise);
        let (mut results, data_type) = resolve::unify("CASE", results)?;
        let nullable = results.iter().any(|r| r.nullable);
        let otherwise = Box::new(results.pop().expect("the ELSE was pushed above"));
        let branches = conditions.into_iter().zip(results).collect();
        Ok(Expr { kind: ExprKind::Case { branches, otherwise }, data_type, nullable })
    }

    /// Three-valued AND.
    pub fn and(self, other: Expr) -> Result<Expr> {
        let (a, b) = (boolean("AND", self)?, boolean("AND", other)?);
        let nullable = a.nullable || b.nullable;
        let kind = ExprKind::And(Box::new(a), Box::new(b));
        Ok(Expr { kind, data_type: DataType::Boolean, nullable })
    }

    /// Three-valued OR.
    pub fn or(self, other: Expr) -> Result<Expr> {
        let (a, b) = (boolean("OR", self)?, boolean("OR", other)?);
        let nullable = a.nullable || b.nullable;
        let kind = ExprKind::Or(Box::new(a), Box::new(b));
        Ok(Expr { kind, data_type: DataType::Boolean, nullable })
    }

    /// The expression with constant parts computed. A constant part that must fail is an error,
    /// unless it stands where it may never be reached (in a branch, after AND or OR).
    pub fn fold(self) -> Result<Expr> {
        self.fold_part(false)
    }

    fn fold_part(self, guarded: bool) -> Result<Expr> {
        let Expr { kind, data_type, nullable } = self;
        let kind = match kind {
            ExprKind::Column(_) | ExprKind::Literal(_) => kind,
            ExprKind::Call { function, args } => {
                let lazy = matches!(function.kernel, super::Kernel::Lazy(_));
                let args = args
                    .into_iter()
                    .enumerate()
                    .map(|(i, a)| a.fold_part(guarded || (lazy && i > 0)))
                    .collect::<Result<_>>()?;
                ExprKind::Call { function, args }
            }
            ExprKind::Guest { function, args } => {
                let args = args.into_iter().map(|a| a.fold_part(guarded)).collect::<Result<_>>()?;
                ExprKind::Guest { function, args }
            }
            ExprKind::Cast { input, lenient } => {
                ExprKind::Cast { input: Box::new(input.fold_part(guarded)?), lenient }
            }
            ExprKind::Case { branches, otherwise } => fold_case(branches, *otherwise, guarded)?,
            ExprKind::And(a, b) => {
                ExprKind::And(Box::new(a.fold_part(guarded)?), Box::new(b.fold_part(true)?))
            }
            ExprKind::Or(a, b) => {
                ExprKind::Or(Box::new(a.fold_part(guarded)?), Box::new(b.fold_part(true)?))
            }
        };
        let expr = Expr { kind, data_type, nullable };
        if expr.as_literal().is_some() || !expr.is_constant() {
            return Ok(expr);
        }
        match constant(&expr) {
            Ok(value) => Ok(Expr::literal(value, data_type)),
            Err(_) if guarded => Ok(expr),
            Err(error) => Err(error.diagnostic),
        }
    }

    /// True when no column is read and no guest called: the value is known before anything runs.
    pub fn is_constant(&self) -> bool {
        let mut constant = true;
        self.visit(&mut |e| {
            constant &= !matches!(e.kind, ExprKind::Column(_) | ExprKind::Guest { .. });
        });
        constant
    }

    /// Shows this expression and all inside it to `see`, outermost first.
    pub fn visit(&self, see: &mut dyn FnMut(&Expr)) {
        see(self);
        match &self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) => {}
            ExprKind::Call { args, .. } | ExprKind::Guest { args, .. } => {
                args.iter().for_each(|a| a.visit(see));
            }
            ExprKind::Cast { input, .. } => input.visit(see),
            ExprKind::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    condition.visit(see);
                    result.visit(see);
                }
                otherwise.visit(see);
            }
            ExprKind::And(a, b) | ExprKind::Or(a, b) => {
                a.visit(see);
                b.visit(see);
            }
        }
    }

    /// The expression as EXPLAIN prints it; columns get their names from the input's schema.
    pub fn to_sql(&self, input: &Schema) -> String {
        super::print::to_sql(self, input)
    }
}

fn fold_case(branches: Vec<(Expr, Expr)>, otherwise: Expr, guarded: bool) -> Result<ExprKind> {
    let branches = branches
        .into_iter()
        .enumerate()
        .map(|(i, (c, r))| Ok((c.fold_part(guarded || i > 0)?, r.fold_part(true)?)))
        .collect::<Result<_>>()?;
    Ok(ExprKind::Case { branches, otherwise: Box::new(otherwise.fold_part(true)?) })
}

/// The expression as BOOLEAN, or an error that says who asked.
pub(super) fn boolean(name: &str, expr: Expr) -> Result<Expr> {
    resolve::widen(expr, DataType::Boolean).map_err(|e| {
        Diagnostic::new("sql.type", format!("{name} expects BOOLEAN, not {}", e.data_type))
    })
}

fn unknown(name: &str) -> Error {
    let error = Diagnostic::new("sql.unknown-function", format!("there is no function {name}"));
    let near = functions()
        .iter()
        .map(|f| (distance(name, f.name), f.name))
        .min()
        .filter(|(d, near)| *d <= 1 + near.len() / 4);
    match near {
        Some((_, near)) => error.hint(format!("did you mean {near}?")),
        None => error,
    }
}

/// How many characters have to be changed, added or taken away.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
