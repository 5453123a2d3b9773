//! Scalar expressions: names looked up, functions called, types checked.

use sqlparser::ast::{
    BinaryOperator as Binary, CeilFloorKind, DateTimeField, Expr as Ast, Function as AstFunction,
    FunctionArg, FunctionArgExpr, FunctionArguments, Ident, TrimWhereField, UnaryOperator as Unary,
    Value as AstValue,
};

use super::diagnose::{Locate, unknown, unsupported};
use super::dialect::{self, marker, text_of};
use super::interval::{Interval, interval};
use super::scope::Relation;
use super::types;
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Error, Result};
use crate::expr::{Expr, functions};
use crate::schema::DataType;
use crate::time::{parse_date, parse_timestamp};
use crate::value::Value;

/// What names mean where an expression stands.
pub(super) trait Names {
    /// The meaning of a whole expression, where it has one here: a group key, an aggregate.
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>>;
    /// The meaning of a column's name.
    fn column(&mut self, parts: &[Ident]) -> Result<Expr>;
}

/// The columns of a relation, row by row.
pub(super) struct Row<'a> {
    pub relation: &'a Relation,
    /// The clause, for messages.
    pub place: &'static str,
}

impl Names for Row<'_> {
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>> {
        refuse_aggregate(ast, self.place)
    }

    fn column(&mut self, parts: &[Ident]) -> Result<Expr> {
        let index = self.relation.resolve(parts)?;
        Ok(Expr::column(index, &self.relation.columns[index].field))
    }
}

/// No names at all: constants.
pub(super) struct Constant(pub &'static str);

impl Names for Constant {
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>> {
        refuse_aggregate(ast, self.0)
    }

    fn column(&mut self, parts: &[Ident]) -> Result<Expr> {
        let name = parts.last().map_or("", |p| p.value.as_str());
        let error = Diagnostic::new(
            "sql.argument",
            format!("{} must be a constant, `{name}` is a column", self.0),
        );
        Err(match parts.last() {
            Some(part) => error.located_at(part.span),
            None => error,
        })
    }
}

fn refuse_aggregate(ast: &Ast, place: &str) -> Result<Option<Expr>> {
    match aggregate_of(ast) {
        Some((function, _)) => Err(Diagnostic::new(
            "sql.aggregate",
            format!("{} aggregates many rows, {place} sees one", function.name()),
        )
        .hint("aggregates stand in SELECT and HAVING; over one another through a subquery")
        .located(ast)),
        None => Ok(None),
    }
}

/// The aggregate function a call names.
pub(super) fn aggregate_of(ast: &Ast) -> Option<(Aggregate, &AstFunction)> {
    let Ast::Function(call) = ast else { return None };
    let [part] = call.name.0.as_slice() else { return None };
    Aggregate::named(&part.as_ident()?.value).map(|function| (function, call))
}

/// The deepest nesting of one expression.
const DEPTH_LIMIT: usize = 100;

/// Gives an expression its meaning and computes its constant parts.
pub(super) fn bind(ast: &Ast, names: &mut dyn Names) -> Result<Expr> {
    Binder { names, depth: 0 }.bind(ast)?.fold().map_err(|e| e.located(ast))
}

/// The same for a condition, which must be BOOLEAN.
pub(super) fn bind_condition(ast: &Ast, names: &mut dyn Names, clause: &str) -> Result<Expr> {
    let condition = bind(ast, names)?;
    match condition.data_type {
        DataType::Boolean => Ok(condition),
        DataType::Null => condition.cast(DataType::Boolean, false).map_err(|e| e.located(ast)),
        other => {
            Err(Diagnostic::new("sql.type", format!("{clause} needs a BOOLEAN, this is {other}"))
                .hint("compare it with something, such as x > 0 or x IS NOT NULL")
                .located(ast))
        }
    }
}

struct Binder<'n> {
    names: &'n mut dyn Names,
    depth: usize,
}

