//! Calls of scalar functions: their names and arguments as written.

use sqlparser::ast::{
    Expr as Ast, Function as AstFunction, FunctionArg, FunctionArgExpr, FunctionArguments,
};

use super::diagnose::{Locate, unsupported};
use super::over::misplaced_over;
use super::refused::subquery;
use crate::error::{Diagnostic, Result};

/// The name of a called function, which has one part.
pub(super) fn function_name(call: &AstFunction) -> Result<String> {
    match call.name.0.as_slice() {
        [part] => match part.as_ident() {
            Some(name) => Ok(name.value.clone()),
            None => Err(Diagnostic::new("sql.syntax", "a function's name is expected")),
        },
        _ => Err(unsupported("functions of catalogs are not supported", "name the function alone")),
    }
}

/// The plain arguments of a scalar function.
pub(super) fn scalar_arguments<'a>(call: &'a AstFunction, upper: &str) -> Result<Vec<&'a Ast>> {
    if call.over.is_some() {
        return Err(misplaced_over(upper));
    }
    if call.filter.is_some() || call.null_treatment.is_some() || !call.within_group.is_empty() {
        return Err(Diagnostic::new(
            "sql.argument",
            format!("{upper} is no aggregate: FILTER, WITHIN GROUP and NULLS do not apply"),
        ));
    }
    match &call.args {
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(subquery()),
        FunctionArguments::List(list) => {
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return Err(Diagnostic::new(
                    "sql.argument",
                    format!("{upper} takes plain arguments only"),
                ));
            }
            list.args.iter().map(|arg| plain_argument(arg, upper)).collect()
        }
    }
}

/// An argument that is an expression without a name.
pub(super) fn plain_argument<'a>(arg: &'a FunctionArg, function: &str) -> Result<&'a Ast> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        FunctionArg::Unnamed(_) => {
            Err(Diagnostic::new("sql.argument", format!("{function} does not take `*`"))
                .hint("only COUNT(*) does"))
        }
        FunctionArg::Named { name, .. } => {
            Err(Diagnostic::new("sql.argument", format!("{function} takes no named arguments"))
                .located_at(name.span))
        }
        FunctionArg::ExprNamed { name, .. } => {
            Err(Diagnostic::new("sql.argument", format!("{function} takes no named arguments"))
                .located(name))
        }
    }
}

/// `YEAR(x)` is `EXTRACT(YEAR FROM x)`, and so on.
pub(super) fn unit_of_function(upper: &str) -> Option<&'static str> {
    Some(match upper {
        "YEAR" => "YEAR",
        "QUARTER" => "QUARTER",
        "MONTH" => "MONTH",
        "WEEK" => "WEEK",
        "DAYOFYEAR" => "DOY",
        "DAYOFMONTH" => "DAY",
        "DAYOFWEEK" => "DOW",
        "HOUR" => "HOUR",
        "MINUTE" => "MINUTE",
        "SECOND" => "SECOND",
        _ => return None,
    })
}
