//! QUALIFY: a condition on ROW_NUMBER, or on what OVER computes, beside the query over whose rows it is.
//!
//! It is the same as that query inside another one whose WHERE has the condition, and is planned as that.

use sqlparser::ast::{BinaryOperator as Binary, Expr as Ast, Ident, Select, SelectItem, Spanned};

use super::conditions::conjuncts;
use super::diagnose::{Locate, span, unsupported};
use super::expr::boolean;
use super::planner::Planner;
use super::rank::numbering;
use super::scope::Relation;
use super::select::item_expr;
use super::walk;
use crate::error::{Diagnostic, Error, Result};
use crate::expr::Expr;

/// What the conditions of a QUALIFY are over.
#[derive(Default)]
struct Parts<'a> {
    /// The call of ROW_NUMBER.
    number: Option<&'a Ast>,
    /// The conditions on it.
    ranks: Vec<&'a Ast>,
    /// Conditions on what the query selects, by the names it gives.
    named: Vec<&'a Ast>,
    /// Conditions on the rows it selects from.
    others: Vec<&'a Ast>,
}

impl Planner<'_> {
    /// A SELECT whose rows are kept by their numbers, or by what OVER computes of them.
    pub(super) fn qualified(&mut self, select: &Select, condition: &Ast) -> Result<Relation> {
        let parts = sorted(select, condition)?;
        if parts.number.is_none() && !over_rows(condition, select) {
            return Err(Diagnostic::new("sql.rank", "QUALIFY needs a condition on what OVER (…) computes")
                .hint("QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) <= 3; other conditions stand in WHERE and HAVING")
                .located(condition));
        }
        let mut inner = Select { qualify: None, distinct: None, ..select.clone() };
        // What is computed for the conditions alone stands behind what is selected.
        let others = parts.others.iter().map(|&ast| SelectItem::UnnamedExpr(ast.clone()));
        inner.projection.extend(others);
        let text = parts.number.map(ToString::to_string).unwrap_or_default();
        let named = select.projection.iter().position(|item| named_as(item, &text).is_some());
        if let Some(number) = parts.number.filter(|_| named.is_none()) {
            inner.projection.push(SelectItem::UnnamedExpr(number.clone()));
        }
        let hidden = inner.projection.len() - select.projection.len();
        let rows = self.selected(&inner)?;
        let visible = rows.columns.len() - hidden;
        let mut ranks = Vec::new();
        if let Some(number) = parts.number {
            let place = match named {
                Some(item) => place_of(&inner.projection, item, rows.columns.len())?,
                None => rows.columns.len() - 1,
            };
            let name = rows.columns[place].field.name.clone();
            let name = Ident { value: name, quote_style: None, span: number.span() };
            ranks.extend(parts.ranks.iter().map(|ast| with_name(ast, &text, &name, select)));
        }
        let all: Vec<&Ast> = ranks.iter().chain(parts.named).collect();
        let (mut kept, rest) = match self.ranked(&rows, &all)? {
            Some(ranked) => ranked,
            None => (rows, all),
        };
        kept = self.keep_only(kept, &rest, "QUALIFY")?;
        for (i, ast) in parts.others.iter().enumerate() {
            let condition = Expr::column(visible + i, &kept.columns[visible + i].field);
            let condition = boolean(condition, "QUALIFY").map_err(|e| e.located(*ast))?;
            kept = self.builder.filter(kept, condition, span(ast.span()));
        }
        let columns = kept.columns[..visible].to_vec();
        let exprs = columns.iter().enumerate().map(|(i, c)| Expr::column(i, &c.field)).collect();
        Ok(self.builder.project(&kept, exprs, columns, span(select.select_token.0.span)))
    }
}

/// Whether a condition is on what OVER computes, there or where SELECT names it.
fn over_rows(condition: &Ast, select: &Select) -> bool {
    let calls = |ast: &Ast| matches!(ast, Ast::Function(call) if call.over.is_some());
    walk::any(condition, &mut |ast| {
        calls(ast)
            || matches!(ast, Ast::Identifier(name) if select.projection.iter().any(|item| {
                named_expr(item, name).is_some_and(|expr| walk::any(expr, &mut |ast| calls(ast)))
            }))
    })
}

/// What an item of SELECT calls by that name.
fn named_expr<'a>(item: &'a SelectItem, name: &Ident) -> Option<&'a Ast> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } if alias.value == name.value => Some(expr),
        _ => None,
    }
}

