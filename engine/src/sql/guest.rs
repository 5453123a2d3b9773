//! Calls of user-defined windows and joins: tables, columns and parameters matched to the manifest.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use sqlparser::ast::Expr as Ast;

use super::aggregate::updating;
use super::arguments::{Argument, Matched, descriptor_columns};
use super::diagnose::{Locate, nearest};
use super::expr::{self, Constant};
use super::interval::{self, Interval};
use super::planner::Planner;
use super::scope::{Column, Relation, Role, window_fields};
use super::types::stores_into;
use super::window::TableArgument;
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::guest::GuestFunction;
use crate::expr::{Expr, ExprKind};
use crate::plan::{GuestCall, Op};
use crate::schema::{DataType, Field, Schema};
use crate::udf::manifest::{GuestInput, GuestKind, Manifest, Parameter};
use crate::value::Value;

/// A function the script declares.
#[derive(Clone)]
pub(super) struct Guest {
    pub name: String,
    pub path: String,
    pub manifest: Arc<Manifest>,
}

/// The functions of a script so far by name; `None` for one whose declaration has an error.
#[derive(Clone, Default)]
pub(super) struct Functions(Rc<BTreeMap<String, Option<Guest>>>);

impl Functions {
    /// Makes a function known.
    pub(super) fn insert(&mut self, name: &str, guest: Option<Guest>) {
        Rc::make_mut(&mut self.0).insert(name.to_owned(), guest);
    }

    /// What the script declares under exactly that name.
    pub(super) fn get(&self, name: &str) -> Option<&Option<Guest>> {
        self.0.get(name)
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The scalar function of that name, in any case when none is spelt so.
    pub(super) fn named(&self, name: &str) -> Option<Result<GuestFunction>> {
        let alike = || self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let (name, guest) = self.0.get_key_value(name).or_else(alike)?;
        let Some(guest) = guest else { return Some(Err(broken(name))) };
        Some(match guest.manifest.kind {
            GuestKind::Function => {
                Ok(GuestFunction::new(&guest.name, &guest.path, Arc::clone(&guest.manifest)))
            }
            kind => Err(Diagnostic::new(
                "sql.window",
                format!("`{name}` is a {}: it gives rows, not a value", kind.name()),
            )
            .hint(format!("it stands in FROM: TABLE({name}(TABLE t, DESCRIPTOR(ts)))"))),
        })
    }
}

/// The error for a function whose declaration has one.
pub(super) fn broken(name: &str) -> Error {
    Diagnostic::new("sql.broken", format!("`{name}` cannot be used: its definition has an error"))
}

/// An input of a guest, its columns found and cast.
struct GuestTable {
    relation: Relation,
    time: usize,
    keys: Vec<usize>,
    columns: Vec<usize>,
    /// How many of the relation's columns are the caller's own; those after were added by casts.
    own: usize,
}

impl Planner<'_> {
    /// Plans `TABLE(f(…))` for a function of the script.
    pub(super) fn guest(
        &mut self,
        guest: &Guest,
        arguments: Vec<Argument>,
        at: Option<Span>,
    ) -> Result<Relation> {
        match guest.manifest.kind {
            GuestKind::Window => self.guest_window(guest, arguments, at),
            GuestKind::Join => self.guest_join(guest, arguments, at),
            GuestKind::Function => {
                let text = format!("`{}` is a function of values: it gives no table", guest.name);
                let error = Diagnostic::new("sql.window", text)
                    .hint(format!("it stands in expressions: SELECT {}(…) FROM t", guest.name));
                Err(match at {
                    Some(at) => error.at(at),
                    None => error,
                })
            }
        }
    }

