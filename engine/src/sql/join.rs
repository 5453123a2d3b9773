//! Joins: FROM with several tables, and the conditions that make the join.
//!
//! The conditions of ON and WHERE are taken apart at AND. Equalities between the two sides are the keys;
//! comparisons of the two time attributes, moved by intervals, are the bounds. Conditions on one side
//! filter it before the join, all others filter the joined rows. With bounds on both sides it is an
//! interval join; without, a regular one.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Expr as Ast, Join, JoinConstraint, JoinOperator, Spanned, TableFactor, TableWithJoins,
};

use super::builder::renumber;
use super::conditions::{Conditions, conjuncts};
use super::diagnose::{Locate, span, unsupported};
use super::emission::by_record;
use super::expr;
use super::operator::combine;
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use super::temporal::version_of;
use crate::error::{Diagnostic, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Bounds, JoinKind, Op};
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
                Some(left) => {
                    let how = (&table.relation, JoinKind::Inner, Vec::new());
                    self.join(left, next, how, pool)?
                }
            });
            for join in &table.joins {
                if let JoinOperator::AsOf { match_condition, constraint } = &join.join_operator
                    && let Some(left) = relation.take()
                {
                    let how = (match_condition, constraint);
                    relation = Some(self.asof_join(left, &join.relation, how)?);
                    continue;
                }
                let (kind, own) = conditions_of(join)?;
                if let Some(time) = version_of(&join.relation)
                    && let Some(left) = relation.take()
                {
                    let how = (&join.relation, kind, own);
                    relation = Some(self.temporal_join(left, time, how, pool)?);
                    continue;
                }
                let next = self.factor(&join.relation)?;
                let Some(left) = relation.take() else { break };
                relation = Some(self.join(left, next, (&join.relation, kind, own), pool)?);
            }
        }
        relation.ok_or_else(|| unsupported("SELECT without FROM is not supported", "read a table"))
    }

    fn join<'a>(
        &mut self,
        left: Relation,
        right: Relation,
        (at, kind, own): (&TableFactor, JoinKind, Vec<&'a Ast>),
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let place = span(at.span());
        let left = self.assigned(left, place)?;
        let right = self.assigned(right, place)?;
        distinct_names(&left, &right, at)?;
        let both = side_by_side(&left, &right);
        let split = left.columns.len();
        // What WHERE says of pairs is not what makes an outer join's pairs.
        let wheres = if kind == JoinKind::Inner { pool.as_slice() } else { &[] };
        let list: Vec<&Ast> = own.iter().chain(wheres).copied().collect();
        let mut conditions = Conditions::sort(&list, &both, split, &self.functions);
        // An error inside a condition comes before any about what the conditions lack.
        self.all_true(&both, &own, "ON")?;
        let sides = [left, right];
        let inner = kind == JoinKind::Inner;
        let append_only = sides.iter().all(|side| !side.updating);
        let keys = std::mem::take(&mut conditions.keys);
        let bounded = if append_only { conditions.bounds(&list)? } else { None };
        let joined = match bounded {
            Some((times, bounds)) if inner && !keys.is_empty() => {
                conditions.used.extend(&times.from);
                let alone = conditions.take_alone(|_| true);
                let sides = self.filtered(sides, alone, split, place);
                let columns = times.columns;
                self.interval_join(sides, (keys, columns, bounds), split, place)?
            }
            bounded => {
                let within = bounded.filter(|_| !keys.is_empty());
                if let Some((times, _)) = &within {
                    conditions.used.extend(&times.from);
                }
                self.warn_half_bounded(&both, &conditions.times, place);
                let alone = conditions.take_alone(|side| inner || !kind.outer(side));
                let rest = if inner { Vec::new() } else { conditions.rest(&list) };
                let condition = self.all_true(&both, &rest, "ON")?;
                conditions.used.extend(if inner { 0..0 } else { 0..own.len() });
                let sides = self.filtered(sides, alone, split, place);
                let within =
                    within.map(|(t, bounds)| ([t.columns[0], t.columns[1] - split], bounds));
                self.keeping_join(sides, kind, (keys, condition, within), place)?
            }
        };
        self.leftover(joined, &conditions, &own, pool)
    }

    /// The joined rows that fulfil what is left of ON; what has been used of WHERE is taken out of it.
    pub(super) fn leftover<'a>(
        &mut self,
        joined: Relation,
        conditions: &Conditions,
        own: &[&'a Ast],
        pool: &mut Vec<&'a Ast>,
    ) -> Result<Relation> {
        let used = &conditions.used;
        let rest = own.iter().enumerate().filter(|(i, _)| !used.contains(i)).map(|(_, c)| *c);
        let rest: Vec<&Ast> = rest.collect();
        let mut place = own.len()..;
        pool.retain(|_| place.next().is_some_and(|i| !used.contains(&i)));
        self.keep_only(joined, &rest, "ON")
    }

    /// Either side without the rows that its own conditions leave out.
    pub(super) fn filtered(
        &mut self,
        mut sides: [Relation; 2],
        alone: Vec<(usize, Expr)>,
        split: usize,
        at: Option<Span>,
    ) -> [Relation; 2] {
        for (side, mut condition) in alone {
            renumber(&mut condition, &|c| if side == 0 { c } else { c - split });
            let input = sides[side].clone();
            sides[side] = self.builder.filter(input, condition, at);
        }
        sides
    }

    /// A table as an input of a join: its rows stay, its windows are assigned.
    pub(super) fn assigned(&mut self, relation: Relation, place: Option<Span>) -> Result<Relation> {
        if relation.pending.is_some() { self.assign(relation, place) } else { Ok(relation) }
    }

    /// Both sides with their keys as columns, and where these stand.
    pub(super) fn keyed(
        &mut self,
        [left, right]: [Relation; 2],
        keys: Vec<(Expr, Expr)>,
        split: usize,
        at: Option<Span>,
    ) -> Result<([Relation; 2], [Vec<usize>; 2])> {
        let (mut l_keys, mut r_keys) = (Vec::new(), Vec::new());
        for (l, r) in keys {
            let (l, mut r) = alike(l, r).map_err(|e| match at {
                Some(at) => e.at(at),
                None => e,
            })?;
            renumber(&mut r, &|c| c - split);
            l_keys.push(l);
            r_keys.push(r);
        }
        let (left, l_keys) = self.with_keys(left, l_keys, at);
        let (right, r_keys) = self.with_keys(right, r_keys, at);
        Ok(([left, right], [l_keys, r_keys]))
    }

    /// The join itself, between keys that may have to be computed first.
    fn interval_join(
        &mut self,
        sides: [Relation; 2],
        (keys, times, bounds): (Vec<(Expr, Expr)>, [usize; 2], Bounds),
        split: usize,
        at: Option<Span>,
    ) -> Result<Relation> {
        let own = [sides[0].columns.len(), sides[1].columns.len()];
        let ([left, right], keys) = self.keyed(sides, keys, split, at)?;
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
            keys,
            bounds,
            by_record: by_record(&self.settings),
            columns: [(0..own[0]).collect(), (0..own[1]).collect()],
        };
        let node =
            self.builder.add("join", op, vec![left.node, right.node], unique_names(&columns), at);
        Ok(Relation { node, columns, updating: false, pending: None })
    }

    /// Puts computed keys behind the columns of a relation; the positions of the keys.
    fn with_keys(
        &mut self,
        relation: Relation,
        keys: Vec<Expr>,
        at: Option<Span>,
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
        let node = self.builder.add("project", op, vec![relation.node], schema, at);
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
        let place = span(first.span().union(&last.span()));
        match self.all_true(&input, conditions, clause)? {
            Some(predicate) => Ok(self.builder.filter(input, predicate, place)),
            None => Ok(input),
        }
    }

    /// One condition that says what all of these do.
    pub(super) fn all_true(
        &mut self,
        input: &Relation,
        conditions: &[&Ast],
        clause: &'static str,
    ) -> Result<Option<Expr>> {
        if conditions.is_empty() {
            return Ok(None);
        }
        let mut row = self.row(input, clause);
        let bind = |condition: &&Ast| expr::bind_condition(condition, &mut row, clause);
        let bound: Vec<Expr> = conditions.iter().map(bind).collect::<Result<_>>()?;
        Ok(Some(combine(bound, true)?.fold()?))
    }
}