/// An operand of `+` and `-`.
enum Operand {
    Value(Expr),
    Interval(Interval),
}

impl Binder<'_> {
    fn bind(&mut self, ast: &Ast) -> Result<Expr> {
        if self.depth >= DEPTH_LIMIT {
            return Err(Diagnostic::new("sql.too-deep", "the expression is nested too deeply")
                .hint("split it with CREATE VIEW")
                .located(ast));
        }
        self.depth += 1;
        let bound = match self.names.whole(ast).map_err(|e| e.located(ast))? {
            Some(bound) => Ok(bound),
            None => self.dispatch(ast),
        };
        self.depth -= 1;
        bound.map_err(|e| e.located(ast))
    }

    fn dispatch(&mut self, ast: &Ast) -> Result<Expr> {
        match ast {
            Ast::Identifier(name) => self.names.column(std::slice::from_ref(name)),
            Ast::CompoundIdentifier(parts) => self.names.column(parts),
            Ast::Nested(inner) => self.bind(inner),
            Ast::Value(value) => literal(&value.value),
            Ast::BinaryOp { .. } => self.chain(ast),
            Ast::UnaryOp { op, expr } => self.unary(*op, expr),
            Ast::Function(call) => self.marker_or_function(ast, call),
            Ast::Case { operand, conditions, else_result, .. } => {
                let mut branches = Vec::new();
                for when in conditions {
                    let mut condition = self.bind(&when.condition)?;
                    if let Some(operand) = operand {
                        condition = Expr::call("=", vec![self.bind(operand)?, condition])
                            .map_err(|e| e.located(&when.condition))?;
                    }
                    branches.push((condition, self.bind(&when.result)?));
                }
                let otherwise = match else_result {
                    Some(result) => Some(self.bind(result)?),
                    None => None,
                };
                Expr::case(branches, otherwise)
            }
            _ => self.predicate(ast),
        }
    }

    fn predicate(&mut self, ast: &Ast) -> Result<Expr> {
        match ast {
            Ast::IsNull(e) | Ast::IsUnknown(e) => self.call("IS NULL", &[e]),
            Ast::IsNotNull(e) | Ast::IsNotUnknown(e) => self.call("IS NOT NULL", &[e]),
            Ast::IsTrue(e) => self.call("IS TRUE", &[e]),
            Ast::IsNotTrue(e) => self.call("IS NOT TRUE", &[e]),
            Ast::IsFalse(e) => self.call("IS FALSE", &[e]),
            Ast::IsNotFalse(e) => self.call("IS NOT FALSE", &[e]),
            Ast::IsDistinctFrom(a, b) => self.call("IS DISTINCT FROM", &[a, b]),
            Ast::IsNotDistinctFrom(a, b) => self.call("IS NOT DISTINCT FROM", &[a, b]),
            Ast::Between { expr, negated, low, high } => {
                let between = self.call("BETWEEN", &[expr, low, high])?;
                negate(between, *negated)
            }
            Ast::InList { expr, list, negated } => {
                let mut args = vec![self.bind(expr)?];
                for item in list {
                    args.push(self.bind(item)?);
                }
                negate(Expr::call("IN", args)?, *negated)
            }
            Ast::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.call(if *negated { "NOT LIKE" } else { "LIKE" }, &[expr, pattern])
            }
            Ast::Like { .. } => Err(unsupported(
                "LIKE with ESCAPE or ANY is not supported",
                "use LIKE with % and _ alone, or POSITION",
            )),
            _ => self.special(ast),
        }
    }

    /// Functions with a syntax of their own.
    fn special(&mut self, ast: &Ast) -> Result<Expr> {
        match ast {
            Ast::Extract { field, expr, .. } => self.extract(&field.to_string(), expr),
            Ast::Floor { expr, field } => self.rounded("FLOOR", expr, field),
            Ast::Ceil { expr, field } => self.rounded("CEIL", expr, field),
            Ast::Position { expr, r#in } => self.call("POSITION", &[expr, r#in]),
            Ast::Substring { expr, substring_from, substring_for, .. } => {
                let parts = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
                let parts: Vec<&Ast> = parts.into_iter().flatten().map(|part| &**part).collect();
                self.call("SUBSTRING", &parts)
            }
            Ast::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                self.trim(*trim_where, trim_what.as_deref(), expr)
            }
            Ast::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut parts: Vec<&Ast> = vec![expr, overlay_what, overlay_from];
                parts.extend(overlay_for.as_deref());
                self.call("OVERLAY", &parts)
            }
            other => Err(refuse(other)),
        }
    }

    fn call(&mut self, name: &str, args: &[&Ast]) -> Result<Expr> {
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            bound.push(self.bind(arg)?);
        }
        Expr::call(name, bound)
    }

    /// Operators of one level, from left to right without recursion: `a + b - c`.
    fn chain(&mut self, ast: &Ast) -> Result<Expr> {
        let mut operators = Vec::new();
        let mut first = ast;
        while let Ast::BinaryOp { left, op, right } = first {
            operators.push((op, &**right, first));
            first = left;
        }
        operators.reverse();
        let mut result = self.operand(first)?;
        let mut rest = operators.into_iter().peekable();
        while let Some((op, right, whole)) = rest.next() {
            if matches!(op, Binary::And | Binary::Or) {
                let mut operands = vec![self.value(result, first)?, self.bind(right)?];
                while let Some((_, next, _)) = rest.next_if(|(next, _, _)| *next == op) {
                    operands.push(self.bind(next)?);
                }
                let all = combine(operands, *op == Binary::And).map_err(|e| e.located(whole))?;
                result = Operand::Value(all);
                continue;
            }
            let right = self.operand(right)?;
            result = apply(op, result, right).map_err(|e| e.located(whole))?;
        }
        self.value(result, ast)
    }

    fn operand(&mut self, ast: &Ast) -> Result<Operand> {
        match interval(ast) {
            Some(found) => found.map(Operand::Interval),
            None => self.bind(ast).map(Operand::Value),
        }
    }

    fn value(&mut self, operand: Operand, ast: &Ast) -> Result<Expr> {
        match operand {
            Operand::Value(value) => Ok(value),
            Operand::Interval(_) => Err(lone_interval().located(ast)),
        }
    }

    fn unary(&mut self, op: Unary, expr: &Ast) -> Result<Expr> {
        match (op, expr) {
            (Unary::Minus, Ast::Value(value)) => match &value.value {
                AstValue::Number(digits, _) => number(&format!("-{digits}")),
                _ => self.call("NEG", &[expr]),
            },
            (Unary::Minus, _) => self.call("NEG", &[expr]),
            (Unary::Plus, _) => self.bind(expr),
            (Unary::Not, _) => self.call("NOT", &[expr]),
            _ => Err(unsupported(format!("the operator {op} is not supported"), "use a function")),
        }
    }

    fn marker_or_function(&mut self, ast: &Ast, call: &AstFunction) -> Result<Expr> {
        let Some((name, args)) = marker(ast) else { return self.function(call) };
        match (name, args.as_slice()) {
            (dialect::CAST | dialect::TRY_CAST, [input, target]) => {
                let target = types::parse_text(text_of(target).unwrap_or_default())?;
                self.bind(input)?.cast(target, name == dialect::TRY_CAST)
            }
            (dialect::DATE, [text]) => {
                let text = text_of(text).unwrap_or_default();
                match parse_date(text) {
                    Some(days) => Ok(Expr::literal(Value::Date(days), DataType::Date)),
                    None => Err(bad_literal("DATE", text, "DATE '2020-04-15'")),
                }
            }
            (dialect::TIMESTAMP, [text]) => {
                let text = text_of(text).unwrap_or_default();
                match parse_timestamp(text) {
                    Some(at) => Ok(Expr::literal(Value::Timestamp(at), DataType::Timestamp)),
                    None => Err(bad_literal("TIMESTAMP", text, "TIMESTAMP '2020-04-15 08:05:00'")),
                }
            }
            (dialect::TABLE, _) => {
                Err(Diagnostic::new("sql.argument", "a table stands here, a value is expected")
                    .hint("tables are arguments of window functions in FROM only"))
            }
            _ => Err(lone_interval()),
        }
    }

    fn function(&mut self, call: &AstFunction) -> Result<Expr> {
        let name = function_name(call)?;
        let upper = name.to_ascii_uppercase();
        let args = scalar_arguments(call, &upper)?;
        if let (Some(unit), [only]) = (unit_of_function(&upper), args.as_slice()) {
            return self.extract(unit, only);
        }
        if !functions().iter().any(|f| f.name.eq_ignore_ascii_case(&upper)) {
            return Err(unknown_function(&name, &upper));
        }
        let mut bound = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let unit = i == 0 && matches!(upper.as_str(), "TIMESTAMPADD" | "TIMESTAMPDIFF");
            bound.push(match arg {
                Ast::Identifier(word) if unit => text(&word.value.to_ascii_uppercase()),
                _ => self.bind(arg)?,
            });
        }
        Expr::call(&upper, bound)
    }

    fn extract(&mut self, unit: &str, expr: &Ast) -> Result<Expr> {
        let value = self.bind(expr)?;
        Expr::call("EXTRACT", vec![text(&unit.to_ascii_uppercase()), value])
    }

    fn rounded(&mut self, name: &str, expr: &Ast, field: &CeilFloorKind) -> Result<Expr> {
        let mut args = vec![self.bind(expr)?];
        match field {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => {}
            CeilFloorKind::DateTimeField(unit) => args.push(text(&unit.to_string().to_uppercase())),
            CeilFloorKind::Scale(_) => {
                return Err(unsupported(
                    format!("{name} with a scale is not supported"),
                    "use ROUND(x, digits)",
                ));
            }
        }
        Expr::call(name, args)
    }

    fn trim(
        &mut self,
        side: Option<TrimWhereField>,
        what: Option<&Ast>,
        expr: &Ast,
    ) -> Result<Expr> {
        let value = self.bind(expr)?;
        let name = match side {
            Some(TrimWhereField::Leading) => "LTRIM",
            Some(TrimWhereField::Trailing) => "RTRIM",
            _ => "TRIM",
        };
        let Some(what) = what else { return Expr::call(name, vec![value]) };
        let what = self.bind(what)?;
        match name {
            "TRIM" => {
                let left = Expr::call("LTRIM", vec![value, what.clone()])?;
                Expr::call("RTRIM", vec![left, what])
            }
            _ => Expr::call(name, vec![value, what]),
        }
    }
}