    fn guest_window(
        &mut self,
        guest: &Guest,
        arguments: Vec<Argument>,
        at: Option<Span>,
    ) -> Result<Relation> {
        let manifest = &guest.manifest;
        let [input] = manifest.inputs.as_slice() else {
            return Err(wrong_manifest(guest, "a window has one input"));
        };
        let mut parameters = vec![input.name.as_str(), "ON_TIME"];
        parameters.extend(manifest.parameters.iter().map(|p| p.typed.name.as_str()));
        let arguments =
            unify(arguments, &[("DATA", &input.name), ("TIMECOL", "ON_TIME")], &parameters);
        let matched = Matched::new(&guest.name, &parameters, arguments, at)?;
        let example = format!("{}(TABLE t PARTITION BY k, DESCRIPTOR(ts))", guest.name);
        let data = matched.need(&input.name, &example)?;
        let table = self.table_value(data)?;
        let time = self.time_of(&table.relation, matched.get("ON_TIME"), &guest.name, data)?;
        let table = self.guest_table(guest, input, table, time, data)?;
        let parameters = parameter_values(guest, &matched)?;
        let time_type = table.relation.columns[table.time].field.data_type;
        let mut columns: Vec<Column> = table
            .keys
            .iter()
            .map(|key| {
                let field = Field { rowtime: false, ..table.relation.columns[*key].field.clone() };
                Column { qualifier: None, field, role: Role::Plain }
            })
            .collect();
        let window = self.builder.windows.len();
        self.builder.windows.push(None);
        let roles = [Role::Start(window), Role::End(window), Role::Time(window)];
        for (field, role) in window_fields(time_type).into_iter().zip(roles) {
            columns.push(Column { qualifier: None, field, role });
        }
        for result in &manifest.output {
            let field = Field::new(result.name.clone(), result.data_type);
            columns.push(Column { qualifier: None, field, role: Role::Plain });
        }
        let call = GuestCall {
            name: guest.name.clone(),
            path: guest.path.clone(),
            columns: vec![table.columns],
            parameters,
        };
        let schema = Schema::new(columns.iter().map(|c| c.field.clone()).collect());
        let op = Op::GuestWindow { guest: call, time: table.time, keys: table.keys };
        let node = self.builder.add(&guest.name, op, vec![table.relation.node], schema, at);
        Ok(Relation { node, columns, updating: false, pending: None })
    }

    fn guest_join(
        &mut self,
        guest: &Guest,
        arguments: Vec<Argument>,
        at: Option<Span>,
    ) -> Result<Relation> {
        let manifest = &guest.manifest;
        let [left_input, right_input] = manifest.inputs.as_slice() else {
            return Err(wrong_manifest(guest, "a join has two inputs"));
        };
        let mut parameters = vec![left_input.name.as_str(), right_input.name.as_str()];
        parameters.extend(["ON_TIME", "LOWER", "UPPER"]);
        parameters.extend(manifest.parameters.iter().map(|p| p.typed.name.as_str()));
        let matched = Matched::new(&guest.name, &parameters, arguments, at)?;
        let mut tables = Vec::new();
        for (side, input) in [left_input, right_input].into_iter().enumerate() {
            let example = format!("{} => TABLE t PARTITION BY k", input.name);
            let data = matched.need(&input.name, &example)?;
            let table = self.table_value(data)?;
            let time =
                self.join_time(guest, &table.relation, matched.get("ON_TIME"), side, data)?;
            tables.push((self.guest_table(guest, input, table, time, data)?, data));
        }
        let (Some((right, right_at)), Some((left, _))) = (tables.pop(), tables.pop()) else {
            return Err(wrong_manifest(guest, "a join has two inputs"));
        };
        check_join_keys(&left, &right, right_at)?;
        let upper_at = matched.need("UPPER", "UPPER => INTERVAL '1' HOUR")?;
        let upper = interval::millis(upper_at, "UPPER")?;
        let lower = match matched.get("LOWER") {
            Some(lower) => interval::millis(lower, "LOWER")?,
            None => 0,
        };
        if lower > upper {
            return Err(Diagnostic::new("sql.argument", "LOWER is above UPPER: no pair can match")
                .located(upper_at));
        }
        let parameters = parameter_values(guest, &matched)?;
        self.join_node(
            guest,
            (left, left_input),
            (right, right_input),
            [lower, upper],
            parameters,
            at,
        )
    }

    fn join_node(
        &mut self,
        guest: &Guest,
        (left, left_input): (GuestTable, &GuestInput),
        (right, right_input): (GuestTable, &GuestInput),
        [lower, upper]: [i64; 2],
        parameters: Vec<Value>,
        at: Option<Span>,
    ) -> Result<Relation> {
        let mut fields = Vec::new();
        let mut own = Vec::new();
        for (table, input) in [(&left, left_input), (&right, right_input)] {
            for (i, column) in table.relation.columns.iter().enumerate() {
                if i < table.own {
                    own.push(fields.len());
                }
                let name = format!("{}_{}", input.name, column.field.name);
                fields.push(Field { name, rowtime: false, ..column.field.clone() });
            }
        }
        let op = Op::GuestJoin {
            guest: GuestCall {
                name: guest.name.clone(),
                path: guest.path.clone(),
                columns: vec![left.columns, right.columns],
                parameters,
            },
            times: [left.time, right.time],
            keys: [left.keys, right.keys],
            lower,
            upper,
        };
        let inputs = vec![left.relation.node, right.relation.node];
        let node = self.builder.add(&guest.name, op, inputs, Schema::new(fields), at);
        let joined = self.builder.relation(node);
        let exprs = own.iter().map(|i| Expr::column(*i, &joined.columns[*i].field)).collect();
        let columns = own.iter().map(|i| joined.columns[*i].clone()).collect();
        Ok(self.builder.project(&joined, exprs, columns, at))
    }

