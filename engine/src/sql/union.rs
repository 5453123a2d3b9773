//! Queries put together: UNION ALL, UNION, and SELECT DISTINCT, which is what UNION adds to it.

use sqlparser::ast::{
    Expr as Ast, Ident, Query, SetExpr, SetOperator, SetQuantifier, Spanned, Values,
};

use super::diagnose::{Locate, span, unsupported};
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use crate::error::{Diagnostic, Result, Span};
use crate::expr::{Expr, common_type};
use crate::plan::Op;
use crate::schema::{DataType, Field, Schema};

impl Planner<'_> {
    /// The body of a query.
    pub(super) fn body(&mut self, body: &SetExpr, query: &Query) -> Result<Relation> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(inner) => self.query(inner),
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, .. } => {
                let distinct = match set_quantifier {
                    SetQuantifier::All => false,
                    SetQuantifier::Distinct | SetQuantifier::None => true,
                    _ => {
                        return Err(unsupported(
                            format!("UNION {set_quantifier} is not supported"),
                            "name the columns in the same order on both sides",
                        )
                        .located(query));
                    }
                };
                let at = span(body.span());
                let all = self.union(body, distinct, query)?;
                if distinct { self.distinct(all, at) } else { Ok(all) }
            }
            SetExpr::SetOperation { op, .. } => Err(unsupported(
                format!("{op} is not supported"),
                "join the two by all their columns, or count rows of each side in a UNION ALL \
                 with GROUP BY and HAVING",
            )
            .located(query)),
            SetExpr::Values(Values { .. }) => Err(unsupported(
                "VALUES is not supported",
                "put the rows into a table: a file, or a block of the scenario",
            )
            .located(query)),
            _ => Err(unsupported("this query is not supported", "use SELECT").located(query)),
        }
    }

    /// All rows of a chain of unions. Where the whole is made distinct in the end, so may be its parts.
    fn union(&mut self, body: &SetExpr, distinct: bool, query: &Query) -> Result<Relation> {
        let (mut parts, mut left) = (Vec::new(), body);
        while let SetExpr::SetOperation {
            op: SetOperator::Union,
            set_quantifier,
            left: before,
            right,
        } = left
            && (distinct || *set_quantifier == SetQuantifier::All)
        {
            parts.push(&**right);
            left = before;
        }
        parts.push(left);
        parts.reverse();
        let mut inputs = Vec::new();
        for part in parts {
            let at = span(part.span());
            let input = self.body(part, query)?;
            let pending = input.pending.is_some();
            inputs.push((if pending { self.assign(input, at)? } else { input }, at));
        }
        self.together(inputs, span(body.span()))
    }

    fn together(
        &mut self,
        inputs: Vec<(Relation, Option<Span>)>,
        at: Option<Span>,
    ) -> Result<Relation> {
        let fields = fields_of(&inputs)?;
        let columns: Vec<Column> = fields
            .iter()
            .map(|field| Column { qualifier: None, field: field.clone(), role: Role::Plain })
            .collect();
        let mut nodes = Vec::new();
        let mut updating = false;
        for (input, at) in inputs {
            let mut exprs = Vec::new();
            for (i, (column, field)) in input.columns.iter().zip(&fields).enumerate() {
                let expr = Expr::column(i, &column.field);
                exprs.push(match expr.data_type == field.data_type {
                    true => expr,
                    false => expr.cast(field.data_type, false)?,
                });
            }
            let input = self.builder.project(&input, exprs, columns.clone(), at);
            updating |= input.updating;
            nodes.push(input.node);
        }
        let node = self.builder.add("union", Op::Union, nodes, Schema::new(fields), at);
        Ok(Relation { node, columns, updating, pending: None })
    }

    /// Each different row once: GROUP BY all columns.
    pub(super) fn distinct(&mut self, input: Relation, at: Option<Span>) -> Result<Relation> {
        let names = input.columns.iter().map(|c| Ast::Identifier(Ident::new(&c.field.name)));
        let keys: Vec<Ast> = names.collect();
        let input = Relation {
            columns: input
                .columns
                .into_iter()
                .map(|column| Column { qualifier: None, ..column })
                .collect(),
            ..input
        };
        let grouped = self.group(&input, &keys, false, at)?;
        let positions: Vec<usize> = grouped.keys.iter().map(|key| key.output).collect();
        let parts = grouped.into_parts();
        let output = self.aggregate(input, parts)?;
        let columns: Vec<Column> = positions.iter().map(|&p| output.columns[p].clone()).collect();
        let exprs = positions.iter().zip(&columns).map(|(&p, c)| Expr::column(p, &c.field));
        Ok(self.builder.project(&output, exprs.collect(), columns.clone(), at))
    }
}

/// The columns of a union: the first query's names, types to which all widen.
fn fields_of(inputs: &[(Relation, Option<Span>)]) -> Result<Vec<Field>> {
    let Some(((first, _), others)) = inputs.split_first() else { return Ok(Vec::new()) };
    let mut fields: Vec<Field> = first.columns.iter().map(|c| c.field.clone()).collect();
    let error = |message: String, hint: &str, at: Option<Span>| {
        let error = Diagnostic::new("sql.union", message).hint(hint);
        match at {
            Some(at) => error.at(at),
            None => error,
        }
    };
    for (other, at) in others {
        if other.columns.len() != fields.len() {
            let message = format!(
                "the first query of the UNION has {} columns, this one has {}",
                fields.len(),
                other.columns.len()
            );
            return Err(error(message, "select the same columns in all of them", *at));
        }
        for (i, (field, column)) in fields.iter_mut().zip(&other.columns).enumerate() {
            let (a, b) = (field.data_type, column.field.data_type);
            let Some(common) = common_type(a, b) else {
                let message = format!(
                    "column {} of the UNION, `{}`, is {a} first and {b} here",
                    i + 1,
                    field.name
                );
                return Err(error(message, "CAST one of them to the type of the other", *at));
            };
            field.rowtime &= column.field.rowtime && a == common && b == common;
            field.nullable |= column.field.nullable || common == DataType::Null;
            field.data_type = common;
        }
    }
    Ok(fields)
}
