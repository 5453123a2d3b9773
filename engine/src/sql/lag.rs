//! LAG: a value of a row before, beside the aggregates of the same OVER; and why there is no LEAD.

use sqlparser::ast::{Expr as Ast, Function as AstFunction, FunctionArguments};

use super::call::plain_argument;
use super::diagnose::{Locate, unsupported};
use super::expr::{self, Names};
use super::frame::over_error;
use super::rank::whole;
use crate::error::{Diagnostic, Error, Result};
use crate::expr::{Expr, common_type};
use crate::schema::{DataType, Field};

/// A call of LAG, its names given their meaning.
pub(super) struct LagCall {
    /// The call as written.
    pub text: String,
    pub argument: Expr,
    /// How many rows before.
    pub offset: u64,
    /// What it is where there is no such row; NULL without.
    pub default: Option<Expr>,
    pub field: Field,
}

/// Gives a call its meaning.
pub(super) fn lag(text: String, call: &AstFunction, names: &mut dyn Names) -> Result<LagCall> {
    let arguments = arguments(call)?;
    let (argument, rest) = match arguments.as_slice() {
        [argument, rest @ ..] if rest.len() <= 2 => (*argument, rest),
        _ => {
            let text = format!("LAG takes one to three arguments, not {}", arguments.len());
            return Err(Diagnostic::new("sql.argument", text).hint(FORM));
        }
    };
    let bound = expr::bind(argument, names)?;
    let offset = match rest.first() {
        None => 1,
        Some(count) => whole(count).ok_or_else(|| {
            over_error("LAG goes back a whole number of rows as written", FORM).located(*count)
        })?,
    };
    let default = match rest.get(1) {
        Some(default) => Some((expr::bind(default, names)?, *default)),
        None => None,
    };
    let (argument, default) = alike(bound, argument, default)?;
    let nullable =
        argument.nullable || default.as_ref().is_none_or(|default: &Expr| default.nullable);
    let data_type = argument.data_type;
    let field = Field { name: String::new(), data_type, nullable, rowtime: false };
    Ok(LagCall { text, argument, offset, default, field })
}

const FORM: &str = "LAG(x, 2, 0) is x of the second row before, or 0 where there is none";

/// The plain arguments of a call, and nothing else.
fn arguments(call: &AstFunction) -> Result<Vec<&Ast>> {
    let list = match &call.args {
        FunctionArguments::List(list) => list,
        _ => return Err(Diagnostic::new("sql.argument", "LAG needs an argument").hint(FORM)),
    };
    if call.null_treatment.is_some() || !list.clauses.is_empty() {
        return Err(unsupported(
            "LAG with IGNORE NULLS or RESPECT NULLS is not supported",
            "it counts all rows; leave those with NULL out below: FROM (SELECT … WHERE x IS NOT NULL)",
        ));
    }
    if call.filter.is_some() || list.duplicate_treatment.is_some() || !call.within_group.is_empty()
    {
        return Err(Diagnostic::new(
            "sql.argument",
            "LAG is no aggregate: DISTINCT, FILTER and WITHIN GROUP do not apply",
        )
        .hint("leave rows out below: FROM (SELECT … WHERE …)"));
    }
    list.args.iter().map(|arg| plain_argument(arg, "LAG")).collect()
}

/// The value and its default as of one type.
fn alike(argument: Expr, at: &Ast, default: Option<(Expr, &Ast)>) -> Result<(Expr, Option<Expr>)> {
    let other = default.as_ref().map_or(DataType::Null, |(default, _)| default.data_type);
    match (common_type(argument.data_type, other), default) {
        (Some(DataType::Null), _) => {
            Err(Diagnostic::new("sql.type", "LAG does not apply to NULL alone")
                .hint("say of which type it is: CAST(NULL AS INT)")
                .located(at))
        }
        (Some(to), default) => {
            let cast = |(default, at): (Expr, &Ast)| {
                default.cast(to, false).map_err(|error| error.located(at))
            };
            Ok((argument.cast(to, false)?, default.map(cast).transpose()?))
        }
        (None, default) => {
            let text = format!("LAG is of {} here, its default of {other}", argument.data_type);
            let error = Diagnostic::new("sql.type", text).hint("CAST one of them");
            Err(default.iter().fold(error, |error, (_, at)| error.located(*at)))
        }
    }
}

/// Why a value of a row after is refused.
pub(super) fn no_lead() -> Error {
    unsupported(
        "LEAD is not supported: a row would wait for rows that come after it, for ever where none comes",
        "turn it around: SELECT LAG(x) OVER (PARTITION BY k ORDER BY ts) AS x, x AS next_x tells each row \
         of the one before; or join both over a stretch of time",
    )
}

/// Why LAG is refused without OVER.
pub(super) fn needs_over() -> Error {
    over_error(
        "LAG needs OVER: it is a value of a row before",
        "write LAG(x) OVER (PARTITION BY k ORDER BY ts)",
    )
}