/// The column that an item of SELECT becomes, of so many: `*` may be any number of them.
fn place_of(items: &[SelectItem], item: usize, columns: usize) -> Result<usize> {
    let open = |items: &[SelectItem]| {
        let star = |i: &SelectItem| {
            matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
        };
        items.iter().any(star)
    };
    match (open(&items[..item]), open(&items[item + 1..])) {
        (false, _) => Ok(item),
        (true, false) => Ok(columns - (items.len() - item)),
        (true, true) => {
            Err(unsupported("a number between two `*` is not supported", "select it first or last")
                .located(&items[item]))
        }
    }
}

/// Sorts the conditions of a QUALIFY by what they are over.
fn sorted<'a>(select: &'a Select, condition: &'a Ast) -> Result<Parts<'a>> {
    let mut parts = Parts::default();
    let mut all = Vec::new();
    conjuncts(condition, &mut all);
    for ast in all {
        let compared = sides(ast).into_iter().find_map(|side| numbered(side, select).transpose());
        if let Some(call) = compared.transpose()? {
            if parts.number.is_some_and(|known| known.to_string() != call.to_string()) {
                return Err(unsupported(
                    "two numberings of rows in one query are not supported",
                    "number them in a query of their own each",
                )
                .located(ast));
            }
            parts.number = parts.number.or(Some(call));
            parts.ranks.push(ast);
            continue;
        }
        let mut wrong = None;
        walk::any(ast, &mut |inner| {
            wrong = numbered(inner, select).err().or_else(|| {
                let call = numbering(inner).ok().flatten();
                call.map(|_| misplaced().located(inner))
            });
            wrong.is_some()
        });
        if let Some(error) = wrong {
            return Err(error);
        }
        let is_named = |ast: &Ast| {
            let Ast::Identifier(name) = ast else { return false };
            select.projection.iter().any(|item| named_expr(item, name).is_some())
        };
        match walk::any(ast, &mut |inner| is_named(inner)) {
            true => parts.named.push(ast),
            false => parts.others.push(ast),
        }
    }
    Ok(parts)
}

fn misplaced() -> Error {
    unsupported(
        "ROW_NUMBER stands in QUALIFY as one side of a comparison, between ANDs",
        "write QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) <= 3",
    )
}

/// What a comparison compares.
fn sides(ast: &Ast) -> Vec<&Ast> {
    match ast {
        Ast::Between { expr, .. } => vec![expr],
        Ast::BinaryOp { left, op, right } if !matches!(op, Binary::Or | Binary::And) => {
            vec![left, right]
        }
        _ => Vec::new(),
    }
}

/// The call of ROW_NUMBER that an expression is, by itself or by the name that SELECT gives it.
fn numbered<'a>(ast: &'a Ast, select: &'a Select) -> Result<Option<&'a Ast>> {
    match ast {
        Ast::Nested(inner) if matches!(**inner, Ast::Function(_)) => numbered(inner, select),
        Ast::Identifier(name) => {
            let named = select.projection.iter().find_map(|item| named_expr(item, name));
            let is_number = |ast: &&Ast| matches!(numbering(ast), Ok(Some(_)));
            Ok(named.filter(is_number))
        }
        _ => Ok(numbering(ast)?.map(|_| ast)),
    }
}

/// The name that a column of SELECT gives to a call.
fn named_as(item: &SelectItem, call: &str) -> Option<String> {
    let SelectItem::ExprWithAlias { alias, .. } = item else { return None };
    (item_expr(item)?.to_string() == call).then(|| alias.value.clone())
}

/// A condition with a name in place of the call.
fn with_name(ast: &Ast, call: &str, name: &Ident, select: &Select) -> Ast {
    let replaced = |side: &Ast| {
        let is_call =
            numbered(side, select).is_ok_and(|s| s.is_some_and(|s| s.to_string() == call));
        Box::new(if is_call { Ast::Identifier(name.clone()) } else { side.clone() })
    };
    match ast {
        Ast::Between { expr, negated, low, high } => Ast::Between {
            expr: replaced(expr),
            negated: *negated,
            low: low.clone(),
            high: high.clone(),
        },
        Ast::BinaryOp { left, op, right } => {
            Ast::BinaryOp { left: replaced(left), op: op.clone(), right: replaced(right) }
        }
        other => other.clone(),
    }
}
