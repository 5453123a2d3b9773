//! Interval joins: FROM with several tables, and the conditions that make the join.
//!
//! The conditions of ON and WHERE are taken apart at AND. Equalities between the two sides are the keys;
//! comparisons of the two time attributes, moved by intervals, are the bounds. Conditions on one side
//! filter it before the join, all others filter the joined rows.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Expr as Ast, Join, JoinConstraint, JoinOperator, Spanned, TableFactor, TableWithJoins,
};

use super::aggregate::updating;
use super::builder::renumber;
use super::conditions::{Conditions, Times, conjuncts};
use super::diagnose::{Locate, span, unsupported};
use super::expr;
use super::operator::combine;
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use crate::error::{Diagnostic, Error, Result};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Bounds, Op};
use crate::schema::{DataType, Field, Schema};

impl Planner<'_> {
    /// The rows of FROM. Conditions that have become part of a join are taken out of `pool`.
    pub(super) fn joined<'a>(
        &mut self,
        from: &'a [TableWithJoins],
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let mut relation: Option<Relation> = None;
        for table in from {
            let next = self.factor(&table.relation)?;
            relation = Some(match relation {
                None => next,
                Some(left) => self.join(left, next, (&table.relation, Vec::new()), pool)?,
            });
            for join in &table.joins {
                let own = conditions_of(join)?;
                let next = self.factor(&join.relation)?;
                let Some(left) = relation.take() else { break };
                relation = Some(self.join(left, next, (&join.relation, own), pool)?);
            }
        }
        relation.ok_or_else(|| unsupported("SELECT without FROM is not supported", "read a table"))
    }

    fn join<'a>(
        &mut self,
        left: Relation,
        right: Relation,
        (at, own): (&TableFactor, Vec<&'a Ast>),
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let left = self.join_input(left, at)?;
        let right = self.join_input(right, at)?;
        distinct_names(&left, &right, at)?;
        let both = side_by_side(&left, &right);
        let split = left.columns.len();
        let list: Vec<&Ast> = own.iter().chain(pool.iter()).copied().collect();
        let mut conditions = Conditions::sort(&list, &both, split, &self.functions);
        let Some((times, bounds)) = conditions.take_bounds() else {
            self.explain_first(&both, &own, pool)?;
            return Err(no_bounds(&both, split, &conditions.times).located(at));
        };
        if conditions.keys.is_empty() {
            self.explain_first(&both, &own, pool)?;
            return Err(no_key().located(at));
        }
        if bounds.lower > bounds.upper {
            let last = times.from.last().copied().unwrap_or_default();
            return Err(Diagnostic::new(
                "sql.argument",
                "no two times can satisfy these conditions together: nothing would be joined",
            )
            .hint("the time must be between a lower and a later upper bound")
            .located(list[last]));
        }
        let mut sides = [left, right];
        for (side, mut condition) in conditions.alone {
            renumber(&mut condition, &|c| if side == 0 { c } else { c - split });
            let input = sides[side].clone();
            sides[side] = self.builder.filter(input, condition, span(at.span()));
        }
        let joined = self.interval_join(sides, conditions.keys, times.columns, bounds, at)?;
        let used = &conditions.used;
        let rest = own.iter().enumerate().filter(|(i, _)| !used.contains(i)).map(|(_, c)| *c);
        let rest: Vec<&Ast> = rest.collect();
        let mut place = own.len()..;
        pool.retain(|_| place.next().is_some_and(|i| !used.contains(&i)));
        self.keep_only(joined, &rest, "ON")
    }

    /// Reports an error inside a condition before any about what the conditions lack.
    fn explain_first(&self, both: &Relation, own: &[&Ast], pool: &[&Ast]) -> Result<()> {
        let mut row = self.row(both, "a join's condition");
        for condition in own {
            expr::bind_condition(condition, &mut row, "ON")?;
        }
        for condition in pool {
            match expr::bind_condition(condition, &mut row, "WHERE") {
                // It may be about a table that comes later.
                Err(e) if e.code != "sql.unknown-table" => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// A table as an input of a join: its rows stay, its windows are assigned.
    fn join_input(&mut self, relation: Relation, at: &TableFactor) -> Result<Relation> {
        let place = span(at.span());
        let relation =
            if relation.pending.is_some() { self.assign(relation, place)? } else { relation };
        if relation.updating {
            return Err(updating("an input of a join", place));
        }
        Ok(relation)
    }

    /// The join itself, between keys that may have to be computed first.
    fn interval_join(
        &mut self,
        [left, right]: [Relation; 2],
        keys: Vec<(Expr, Expr)>,
        times: [usize; 2],
        bounds: Bounds,
        at: &TableFactor,
    ) -> Result<Relation> {
        let place = span(at.span());
        let split = left.columns.len();
        let own = [left.columns.len(), right.columns.len()];
        let (mut l_keys, mut r_keys) = (Vec::new(), Vec::new());
        for (l, r) in keys {
            let (l, mut r) = alike(l, r).map_err(|e| e.located(at))?;
            renumber(&mut r, &|c| c - split);
            l_keys.push(l);
            r_keys.push(r);
        }
        let (left, l_keys) = self.with_keys(left, l_keys, at);
        let (right, r_keys) = self.with_keys(right, r_keys, at);
        let times = [times[0], times[1] - split];
        let mut columns = Vec::new();
        for (side, relation) in [&left, &right].into_iter().enumerate() {
            for (i, column) in relation.columns[..own[side]].iter().enumerate() {
                // Other time attributes may lie far behind: rows wait in the join for this one's sake.
                let rowtime = i == times[side];
                let field = Field { rowtime, ..column.field.clone() };
                columns.push(Column { field, role: Role::Plain, ..column.clone() });
            }
        }
        let op = Op::IntervalJoin {
            times,
            keys: [l_keys, r_keys],
            bounds,
            columns: [(0..own[0]).collect(), (0..own[1]).collect()],
        };
        let node = self.builder.add(
            "join",
            op,
            vec![left.node, right.node],
            unique_names(&columns),
            place,
        );
        Ok(Relation { node, columns, updating: false, pending: None })
    }

    /// Puts computed keys behind the columns of a relation; the positions of the keys.
    fn with_keys(
        &mut self,
        relation: Relation,
        keys: Vec<Expr>,
        at: &TableFactor,
    ) -> (Relation, Vec<usize>) {
        let own = relation.columns.len();
        let mut exprs: Vec<Expr> =
            relation.columns.iter().enumerate().map(|(i, c)| Expr::column(i, &c.field)).collect();
        let mut columns = relation.columns.clone();
        let mut positions = Vec::new();
        for key in keys {
            if let ExprKind::Column(index) = key.kind {
                positions.push(index);
                continue;
            }
            let name = format!("key_{}", exprs.len() - own);
            let field = Field { nullable: key.nullable, ..Field::new(name, key.data_type) };
            columns.push(Column { qualifier: None, field, role: Role::Plain });
            positions.push(exprs.len());
            exprs.push(key);
        }
        if exprs.len() == own {
            return (relation, positions);
        }
        let schema = unique_names(&columns);
        let op = Op::Project { exprs };
        let node = self.builder.add("project", op, vec![relation.node], schema, span(at.span()));
        (Relation { node, columns, ..relation }, positions)
    }

    /// The rows for which all of these conditions are TRUE.
    pub(super) fn keep_only(
        &mut self,
        input: Relation,
        conditions: &[&Ast],
        clause: &'static str,
    ) -> Result<Relation> {
        let (Some(first), Some(last)) = (conditions.first(), conditions.last()) else {
            return Ok(input);
        };
        let mut row = self.row(&input, clause);
        let mut bound = Vec::new();
        for condition in conditions {
            bound.push(expr::bind_condition(condition, &mut row, clause)?);
        }
        let predicate = combine(bound, true)?.fold()?;
        let place = span(first.span().union(&last.span()));
        Ok(self.builder.filter(input, predicate, place))
    }
}

/// The conditions of a join that this engine has.
fn conditions_of(join: &Join) -> Result<Vec<&Ast>> {
    let constraint = match &join.join_operator {
        JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => c,
        JoinOperator::Left(_)
        | JoinOperator::LeftOuter(_)
        | JoinOperator::Right(_)
        | JoinOperator::RightOuter(_)
        | JoinOperator::FullOuter(_) => {
            return Err(unsupported(
                "outer joins are not supported",
                "JOIN gives the pairs; rows without a partner are left out",
            )
            .located(&join.relation));
        }
        _ => {
            return Err(unsupported(
                "this kind of join is not supported",
                "there is the inner join within an interval of time: a JOIN b ON …",
            )
            .located(&join.relation));
        }
    };
    match constraint {
        JoinConstraint::On(condition) => {
            let mut all = Vec::new();
            conjuncts(condition, &mut all);
            Ok(all)
        }
        JoinConstraint::None => Ok(Vec::new()),
        JoinConstraint::Using(_) | JoinConstraint::Natural => Err(unsupported(
            "USING and NATURAL are not supported",
            "write the condition out: ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts",
        )
        .located(&join.relation)),
    }
}

/// Both keys in one type, as `=` would compare them.
fn alike(left: Expr, right: Expr) -> Result<(Expr, Expr)> {
    if left.data_type == right.data_type {
        return Ok((left, right));
    }
    let error = || {
        Diagnostic::new(
            "sql.type",
            format!("keys of type {} and {} are not joined", left.data_type, right.data_type),
        )
        .hint("cast one of them: CAST(a.k AS BIGINT) = b.k")
    };
    let wide = match (left.data_type, right.data_type) {
        (DataType::Int, DataType::BigInt) | (DataType::BigInt, DataType::Int) => DataType::BigInt,
        _ => return Err(error()),
    };
    Ok((left.cast(wide, false)?, right.cast(wide, false)?))
}

/// The columns of both sides, as conditions see them.
fn side_by_side(left: &Relation, right: &Relation) -> Relation {
    let columns = left.columns.iter().chain(&right.columns).cloned().collect();
    Relation { node: left.node, columns, updating: false, pending: None }
}

/// The columns as a schema whose names differ.
fn unique_names(columns: &[Column]) -> crate::schema::SchemaRef {
    let mut names = BTreeSet::new();
    let field = |column: &Column| {
        let mut name = column.field.name.clone();
        let mut count = 0_u32;
        while !names.insert(name.clone()) {
            name = format!("{}{count}", column.field.name);
            count += 1;
        }
        Field { name, ..column.field.clone() }
    };
    Schema::new(columns.iter().map(field).collect())
}

fn distinct_names(left: &Relation, right: &Relation, at: &TableFactor) -> Result<()> {
    let name = |c: &Column| c.qualifier.clone();
    let known: BTreeSet<String> = left.columns.iter().filter_map(name).collect();
    match right.columns.iter().filter_map(name).find(|n| known.contains(n)) {
        Some(twice) => Err(Diagnostic::new(
            "sql.duplicate",
            format!("`{twice}` stands twice in FROM: its columns cannot be told apart"),
        )
        .hint(format!("give each a name of its own: FROM {twice} AS a JOIN {twice} AS b"))
        .located(at)),
        None => Ok(()),
    }
}

fn no_key() -> Error {
    unsupported(
        "a join without an equality of columns is not supported",
        "add one to the condition: a.k = b.k",
    )
}

/// The error of a join without bounds on the time between its rows.
fn no_bounds(both: &Relation, split: usize, times: &[Times]) -> Error {
    let missing = |columns: &[Column]| !columns.iter().any(|c| c.field.rowtime);
    let (left, right) = both.columns.split_at(split);
    let code = "a JOIN without bounds on the time between its rows is not supported";
    match times.first() {
        Some(one) => {
            let side = if one.lower.is_none() { "earlier" } else { "later" };
            unsupported(
                code,
                format!(
                    "`{}` may be any time {side} than `{}`: bound it on that side, too",
                    both.columns[one.columns[1]].field.name,
                    both.columns[one.columns[0]].field.name
                ),
            )
        }
        None if missing(left) || missing(right) => unsupported(
            code,
            "both tables need a time attribute (WATERMARK FOR ts AS …), handed on unchanged, and \
             the condition bounds on it: a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts",
        ),
        None => unsupported(
            code,
            "bound the time attributes on both sides: \
             a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts + INTERVAL '10' SECOND",
        ),
    }
}
