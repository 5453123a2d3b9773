//! Ranks: ROW_NUMBER and the condition on it, which make Top-N and deduplication.

use std::collections::BTreeSet;

use sqlparser::ast::{
    BinaryOperator as Binary, Expr as Ast, Function as AstFunction, OrderByExpr, OrderBySort,
    Select, SelectItem, Spanned, Value as AstValue,
};

use super::builder::Builder;
use super::builder::renumber;
use super::diagnose::{Locate, span, unsupported};
use super::expr::{self, Names};
use super::frame::Windows;
use super::numbering::{by_time, no_frame, of_running, takes_nothing};
use super::planner::Planner;
use super::scope::{Column, Relation, Role};
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::plan::{Node, NodeId, Op, RankSpec};
use crate::rank::{Emit, SortColumn};
use crate::schema::{DataType, Field, Schema};

/// What every refused rank is told.
const PATTERN: &str = "write SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) AS n \
    FROM t) WHERE n <= 3";

/// `ROW_NUMBER() OVER (…)` as a column of a SELECT, its names given their meaning.
pub(super) struct Over {
    keys: Vec<Expr>,
    order: Vec<Sort>,
    at: Option<Span>,
}

impl Over {
    /// Gives the columns it reads other positions.
    pub(super) fn renumber(&mut self, position: &dyn Fn(usize) -> usize) {
        let order = self.order.iter_mut().map(|sort| &mut sort.expr);
        self.keys.iter_mut().chain(order).for_each(|expr| renumber(expr, position));
    }
}

/// An expression to rank by.
pub(super) struct Sort {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

/// The columns below a rank: those that it hands on, then what it needs beside them.
pub(super) struct Below {
    exprs: Vec<Expr>,
    columns: Vec<Column>,
}

impl Below {
    pub(super) fn new(exprs: Vec<Expr>, columns: Vec<Column>) -> Below {
        Below { exprs, columns }
    }

    /// The position of an expression over `input`, added when it is no column of them.
    fn place(&mut self, expr: Expr, input: &Relation) -> usize {
        let ExprKind::Column(index) = expr.kind else { return self.add(expr, "order", None) };
        let same = |e: &Expr| matches!(e.kind, ExprKind::Column(i) if i == index);
        let known = self.exprs.iter().position(same);
        known.unwrap_or_else(|| {
            let column = &input.columns[index];
            self.add(expr, &column.field.name, Some(column))
        })
    }

    fn add(&mut self, expr: Expr, name: &str, column: Option<&Column>) -> usize {
        let names: BTreeSet<&str> = self.columns.iter().map(|c| c.field.name.as_str()).collect();
        let mut unique = name.to_owned();
        let mut count = 0_u32;
        while names.contains(unique.as_str()) {
            unique = format!("{name}{count}");
            count += 1;
        }
        let field = Field {
            name: unique,
            data_type: expr.data_type,
            nullable: expr.nullable,
            rowtime: column.is_some_and(|c| c.field.rowtime),
        };
        let role = column.map_or(Role::Plain, |c| c.role);
        self.columns.push(Column { qualifier: None, field, role });
        self.exprs.push(expr);
        self.exprs.len() - 1
    }

    /// The positions of what to rank by.
    pub(super) fn order(&mut self, order: Vec<Sort>, input: &Relation) -> Vec<SortColumn> {
        let mut place = |sort: Sort| {
            let Sort { expr, descending, nulls_first } = sort;
            SortColumn { column: self.place(expr, input), descending, nulls_first }
        };
        order.into_iter().map(&mut place).collect()
    }