fn negate(expr: Expr, negated: bool) -> Result<Expr> {
    if negated { Expr::call("NOT", vec![expr]) } else { Ok(expr) }
}

/// A balanced tree of AND or OR, so that a long list of conditions does not nest deeply.
fn combine(mut operands: Vec<Expr>, and: bool) -> Result<Expr> {
    while operands.len() > 1 {
        let mut paired = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            paired.push(match rest.next() {
                Some(right) if and => left.and(right)?,
                Some(right) => left.or(right)?,
                None => left,
            });
        }
        operands = paired;
    }
    operands.pop().ok_or_else(|| Diagnostic::new("sql.syntax", "a condition is empty"))
}

fn apply(op: &Binary, left: Operand, right: Operand) -> Result<Operand> {
    let name = match op {
        Binary::Plus => "+",
        Binary::Minus => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Modulo => "%",
        Binary::Eq => "=",
        Binary::NotEq => "<>",
        Binary::Lt => "<",
        Binary::LtEq => "<=",
        Binary::Gt => ">",
        Binary::GtEq => ">=",
        Binary::StringConcat => "||",
        other => {
            return Err(unsupported(
                format!("the operator {other} is not supported"),
                "there are + - * / % || = <> < <= > >= AND OR NOT IN BETWEEN LIKE IS",
            ));
        }
    };
    match (name, left, right) {
        (_, Operand::Value(a), Operand::Value(b)) => {
            Expr::call(name, vec![a, b]).map(Operand::Value)
        }
        ("+", Operand::Value(x), Operand::Interval(i))
        | ("+", Operand::Interval(i), Operand::Value(x)) => shift(x, i).map(Operand::Value),
        ("-", Operand::Value(x), Operand::Interval(i)) => shift(x, i.negated()).map(Operand::Value),
        ("+" | "-", Operand::Interval(a), Operand::Interval(b)) => {
            let b = if name == "-" { b.negated() } else { b };
            match (a, b) {
                (Interval::Millis(a), Interval::Millis(b)) => {
                    Ok(Operand::Interval(Interval::Millis(a.saturating_add(b))))
                }
                (Interval::Months(a), Interval::Months(b)) => {
                    Ok(Operand::Interval(Interval::Months(a.saturating_add(b))))
                }
                _ => Err(Diagnostic::new(
                    "sql.interval",
                    "intervals of months and intervals of days cannot be added",
                )),
            }
        }
        _ => Err(Diagnostic::new("sql.interval", format!("{name} does not take an interval"))
            .hint("add an interval to a timestamp, or take it from one")),
    }
}

