//! OVER: aggregates in SELECT that leave each row where it is.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr as Ast, Function as AstFunction, Ident, Spanned};

use super::builder::renumber;
use super::call::function_name;
use super::diagnose::{Locate, span};
use super::expr::{self, Names, aggregate_of};
use super::frame::{Windows, frame, over_error};
use super::grouped::{Call, argument, distinct};
use super::guest::Functions;
use super::numbering::{no_frame, takes_nothing};
use super::planner::Planner;
use super::rank::{direction, no_rank};
use super::refused::unknown_function;
use super::scope::{Column, Relation, Role};
use super::window::missing_time;
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::over::{Frame, OverSpec};
use crate::plan::{AggregateCall, Op};
use crate::schema::{Field, Schema};

/// The position of the first call's result as long as nobody knows how many columns stand before it.
pub(super) const RESULTS: usize = usize::MAX / 4 * 3;

/// The calls with OVER in a SELECT, and the window they share.
#[derive(Default)]
pub(super) struct Overs {
    window: Option<Window>,
    calls: Vec<Call>,
}

impl Overs {
    /// Gives the columns that it reads other positions.
    pub(super) fn renumber(&mut self, place: &impl Fn(usize) -> usize) {
        if let Some(window) = &mut self.window {
            window.keys.iter_mut().for_each(|key| renumber(key, place));
            renumber(&mut window.order, place);
        }
        for call in &mut self.calls {
            call.argument.iter_mut().chain(&mut call.filter).for_each(|e| renumber(e, place));
        }
    }
}

/// A window, its names given their meaning.
struct Window {
    keys: Vec<Expr>,
    order: Expr,
    /// Where the order stands.
    order_at: Option<Span>,
    frame: Frame,
    at: Option<Span>,
}

/// What a SELECT sees: what others see there, and calls with OVER.
pub(super) struct WithOvers<'a> {
    pub names: &'a mut dyn Names,
    pub windows: Windows<'a>,
    pub overs: &'a mut Overs,
}

impl Names for WithOvers<'_> {
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>> {
        match ast {
            Ast::Function(call) if call.over.is_some() => self.call(ast, call).map(Some),
            _ => self.names.whole(ast),
        }
    }

    fn column(&mut self, parts: &[Ident]) -> Result<Expr> {
        self.names.column(parts)
    }

    fn functions(&self) -> Option<&Functions> {
        self.names.functions()
    }
}

/// The error of OVER where none may stand.
pub(super) fn misplaced_over(name: &str) -> Error {
    over_error(
        format!("{name} OVER (…) stands in SELECT only, and not in another aggregate"),
        "compute it in a query of its own: SELECT … FROM (SELECT *, SUM(x) OVER (…) AS s FROM t) WHERE s > 1",
    )
}