    /// The node that computes them.
    pub(super) fn relation(
        self,
        planner: &mut Planner<'_>,
        input: &Relation,
        at: Option<Span>,
    ) -> Relation {
        planner.builder.project(input, self.exprs, self.columns, at)
    }
}

/// The call when a column of a SELECT is `ROW_NUMBER() OVER (…)`.
pub(super) fn row_number(item: &SelectItem) -> Result<Option<&AstFunction>> {
    match item {
        SelectItem::UnnamedExpr(ast) | SelectItem::ExprWithAlias { expr: ast, .. } => {
            numbering(ast)
        }
        _ => Ok(None),
    }
}

/// The call when an expression is `ROW_NUMBER() OVER (…)`.
pub(super) fn numbering(ast: &Ast) -> Result<Option<&AstFunction>> {
    let Ast::Function(call) = ast else { return Ok(None) };
    let name = call.name.to_string().to_ascii_uppercase();
    match name.as_str() {
        "ROW_NUMBER" if call.over.is_some() => Ok(Some(call)),
        "ROW_NUMBER" => Err(rank_error("ROW_NUMBER needs OVER (…)", PATTERN).located(ast)),
        "RANK" | "DENSE_RANK" if call.over.is_some() => Err(no_rank(&name).located(ast)),
        _ => Ok(None),
    }
}

/// RANK and DENSE_RANK are refused, as Flink refuses them on a stream.
pub(super) fn no_rank(name: &str) -> Error {
    unsupported(
        format!("{name} is not supported"),
        "number the rows: ROW_NUMBER() OVER (PARTITION BY a ORDER BY b); of rows that are equal in \
         the order, the one that came first has the lower number",
    )
}

/// A rank where none stands.
pub(super) fn misplaced(name: &str) -> Error {
    unsupported(format!("{name} stands in SELECT as a column of its own"), PATTERN)
}

fn rank_error(message: impl Into<String>, hint: &str) -> Error {
    Diagnostic::new("sql.rank", message).hint(hint)
}

/// Gives partition and order of `ROW_NUMBER() OVER (…)` their meaning.
pub(super) fn over(
    call: &AstFunction,
    windows: Windows<'_>,
    names: &mut dyn Names,
) -> Result<Over> {
    takes_nothing(call)?;
    let Some(over) = &call.over else { unreachable!("only calls with OVER are asked for") };
    let spec = windows.of(over).map_err(|e| e.located(call))?;
    if spec.frame.is_some() {
        return Err(no_frame("ROW_NUMBER").located(call));
    }
    if spec.order_by.is_empty() {
        let hint = "OVER (PARTITION BY a ORDER BY b): without an order no row is the first";
        return Err(rank_error("ROW_NUMBER needs ORDER BY", hint).located(call));
    }
    let mut keys = Vec::new();
    for key in spec.partition_by {
        keys.push(expr::bind(key, names)?);
    }
    let mut order = Vec::new();
    for item in spec.order_by {
        let (descending, nulls_first) = direction(item)?;
        order.push(Sort { expr: expr::bind(&item.expr, names)?, descending, nulls_first });
    }
    Ok(Over { keys, order, at: span(call.span()) })
}

/// Whether the greatest is first, and whether NULL is: it is the least value unless the query says where.
pub(super) fn direction(item: &OrderByExpr) -> Result<(bool, bool)> {
    let descending = match &item.options.sort {
        None | Some(OrderBySort::Asc) => false,
        Some(OrderBySort::Desc) => true,
        Some(OrderBySort::Using(_)) => {
            return Err(
                unsupported("ORDER BY … USING is not supported", "use ASC or DESC").located(item)
            );
        }
    };
    if item.with_fill.is_some() {
        return Err(unsupported("WITH FILL is not supported", "leave it out").located(item));
    }
    Ok((descending, item.options.nulls_first.unwrap_or(!descending)))
}

impl Planner<'_> {
    /// Numbers the rows of `input`: `below` are the columns of the SELECT without the number, which stands
    /// at `position` and is named by `number`.
    pub(super) fn numbered(
        &mut self,
        input: &Relation,
        mut below: Below,
        (position, mut number): (usize, Column),
        over: Over,
        select: &Select,
    ) -> Relation {
        let count = below.columns.len();
        let keys: Vec<usize> = over.keys.into_iter().map(|key| below.place(key, input)).collect();
        let order = below.order(over.order, input);
        let at = span(select.select_token.0.span);
        let rows = below.relation(self, input, at);
        let emit = match window_of(&rows, &keys).filter(|_| !rows.updating) {
            Some((start, end)) => Emit::Window { start, end, latest: false },
            None => Emit::Changes,
        };
        number.field = Field {
            data_type: DataType::BigInt,
            nullable: false,
            rowtime: false,
            name: number.field.name,
        };
        let mut columns: Vec<Column> = rows.columns[..count].to_vec();
        columns.push(number);
        let spec = RankSpec {
            keys,
            order,
            first: 1,
            last: RankSpec::OPEN,
            columns: (0..count).collect(),
            numbered: true,
            emit,
        };
        let ranked = match by_time(&spec, &rows) {
            Some(running) => {
                let relation = self.over(&rows, running, columns, over.at);
                self.builder.numberings.push(relation.node);
                relation
            }
            None => {
                let schema = Schema::new(columns.iter().map(|c| c.field.clone()).collect());
                let op = Op::Rank(spec);
                let node = self.builder.add("rank", op, vec![rows.node], schema, over.at);
                let updating = self.builder.nodes[node].updating;
                Relation { node, columns, updating, pending: None }
            }
        };
        if position == count {
            return ranked;
        }
        let place = |i: usize| match i.cmp(&position) {
            std::cmp::Ordering::Less => i,
            std::cmp::Ordering::Equal => count,
            std::cmp::Ordering::Greater => i - 1,
        };
        let columns: Vec<Column> = (0..=count).map(|i| ranked.columns[place(i)].clone()).collect();
        let exprs = columns.iter().enumerate().map(|(i, c)| Expr::column(place(i), &c.field));
        self.builder.project(&ranked, exprs.collect(), columns.clone(), at)
    }

