//! Joins as of a moment: `a JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k`, each row with the version of its time;
//! as of when it arrived, with what is there then.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr as Ast, Spanned, TableFactor, TableVersion};

use super::builder::renumber;
use super::conditions::Conditions;
use super::diagnose::{Locate, span, unsupported};
use super::join::{distinct_names, side_by_side, unique_names};
use super::lookup::is_proctime;
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

/// The right of a join as of a moment.
pub(super) struct Right {
    pub rows: Relation,
    /// The columns that the condition must compare, all of them; `None`: any.
    pub key: Option<Vec<usize>>,
    pub when: When,
}

/// The moment.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// The event time of the left; a version is valid from its own on, or with `strict` behind it.
    Times { times: [usize; 2], strict: bool },
    /// When the left arrives; `replaces`: a row of the right takes the place of the one with its key.
    Arrival { replaces: bool },
}

impl Planner<'_> {
    /// Joins rows with the version of a table that is valid at their time, or with what a table holds when
    /// they arrive.
    pub(super) fn temporal_join<'a>(
        &mut self,
        left: Relation,
        time: &Ast,
        (at, kind, own): (&TableFactor, JoinKind, Vec<&'a Ast>),
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let left = self.assigned(left, span(at.span()))?;
        refuse(&left, kind, at)?;
        let right = match self.asked(&left, time)? {
            Some(asked) => {
                let Versions { rows, key, time: valid } = self.versions(at)?;
                same_type([&left.columns[asked].field, &rows.columns[valid].field], time)?;
                let when = When::Times { times: [asked, valid], strict: false };
                Right { rows, key: Some(key), when }
            }
            None => {
                let (rows, key) = self.looked_up(at)?;
                let when = When::Arrival { replaces: !key.is_empty() };
                Right { rows, key: Some(key).filter(|key| !key.is_empty()), when }
            }
        };
        self.join_moment(left, right, (at, kind, own), pool)
    }

    /// Joins rows with what is on the right as of a moment of theirs.
    pub(super) fn join_moment<'a>(
        &mut self,
        left: Relation,
        right: Right,
        (at, kind, own): (&TableFactor, JoinKind, Vec<&'a Ast>),
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let place = span(at.span());
        let Right { rows: right, key, when } = right;
        distinct_names(&left, &right, at)?;
        let both = side_by_side(&left, &right);
        let split = left.columns.len();
        let inner = kind == JoinKind::Inner;
        let wheres = if inner { pool.as_slice() } else { &[] };
        let list: Vec<&Ast> = own.iter().chain(wheres).copied().collect();
        self.all_true(&both, &own, "ON")?;
        let mut conditions = Conditions::sort(&list, &both, split, &self.functions);
        if let Some(key) = key {
            whole_key(&right, &key, split, &conditions, at)?;
        }
        // A condition on the version is no filter of versions: that would let an older one be valid.
        let alone = conditions.take_alone(|side| side == 0 && inner);
        let rest = if inner { Vec::new() } else { conditions.rest(&list) };
        let condition = self.all_true(&both, &rest, "ON")?;
        conditions.used.extend(if inner { 0..0 } else { 0..own.len() });
        let sides = self.filtered([left, right], alone, split, place);
        let keys = std::mem::take(&mut conditions.keys);
        let joined = self.with_versions(sides, kind, (keys, when), condition, at)?;
        self.leftover(joined, &conditions, &own, pool)
    }

    fn with_versions(
        &mut self,
        sides: [Relation; 2],
        kind: JoinKind,
        (keys, when): (Vec<(Expr, Expr)>, When),
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
                let rowtime = match when {
                    // Rows leave when the watermark reaches this time: no other one is in order then.
                    When::Times { times, .. } => i == times[0],
                    When::Arrival { .. } => column.field.rowtime,
                };
                let field = Field {
                    rowtime: side == 0 && rowtime,
                    nullable: column.field.nullable || (side == 1 && kind == JoinKind::Left),
                    ..column.field.clone()
                };
                let stays = side == 0 && matches!(when, When::Arrival { .. });
                let role = if stays { column.role } else { Role::Plain };
                columns.push(Column { field, role, ..column.clone() });
            }
        }
        let inputs = vec![sides[0].node, sides[1].node];
        let outer = kind == JoinKind::Left;
        let op = match when {
            When::Times { times, strict } => {
                Op::TemporalJoin { outer, strict, times, keys, condition }
            }
            When::Arrival { replaces } => Op::LookupJoin { outer, keys, replaces, condition },
        };
        let node = self.builder.add("join", op, inputs, unique_names(&columns), place);
        let joined = Relation { node, columns, updating: false, pending: None };
        Ok(self.without_keys(joined, &sides.map(|s| s.columns.len()), own, place))
    }
}

/// Refuses what has no version of its own to ask for.
pub(super) fn refuse(left: &Relation, kind: JoinKind, at: &TableFactor) -> Result<()> {
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

impl Planner<'_> {
    /// The column of the left that says when; `None`: when its rows arrive.
    fn asked(&self, left: &Relation, time: &Ast) -> Result<Option<usize>> {
        let column = match time {
            Ast::Identifier(name) => Some(left.resolve(std::slice::from_ref(name))?),
            Ast::CompoundIdentifier(parts) => Some(left.resolve(parts)?),
            _ if is_proctime(time) => return Ok(None),
            _ => None,
        };
        match column {
            Some(column) if left.columns[column].field.rowtime => Ok(Some(column)),
            Some(column) if self.is_arrival(left.node, column) => Ok(None),
            _ => Err(Diagnostic::new(
                "sql.versions",
                "FOR SYSTEM_TIME AS OF takes the time attribute of the table on its left, or PROCTIME()",
            )
            .hint("write FOR SYSTEM_TIME AS OF a.ts, where a declares WATERMARK FOR ts")
            .located(time)),
        }
    }
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
