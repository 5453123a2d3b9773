//! SQL text to expressions for the tests' tables: just enough, by the parser the engine uses.

use sqlparser::ast::{
    self, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, FunctionArg, FunctionArgExpr,
    FunctionArguments, UnaryOperator,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use crate::error::{Diagnostic, Result};
use crate::expr::Expr;
use crate::schema::{DataType, Schema};
use crate::time::{parse_date, parse_timestamp};
use crate::value::Value;

/// The expression of that text over those columns.
pub(super) fn parse(text: &str, schema: &Schema) -> Result<Expr> {
    let dialect = GenericDialect {};
    let ast = Parser::new(&dialect).try_with_sql(text).and_then(|mut p| p.parse_expr());
    bind(ast.unwrap_or_else(|e| panic!("{text}: {e}")), schema)
}

fn text(value: impl Into<String>) -> Expr {
    Expr::literal(Value::String(value.into().into()), DataType::String)
}

fn number(text: &str) -> Expr {
    if text.contains(['e', 'E']) {
        return Expr::literal(Value::Double(text.parse().unwrap()), DataType::Double);
    }
    if let Some((whole, fraction)) = text.split_once('.') {
        let scale = fraction.len() as u8;
        let unscaled: i128 = format!("{whole}{fraction}").parse().unwrap();
        let precision = (whole.trim_start_matches('0').len() as u8 + scale).max(1);
        return Expr::literal(Value::Decimal(unscaled, scale), DataType::Decimal(precision, scale));
    }
    match text.parse::<i32>() {
        Ok(v) => Expr::literal(Value::Int(v), DataType::Int),
        Err(_) => Expr::literal(Value::BigInt(text.parse().unwrap()), DataType::BigInt),
    }
}

fn literal(value: ast::Value) -> Expr {
    match value {
        ast::Value::Number(n, _) => number(&n),
        ast::Value::SingleQuotedString(s) => text(s),
        ast::Value::Boolean(b) => Expr::literal(Value::Boolean(b), DataType::Boolean),
        ast::Value::Null => Expr::literal(Value::Null, DataType::Null),
        other => panic!("the tests use no literal {other}"),
    }
}

fn data_type(ast: &ast::DataType) -> DataType {
    let name = ast.to_string().to_uppercase();
    if let Some(shape) = name.strip_prefix("DECIMAL(").and_then(|s| s.strip_suffix(')')) {
        let (p, s) = shape.split_once(',').unwrap_or((shape, "0"));
        return DataType::Decimal(p.trim().parse().unwrap(), s.trim().parse().unwrap());
    }
    match name.as_str() {
        "BOOLEAN" => DataType::Boolean,
        "INT" => DataType::Int,
        "BIGINT" => DataType::BigInt,
        "FLOAT" => DataType::Float,
        "DOUBLE" => DataType::Double,
        "STRING" => DataType::String,
        "BYTES" => DataType::Bytes,
        "DATE" => DataType::Date,
        "TIMESTAMP" => DataType::Timestamp,
        "TIMESTAMP_LTZ" => DataType::TimestampLtz,
        other => panic!("the tests use no type {other}"),
    }
}

fn bind(ast: ast::Expr, schema: &Schema) -> Result<Expr> {
    let sub = |e: Box<ast::Expr>| bind(*e, schema);
    match ast {
        ast::Expr::Value(v) => Ok(literal(v.value)),
        ast::Expr::TypedString(t) => {
            let to = data_type(&t.data_type);
            let text = t.value.value.into_string().unwrap();
            Ok(Expr::literal(
                match to {
                    DataType::Date => Value::Date(parse_date(&text).unwrap()),
                    _ => Value::Timestamp(parse_timestamp(&text).unwrap()),
                },
                to,
            ))
        }
        ast::Expr::Identifier(name) => {
            let index = schema
                .index_of(&name.value)
                .ok_or_else(|| Diagnostic::new("sql.unknown-column", name.value.clone()))?;
            Ok(Expr::column(index, &schema.fields[index]))
        }
        ast::Expr::Nested(e) => sub(e),
        ast::Expr::BinaryOp { left, op, right } => {
            let (a, b) = (sub(left)?, sub(right)?);
            match op {
                BinaryOperator::And => a.and(b),
                BinaryOperator::Or => a.or(b),
                op => Expr::call(&op.to_string(), vec![a, b]),
            }
        }
        ast::Expr::UnaryOp { op, expr } => {
            let name = if op == UnaryOperator::Minus { "NEG" } else { "NOT" };
            Expr::call(name, vec![sub(expr)?])
        }
        ast::Expr::Cast { kind, expr, data_type: to, .. } => {
            sub(expr)?.cast(data_type(&to), kind == CastKind::TryCast)
        }
        ast::Expr::Case { operand, conditions, else_result, .. } => {
            case(operand, conditions, else_result, schema)
        }
        ast::Expr::Function(f) => function(f, schema),
        other => predicate(other, schema),
    }
}

fn predicate(ast: ast::Expr, schema: &Schema) -> Result<Expr> {
    let sub = |e: Box<ast::Expr>| bind(*e, schema);
    let negate = |e: Expr, negated: bool| if negated { Expr::call("NOT", vec![e]) } else { Ok(e) };
    match ast {
        ast::Expr::IsNull(e) => Expr::call("IS NULL", vec![sub(e)?]),
        ast::Expr::IsNotNull(e) => Expr::call("IS NOT NULL", vec![sub(e)?]),
        ast::Expr::IsTrue(e) => Expr::call("IS TRUE", vec![sub(e)?]),
        ast::Expr::IsNotTrue(e) => Expr::call("IS NOT TRUE", vec![sub(e)?]),
        ast::Expr::IsFalse(e) => Expr::call("IS FALSE", vec![sub(e)?]),
        ast::Expr::IsNotFalse(e) => Expr::call("IS NOT FALSE", vec![sub(e)?]),
        ast::Expr::IsDistinctFrom(a, b) => Expr::call("IS DISTINCT FROM", vec![sub(a)?, sub(b)?]),
        ast::Expr::IsNotDistinctFrom(a, b) => {
            Expr::call("IS NOT DISTINCT FROM", vec![sub(a)?, sub(b)?])
        }
        ast::Expr::InList { expr, list, negated } => {
            let mut args = vec![sub(expr)?];
            for item in list {
                args.push(bind(item, schema)?);
            }
            negate(Expr::call("IN", args)?, negated)
        }
        ast::Expr::Between { expr, negated, low, high } => {
            negate(Expr::call("BETWEEN", vec![sub(expr)?, sub(low)?, sub(high)?])?, negated)
        }
        ast::Expr::Like { negated, expr, pattern, escape_char, .. } => {
            let mut args = vec![sub(expr)?, sub(pattern)?];
            args.extend(escape_char.map(sub).transpose()?);
            Expr::call(if negated { "NOT LIKE" } else { "LIKE" }, args)
        }
        ast::Expr::Extract { field, expr, .. } => {
            Expr::call("EXTRACT", vec![text(field.to_string()), sub(expr)?])
        }
        ast::Expr::Ceil { expr, field } => to_unit("CEIL", sub(expr)?, field),
        ast::Expr::Floor { expr, field } => to_unit("FLOOR", sub(expr)?, field),
        ast::Expr::Position { expr, r#in } => Expr::call("POSITION", vec![sub(expr)?, sub(r#in)?]),
        ast::Expr::Substring { expr, substring_from, substring_for, .. } => {
            let mut args = vec![sub(expr)?];
            args.extend(substring_from.map(sub).transpose()?);
            args.extend(substring_for.map(sub).transpose()?);
            Expr::call("SUBSTRING", args)
        }
        ast::Expr::Trim { expr, trim_characters, .. } => {
            let mut args = vec![sub(expr)?];
            for set in trim_characters.into_iter().flatten() {
                args.push(bind(set, schema)?);
            }
            Expr::call("TRIM", args)
        }
        other => panic!("the tests use no {other:?}"),
    }
}

fn to_unit(name: &str, x: Expr, field: CeilFloorKind) -> Result<Expr> {
    match field {
        CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) => Expr::call(name, vec![x]),
        CeilFloorKind::DateTimeField(unit) => Expr::call(name, vec![x, text(unit.to_string())]),
        CeilFloorKind::Scale(n) => Expr::call(name, vec![x, literal(n.value)]),
    }
}

fn case(
    operand: Option<Box<ast::Expr>>,
    conditions: Vec<CaseWhen>,
    otherwise: Option<Box<ast::Expr>>,
    schema: &Schema,
) -> Result<Expr> {
    assert!(operand.is_none(), "the tests use no CASE with an operand");
    let branches = conditions
        .into_iter()
        .map(|c| Ok((bind(c.condition, schema)?, bind(c.result, schema)?)))
        .collect::<Result<_>>()?;
    Expr::case(branches, otherwise.map(|e| bind(*e, schema)).transpose()?)
}

fn function(f: ast::Function, schema: &Schema) -> Result<Expr> {
    let name = f.name.to_string();
    let FunctionArguments::List(list) = f.args else { return Expr::call(&name, vec![]) };
    let unit = name.to_uppercase().starts_with("TIMESTAMP");
    let mut args = Vec::new();
    for (i, arg) in list.args.into_iter().enumerate() {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg else { panic!("{arg}") };
        args.push(if unit && i == 0 { text(arg.to_string()) } else { bind(arg, schema)? });
    }
    Expr::call(&name, args)
}