/// The kind of a join and the conditions of its ON.
fn conditions_of(join: &Join) -> Result<(JoinKind, Vec<&Ast>)> {
    let (kind, constraint) = match &join.join_operator {
        JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => {
            (JoinKind::Inner, c)
        }
        JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (JoinKind::Left, c),
        JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (JoinKind::Right, c),
        JoinOperator::FullOuter(c) => (JoinKind::Full, c),
        _ => {
            return Err(unsupported(
                "this kind of join is not supported",
                "there are JOIN, LEFT JOIN, RIGHT JOIN, FULL JOIN and CROSS JOIN; for rows that have a \
                 partner, or have none, WHERE EXISTS (…) and WHERE NOT EXISTS (…)",
            )
            .located(&join.relation));
        }
    };
    match constraint {
        JoinConstraint::On(condition) => {
            let mut all = Vec::new();
            conjuncts(condition, &mut all);
            Ok((kind, all))
        }
        JoinConstraint::None if kind == JoinKind::Inner => Ok((kind, Vec::new())),
        JoinConstraint::None => Err(Diagnostic::new(
            "sql.join",
            "an outer join needs a condition that says which rows are partners",
        )
        .hint("a LEFT JOIN b ON a.k = b.k")
        .located(&join.relation)),
        JoinConstraint::Using(_) | JoinConstraint::Natural => Err(unsupported(
            "USING and NATURAL are not supported",
            "write the condition out: ON a.k = b.k",
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
pub(super) fn side_by_side(left: &Relation, right: &Relation) -> Relation {
    let columns = left.columns.iter().chain(&right.columns).cloned().collect();
    Relation { node: left.node, columns, updating: false, pending: None }
}

/// The columns as a schema whose names differ.
pub(super) fn unique_names(columns: &[Column]) -> crate::schema::SchemaRef {
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

pub(super) fn distinct_names(left: &Relation, right: &Relation, at: &impl Spanned) -> Result<()> {
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
