//! Table functions in FROM: the built-in windows TUMBLE, HOP, CUMULATE and SESSION.

use sqlparser::ast::{Expr as Ast, FunctionArg, FunctionArguments, Ident, Spanned, TableFactor};

use super::aggregate::updating;
use super::arguments::{Argument, Matched, arguments, descriptor_columns};
use super::diagnose::{Locate, span, unknown, unsupported};
use super::dialect::{TABLE, marker};
use super::emission::emission;
use super::guest::broken;
use super::interval;
use super::planner::Planner;
use super::scope::{Pending, Relation, window_fields};
use crate::error::{Diagnostic, Error, Result, Span};
use crate::plan::{Op, WindowSpec};
use crate::schema::Schema;
use crate::time::{Alignment, Cumulation};

/// The most windows of one HOP or CUMULATE that may overlap: a day by seconds fits.
const MAX_OVERLAP: i64 = 100_000;

/// The table functions that every script knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableFunction {
    Tumble,
    Hop,
    Cumulate,
    Session,
    Late,
}

impl TableFunction {
    /// All of them by name, in the order in which help lists them.
    pub(super) const ALL: [(&'static str, TableFunction); 5] = [
        ("TUMBLE", TableFunction::Tumble),
        ("HOP", TableFunction::Hop),
        ("CUMULATE", TableFunction::Cumulate),
        ("SESSION", TableFunction::Session),
        ("LATE", TableFunction::Late),
    ];
}

/// A table handed to a table function.
pub(super) struct TableArgument {
    pub relation: Relation,
    /// The columns of PARTITION BY.
    pub keys: Vec<usize>,
}

impl Planner<'_> {
    /// The call inside `TABLE(…)`.
    pub(super) fn table_argument(&mut self, ast: &Ast) -> Result<Relation> {
        if let Some((TABLE, _)) = marker(ast) {
            return self.table_value(ast).map(|table| table.relation);
        }
        let Ast::Function(call) = ast else {
            return Err(Diagnostic::new("sql.window", "TABLE(…) takes a window function")
                .hint("for example TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES))")
                .located(ast));
        };
        let name = super::from::ident_of(&call.name)?;
        let FunctionArguments::List(list) = &call.args else {
            return Err(
                Diagnostic::new("sql.window", "a window function takes arguments").located(ast)
            );
        };
        self.call_table_function(&name, &list.args, span(ast.span()))
    }

    /// `FROM f(…)`, as Flink 2 also writes it.
    pub(super) fn table_function(
        &mut self,
        name: &Ident,
        args: &[FunctionArg],
        factor: &TableFactor,
    ) -> Result<Relation> {
        self.call_table_function(name, args, span(factor.span()).or_else(|| span(name.span)))
    }

    fn call_table_function(
        &mut self,
        name: &Ident,
        args: &[FunctionArg],
        at: Option<Span>,
    ) -> Result<Relation> {
        let arguments = arguments(args)?;
        // A name the script declares hides none of the built-in windows: they are reserved.
        let mut built_in = TableFunction::ALL.iter();
        let built_in = built_in.find(|(known, _)| known.eq_ignore_ascii_case(&name.value));
        match built_in.map(|(_, function)| function) {
            Some(TableFunction::Tumble) => self.tumble(arguments, at),
            Some(TableFunction::Hop) => self.hop(arguments, at),
            Some(TableFunction::Cumulate) => self.cumulate(arguments, at),
            Some(TableFunction::Session) => self.session(arguments, at),
            Some(TableFunction::Late) => self.late(arguments, at),
            None => match self.functions.get(&name.value) {
                Some(Some(guest)) => {
                    let guest = guest.clone();
                    self.guest(&guest, arguments, at.or_else(|| span(name.span)))
                }
                Some(None) => Err(broken(&name.value).located_at(name.span)),
                None => {
                    let known = self.functions.names();
                    let known = known.chain(TableFunction::ALL.iter().map(|(name, _)| *name));
                    let hint = "the windows are TUMBLE, HOP, CUMULATE and SESSION; make your own known with \
                                CREATE FUNCTION f AS 'f.wasm' LANGUAGE WASM";
                    Err(unknown("sql.unknown-function", "table function", &name.value, known, hint)
                        .located_at(name.span))
                }
            },
        }
    }

    fn tumble(&mut self, arguments: Vec<Argument>, at: Option<Span>) -> Result<Relation> {
        const EXAMPLE: &str = "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES)";
        let parameters = ["DATA", "TIMECOL", "SIZE", "OFFSET"];
        let matched = Matched::new("TUMBLE", &parameters, arguments, at)?;
        let (table, time, data) = self.timed("TUMBLE", &matched, EXAMPLE)?;
        let size_at = matched.need("SIZE", "INTERVAL '10' MINUTES")?;
        let size = positive(interval::millis(size_at, "the size of TUMBLE")?, "size", size_at)?;
        let offset = offset(&matched, "the offset of TUMBLE")?;
        let spec = WindowSpec::Aligned(Alignment::new(size, size, offset));
        self.pending(table, spec, time, data)
    }

