//! OVER: aggregates in SELECT that leave each row where it is.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr as Ast, Function as AstFunction, Ident, Spanned};

use super::builder::renumber;
use super::call::function_name;
use super::diagnose::{Locate, span};
use super::expr::{self, Names, aggregate_of};
use super::frame::{Windows, frame, over_error};
use super::grouped::{Call, Manner, argument, manner};
use super::guest::Functions;
use super::lag::{LagCall, lag, no_lead};
use super::numbering::{no_frame, takes_nothing};
use super::planner::Planner;
use super::rank::{direction, no_rank};
use super::refused::unknown_function;
use super::scope::{Column, Relation, Role};
use super::window::missing_time;
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::over::{Frame, Lag, OverSpec};
use crate::plan::{AggregateCall, Op};
use crate::schema::{Field, Schema};

/// The position of the first call's result as long as nobody knows how many columns stand before it.
pub(super) const RESULTS: usize = usize::MAX / 4 * 3;

/// The calls with OVER in a SELECT, and the window they share.
#[derive(Default)]
pub(super) struct Overs {
    window: Option<Window>,
    calls: Vec<Said>,
}

/// A call with OVER.
enum Said {
    Aggregate(Call),
    Lag(LagCall),
}

impl Said {
    fn text(&self) -> &str {
        match self {
            Said::Aggregate(call) => &call.text,
            Said::Lag(call) => &call.text,
        }
    }

    fn field(&self) -> &Field {
        match self {
            Said::Aggregate(call) => &call.field,
            Said::Lag(call) => &call.field,
        }
    }

    /// The expressions over the rows.
    fn exprs(&mut self) -> impl Iterator<Item = &mut Expr> {
        let [first, second] = match self {
            Said::Aggregate(call) => [call.argument.as_mut(), call.filter.as_mut()],
            Said::Lag(call) => [Some(&mut call.argument), call.default.as_mut()],
        };
        first.into_iter().chain(second)
    }
}

impl Overs {
    /// Gives the columns that it reads other positions.
    pub(super) fn renumber(&mut self, place: &impl Fn(usize) -> usize) {
        if let Some(window) = &mut self.window {
            window.keys.iter_mut().for_each(|key| renumber(key, place));
            renumber(&mut window.order, place);
        }
        self.calls.iter_mut().flat_map(Said::exprs).for_each(|expr| renumber(expr, place));
    }
}

/// What stands before OVER.
#[derive(Clone, Copy)]
enum Kind {
    Aggregate(Aggregate),
    /// ROW_NUMBER, which counts.
    Number,
    Lag,
}

/// A window, its names given their meaning.
struct Window {
    keys: Vec<Expr>,
    order: Expr,
    /// Where the order stands.
    order_at: Option<Span>,
    /// `None`: any does, for what looks at no frame.
    frame: Option<Frame>,
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
        let kind = match (upper.as_str(), aggregate_of(ast)) {
            (_, Some((function, _))) => Kind::Aggregate(function),
            ("ROW_NUMBER", _) => Kind::Number,
            ("LAG", _) => Kind::Lag,
            _ => return Err(self.no_aggregate(&name, &upper)),
        };
        let window = self.window(call, kind)?;
        match &mut self.overs.window {
            None => self.overs.window = Some(window),
            Some(known) if known.is(&window) => known.frame = known.frame.or(window.frame),
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
        let known = self.overs.calls.iter().position(|known| known.text() == text);
        let place = match known {
            Some(place) => place,
            None => {
                let found = match kind {
                    Kind::Lag => Said::Lag(lag(text, call, self.names)?),
                    Kind::Aggregate(function) => {
                        Said::Aggregate(self.aggregate(text, function, call)?)
                    }
                    Kind::Number => {
                        takes_nothing(call)?;
                        let manner = Manner::default();
                        Said::Aggregate(Call::new(text, Aggregate::Count, None, None, manner)?)
                    }
                };
                self.overs.calls.push(found);
                self.overs.calls.len() - 1
            }
        };
        Ok(Expr::column(RESULTS + place, self.overs.calls[place].field()))
    }

    /// An aggregate with its argument and filter.
    fn aggregate(&mut self, text: String, function: Aggregate, call: &AstFunction) -> Result<Call> {
        let bound = match argument(function, call)? {
            Some(argument) => Some(expr::bind(argument, self.names)?),
            None => None,
        };
        let filter = match &call.filter {
            Some(filter) => Some(expr::bind_condition(filter, self.names, "FILTER (WHERE …)")?),
            None => None,
        };
        Call::new(text, function, bound, filter, manner(function, call)?)
    }