impl WithOvers<'_> {
    /// Remembers a call, once for each spelling, and names its result.
    fn call(&mut self, ast: &Ast, call: &AstFunction) -> Result<Expr> {
        let name = function_name(call)?;
        let upper = name.to_ascii_uppercase();
        let numbers = upper == "ROW_NUMBER";
        let function = match aggregate_of(ast) {
            Some((function, _)) => function,
            None if numbers => Aggregate::Count,
            None => return Err(self.no_aggregate(&name, &upper)),
        };
        let window = self.window(call, numbers)?;
        match &self.overs.window {
            None => self.overs.window = Some(window),
            Some(known) if known.is(&window) => {}
            Some(_) => {
                return Err(over_error(
                    "all OVER calls of a query share one window, this one is another",
                    "give them equal PARTITION BY, ORDER BY and frame (WINDOW w AS (…) writes it once), or \
                     compute one of them in a query of its own below; ROW_NUMBER is over ROWS UNBOUNDED \
                     PRECEDING",
                ));
            }
        }
        let text = ast.to_string();
        let known = self.overs.calls.iter().position(|known| known.text == text);
        let place = match known {
            Some(place) => place,
            None => {
                let found = self.bound(text, (function, numbers), call)?;
                self.overs.calls.push(found);
                self.overs.calls.len() - 1
            }
        };
        Ok(Expr::column(RESULTS + place, &self.overs.calls[place].field))
    }

    /// A call with its argument and filter.
    fn bound(
        &mut self,
        text: String,
        (function, numbers): (Aggregate, bool),
        call: &AstFunction,
    ) -> Result<Call> {
        if numbers {
            takes_nothing(call)?;
            return Call::new(text, Aggregate::Count, None, None, false);
        }
        let bound = match argument(function, call)? {
            Some(argument) => Some(expr::bind(argument, self.names)?),
            None => None,
        };
        let filter = match &call.filter {
            Some(filter) => Some(expr::bind_condition(filter, self.names, "FILTER (WHERE …)")?),
            None => None,
        };
        Call::new(text, function, bound, filter, distinct(call))
    }

    fn no_aggregate(&self, name: &str, upper: &str) -> Error {
        let scalar = crate::expr::functions().iter().any(|f| f.name == upper)
            || self.names.functions().is_some_and(|own| own.get(name).is_some());
        match upper {
            "RANK" | "DENSE_RANK" => no_rank(upper),
            _ if scalar => over_error(
                format!("{upper} is no aggregate: OVER does not apply"),
                "COUNT, SUM, AVG, MIN, MAX and ROW_NUMBER go with OVER",
            ),
            _ => unknown_function(name, upper, self.names.functions()),
        }
    }

    /// The window of a call.
    fn window(&mut self, call: &AstFunction, numbers: bool) -> Result<Window> {
        let Some(over) = &call.over else { unreachable!("only calls with OVER are asked for") };
        let written = self.windows.of(over)?;
        let frame = match (numbers, written.frame) {
            (true, None) => Frame::Rows(None),
            (true, Some(_)) => return Err(no_frame()),
            (false, written) => frame(written)?,
        };
        let [item] = written.order_by else {
            let error = match written.order_by.get(1) {
                None => over_error(
                    "OVER needs ORDER BY the event time",
                    "OVER (PARTITION BY a ORDER BY ts): a frame is made of the rows before a row",
                ),
                Some(second) => over_error(
                    "OVER is ordered by the event time alone",
                    "leave the other columns out; rows of one time stand as they came",
                )
                .located(&second.expr),
            };
            return Err(error);
        };
        if direction(item)?.0 {
            return Err(over_error(
                "OVER is ordered by ascending time",
                "leave DESC out: rows leave in the order of their times, each knows those before it",
            )
            .located(&item.expr));
        }
        let mut keys = Vec::new();
        for key in written.partition_by {
            keys.push(expr::bind(key, self.names)?);
        }
        let order = expr::bind(&item.expr, self.names)?;
        Ok(Window { keys, order, order_at: span(item.expr.span()), frame, at: span(call.span()) })
    }
}

impl Window {
    /// Whether it is the same.
    fn is(&self, other: &Window) -> bool {
        let keys = self.keys.iter().zip(&other.keys).all(|(a, b)| is_same(a, b));
        let order = is_same(&self.order, &other.order);
        keys && self.keys.len() == other.keys.len() && order && self.frame == other.frame
    }
}

/// Whether two expressions over the same columns are written alike.
fn is_same(a: &Expr, b: &Expr) -> bool {
    format!("{:?}", a.kind) == format!("{:?}", b.kind)
}

/// The columns below the operator: those of the rows, then what it reads beside them.
struct Below {
    exprs: Vec<Expr>,
    columns: Vec<Column>,
}

impl Below {
    /// The position of an expression, added when it is no column.
    fn place(&mut self, expr: Expr, name: &str) -> usize {
        if let ExprKind::Column(index) = expr.kind {
            return index;
        }
        let field = Field {
            name: unique(&self.columns, name),
            data_type: expr.data_type,
            nullable: expr.nullable,
            rowtime: false,
        };
        self.columns.push(Column { qualifier: None, field, role: Role::Plain });
        self.exprs.push(expr);
        self.exprs.len() - 1
    }
}