/// `x` moved by an interval.
fn shift(x: Expr, by: Interval) -> Result<Expr> {
    let (unit, n) = match by {
        Interval::Millis(n) => ("MILLISECOND", n),
        Interval::Months(n) => ("MONTH", n),
    };
    let n = Expr::literal(Value::BigInt(n), DataType::BigInt);
    Expr::call("TIMESTAMPADD", vec![text(unit), n, x])
}

fn text(value: &str) -> Expr {
    Expr::literal(Value::String(value.into()), DataType::String)
}

fn lone_interval() -> Error {
    Diagnostic::new("sql.interval", "an interval stands alone here")
        .hint("add it to a timestamp: ts + INTERVAL '5' SECOND")
}

fn bad_literal(kind: &str, text: &str, example: &str) -> Error {
    Diagnostic::new("sql.literal", format!("'{text}' is no {kind}"))
        .hint(format!("write {example}"))
}

fn literal(value: &AstValue) -> Result<Expr> {
    match value {
        AstValue::Number(digits, _) => number(digits),
        AstValue::SingleQuotedString(content) => Ok(text(content)),
        AstValue::Boolean(b) => Ok(Expr::literal(Value::Boolean(*b), DataType::Boolean)),
        AstValue::Null => Ok(Expr::literal(Value::Null, DataType::Null)),
        AstValue::DoubleQuotedString(content) => Err(Diagnostic::new(
            "sql.syntax",
            format!("\"{content}\" is neither a string nor a name"),
        )
        .hint("strings take single quotes '…', names take backticks `…`")),
        AstValue::HexStringLiteral(digits) => hex(digits),
        other => Err(unsupported(
            format!("the literal {other} is not supported"),
            "write a plain string or number",
        )),
    }
}