    /// Conditions that say which numbers of a rank are wanted: the rows of these ranks, and the conditions
    /// that are left. `None` when they say nothing of one.
    pub(super) fn ranked<'a>(
        &mut self,
        input: &Relation,
        all: &[&'a Ast],
    ) -> Result<Option<(Relation, Vec<&'a Ast>)>> {
        if input.pending.is_some() {
            return Ok(None);
        }
        let mut found: Option<(NodeId, &Ast)> = None;
        let (mut first, mut last) = (1, RankSpec::OPEN);
        let mut rest = Vec::new();
        for &ast in all {
            let bounds = bounds(ast, input);
            let rank =
                bounds.and_then(|(column, ..)| open_rank(&self.builder, (input.node, column)));
            let (Some((_, from, to)), Some(rank)) = (bounds, rank) else {
                rest.push(ast);
                continue;
            };
            found = found.or(Some((rank, ast)));
            (first, last) = (first.max(from), last.min(to));
        }
        let Some((rank, said)) = found else { return Ok(None) };
        if last == RankSpec::OPEN {
            let hint = "say where they end, too: rn > 5 AND rn <= 10";
            let message = "the condition leaves the ranks without an end";
            return Err(rank_error(message, hint).located(said));
        }
        if first > last {
            let message = "the condition lets no rank through: they begin with 1";
            return Err(rank_error(message, "say WHERE rn <= 3, or rn = 1").located(said));
        }
        let node = self.narrowed(input.node, rank, (first, last));
        let updating = self.builder.nodes[node].updating;
        let columns = input.columns.clone();
        Ok(Some((Relation { node, columns, updating, pending: None }, rest)))
    }

    /// The rank `rank` with an end, and all that stands between it and `node` once more above it.
    fn narrowed(&mut self, node: NodeId, rank: NodeId, (first, last): (u64, u64)) -> NodeId {
        let mut above = Vec::new();
        let mut at = node;
        while at != rank {
            above.push(at);
            at = self.builder.nodes[at].inputs[0];
        }
        let nodes = &self.builder.nodes;
        let again = |n: &Node| (n.name.clone(), n.op.clone(), n.schema.clone(), n.span);
        let (name, op, schema, at) = again(&nodes[rank]);
        let below = nodes[rank].inputs[0];
        let spec = match op {
            Op::Rank(spec) => spec,
            Op::Over(running) => of_running(running),
            _ => return node,
        };
        let mut spec = RankSpec { first, last, ..spec };
        spec.emit = emit(&spec, nodes, below);
        let name = if name == "over" { "rank" } else { &name };
        let mut made = self.builder.add(name, Op::Rank(spec), vec![below], schema, at);
        for node in above.into_iter().rev() {
            let (name, op, schema, at) = again(&self.builder.nodes[node]);
            made = self.builder.add(&name, op, vec![made], schema, at);
        }
        made
    }
}

/// When rows leave a rank: the first or last by event time of an input that takes nothing back is
/// deduplication.
fn emit(spec: &RankSpec, nodes: &[Node], below: NodeId) -> Emit {
    let [order] = spec.order.as_slice() else { return spec.emit };
    let one = (spec.first, spec.last) == (1, 1) && !nodes[below].updating;
    if !one || !is_event_time(nodes, (below, order.column)) {
        return spec.emit;
    }
    match spec.emit {
        Emit::Window { start, end, .. } => Emit::Window { start, end, latest: order.descending },
        _ if order.descending => Emit::Latest,
        _ => Emit::First(order.column),
    }
}