/// A name that no column has.
fn unique(columns: &[Column], name: &str) -> String {
    let names: BTreeSet<&str> = columns.iter().map(|c| c.field.name.as_str()).collect();
    let counted = (0_u32..).map(|count| format!("{name}{count}"));
    let mut all = std::iter::once(name.to_owned()).chain(counted);
    all.find(|name| !names.contains(name.as_str())).unwrap_or_default()
}

impl Planner<'_> {
    /// The rows of `input` with the results of OVER behind their columns, and `exprs` reading these there.
    pub(super) fn with_overs<'e>(
        &mut self,
        input: Relation,
        overs: Overs,
        exprs: impl Iterator<Item = &'e mut Expr>,
    ) -> Result<Relation> {
        let Overs { window: Some(window), calls } = overs else { return Ok(input) };
        let time = time_of(&window, &input)?;
        let count = input.columns.len();
        exprs.for_each(|expr| {
            renumber(expr, &|column| column.checked_sub(RESULTS).map_or(column, |i| count + i));
        });
        let columns = input.columns.iter().enumerate();
        let mut below = Below {
            exprs: columns.map(|(i, column)| Expr::column(i, &column.field)).collect(),
            columns: input.columns.clone(),
        };
        let Window { keys, frame, at, .. } = window;
        let keys = keys.into_iter().map(|key| below.place(key, "key")).collect();
        let mut results = Vec::new();
        let mut aggregates = Vec::new();
        for call in calls {
            aggregates.push(AggregateCall {
                function: call.function,
                argument: call.argument.map(|e| below.place(e, "argument")),
                distinct: call.distinct,
                filter: call.filter.map(|e| below.place(e, "filter")),
            });
            results.push((call.function.name().to_ascii_lowercase(), call.field));
        }
        let rows = match below.exprs.len() == count {
            true => input,
            false => self.builder.project(&input, below.exprs, below.columns, at),
        };
        let mut columns = rows.columns[..count].to_vec();
        for (i, (name, field)) in results.into_iter().enumerate() {
            let field = Field { name: unique(&columns, &format!("{name}_{i}")), ..field };
            columns.push(Column { qualifier: None, field, role: Role::Plain });
        }
        let spec = OverSpec { keys, time, frame, aggregates, columns: (0..count).collect() };
        Ok(self.over(&rows, spec, columns, at))
    }

    /// Adds the node of an OVER.
    pub(super) fn over(
        &mut self,
        input: &Relation,
        spec: OverSpec,
        columns: Vec<Column>,
        at: Option<Span>,
    ) -> Relation {
        let schema = Schema::new(columns.iter().map(|c| c.field.clone()).collect());
        let node = self.builder.add("over", Op::Over(spec), vec![input.node], schema, at);
        Relation { node, columns, updating: false, pending: None }
    }
}

/// The column of the time that a window is ordered by.
fn time_of(window: &Window, input: &Relation) -> Result<usize> {
    let column = match window.order.kind {
        ExprKind::Column(index) => input.columns.get(index).map(|column| (index, &column.field)),
        _ => None,
    };
    let error = match column {
        Some((index, field)) if field.rowtime && !input.updating => return Ok(index),
        _ if input.updating => Diagnostic::new(
            "sql.updating",
            "a query that updates its rows cannot be aggregated by OVER",
        )
        .hint(
            "its input changes rows it has given before, and rows that have left with what was known then \
             cannot be taken back: aggregate over windows there (GROUP BY window_start, window_end)",
        ),
        _ => match input.rowtime() {
            Some(time) => {
                let time = &input.columns[time].field.name;
                over_error(
                    "OVER is ordered by the event time",
                    format!("write ORDER BY {time}: that is the time the watermark is of"),
                )
            }
            None => missing_time("ORDER BY in OVER", column.map(|(_, field)| field.name.as_str())),
        },
    };
    Err(match window.order_at {
        Some(at) => error.at(at),
        None => error,
    })
}
