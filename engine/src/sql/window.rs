//! Table functions in FROM: the built-in windows TUMBLE, HOP and SESSION, and how arguments are matched.

use sqlparser::ast::{
    Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned, TableFactor,
};

use super::aggregate::updating;
use super::builder::WindowKind;
use super::diagnose::{Locate, nearest, span, unknown, unsupported};
use super::dialect::{TABLE, marker};
use super::guest::broken;
use super::interval;
use super::planner::Planner;
use super::scope::{Pending, Relation, window_fields};
use crate::error::{Diagnostic, Error, Result, Span};
use crate::plan::{Op, WindowSpec};
use crate::schema::Schema;
use crate::time::Alignment;

/// The most windows of one HOP that may overlap: a day by seconds fits.
const MAX_OVERLAP: i64 = 100_000;

/// An argument of a table function.
pub(super) struct Argument<'a> {
    pub name: Option<&'a Ident>,
    pub value: &'a Ast,
}

/// A table handed to a table function.
pub(super) struct TableArgument {
    pub relation: Relation,
    /// The columns of PARTITION BY.
    pub keys: Vec<usize>,
}

/// The arguments of a call by the names of its parameters; positions fill the parameters in order.
pub(super) struct Matched<'a> {
    function: String,
    /// The whole call.
    pub at: Option<Span>,
    found: Vec<(String, Argument<'a>)>,
}

