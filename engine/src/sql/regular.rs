//! Joins without bounds on time: regular ones, whose inputs are kept and whose rows may be taken back, and
//! those of windows.

use super::builder::renumber;
use super::conditions::Times;
use super::emission::by_record;
use super::join::unique_names;
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use crate::error::{Diagnostic, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Bounds, JoinKind, Op};
use crate::schema::Field;

/// The time columns of either side, and how far apart the times may be.
type Within = ([usize; 2], Bounds);

impl Planner<'_> {
    /// The join between keys that may have to be computed first: a window join where both ends of windows
    /// are among them.
    pub(super) fn regular_join(
        &mut self,
        sides: [Relation; 2],
        kind: JoinKind,
        (keys, condition): (Vec<(Expr, Expr)>, Option<Expr>),
        at: Option<Span>,
    ) -> Result<Relation> {
        self.keeping_join(sides, kind, (keys, condition, None), at)
    }

    /// The same, or an outer join within bounds of two time columns.
    pub(super) fn keeping_join(
        &mut self,
        sides: [Relation; 2],
        kind: JoinKind,
        (keys, condition, within): (Vec<(Expr, Expr)>, Option<Expr>, Option<Within>),
        at: Option<Span>,
    ) -> Result<Relation> {
        let own = [sides[0].columns.len(), sides[1].columns.len()];
        let windows = within.is_none() && sides.iter().all(|side| !side.updating);
        let ends = same_windows(&sides, &keys).filter(|_| windows);
        let (sides, keys) = self.keyed(sides, keys, own[0], at)?;
        let behind = sides[0].columns.len() - own[0];
        let condition = condition.map(|mut condition| {
            renumber(&mut condition, &|c| if c < own[0] { c } else { c + behind });
            condition
        });
        let mut columns = Vec::new();
        for (side, relation) in sides.iter().enumerate() {
            let other = kind.one_sided() && side == 1;
            for (i, column) in relation.columns.iter().enumerate().filter(|_| !other) {
                // Without windows its rows come whenever the later of two comes: in no order of time.
                let nullable = kind.outer(1 - side);
                let timed = ends.is_some() && !nullable;
                let role = if timed { column.role } else { Role::Plain };
                let field = Field {
                    rowtime: match within {
                        Some((times, _)) => i == times[side] && !nullable,
                        None => column.field.rowtime && timed && matches!(role, Role::Time(_)),
                    },
                    nullable: column.field.nullable || nullable,
                    ..column.field.clone()
                };
                columns.push(Column { field, role, ..column.clone() });
            }
        }
        let inputs = vec![sides[0].node, sides[1].node];
        let op = match (ends, within) {
            (_, Some((times, bounds))) => {
                let by_record = by_record(&self.settings);
                Op::OuterIntervalJoin { kind, times, keys, bounds, by_record, condition }
            }
            (Some(ends), _) => Op::WindowJoin { kind, keys, ends, condition },
            (None, None) => Op::RegularJoin { kind, keys, condition },
        };
        let node = self.builder.add("join", op, inputs, unique_names(&columns), at);
        let updating = self.builder.nodes[node].updating;
        let joined = Relation { node, columns, updating, pending: None };
        Ok(self.without_keys(joined, &sides.map(|s| s.columns.len()), own, at))
    }

    /// Leaves out the computed keys, which stand behind the columns of either side.
    pub(super) fn without_keys(
        &mut self,
        joined: Relation,
        all: &[usize; 2],
        own: [usize; 2],
        place: Option<Span>,
    ) -> Relation {
        let is_own = |i: usize| if i < all[0] { i < own[0] } else { i - all[0] < own[1] };
        let kept: Vec<usize> = (0..joined.columns.len()).filter(|&i| is_own(i)).collect();
        if kept.len() == joined.columns.len() {
            return joined;
        }
        let columns: Vec<Column> = kept.iter().map(|&i| joined.columns[i].clone()).collect();
        let exprs = kept.iter().map(|&i| Expr::column(i, &joined.columns[i].field)).collect();
        let op = Op::Project { exprs };
        let schema = unique_names(&columns);
        let node = self.builder.add("project", op, vec![joined.node], schema, place);
        Relation { node, columns, ..joined }
    }

    /// Says so when a condition bounds the time between rows, but on one side only.
    pub(super) fn warn_half_bounded(&mut self, both: &Relation, times: &[Times], at: Option<Span>) {
        let Some(one) = times.iter().find(|t| t.lower.is_none() != t.upper.is_none()) else {
            return;
        };
        let side = if one.lower.is_none() { "earlier" } else { "later" };
        let name = |c: usize| &both.columns[one.columns[c]].field.name;
        let (before, after) = (name(0), name(1));
        let message = format!(
            "`{after}` may be any time {side} than `{before}`: the join keeps all rows of both sides for ever"
        );
        let warning = Diagnostic::new("sql.unbounded-join", message).hint(
            "bound it on that side, too, and the watermark frees the rows: \
             a.ts BETWEEN b.ts - INTERVAL '10' SECOND AND b.ts",
        );
        self.warnings.push(match at {
            Some(at) => *warning.at(at),
            None => *warning,
        });
    }
}

/// The columns of the windows' ends, when the keys say that both sides' windows are the same.
fn same_windows(sides: &[Relation; 2], keys: &[(Expr, Expr)]) -> Option<[usize; 2]> {
    let split = sides[0].columns.len();
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    for (left, right) in keys {
        let (ExprKind::Column(l), ExprKind::Column(r)) = (&left.kind, &right.kind) else {
            continue;
        };
        match (sides[0].columns[*l].role, sides[1].columns[*r - split].role) {
            (Role::Start(a), Role::Start(b)) => starts.push((a, b)),
            (Role::End(a), Role::End(b)) => ends.push((a, b, [*l, *r - split])),
            _ => {}
        }
    }
    ends.into_iter().find(|(a, b, _)| starts.contains(&(*a, *b))).map(|(.., columns)| columns)
}
