//! Expressions as trees: what stands somewhere inside of one.

use sqlparser::ast::{Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments};

/// Deeper expressions are refused when they are bound.
const DEPTH_LIMIT: usize = 300;

/// Whether an expression, or one inside of it, is what is sought. Queries are not looked into.
pub(super) fn any<'a>(ast: &'a Ast, is: &mut dyn FnMut(&'a Ast) -> bool) -> bool {
    inside(ast, 0, is)
}

fn inside<'a>(ast: &'a Ast, depth: usize, is: &mut dyn FnMut(&'a Ast) -> bool) -> bool {
    if is(ast) {
        return true;
    }
    if depth > DEPTH_LIMIT {
        return false;
    }
    let mut one = |ast: &'a Ast| inside(ast, depth + 1, is);
    match ast {
        Ast::BinaryOp { left, right, .. }
        | Ast::IsDistinctFrom(left, right)
        | Ast::IsNotDistinctFrom(left, right) => one(left) || one(right),
        Ast::UnaryOp { expr, .. }
        | Ast::Nested(expr)
        | Ast::IsNull(expr)
        | Ast::IsNotNull(expr)
        | Ast::IsTrue(expr)
        | Ast::IsNotTrue(expr)
        | Ast::IsFalse(expr)
        | Ast::IsNotFalse(expr)
        | Ast::IsUnknown(expr)
        | Ast::IsNotUnknown(expr)
        | Ast::InSubquery { expr, .. }
        | Ast::Extract { expr, .. }
        | Ast::Floor { expr, .. }
        | Ast::Ceil { expr, .. } => one(expr),
        Ast::Trim { expr, trim_what, .. } => one(expr) || trim_what.iter().any(|what| one(what)),
        Ast::Between { expr, low, high, .. } => one(expr) || one(low) || one(high),
        Ast::InList { expr, list, .. } => one(expr) || list.iter().any(one),
        Ast::Like { expr, pattern, .. } => one(expr) || one(pattern),
        Ast::Substring { expr, substring_from, substring_for, .. } => {
            one(expr) || substring_from.iter().chain(substring_for).any(|e| one(e))
        }
        Ast::Position { expr, r#in } => one(expr) || one(r#in),
        Ast::Overlay { expr, overlay_what, .. } => one(expr) || one(overlay_what),
        Ast::Case { operand, conditions, else_result, .. } => {
            operand.iter().chain(else_result).any(|e| one(e))
                || conditions.iter().any(|when| one(&when.condition) || one(&when.result))
        }
        Ast::Function(call) => match &call.args {
            FunctionArguments::List(list) => list.args.iter().any(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => one(e),
                _ => false,
            }),
            _ => false,
        },
        _ => false,
    }
}