fn hex(digits: &str) -> Result<Expr> {
    let wrong = || {
        Diagnostic::new("sql.literal", format!("X'{digits}' is no row of bytes"))
            .hint("write two hexadecimal digits a byte")
    };
    let digits_of = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    if !digits.is_ascii() || digits.len() % 2 != 0 {
        return Err(wrong());
    }
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(digits_of).collect();
    let bytes = bytes.ok_or_else(wrong)?;
    Ok(Expr::literal(Value::Bytes(bytes.into()), DataType::Bytes))
}

/// INT, BIGINT or DECIMAL by size; DECIMAL with a point; DOUBLE with an exponent.
fn number(text: &str) -> Result<Expr> {
    let wrong = || {
        Diagnostic::new("sql.literal", format!("{text} is no number that fits a type"))
            .hint("a DECIMAL has up to 38 digits; use an exponent for a DOUBLE: 1e40")
    };
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().map_err(|_| wrong())?;
        let finite = value.is_finite().then_some(Value::Double(value)).ok_or_else(wrong)?;
        return Ok(Expr::literal(finite, DataType::Double));
    }
    if let Ok(value) = text.parse::<i32>() {
        return Ok(Expr::literal(Value::Int(value), DataType::Int));
    }
    if let Ok(value) = text.parse::<i64>() {
        return Ok(Expr::literal(Value::BigInt(value), DataType::BigInt));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let scale = fraction.len();
    let precision = (whole.len() + scale).max(1);
    let unscaled = format!("{sign}{whole}{fraction}");
    let unscaled = if whole.is_empty() && fraction.is_empty() { "0" } else { &unscaled };
    match (unscaled.parse::<i128>(), u8::try_from(precision), u8::try_from(scale)) {
        (Ok(value), Ok(precision @ ..=38), Ok(scale)) => {
            Ok(Expr::literal(Value::Decimal(value, scale), DataType::Decimal(precision, scale)))
        }
        _ => Err(wrong()),
    }
}