    fn no_aggregate(&self, name: &str, upper: &str) -> Error {
        let scalar = crate::expr::functions().iter().any(|f| f.name == upper)
            || self.names.functions().is_some_and(|own| own.get(name).is_some());
        match upper {
            "RANK" | "DENSE_RANK" => no_rank(upper),
            "LEAD" => no_lead(),
            _ if scalar => over_error(
                format!("{upper} is no aggregate: OVER does not apply"),
                "aggregates such as COUNT and SUM, ROW_NUMBER and LAG go with OVER",
            ),
            _ => unknown_function(name, upper, self.names.functions()),
        }
    }

    /// The window of a call.
    fn window(&mut self, call: &AstFunction, kind: Kind) -> Result<Window> {
        let Some(over) = &call.over else { unreachable!("only calls with OVER are asked for") };
        let written = self.windows.of(over)?;
        let frame = match (kind, written.frame) {
            (Kind::Aggregate(_), written) => Some(frame(written)?),
            (Kind::Number, None) => Some(Frame::Rows(None)),
            (Kind::Lag, None) => None,
            (Kind::Number, Some(_)) => return Err(no_frame("ROW_NUMBER")),
            (Kind::Lag, Some(_)) => return Err(no_frame("LAG")),
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
        let frames = self.frame.zip(other.frame);
        let framed = frames.is_none_or(|(frame, other)| frame == other);
        keys && self.keys.len() == other.keys.len() && order && framed
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

    /// The calls as the operator reads them, and the fields of their results: the aggregates come first.
    fn read_by(&mut self, calls: Vec<Said>) -> (Vec<AggregateCall>, Vec<Lag>, Vec<Field>) {
        let (mut aggregates, mut lags) = (Vec::new(), Vec::new());
        let (mut results, mut seen) = (Vec::new(), Vec::new());
        for call in calls {
            match call {
                Said::Aggregate(Call {
                    function,
                    argument,
                    filter,
                    distinct,
                    separator,
                    field,
                    ..
                }) => {
                    let argument = argument.map(|e| self.place(e, "argument"));
                    let filter = filter.map(|e| self.place(e, "filter"));
                    let name = function.name().to_ascii_lowercase();
                    aggregates.push(AggregateCall {
                        function,
                        argument,
                        distinct,
                        filter,
                        separator,
                    });
                    results.push(Field { name, ..field });
                }
                Said::Lag(LagCall { argument, offset, default, field, .. }) => {
                    let column = self.place(argument, "argument");
                    let default = default.map(|e| self.place(e, "default"));
                    lags.push(Lag { column, offset, default });
                    seen.push(Field { name: "lag".to_owned(), ..field });
                }
            }
        }
        results.extend(seen);
        (aggregates, lags, results)
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
        let is_lag = |call: &Said| matches!(call, Said::Lag(_));
        // The results of LAG stand behind those of the aggregates.
        let mut order: Vec<usize> = (0..calls.len()).collect();
        order.sort_by_key(|&i| is_lag(&calls[i]));
        let place = |call: usize| count + order.iter().position(|&i| i == call).unwrap_or(call);
        exprs.for_each(|expr| {
            renumber(expr, &|column| column.checked_sub(RESULTS).map_or(column, place));
        });
        let columns = input.columns.iter().enumerate();
        let mut below = Below {
            exprs: columns.map(|(i, column)| Expr::column(i, &column.field)).collect(),
            columns: input.columns.clone(),
        };
        let Window { keys, frame, at, .. } = window;
        let keys = keys.into_iter().map(|key| below.place(key, "key")).collect();
        let (aggregates, lags, results) = below.read_by(calls);
        let rows = match below.exprs.len() == count {
            true => input,
            false => self.builder.project(&input, below.exprs, below.columns, at),
        };
        let mut columns = rows.columns[..count].to_vec();
        for (i, field) in results.into_iter().enumerate() {
            let field = Field { name: unique(&columns, &format!("{}_{i}", field.name)), ..field };
            columns.push(Column { qualifier: None, field, role: Role::Plain });
        }
        let frame = frame.unwrap_or(Frame::Rows(None));
        let spec = OverSpec { keys, time, frame, aggregates, lags, columns: (0..count).collect() };
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
