//! Temporal joins: `a JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k`, each row with the version of its time.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr as Ast, Spanned, TableFactor, TableVersion};

use super::builder::renumber;
use super::conditions::Conditions;
use super::diagnose::{Locate, span, unsupported};
use super::join::{distinct_names, side_by_side, unique_names};
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use super::versions::Versions;
use crate::error::{Diagnostic, Result};
use crate::expr::{Expr, ExprKind};
use crate::plan::{JoinKind, Op};
use crate::schema::Field;

/// The time at which a table is asked for.
pub(super) fn version_of(factor: &TableFactor) -> Option<&Ast> {
    match factor {
        TableFactor::Table { version: Some(TableVersion::ForSystemTimeAsOf(time)), .. } => {
            Some(time)
        }
        _ => None,
    }
}

impl Planner<'_> {
    /// Joins rows with the version of a table that is valid at their time.
    pub(super) fn temporal_join<'a>(
        &mut self,
        left: Relation,
        time: &Ast,
        (at, kind, own): (&TableFactor, JoinKind, Vec<&'a Ast>),
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let place = span(at.span());
        let left = self.assigned(left, place)?;
        refuse(&left, kind, at)?;
        let Versions { rows: right, key, time: valid } = self.versions(at)?;
        let times = [asked_time(&left, time)?, valid];
        same_type([&left.columns[times[0]].field, &right.columns[times[1]].field], time)?;
        distinct_names(&left, &right, at)?;
        let both = side_by_side(&left, &right);
        let split = left.columns.len();
        let inner = kind == JoinKind::Inner;
        let wheres = if inner { pool.as_slice() } else { &[] };
        let list: Vec<&Ast> = own.iter().chain(wheres).copied().collect();
        self.all_true(&both, &own, "ON")?;
        let mut conditions = Conditions::sort(&list, &both, split, &self.functions);
        whole_key(&right, &key, split, &conditions, at)?;
        // A condition on the version is no filter of versions: that would let an older one be valid.
        let alone = conditions.take_alone(|side| side == 0 && inner);
        let rest = if inner { Vec::new() } else { conditions.rest(&list) };
        let condition = self.all_true(&both, &rest, "ON")?;
        conditions.used.extend(if inner { 0..0 } else { 0..own.len() });
        let sides = self.filtered([left, right], alone, split, place);
        let keys = std::mem::take(&mut conditions.keys);
        let joined = self.with_versions(sides, kind, (keys, times), condition, at)?;
        self.leftover(joined, &conditions, &own, pool)
    }

    fn with_versions(
        &mut self,
        sides: [Relation; 2],
        kind: JoinKind,
        (keys, times): (Vec<(Expr, Expr)>, [usize; 2]),
        condition: Option<Expr>,
        at: &TableFactor,
    ) -> Result<Relation> {
        let place = span(at.span());
        let own = [sides[0].columns.len(), sides[1].columns.len()];
        let (sides, keys) = self.keyed(sides, keys, own[0], place)?;
        let behind = sides[0].columns.len() - own[0];
        let condition = condition.map(|mut condition| {
            renumber(&mut condition, &|c| if c < own[0] { c } else { c + behind });
            condition
        });
        let mut columns = Vec::new();
        for (side, relation) in sides.iter().enumerate() {
            for (i, column) in relation.columns.iter().enumerate() {
                // Rows leave when the watermark reaches this time: no other one is in order then.
                let field = Field {
                    rowtime: side == 0 && i == times[0],
                    nullable: column.field.nullable || (side == 1 && kind == JoinKind::Left),
                    ..column.field.clone()
                };
                columns.push(Column { field, role: Role::Plain, ..column.clone() });
            }
        }
        let inputs = vec![sides[0].node, sides[1].node];
        let op = Op::TemporalJoin { outer: kind == JoinKind::Left, times, keys, condition };
        let node = self.builder.add("join", op, inputs, unique_names(&columns), place);
        let joined = Relation { node, columns, updating: false, pending: None };
        Ok(self.without_keys(joined, &sides.map(|s| s.columns.len()), own, place))
    }
}

/// Refuses what has no version of its own to ask for.
fn refuse(left: &Relation, kind: JoinKind, at: &TableFactor) -> Result<()> {
    if !matches!(kind, JoinKind::Inner | JoinKind::Left) {
        return Err(unsupported(
            "a temporal join is an INNER or a LEFT JOIN: it asks for the version of each row on its left",
            "write a JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k",
        )
        .located(at));
    }
    if left.updating {
        return Err(Diagnostic::new(
            "sql.updating",
            "a query that updates its rows cannot be on the left of a temporal join",
        )
        .hint(
            "its rows would be taken back after they have been joined: join first, then aggregate",
        )
        .located(at));
    }
    Ok(())
}

/// The column of the left that says when.
fn asked_time(left: &Relation, time: &Ast) -> Result<usize> {
    let column = match time {
        Ast::Identifier(name) => Some(left.resolve(std::slice::from_ref(name))?),
        Ast::CompoundIdentifier(parts) => Some(left.resolve(parts)?),
        _ => None,
    };
    column.filter(|&column| left.columns[column].field.rowtime).ok_or_else(|| {
        Diagnostic::new(
            "sql.versions",
            "FOR SYSTEM_TIME AS OF takes the time attribute of the table on its left",
        )
        .hint("write FOR SYSTEM_TIME AS OF a.ts, where a declares WATERMARK FOR ts")
        .located(time)
    })
}

fn same_type([asked, valid]: [&Field; 2], time: &Ast) -> Result<()> {
    if asked.data_type == valid.data_type {
        return Ok(());
    }
    let message = format!(
        "`{}` is {}, but `{}`, from which a version is valid, is {}",
        asked.name, asked.data_type, valid.name, valid.data_type
    );
    Err(Diagnostic::new("sql.type", message)
        .hint("declare both as TIMESTAMP(3), or both as TIMESTAMP_LTZ(3)")
        .located(time))
}

/// A version is told by the whole primary key, and by nothing else.
fn whole_key(
    right: &Relation,
    key: &[usize],
    split: usize,
    conditions: &Conditions,
    at: &TableFactor,
) -> Result<()> {
    let column = |(_, right): &(Expr, Expr)| match right.kind {
        ExprKind::Column(c) => Some(c - split),
        _ => None,
    };
    let compared: Option<BTreeSet<usize>> = conditions.keys.iter().map(column).collect();
    if compared == Some(key.iter().copied().collect()) {
        return Ok(());
    }
    let names: Vec<&str> = key.iter().map(|&c| right.columns[c].field.name.as_str()).collect();
    Err(Diagnostic::new(
        "sql.versions",
        format!("the condition must compare the key ({}) with =", names.join(", ")),
    )
    .hint("a version is found by its whole key and the time, and by no other equality")
    .located(at))
}