/// `YEAR(x)` is `EXTRACT(YEAR FROM x)`, and so on.
fn unit_of_function(upper: &str) -> Option<&'static str> {
    Some(match upper {
        "YEAR" => "YEAR",
        "QUARTER" => "QUARTER",
        "MONTH" => "MONTH",
        "WEEK" => "WEEK",
        "DAYOFYEAR" => "DOY",
        "DAYOFMONTH" => "DAY",
        "DAYOFWEEK" => "DOW",
        "HOUR" => "HOUR",
        "MINUTE" => "MINUTE",
        "SECOND" => "SECOND",
        _ => return None,
    })
}

/// The name of a called function, which has one part.
pub(super) fn function_name(call: &AstFunction) -> Result<String> {
    match call.name.0.as_slice() {
        [part] => match part.as_ident() {
            Some(name) => Ok(name.value.clone()),
            None => Err(Diagnostic::new("sql.syntax", "a function's name is expected")),
        },
        _ => Err(unsupported("functions of catalogs are not supported", "name the function alone")),
    }
}

/// The plain arguments of a scalar function.
fn scalar_arguments<'a>(call: &'a AstFunction, upper: &str) -> Result<Vec<&'a Ast>> {
    if call.over.is_some() {
        return Err(unsupported(
            "OVER is not supported",
            "aggregate over a window: TABLE(TUMBLE(…)) with GROUP BY window_start, window_end",
        ));
    }
    if call.filter.is_some() || call.null_treatment.is_some() || !call.within_group.is_empty() {
        return Err(Diagnostic::new(
            "sql.argument",
            format!("{upper} is no aggregate: FILTER, WITHIN GROUP and NULLS do not apply"),
        ));
    }
    match &call.args {
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(subquery()),
        FunctionArguments::List(list) => {
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return Err(Diagnostic::new(
                    "sql.argument",
                    format!("{upper} takes plain arguments only"),
                ));
            }
            list.args.iter().map(|arg| plain_argument(arg, upper)).collect()
        }
    }
}

/// An argument that is an expression without a name.
pub(super) fn plain_argument<'a>(arg: &'a FunctionArg, function: &str) -> Result<&'a Ast> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        FunctionArg::Unnamed(_) => {
            Err(Diagnostic::new("sql.argument", format!("{function} does not take `*`"))
                .hint("only COUNT(*) does"))
        }
        FunctionArg::Named { name, .. } => {
            Err(Diagnostic::new("sql.argument", format!("{function} takes no named arguments"))
                .located_at(name.span))
        }
        FunctionArg::ExprNamed { name, .. } => {
            Err(Diagnostic::new("sql.argument", format!("{function} takes no named arguments"))
                .located(name))
        }
    }
}

