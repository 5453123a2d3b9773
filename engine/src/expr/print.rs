//! Expressions as text: what EXPLAIN and column headings show, in SQL.

use std::fmt::Write as _;

use crate::schema::{DataType, Schema};
use crate::value::Value;

use super::{Expr, ExprKind};

/// How tightly an expression binds; what binds less than its surroundings gets parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Test,
    Sum,
    Product,
    Sign,
    Atom,
}

/// The expression in SQL; columns are named by the schema.
pub(super) fn to_sql(expr: &Expr, input: &Schema) -> String {
    let mut out = String::new();
    write(expr, input, &mut out);
    out
}

fn binding(expr: &Expr) -> Binding {
    match &expr.kind {
        ExprKind::Or(..) => Binding::Or,
        ExprKind::And(..) => Binding::And,
        ExprKind::Call { function, .. } => match function.name {
            "NOT" => Binding::Not,
            "+" | "-" | "||" => Binding::Sum,
            "*" | "/" | "%" => Binding::Product,
            "NEG" => Binding::Sign,
            "LIKE" | "NOT LIKE" | "IN" => Binding::Test,
            name if name.starts_with("IS ") || !name.starts_with(char::is_alphabetic) => {
                Binding::Test
            }
            _ => Binding::Atom,
        },
        ExprKind::Literal(value) if value.to_text().starts_with('-') => Binding::Sign,
        _ => Binding::Atom,
    }
}

/// Writes the expression, in parentheses if it binds less than asked for.
fn part(expr: &Expr, least: Binding, input: &Schema, out: &mut String) {
    if binding(expr) < least {
        out.push('(');
        write(expr, input, out);
        out.push(')');
    } else {
        write(expr, input, out);
    }
}

fn write(expr: &Expr, input: &Schema, out: &mut String) {
    match &expr.kind {
        ExprKind::Column(index) => match input.fields.get(*index) {
            Some(field) => out.push_str(&identifier(&field.name)),
            None => _ = write!(out, "${index}"),
        },
        ExprKind::Literal(value) => out.push_str(&literal(value, expr.data_type)),
        ExprKind::Call { function, args } => call(function.name, args, input, out),
        ExprKind::Guest { function, args } => {
            out.push_str(&identifier(&function.name));
            out.push('(');
            list(args, input, out);
            out.push(')');
        }
        ExprKind::Cast { input: inner, lenient } => {
            out.push_str(if *lenient { "TRY_CAST(" } else { "CAST(" });
            write(inner, input, out);
            _ = write!(out, " AS {})", expr.data_type);
        }
        ExprKind::Case { branches, otherwise } => {
            out.push_str("CASE");
            for (condition, result) in branches {
                out.push_str(" WHEN ");
                write(condition, input, out);
                out.push_str(" THEN ");
                write(result, input, out);
            }
            if !matches!(otherwise.as_literal(), Some(Value::Null)) {
                out.push_str(" ELSE ");
                write(otherwise, input, out);
            }
            out.push_str(" END");
        }
        ExprKind::And(a, b) => infix(a, "AND", b, Binding::And, input, out),
        ExprKind::Or(a, b) => infix(a, "OR", b, Binding::Or, input, out),
    }
}

fn infix(a: &Expr, word: &str, b: &Expr, least: Binding, input: &Schema, out: &mut String) {
    part(a, least, input, out);
    _ = write!(out, " {word} ");
    // Operators group to the left: an equal one on the right keeps its parentheses.
    let right = match least {
        Binding::Or => Binding::And,
        Binding::And => Binding::Not,
        Binding::Test => Binding::Sum,
        Binding::Sum => Binding::Product,
        _ => Binding::Sign,
    };
    part(b, right, input, out);
}

fn list(args: &[Expr], input: &Schema, out: &mut String) {
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(arg, input, out);
    }
}

fn call(name: &str, args: &[Expr], input: &Schema, out: &mut String) {
    match (name, args) {
        ("NOT", [a]) => {
            out.push_str("NOT ");
            part(a, Binding::Not, input, out);
        }
        ("NEG", [a]) => {
            out.push('-');
            part(a, Binding::Atom, input, out);
        }
        (_, [a]) if name.starts_with("IS ") => {
            part(a, Binding::Sum, input, out);
            _ = write!(out, " {name}");
        }
        ("+" | "-" | "||", [a, b]) => infix(a, name, b, Binding::Sum, input, out),
        ("*" | "/" | "%", [a, b]) => infix(a, name, b, Binding::Product, input, out),
        ("IN", [x, items @ ..]) => {
            part(x, Binding::Sum, input, out);
            out.push_str(" IN (");
            list(items, input, out);
            out.push(')');
        }
        ("LIKE" | "NOT LIKE", [a, b, escape]) => {
            part(a, Binding::Sum, input, out);
            _ = write!(out, " {name} ");
            part(b, Binding::Sum, input, out);
            out.push_str(" ESCAPE ");
            write(escape, input, out);
        }
        (_, [a, b])
            if name.contains("LIKE")
                || name.contains(' ')
                || !name.starts_with(char::is_alphabetic) =>
        {
            part(a, Binding::Sum, input, out);
            _ = write!(out, " {name} ");
            part(b, Binding::Sum, input, out);
        }
        ("EXTRACT", [unit, x]) => {
            _ = write!(out, "EXTRACT({} FROM ", keyword(unit));
            write(x, input, out);
            out.push(')');
        }
        ("FLOOR" | "CEIL" | "CEILING", [x, unit]) => {
            _ = write!(out, "{name}(");
            write(x, input, out);
            _ = write!(out, " TO {})", keyword(unit));
        }
        ("TIMESTAMPADD" | "TIMESTAMPDIFF", [unit, rest @ ..]) => {
            _ = write!(out, "{name}({}, ", keyword(unit));
            list(rest, input, out);
            out.push(')');
        }
        ("POSITION", [needle, text]) => {
            out.push_str("POSITION(");
            part(needle, Binding::Sum, input, out);
            out.push_str(" IN ");
            part(text, Binding::Sum, input, out);
            out.push(')');
        }
        _ => {
            _ = write!(out, "{name}(");
            list(args, input, out);
            out.push(')');
        }
    }
}

/// A unit of time, which SQL writes as a word and the call holds as text.
fn keyword(unit: &Expr) -> String {
    unit.as_literal().map(|v| v.to_text().to_ascii_uppercase()).unwrap_or_default()
}

fn identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

fn literal(value: &Value, data_type: DataType) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Bytes(_) => format!("X'{}'", &value.to_text()[2..]),
        Value::Date(_) => format!("DATE '{}'", value.to_text()),
        Value::Timestamp(_) => format!("TIMESTAMP '{}'", value.to_text()),
        Value::TimestampLtz(_) => format!("TIMESTAMP_LTZ '{}'", value.to_text()),
        Value::Double(v) if v.is_finite() => {
            let text = value.to_text();
            // Without an exponent SQL reads a decimal.
            if text.contains('e') { text.replace('e', "E") } else { format!("{text}E0") }
        }
        Value::Float(_) | Value::Double(_) => format!("CAST('{}' AS {data_type})", value.to_text()),
        other => other.to_text(),
    }
}