    /// The time column of one side of a join. `DESCRIPTOR(a, b)` names one for each side.
    fn join_time(
        &self,
        guest: &Guest,
        relation: &Relation,
        descriptor: Option<&Ast>,
        side: usize,
        data: &Ast,
    ) -> Result<usize> {
        let Some(ast) = descriptor else { return self.time_of(relation, None, &guest.name, data) };
        let names = descriptor_columns(ast)?;
        let name = match names.as_slice() {
            [both] => both,
            [left, right] => [left, right][side.min(1)],
            _ => {
                return Err(Diagnostic::new(
                    "sql.argument",
                    "DESCRIPTOR takes one or two time columns here",
                )
                .located(ast));
            }
        };
        let index = relation.resolve(std::slice::from_ref(name))?;
        if relation.columns[index].field.rowtime {
            return Ok(index);
        }
        self.time_of(relation, Some(ast), &guest.name, data)
    }

    /// Finds the columns a guest reads; adds casts where the types differ without loss.
    fn guest_table(
        &mut self,
        guest: &Guest,
        input: &GuestInput,
        table: TableArgument,
        time: usize,
        data: &Ast,
    ) -> Result<GuestTable> {
        let place = super::diagnose::span(sqlparser::ast::Spanned::span(data));
        let relation = match table.relation.pending.is_some() {
            true => self.assign(table.relation, place)?,
            false => table.relation,
        };
        if relation.updating {
            return Err(updating("an input of a user-defined operator", place));
        }
        let own = relation.columns.len();
        let mut exprs: Vec<Expr> =
            relation.columns.iter().enumerate().map(|(i, c)| Expr::column(i, &c.field)).collect();
        let mut columns = relation.columns.clone();
        let mut positions = Vec::new();
        for wanted in &input.columns {
            let index = find_column(guest, &relation, &wanted.name, wanted.data_type, data)?;
            let found = &relation.columns[index].field;
            if found.data_type == wanted.data_type {
                positions.push(index);
                continue;
            }
            if !stores_into(found.data_type, wanted.data_type) {
                return Err(Diagnostic::new(
                    "sql.type",
                    format!(
                        "`{}` reads `{}` as {}, the table has {}",
                        guest.name, wanted.name, wanted.data_type, found.data_type
                    ),
                )
                .hint(format!("cast it in a view: CAST({} AS {})", found.name, wanted.data_type))
                .located(data));
            }
            let cast =
                exprs[index].clone().cast(wanted.data_type, false).map_err(|e| e.located(data))?;
            let name = format!("{}_as_{}", found.name, wanted.data_type);
            let field = Field { nullable: cast.nullable, ..Field::new(name, wanted.data_type) };
            positions.push(exprs.len());
            exprs.push(cast);
            columns.push(Column { qualifier: None, field, role: Role::Plain });
        }
        let relation = match exprs.len() == own {
            true => relation,
            false => self.builder.project(&relation, exprs, columns, place),
        };
        Ok(GuestTable { relation, time, keys: table.keys, columns: positions, own })
    }
}

/// The usual names of a window's arguments stand for the guest's own, unless it has such a parameter.
fn unify<'a>(
    arguments: Vec<Argument<'a>>,
    names: &[(&str, &str)],
    parameters: &[&str],
) -> Vec<Argument<'a>> {
    let is_known = |name: &str| parameters.iter().any(|p| p.eq_ignore_ascii_case(name));
    let by_alias = |argument: &Argument<'a>| {
        let name = &argument.name?.value;
        let (alias, own) = names.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name))?;
        (!is_known(alias)).then(|| parameters.iter().position(|p| p == own)).flatten()
    };
    // An alias becomes a position, which only works while all before it are positions, too.
    let mut unified: Vec<Argument<'a>> = Vec::new();
    let mut late = Vec::new();
    for argument in arguments {
        match by_alias(&argument) {
            Some(position)
                if position == unified.len() && unified.iter().all(|a| a.name.is_none()) =>
            {
                unified.push(Argument { name: None, ..argument });
            }
            _ => late.push(argument),
        }
    }
    if unified.is_empty() {
        return late;
    }
    let (positional, named): (Vec<_>, Vec<_>) = late.into_iter().partition(|a| a.name.is_none());
    unified.extend(positional);
    unified.extend(named);
    unified
}