/// Whether a column of a node is the event time, or was until rows were put into windows by it.
fn is_event_time(nodes: &[Node], (mut node, mut column): (NodeId, usize)) -> bool {
    loop {
        let at = &nodes[node];
        if at.schema.fields[column].rowtime {
            return true;
        }
        match &at.op {
            Op::Filter { .. } => {}
            Op::Project { exprs } => match exprs[column].kind {
                ExprKind::Column(index) => column = index,
                _ => return false,
            },
            Op::AssignWindow { time, .. } => return column == *time,
            _ => return false,
        }
        node = at.inputs[0];
    }
}

/// The rank without an end whose number a column of a node is.
fn open_rank(builder: &Builder, (mut node, mut column): (NodeId, usize)) -> Option<NodeId> {
    loop {
        let at = builder.nodes.get(node)?;
        match &at.op {
            Op::Filter { .. } => {}
            Op::Project { exprs } => match exprs.get(column)?.kind {
                ExprKind::Column(index) => column = index,
                _ => return None,
            },
            Op::Rank(spec) => {
                let number = spec.numbered && column == spec.columns.len();
                return (number && spec.last == RankSpec::OPEN).then_some(node);
            }
            Op::Over(spec) => {
                let number = column == spec.columns.len();
                return (number && builder.numberings.contains(&node)).then_some(node);
            }
            _ => return None,
        }
        node = *at.inputs.first()?;
    }
}

/// An error for each rank whose end nobody has said.
pub(super) fn endless_ranks(nodes: &[Node], errors: &mut Vec<Error>) {
    for node in nodes {
        if let Op::Rank(RankSpec { last: RankSpec::OPEN, .. }) = node.op {
            let message = "ROW_NUMBER needs a condition that says which numbers are wanted";
            let error = rank_error(message, PATTERN);
            errors.push(match node.span {
                Some(at) => error.at(at),
                None => error,
            });
        }
    }
}

/// Start and end of the window that a partition names by both.
fn window_of(rows: &Relation, keys: &[usize]) -> Option<(usize, usize)> {
    let roles = || keys.iter().map(|&key| (key, rows.columns[key].role));
    roles().find_map(|(start, role)| match role {
        Role::Start(window) => {
            let (end, _) = roles().find(|(_, role)| *role == Role::End(window))?;
            Some((start, end))
        }
        _ => None,
    })
}

/// What a condition says of a column, when it compares it with whole numbers: the least and the greatest.
fn bounds(ast: &Ast, input: &Relation) -> Option<(usize, u64, u64)> {
    let column = |ast: &Ast| match ast {
        Ast::Identifier(name) => input.resolve(std::slice::from_ref(name)).ok(),
        Ast::CompoundIdentifier(parts) => input.resolve(parts).ok(),
        _ => None,
    };
    match ast {
        Ast::Between { expr, negated: false, low, high } => {
            Some((column(expr)?, whole(low)?, whole(high)?))
        }
        Ast::BinaryOp { left, op, right } => {
            let (column, op, number) = match (column(left), column(right)) {
                (Some(column), None) => (column, op.clone(), whole(right)?),
                (None, Some(column)) => (column, turned(op), whole(left)?),
                _ => return None,
            };
            let open = RankSpec::OPEN;
            match op {
                Binary::Eq => Some((column, number, number)),
                Binary::LtEq => Some((column, 1, number)),
                // Below 0 or 1 there is no rank: the range is empty.
                Binary::Lt => Some((column, 1, number.saturating_sub(1))),
                Binary::GtEq => Some((column, number, open)),
                Binary::Gt => Some((column, number.saturating_add(1), open)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A whole number as written.
pub(super) fn whole(ast: &Ast) -> Option<u64> {
    match ast {
        Ast::Nested(inner) => match &**inner {
            Ast::Value(_) => whole(inner),
            _ => None,
        },
        Ast::Value(value) => match &value.value {
            AstValue::Number(text, _) => text.parse().ok().filter(|&n| n < RankSpec::OPEN),
            _ => None,
        },
        _ => None,
    }
}

/// The comparison with its sides changed.
fn turned(op: &Binary) -> Binary {
    match op {
        Binary::Lt => Binary::Gt,
        Binary::LtEq => Binary::GtEq,
        Binary::Gt => Binary::Lt,
        Binary::GtEq => Binary::LtEq,
        other => other.clone(),
    }
}
