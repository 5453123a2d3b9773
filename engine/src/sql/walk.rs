//! A walk through an expression as it is written.

use sqlparser::ast::{Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments};

/// Whether an expression or one inside it is as asked.
pub(super) fn contains(ast: &Ast, asked: &dyn Fn(&Ast) -> bool) -> bool {
    within(ast, asked, 0)
}

fn within(ast: &Ast, asked: &dyn Fn(&Ast) -> bool, depth: usize) -> bool {
    if asked(ast) {
        return true;
    }
    // Deeper expressions are refused when they are bound.
    if depth > 300 {
        return false;
    }
    let inside = |ast: &Ast| within(ast, asked, depth + 1);
    match ast {
        Ast::BinaryOp { left, right, .. }
        | Ast::IsDistinctFrom(left, right)
        | Ast::IsNotDistinctFrom(left, right) => inside(left) || inside(right),
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
        | Ast::Extract { expr, .. }
        | Ast::Floor { expr, .. }
        | Ast::Ceil { expr, .. }
        | Ast::Trim { expr, .. } => inside(expr),
        Ast::Between { expr, low, high, .. } => inside(expr) || inside(low) || inside(high),
        Ast::InList { expr, list, .. } => inside(expr) || list.iter().any(inside),
        Ast::Like { expr, pattern, .. } => inside(expr) || inside(pattern),
        Ast::Substring { expr, substring_from, substring_for, .. } => {
            inside(expr) || substring_from.iter().chain(substring_for).any(|e| inside(e))
        }
        Ast::Position { expr, r#in } => inside(expr) || inside(r#in),
        Ast::Overlay { expr, overlay_what, .. } => inside(expr) || inside(overlay_what),
        Ast::Case { operand, conditions, else_result, .. } => {
            operand.iter().chain(else_result).any(|e| inside(e))
                || conditions.iter().any(|when| inside(&when.condition) || inside(&when.result))
        }
        Ast::Function(call) => match &call.args {
            FunctionArguments::List(list) => list.args.iter().any(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => inside(e),
                _ => false,
            }),
            _ => false,
        },
        _ => false,
    }
}