fn wrong_manifest(guest: &Guest, what: &str) -> Error {
    Diagnostic::new("sql.guest", format!("the module '{}' is not sound: {what}", guest.path))
}

fn find_column(
    guest: &Guest,
    relation: &Relation,
    name: &str,
    data_type: DataType,
    data: &Ast,
) -> Result<usize> {
    let exact = relation.columns.iter().position(|c| c.field.name == name);
    let any_case = || relation.columns.iter().position(|c| c.field.name.eq_ignore_ascii_case(name));
    exact.or_else(any_case).ok_or_else(|| {
        let known = relation.columns.iter().map(|c| c.field.name.as_str());
        let near = nearest(name, known).unwrap_or("x");
        Diagnostic::new(
            "sql.unknown-column",
            format!(
                "`{}` reads a column `{name}` of type {data_type}, the table has none",
                guest.name
            ),
        )
        .hint(format!("give it one: TABLE (SELECT …, {near} AS {name} FROM t)"))
        .located(data)
    })
}

fn check_join_keys(left: &GuestTable, right: &GuestTable, at: &Ast) -> Result<()> {
    if left.keys.len() != right.keys.len() {
        return Err(Diagnostic::new(
            "sql.argument",
            format!(
                "the two tables are partitioned by {} and {} columns",
                left.keys.len(),
                right.keys.len()
            ),
        )
        .hint("both need the same number of PARTITION BY columns, of pairwise equal types")
        .located(at));
    }
    for (l, r) in left.keys.iter().zip(&right.keys) {
        let (l, r) = (&left.relation.columns[*l].field, &right.relation.columns[*r].field);
        if l.data_type != r.data_type {
            return Err(Diagnostic::new(
                "sql.type",
                format!(
                    "the keys `{}` of type {} and `{}` of type {} never match",
                    l.name, l.data_type, r.name, r.data_type
                ),
            )
            .hint("cast one of them in a view")
            .located(at));
        }
    }
    Ok(())
}

/// The values of a guest's parameters, in the manifest's order.
fn parameter_values(guest: &Guest, matched: &Matched) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for parameter in &guest.manifest.parameters {
        values.push(match (matched.get(&parameter.typed.name), &parameter.default) {
            (Some(ast), _) => parameter_value(parameter, ast)?,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                let example = format!("{} => …", parameter.typed.name);
                matched.need(&parameter.typed.name, &example)?;
                Value::Null
            }
        });
    }
    Ok(values)
}

fn parameter_value(parameter: &Parameter, ast: &Ast) -> Result<Value> {
    let wanted = parameter.typed.data_type;
    let name = &parameter.typed.name;
    let constant = match interval::interval(ast) {
        Some(Ok(Interval::Millis(n))) => Expr::literal(Value::BigInt(n), DataType::BigInt),
        Some(Ok(Interval::Months(_))) => {
            interval::millis(ast, name)?;
            return Ok(Value::Null);
        }
        Some(Err(error)) => return Err(error),
        None => expr::bind(ast, &mut Constant("a parameter"))?,
    };
    let given = constant.data_type;
    let fits = stores_into(given, wanted)
        || (given.is_numeric() && wanted.is_numeric())
        || wanted == given;
    let wrong = || {
        Diagnostic::new("sql.type", format!("the parameter `{name}` is {wanted}, not {given}"))
            .hint(format!("write a constant of type {wanted}"))
            .located(ast)
    };
    if !fits {
        return Err(wrong());
    }
    let value = constant.cast(wanted, false).and_then(Expr::fold).map_err(|e| e.located(ast))?;
    match value.kind {
        ExprKind::Literal(Value::Null) => {
            Err(Diagnostic::new("sql.argument", format!("the parameter `{name}` cannot be NULL"))
                .located(ast))
        }
        ExprKind::Literal(value) => Ok(value),
        _ => Err(wrong()),
    }
}