    fn hop(&mut self, arguments: Vec<Argument>, at: Option<Span>) -> Result<Relation> {
        const EXAMPLE: &str =
            "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTES, INTERVAL '10' MINUTES)";
        let parameters = ["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"];
        let matched = Matched::new("HOP", &parameters, arguments, at)?;
        let (table, time, data) = self.timed("HOP", &matched, EXAMPLE)?;
        let (slide, size) = steps("HOP", &matched, ("SLIDE", "slide"), ("size", EXAMPLE))?;
        let offset = offset(&matched, "the offset of HOP")?;
        let spec = WindowSpec::Aligned(Alignment::new(size, slide, offset));
        self.pending(table, spec, time, data)
    }

    fn cumulate(&mut self, arguments: Vec<Argument>, at: Option<Span>) -> Result<Relation> {
        const EXAMPLE: &str =
            "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '1' DAY)";
        let parameters = ["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"];
        let matched = Matched::new("CUMULATE", &parameters, arguments, at)?;
        let (table, time, data) = self.timed("CUMULATE", &matched, EXAMPLE)?;
        let (step, size) =
            steps("CUMULATE", &matched, ("STEP", "step"), ("greatest size", EXAMPLE))?;
        let offset = offset(&matched, "the offset of CUMULATE")?;
        let spec = WindowSpec::Cumulate(Cumulation::new(step, size, offset));
        self.pending(table, spec, time, data)
    }

    /// The table that windows of one time alone are over, its time column, and where the table stands.
    fn timed<'a>(
        &mut self,
        function: &str,
        matched: &Matched<'a>,
        example: &str,
    ) -> Result<(TableArgument, usize, &'a Ast)> {
        let data = matched.need("DATA", example)?;
        let table = self.table_value(data)?;
        if !table.keys.is_empty() {
            let windows = if function == "TUMBLE" { "window" } else { "windows" };
            return Err(unsupported(
                format!("{function} does not take PARTITION BY"),
                format!("every row has its {windows} by its time alone; put the key into GROUP BY"),
            )
            .located(data));
        }
        let time = self.time_of(&table.relation, matched.get("TIMECOL"), function, data)?;
        Ok((table, time, data))
    }

    fn session(&mut self, arguments: Vec<Argument>, at: Option<Span>) -> Result<Relation> {
        let matched = Matched::new("SESSION", &["DATA", "TIMECOL", "GAP"], arguments, at)?;
        let data = matched.need(
            "DATA",
            "SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '10' MINUTES)",
        )?;
        let table = self.table_value(data)?;
        let time = self.time_of(&table.relation, matched.get("TIMECOL"), "SESSION", data)?;
        let gap_at = matched.need("GAP", "INTERVAL '10' MINUTES")?;
        let gap = positive(interval::millis(gap_at, "the gap of SESSION")?, "gap", gap_at)?;
        self.pending(table, WindowSpec::Session { gap }, time, data)
    }

    fn pending(
        &mut self,
        table: TableArgument,
        spec: WindowSpec,
        time: usize,
        data: &Ast,
    ) -> Result<Relation> {
        let mut relation = table.relation;
        if relation.updating {
            return Err(updating("put into windows", span(data.span())));
        }
        let mut relation = match relation.pending.is_some() {
            true => self.assign(relation, span(data.span()))?,
            false => {
                relation.pending = None;
                relation
            }
        };
        let window = self.builder.windows.len();
        self.builder.windows.push(match spec {
            WindowSpec::Aligned(alignment) if alignment.overlap() == 1 => Some(alignment),
            _ => None,
        });
        let time_type = relation.columns[time].field.data_type;
        // The window's own time is the time attribute from here on.
        relation.columns.iter_mut().for_each(|column| column.field.rowtime = false);
        relation.push_window(window, time_type);
        relation.pending = Some(Pending { window, spec, time, keys: table.keys });
        Ok(relation)
    }

    /// Makes the windows of a pending window function real columns.
    pub(super) fn assign(&mut self, input: Relation, at: Option<Span>) -> Result<Relation> {
        let Some(pending) = input.pending.clone() else { return Ok(input) };
        let existing = input.existing();
        let mut fields: Vec<_> =
            input.columns[..existing].iter().map(|c| c.field.clone()).collect();
        let time_type = input.columns[pending.time].field.data_type;
        fields.extend(window_fields(time_type));
        let Pending { spec, time, keys, .. } = pending;
        let (name, op) = match spec {
            WindowSpec::Session { .. } if !emission(&self.settings)?.is_on_time() => {
                let error = unsupported(
                    "rows of sessions fire once on time: triggers, allowed lateness and other gaps do not apply",
                    "aggregate over the sessions by what they are partitioned by, and window_start and \
                     window_end; or leave the settings out",
                );
                return Err(match at {
                    Some(at) => error.at(at),
                    None => error,
                });
            }
            WindowSpec::Session { gap } => ("session", Op::SessionWindow { gap, time, keys }),
            window => ("assign", Op::AssignWindow { window, time }),
        };
        let node = self.builder.add(name, op, vec![input.node], Schema::new(fields), at);
        Ok(Relation { node, pending: None, ..input })
    }

    /// The table an argument means: `TABLE t [PARTITION BY …]`, `TABLE (SELECT …)`, or a query.
    pub(super) fn table_value(&mut self, ast: &Ast) -> Result<TableArgument> {
        let wrong = || {
            Diagnostic::new("sql.argument", "a table is expected")
                .hint("write TABLE t, TABLE t PARTITION BY k, or TABLE (SELECT …)")
                .located(ast)
        };
        if let Ast::Subquery(query) = ast {
            return Ok(TableArgument { relation: self.query(query)?, keys: Vec::new() });
        }
        let Some((TABLE, args)) = marker(ast) else { return Err(wrong()) };
        let (Some(first), keys) = (args.first(), args.get(1..).unwrap_or_default()) else {
            return Err(wrong());
        };
        let relation = match first {
            Ast::Identifier(name) => self.table(name)?,
            Ast::Subquery(query) => self.query(query)?,
            other => {
                return Err(unsupported(
                    "catalogs and databases are not supported",
                    "name the table alone",
                )
                .located(*other));
            }
        };
        let mut columns = Vec::new();
        for key in keys {
            if let Ast::Identifier(name) = key {
                columns.push(relation.resolve(std::slice::from_ref(name))?);
            }
        }
        Ok(TableArgument { relation, keys: columns })
    }

    /// The event-time column a DESCRIPTOR names, or the table's own when there is none.
    pub(super) fn time_of(
        &self,
        relation: &Relation,
        descriptor: Option<&Ast>,
        function: &str,
        data: &Ast,
    ) -> Result<usize> {
        let (index, place) = match descriptor {
            Some(ast) => {
                let names = descriptor_columns(ast)?;
                let [name] = names.as_slice() else {
                    return Err(Diagnostic::new(
                        "sql.argument",
                        "DESCRIPTOR takes one time column here",
                    )
                    .located(ast));
                };
                (relation.resolve(std::slice::from_ref(name))?, ast)
            }
            None => match relation.rowtime() {
                Some(index) => return Ok(index),
                None => return Err(missing_time(function, None).located(data)),
            },
        };
        let field = &relation.columns[index].field;
        if field.rowtime {
            Ok(index)
        } else {
            Err(missing_time(function, Some(&field.name)).located(place))
        }
    }
}