fn subquery() -> Error {
    unsupported("a query as a value is not supported", "put the query in FROM: (SELECT …) AS t")
}

fn unknown_function(name: &str, upper: &str) -> Error {
    match upper {
        "NOW"
        | "CURRENT_TIMESTAMP"
        | "CURRENT_DATE"
        | "CURRENT_TIME"
        | "LOCALTIMESTAMP"
        | "LOCALTIME"
        | "PROCTIME"
        | "RAND"
        | "RAND_INTEGER"
        | "UUID"
        | "UNIX_TIMESTAMP"
        | "CURRENT_ROW_TIMESTAMP" => unsupported(
            format!("{upper} is not supported: a run must give the same rows every time"),
            "use the event time of the record",
        ),
        "STDDEV_POP"
        | "STDDEV_SAMP"
        | "STDDEV"
        | "VAR_POP"
        | "VAR_SAMP"
        | "VARIANCE"
        | "LISTAGG"
        | "COLLECT"
        | "FIRST_VALUE"
        | "LAST_VALUE"
        | "RANK"
        | "DENSE_RANK"
        | "ROW_NUMBER"
        | "PERCENTILE"
        | "APPROX_COUNT_DISTINCT"
        | "LAG"
        | "LEAD" => unsupported(
            format!("the aggregate {upper} is not supported"),
            "the aggregates are COUNT, SUM, AVG, MIN and MAX",
        ),
        "TUMBLE" | "SESSION" | "HOP" | "CUMULATE" | "TUMBLE_START" | "TUMBLE_END"
        | "TUMBLE_ROWTIME" | "SESSION_START" | "SESSION_END" | "DESCRIPTOR" => unsupported(
            format!("{upper} does not stand here"),
            "windows stand in FROM: TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES))",
        ),
        _ => {
            let known = functions().iter().map(|f| f.name);
            let known = known.chain(Aggregate::ALL.iter().map(|f| f.name()));
            unknown("sql.unknown-function", "function", name, known, "")
        }
    }
}

fn refuse(ast: &Ast) -> Error {
    match ast {
        Ast::Exists { .. } | Ast::Subquery(_) | Ast::InSubquery { .. } => subquery(),
        Ast::SimilarTo { .. } | Ast::RLike { .. } | Ast::ILike { .. } => {
            unsupported("this pattern match is not supported", "use LIKE")
        }
        Ast::Interval(_) => lone_interval(),
        Ast::Cast { .. } => unsupported("`::` is not supported", "use CAST(x AS type)"),
        Ast::AtTimeZone { .. } => {
            unsupported("AT TIME ZONE is not supported", "times are UTC; add an INTERVAL")
        }
        Ast::TypedString(typed) => unsupported(
            format!("{} with a string is not supported", typed.data_type),
            "use CAST('…' AS type), DATE '…' or TIMESTAMP '…'",
        ),
        Ast::GroupingSets(_) | Ast::Cube(_) | Ast::Rollup(_) => unsupported(
            "GROUPING SETS, CUBE and ROLLUP are not supported",
            "write one INSERT for each grouping",
        ),
        Ast::Tuple(_)
        | Ast::Struct { .. }
        | Ast::Array(_)
        | Ast::Map(_)
        | Ast::Dictionary(_)
        | Ast::CompoundFieldAccess { .. }
        | Ast::JsonAccess { .. } => {
            unsupported("rows, arrays and maps are not supported", "use one column for each part")
        }
        Ast::Wildcard(_) | Ast::QualifiedWildcard(..) => {
            Diagnostic::new("sql.argument", "`*` does not stand here")
        }
        _ => unsupported("this expression is not supported", "see the list of functions"),
    }
}
