//! As-of joins: `a ASOF JOIN b MATCH_CONDITION (a.ts >= b.ts) ON a.k = b.k`, each row with the last one before it.
//!
//! The syntax is Snowflake's, and so is that rows without a match stay, with NULLs.

use sqlparser::ast::{BinaryOperator as Binary, Expr as Ast, JoinConstraint, TableFactor};

use super::conditions::conjuncts;
use super::diagnose::{Locate, span};
use super::join::{distinct_names, side_by_side};
use super::planner::Planner;
use super::scope::Relation;
use super::temporal::{Right, When, refuse};
use crate::error::{Diagnostic, Error, Result};
use crate::plan::JoinKind;

impl Planner<'_> {
    /// Joins rows with the last row of another stream that has their keys and is not later than they are.
    pub(super) fn asof_join(
        &mut self,
        left: Relation,
        at: &TableFactor,
        (condition, constraint): (&Ast, &JoinConstraint),
    ) -> Result<Relation> {
        let own = match constraint {
            JoinConstraint::On(keys) => {
                let mut all = Vec::new();
                conjuncts(keys, &mut all);
                all
            }
            JoinConstraint::None => Vec::new(),
            _ => {
                return Err(
                    asof("an as-of join has ON, and no USING", "write ON a.k = b.k").located(at)
                );
            }
        };
        let place = span(sqlparser::ast::Spanned::span(at));
        let left = self.assigned(left, place)?;
        refuse(&left, JoinKind::Left, at)?;
        let right = self.factor(at)?;
        let right = self.assigned(right, place)?;
        if right.updating {
            return Err(Diagnostic::new(
                "sql.updating",
                "a query that updates its rows cannot be on the right of an as-of join",
            )
            .hint("its rows have no place in time of their own: join a table, or a result of closed windows")
            .located(at));
        }
        distinct_names(&left, &right, at)?;
        let both = side_by_side(&left, &right);
        let (times, strict) = match_condition(condition, &both, left.columns.len())?;
        let mut none = Vec::new();
        let right = Right { rows: right, key: None, when: When::Times { times, strict } };
        let joined = self.join_moment(left, right, (at, JoinKind::Left, own.clone()), &mut none)?;
        if let Some(other) = own.iter().find(|condition| !is_equality(condition)) {
            return Err(asof(
                "ON of an as-of join compares keys with =, and nothing else",
                "filter before: ASOF JOIN (SELECT * FROM b WHERE x > 3) AS b …",
            )
            .located(*other));
        }
        Ok(joined)
    }
}

/// The time columns of left and right, and whether their times must differ.
fn match_condition(condition: &Ast, both: &Relation, split: usize) -> Result<([usize; 2], bool)> {
    let inner = match condition {
        Ast::Nested(inner) => inner,
        other => other,
    };
    let Ast::BinaryOp { left, op, right } = inner else { return Err(no_match(condition)) };
    let column = |ast: &Ast| -> Result<usize> {
        match ast {
            Ast::Identifier(name) => both.resolve(std::slice::from_ref(name)),
            Ast::CompoundIdentifier(parts) => both.resolve(parts),
            _ => Err(no_match(ast)),
        }
    };
    let (x, y) = (column(left)?, column(right)?);
    let (later, earlier, strict) = match op {
        Binary::GtEq => (x, y, false),
        Binary::Gt => (x, y, true),
        Binary::LtEq => (y, x, false),
        Binary::Lt => (y, x, true),
        _ => return Err(no_match(condition)),
    };
    if later >= split && earlier < split {
        return Err(asof(
            "an as-of join looks back: the row on its left is the later one",
            "turn the comparison: MATCH_CONDITION (a.ts >= b.ts); the next row after each one is not known \
             when it comes",
        )
        .located(condition));
    }
    let rowtime = |column: usize| both.columns[column].field.rowtime;
    if later >= split || earlier < split || !rowtime(later) || !rowtime(earlier) {
        return Err(no_match(condition));
    }
    Ok(([later, earlier - split], strict))
}

fn is_equality(condition: &Ast) -> bool {
    matches!(condition, Ast::BinaryOp { op: Binary::Eq, .. })
}

fn no_match(at: &Ast) -> Error {
    asof(
        "MATCH_CONDITION compares the time attributes of both sides",
        "write MATCH_CONDITION (a.ts >= b.ts), where both declare WATERMARK FOR ts",
    )
    .located(at)
}

fn asof(text: &str, hint: &str) -> Error {
    Diagnostic::new("sql.asof", text).hint(hint)
}
