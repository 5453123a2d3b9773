//! Looking up: `PROCTIME()`, when a record arrives, and what stands on the right of a join as of that moment.

use sqlparser::ast::{Expr as Ast, FunctionArguments, Ident, TableFactor};

use super::diagnose::{Locate, span};
use super::expr::{Names, Row};
use super::guest::Functions;
use super::needs::never_ends;
use super::planner::Planner;
use super::scope::Relation;
use crate::error::{Diagnostic, Result};
use crate::expr::{Expr, ExprKind};
use crate::plan::{NodeId, Op};
use crate::schema::{DataType, Field};

/// Whether it is a call of `PROCTIME()`.
pub(super) fn is_proctime(ast: &Ast) -> bool {
    let Ast::Function(call) = ast else { return false };
    let [part] = call.name.0.as_slice() else { return false };
    let named = part.as_ident().is_some_and(|name| name.value.eq_ignore_ascii_case("PROCTIME"));
    let bare = match &call.args {
        FunctionArguments::List(list) => list.args.is_empty(),
        FunctionArguments::None => true,
        FunctionArguments::Subquery(_) => false,
    };
    named && bare && call.over.is_none()
}

/// What names mean in a computed column: the physical columns, and when the record arrives.
pub(super) struct Computed<'a> {
    pub row: Row<'a>,
    /// Set once an expression reads the arrival, which stands behind the physical columns.
    pub arrival: bool,
}

impl Names for Computed<'_> {
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>> {
        if is_proctime(ast) {
            self.arrival = true;
            let field =
                Field { nullable: false, ..Field::new("PROCTIME()", DataType::TimestampLtz) };
            return Ok(Some(Expr::column(self.row.relation.columns.len(), &field)));
        }
        self.row.whole(ast)
    }

    fn column(&mut self, parts: &[Ident]) -> Result<Expr> {
        self.row.column(parts)
    }

    fn functions(&self) -> Option<&Functions> {
        self.row.functions()
    }
}

impl Planner<'_> {
    /// Whether a column of a node is when the record arrived: `PROCTIME()` of a table, handed on a row at a
    /// time.
    pub(super) fn is_arrival(&self, mut node: NodeId, mut column: usize) -> bool {
        loop {
            let Some(at) = self.builder.nodes.get(node) else { return false };
            match &at.op {
                Op::Source(source) => {
                    let expr = source.columns.get(column).map(|e| &e.kind);
                    let own = source.physical.fields.len();
                    return matches!(expr, Some(ExprKind::Column(c)) if *c == own);
                }
                Op::Filter { .. } => {}
                Op::Project { exprs } => match exprs.get(column).map(|e| &e.kind) {
                    Some(ExprKind::Column(c)) => column = *c,
                    _ => return false,
                },
                // The window's bounds stand behind the columns of the row.
                Op::AssignWindow { .. } => {}
                _ => return false,
            }
            let Some(&input) = at.inputs.first() else { return false };
            node = input;
        }
    }

    /// The rows that a lookup join's right has, and the columns of its primary key; none: it has no key.
    ///
    /// A table that is named there is read for this join alone, so that it can be there before the others.
    pub(super) fn looked_up(&mut self, at: &TableFactor) -> Result<(Relation, Vec<usize>)> {
        let mut plain = at.clone();
        if let TableFactor::Table { version, .. } = &mut plain {
            *version = None;
        }
        let before = std::mem::replace(&mut self.looking_up, true);
        let rows = self.factor(&plain);
        self.looking_up = before;
        let rows = self.assigned(rows?, span(sqlparser::ast::Spanned::span(at)))?;
        let key = match self.builder.nodes.get(rows.node).map(|node| &node.op) {
            Some(Op::Source(source)) => {
                let options = source.options.iter().map(|(k, v)| (k.as_str(), v.as_str()));
                if source.connector == "datagen" && never_ends(options) {
                    let text = format!(
                        "`{}` never ends: it cannot be there before it is looked up",
                        source.table
                    );
                    return Err(Diagnostic::new("sql.lookup", text)
                        .hint("add 'number-of-rows' = '…' to its WITH clause")
                        .located(at));
                }
                self.primary_key(&source.table).collect()
            }
            _ => Vec::new(),
        };
        Ok((rows, key))
    }
}
