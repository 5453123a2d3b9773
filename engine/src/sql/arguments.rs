//! Arguments of table functions: by name or in order, tables and columns among them.

use sqlparser::ast::{
    Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned,
};

use super::diagnose::{Locate, nearest};
use crate::error::{Diagnostic, Result, Span};

/// An argument of a table function.
pub(super) struct Argument<'a> {
    pub name: Option<&'a Ident>,
    pub value: &'a Ast,
}

/// The arguments of a call by the names of its parameters; positions fill the parameters in order.
pub(super) struct Matched<'a> {
    function: String,
    /// The whole call.
    pub at: Option<Span>,
    found: Vec<(String, Argument<'a>)>,
}

impl<'a> Matched<'a> {
    /// Matches arguments to parameters. Names are compared in any case, as Flink does.
    pub(super) fn new(
        function: &str,
        parameters: &[&str],
        arguments: Vec<Argument<'a>>,
        at: Option<Span>,
    ) -> Result<Matched<'a>> {
        let mut matched = Matched { function: function.to_owned(), at, found: Vec::new() };
        for (position, argument) in arguments.into_iter().enumerate() {
            let place = argument.value.span();
            let parameter = match argument.name {
                Some(name) => parameters.iter().find(|p| p.eq_ignore_ascii_case(&name.value)),
                None => parameters.get(position),
            };
            let Some(parameter) = parameter else {
                return Err(match argument.name {
                    Some(name) => {
                        let otherwise = format!("{function} takes {}", parameters.join(", "));
                        let hint = match nearest(&name.value, parameters.iter().copied()) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => otherwise,
                        };
                        Diagnostic::new(
                            "sql.argument",
                            format!("{function} has no argument `{}`", name.value),
                        )
                        .hint(hint)
                        .located_at(name.span)
                    }
                    None => Diagnostic::new(
                        "sql.argument",
                        format!("{function} takes at most {} arguments", parameters.len()),
                    )
                    .hint(format!("they are {}", parameters.join(", ")))
                    .located_at(place),
                });
            };
            if matched.found.iter().any(|(known, _)| known == parameter) {
                return Err(Diagnostic::new(
                    "sql.argument",
                    format!("the argument `{parameter}` of {function} is given twice"),
                )
                .located_at(place));
            }
            matched.found.push(((*parameter).to_owned(), argument));
        }
        Ok(matched)
    }

    /// The value of a parameter.
    pub(super) fn get(&self, parameter: &str) -> Option<&'a Ast> {
        self.found.iter().find(|(name, _)| name == parameter).map(|(_, argument)| argument.value)
    }

    /// The value of a parameter that must be there.
    pub(super) fn need(&self, parameter: &str, example: &str) -> Result<&'a Ast> {
        self.get(parameter).ok_or_else(|| {
            let error = Diagnostic::new(
                "sql.argument",
                format!("{} needs the argument {parameter}", self.function),
            )
            .hint(format!("write {example}"));
            match self.at {
                Some(at) => error.at(at),
                None => error,
            }
        })
    }
}

/// The arguments of a call, each an expression.
pub(super) fn arguments(args: &[FunctionArg]) -> Result<Vec<Argument<'_>>> {
    let value = |arg: &'_ FunctionArgExpr| match arg {
        FunctionArgExpr::Expr(_) => Ok(()),
        _ => Err(Diagnostic::new("sql.argument", "`*` is no argument of a table function")),
    };
    let mut found = Vec::new();
    for arg in args {
        let (name, expr) = match arg {
            FunctionArg::Named { name, arg, .. } => (Some(name), arg),
            FunctionArg::Unnamed(arg) => (None, arg),
            FunctionArg::ExprNamed { name, .. } => {
                return Err(Diagnostic::new("sql.argument", "an argument's name is a plain word")
                    .located(name));
            }
        };
        value(expr)?;
        if let FunctionArgExpr::Expr(value) = expr {
            if name.is_none() && found.iter().any(|a: &Argument| a.name.is_some()) {
                return Err(Diagnostic::new(
                    "sql.argument",
                    "an argument without a name follows named ones",
                )
                .hint("name all arguments, or none")
                .located(value));
            }
            found.push(Argument { name, value });
        }
    }
    Ok(found)
}

/// The columns of `DESCRIPTOR(a, b)`.
pub(super) fn descriptor_columns(ast: &Ast) -> Result<Vec<Ident>> {
    let wrong = || {
        Diagnostic::new("sql.argument", "DESCRIPTOR(column) is expected")
            .hint("it names the time column: DESCRIPTOR(ts)")
            .located(ast)
    };
    let Ast::Function(call) = ast else { return Err(wrong()) };
    let name = super::call::function_name(call).unwrap_or_default();
    let FunctionArguments::List(list) = &call.args else { return Err(wrong()) };
    if !name.eq_ignore_ascii_case("DESCRIPTOR") || list.args.is_empty() {
        return Err(wrong());
    }
    let column = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Ast::Identifier(name))) => Ok(name.clone()),
        _ => Err(wrong()),
    };
    list.args.iter().map(column).collect()
}