/// The error of a time that no watermark is of.
pub(super) fn missing_time(function: &str, column: Option<&str>) -> Error {
    let (what, name) = match column {
        Some(name) => (format!("{function} needs a time attribute, `{name}` is none"), name),
        None => (format!("{function} needs a time attribute, the table has none"), "ts"),
    };
    Diagnostic::new("sql.missing-watermark", what).hint(format!(
        "declare it in CREATE TABLE: WATERMARK FOR {name} AS {name} - INTERVAL '5' SECOND; a query keeps \
         the attribute as long as it hands the column on unchanged, a window hands on window_time"
    ))
}

/// The offset of windows, where one is given.
fn offset(matched: &Matched<'_>, what: &str) -> Result<i64> {
    matched.get("OFFSET").map_or(Ok(0), |offset| interval::millis(offset, what))
}

/// How far windows are apart, and how long the longest is: a whole multiple of that. `by` is the parameter that
/// says how far and its name in messages.
fn steps(
    function: &str,
    matched: &Matched<'_>,
    (parameter, by): (&str, &str),
    (size_name, example): (&str, &str),
) -> Result<(i64, i64)> {
    let step_at = matched.need(parameter, example)?;
    let step = interval::millis(step_at, &format!("the {by} of {function}"))?;
    let step = positive(step, by, step_at)?;
    let size_at = matched.need("SIZE", example)?;
    let size = interval::millis(size_at, &format!("the {size_name} of {function}"))?;
    let size = positive(size, size_name, size_at)?;
    if size % step != 0 {
        return Err(Diagnostic::new(
            "sql.window",
            format!("the {size_name} of {function} must be a whole multiple of its {by}"),
        )
        .hint(format!(
            "the {by} comes first: {function}(TABLE t, DESCRIPTOR(ts), {by}, {size_name})"
        ))
        .located(size_at));
    }
    if size / step > MAX_OVERLAP {
        return Err(Diagnostic::new(
            "sql.window",
            format!("a row would be in {} windows of {function}", size / step),
        )
        .hint(format!("choose a {by} of which at most {MAX_OVERLAP} make up the {size_name}"))
        .located_at(step_at.span()));
    }
    Ok((step, size))
}

fn positive(millis: i64, what: &str, at: &Ast) -> Result<i64> {
    if millis > 0 {
        return Ok(millis);
    }
    Err(Diagnostic::new(
        "sql.window",
        format!("the {what} of a window must be longer than nothing"),
    )
    .hint("for example INTERVAL '10' MINUTES")
    .located(at))
}