impl<'a> Matched<'a> {
    /// Matches arguments to parameters. Names are compared in any case, as Flink does.
    pub(super) fn new(
        function: &str,
        parameters: &[&str],
        arguments: Vec<Argument<'a>>,
        at: Option<Span>,
    ) -> Result<Matched<'a>> {
        let mut matched = Matched { function: function.to_owned(), at, found: Vec::new() };
        for (position, argument) in arguments.into_iter().enumerate() {
            let place = argument.value.span();
            let parameter = match argument.name {
                Some(name) => parameters.iter().find(|p| p.eq_ignore_ascii_case(&name.value)),
                None => parameters.get(position),
            };
            let Some(parameter) = parameter else {
                return Err(match argument.name {
                    Some(name) => {
                        let otherwise = format!("{function} takes {}", parameters.join(", "));
                        let hint = match nearest(&name.value, parameters.iter().copied()) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => otherwise,
                        };
                        Diagnostic::new(
                            "sql.argument",
                            format!("{function} has no argument `{}`", name.value),
                        )
                        .hint(hint)
                        .located_at(name.span)
                    }
                    None => Diagnostic::new(
                        "sql.argument",
                        format!("{function} takes at most {} arguments", parameters.len()),
                    )
                    .hint(format!("they are {}", parameters.join(", ")))
                    .located_at(place),
                });
            };
            if matched.found.iter().any(|(known, _)| known == parameter) {
                return Err(Diagnostic::new(
                    "sql.argument",
                    format!("the argument `{parameter}` of {function} is given twice"),
                )
                .located_at(place));
            }
            matched.found.push(((*parameter).to_owned(), argument));
        }
        Ok(matched)
    }

    /// The value of a parameter.
    pub(super) fn get(&self, parameter: &str) -> Option<&'a Ast> {
        self.found.iter().find(|(name, _)| name == parameter).map(|(_, argument)| argument.value)
    }

    /// The value of a parameter that must be there.
    pub(super) fn need(&self, parameter: &str, example: &str) -> Result<&'a Ast> {
        self.get(parameter).ok_or_else(|| {
            let error = Diagnostic::new(
                "sql.argument",
                format!("{} needs the argument {parameter}", self.function),
            )
            .hint(format!("write {example}"));
            match self.at {
                Some(at) => error.at(at),
                None => error,
            }
        })
    }
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
        match name.value.to_ascii_uppercase().as_str() {
            "TUMBLE" => self.tumble(arguments, at),
            "HOP" => self.hop(arguments, at),
            "SESSION" => self.session(arguments, at),
            "CUMULATE" => Err(unsupported(
                "CUMULATE is not supported",
                "the built-in windows are TUMBLE, HOP and SESSION; others can be written as a \
                 user-defined window",
            )
            .located_at(name.span)),
            _ => match self.functions.get(&name.value) {
                Some(Some(guest)) => {
                    let guest = guest.clone();
                    self.guest(&guest, arguments, at.or_else(|| span(name.span)))
                }
                Some(None) => Err(broken(&name.value).located_at(name.span)),
                None => {
                    let known = self.functions.names();
                    let known = known.chain(["TUMBLE", "HOP", "SESSION"]);
                    let hint = "the windows are TUMBLE, HOP and SESSION; make your own known with \
                                CREATE FUNCTION f AS 'f.wasm' LANGUAGE WASM";
                    Err(unknown("sql.unknown-function", "table function", &name.value, known, hint)
                        .located_at(name.span))
                }
            },
        }
    }

    fn tumble(&mut self, arguments: Vec<Argument>, at: Option<Span>) -> Result<Relation> {
        let parameters = ["DATA", "TIMECOL", "SIZE", "OFFSET"];
        let matched = Matched::new("TUMBLE", &parameters, arguments, at)?;
        let data =
            matched.need("DATA", "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES)")?;
        let table = self.table_value(data)?;
        if !table.keys.is_empty() {
            return Err(unsupported(
                "TUMBLE does not take PARTITION BY",
                "every row has its window by its time alone; put the key into GROUP BY",
            )
            .located(data));
        }
        let time = self.time_of(&table.relation, matched.get("TIMECOL"), "TUMBLE", data)?;
        let size_at = matched.need("SIZE", "INTERVAL '10' MINUTES")?;
        let size = positive(interval::millis(size_at, "the size of TUMBLE")?, "size", size_at)?;
        let offset = match matched.get("OFFSET") {
            Some(offset) => interval::millis(offset, "the offset of TUMBLE")?,
            None => 0,
        };
        let spec = WindowSpec::Aligned(Alignment::new(size, size, offset));
        self.pending(table, spec, WindowKind::Aligned(spec), time, data)
    }

    fn hop(&mut self, arguments: Vec<Argument>, at: Option<Span>) -> Result<Relation> {
        const EXAMPLE: &str =
            "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTES, INTERVAL '10' MINUTES)";
        let parameters = ["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"];
        let matched = Matched::new("HOP", &parameters, arguments, at)?;
        let data = matched.need("DATA", EXAMPLE)?;
        let table = self.table_value(data)?;
        if !table.keys.is_empty() {
            return Err(unsupported(
                "HOP does not take PARTITION BY",
                "every row has its windows by its time alone; put the key into GROUP BY",
            )
            .located(data));
        }
        let time = self.time_of(&table.relation, matched.get("TIMECOL"), "HOP", data)?;
        let slide_at = matched.need("SLIDE", EXAMPLE)?;
        let slide = positive(interval::millis(slide_at, "the slide of HOP")?, "slide", slide_at)?;
        let size_at = matched.need("SIZE", EXAMPLE)?;
        let size = positive(interval::millis(size_at, "the size of HOP")?, "size", size_at)?;
        if size % slide != 0 {
            return Err(Diagnostic::new(
                "sql.window",
                "the size of HOP must be a whole multiple of its slide",
            )
            .hint("the slide comes first: HOP(TABLE t, DESCRIPTOR(ts), slide, size)")
            .located(size_at));
        }
        if size / slide > MAX_OVERLAP {
            return Err(Diagnostic::new(
                "sql.window",
                format!("a row would be in {} windows of HOP", size / slide),
            )
            .hint(format!("choose a slide of which at most {MAX_OVERLAP} make up the size"))
            .located_at(slide_at.span()));
        }
        let offset = match matched.get("OFFSET") {
            Some(offset) => interval::millis(offset, "the offset of HOP")?,
            None => 0,
        };
        let spec = WindowSpec::Aligned(Alignment::new(size, slide, offset));
        self.pending(table, spec, WindowKind::Aligned(spec), time, data)
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
        self.pending(table, WindowSpec::Session { gap }, WindowKind::Data, time, data)
    }

    fn pending(
        &mut self,
        table: TableArgument,
        spec: WindowSpec,
        kind: WindowKind,
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
        self.builder.windows.push(kind);
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
        if matches!(pending.spec, WindowSpec::Session { .. }) {
            let error = unsupported(
                "SESSION without aggregation in the same query is not supported",
                "aggregate it: SELECT k, window_start, window_end, COUNT(*) FROM TABLE(SESSION(…)) \
                 GROUP BY k, window_start, window_end",
            );
            return Err(match at {
                Some(at) => error.at(at),
                None => error,
            });
        }
        let existing = input.existing();
        let mut fields: Vec<_> =
            input.columns[..existing].iter().map(|c| c.field.clone()).collect();
        let time_type = input.columns[pending.time].field.data_type;
        fields.extend(window_fields(time_type));
        let op = Op::AssignWindow { window: pending.spec, time: pending.time };
        let node = self.builder.add("assign", op, vec![input.node], Schema::new(fields), at);
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

fn missing_time(function: &str, column: Option<&str>) -> Error {
    let (what, name) = match column {
        Some(name) => (format!("{function} needs a time attribute, `{name}` is none"), name),
        None => (format!("{function} needs a time attribute, the table has none"), "ts"),
    };
    Diagnostic::new("sql.missing-watermark", what).hint(format!(
        "declare it in CREATE TABLE: WATERMARK FOR {name} AS {name} - INTERVAL '5' SECOND; a query keeps \
         the attribute as long as it hands the column on unchanged, a window hands on window_time"
    ))
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

/// The arguments of a call, each an expression.
fn arguments(args: &[FunctionArg]) -> Result<Vec<Argument<'_>>> {
    let value = |arg: &'_ FunctionArgExpr| match arg {
        FunctionArgExpr::Expr(_) => Ok(()),
        _ => Err(Diagnostic::new("sql.argument", "`*` is no argument of a table function")),
    };
    let mut found = Vec::new();
    for arg in args {
        let (name, expr) = match arg {
            FunctionArg::Named { name, arg, .. } => (Some(name), arg),
            FunctionArg::Unnamed(arg) => (None, arg),
            FunctionArg::ExprNamed { name, .. } => {
                return Err(Diagnostic::new("sql.argument", "an argument's name is a plain word")
                    .located(name));
            }
        };
        value(expr)?;
        if let FunctionArgExpr::Expr(value) = expr {
            if name.is_none() && found.iter().any(|a: &Argument| a.name.is_some()) {
                return Err(Diagnostic::new(
                    "sql.argument",
                    "an argument without a name follows named ones",
                )
                .hint("name all arguments, or none")
                .located(value));
            }
            found.push(Argument { name, value });
        }
    }
    Ok(found)
}

/// The columns of `DESCRIPTOR(a, b)`.
pub(super) fn descriptor_columns(ast: &Ast) -> Result<Vec<Ident>> {
    let wrong = || {
        Diagnostic::new("sql.argument", "DESCRIPTOR(column) is expected")
            .hint("it names the time column: DESCRIPTOR(ts)")
            .located(ast)
    };
    let Ast::Function(call) = ast else { return Err(wrong()) };
    let name = super::call::function_name(call).unwrap_or_default();
    let FunctionArguments::List(list) = &call.args else { return Err(wrong()) };
    if !name.eq_ignore_ascii_case("DESCRIPTOR") || list.args.is_empty() {
        return Err(wrong());
    }
    let column = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Ast::Identifier(name))) => Ok(name.clone()),
        _ => Err(wrong()),
    };
    list.args.iter().map(column).collect()
}
