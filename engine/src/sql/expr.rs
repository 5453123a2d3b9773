//! Scalar expressions: names looked up, functions called, types checked.

use sqlparser::ast::{
    BinaryOperator as Binary, CeilFloorKind, DateTimeField, Expr as Ast, Function as AstFunction,
    Ident, TrimWhereField, UnaryOperator as Unary, Value as AstValue,
};

use super::call::{function_name, scalar_arguments, unit_of_function};
use super::diagnose::{Locate, unsupported};
use super::dialect::{self, marker, text_of};
use super::guest::Functions;
use super::interval::interval;
use super::literal::{self, literal, number, text};
use super::operator::{Operand, apply, combine, lone_interval, negate};
use super::over::misplaced_over;
use super::refused::{refuse, unknown_function};
use super::scope::Relation;
use super::types;
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Result};
use crate::expr::guest::GuestFunction;
use crate::expr::{Expr, functions};
use crate::schema::DataType;

/// What names mean where an expression stands.
pub(super) trait Names {
    /// The meaning of a whole expression, where it has one here: a group key, an aggregate.
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>>;
    /// The meaning of a column's name.
    fn column(&mut self, parts: &[Ident]) -> Result<Expr>;
    /// The functions the script declares, where guests can be called.
    fn functions(&self) -> Option<&Functions>;
}

/// The columns of a relation, row by row.
pub(super) struct Row<'a> {
    pub relation: &'a Relation,
    /// The clause, for messages.
    pub place: &'static str,
    pub functions: &'a Functions,
}

impl Names for Row<'_> {
    fn whole(&mut self, ast: &Ast) -> Result<Option<Expr>> {
        if let Some(value) = self.relation.value(ast) {
            return Ok(Some(Expr::column(value, &self.relation.columns[value].field)));
        }
        refuse_aggregate(ast, self.place)
    }

    fn column(&mut self, parts: &[Ident]) -> Result<Expr> {
        let index = self.relation.resolve(parts)?;
        Ok(Expr::column(index, &self.relation.columns[index].field))
    }

    fn functions(&self) -> Option<&Functions> {
        Some(self.functions)
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

    fn functions(&self) -> Option<&Functions> {
        None
    }
}

fn refuse_aggregate(ast: &Ast, place: &str) -> Result<Option<Expr>> {
    match aggregate_of(ast) {
        Some((function, call)) if call.over.is_some() => Err(misplaced_over(function.name())),
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
    boolean(bind(ast, names)?, clause).map_err(|e| e.located(ast))
}

/// An expression as a condition of a clause.
pub(super) fn boolean(condition: Expr, clause: &str) -> Result<Expr> {
    match condition.data_type {
        DataType::Boolean => Ok(condition),
        DataType::Null => condition.cast(DataType::Boolean, false),
        other => {
            Err(Diagnostic::new("sql.type", format!("{clause} needs a BOOLEAN, this is {other}"))
                .hint("compare it with something, such as x > 0 or x IS NOT NULL"))
        }
    }
}

struct Binder<'n> {
    names: &'n mut dyn Names,
    depth: usize,
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
            Ast::Like { negated, any: false, expr, pattern, escape_char } => {
                let mut args: Vec<&Ast> = vec![expr, pattern];
                args.extend(escape_char.as_deref());
                self.call(if *negated { "NOT LIKE" } else { "LIKE" }, &args)
            }
            Ast::Like { .. } => {
                Err(unsupported("LIKE ANY is not supported", "write a LIKE b OR a LIKE c"))
            }
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
            (dialect::DATE, [text]) => literal::date(text_of(text).unwrap_or_default()),
            (dialect::TIMESTAMP, [text]) => literal::timestamp(text_of(text).unwrap_or_default()),
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
            return match self.names.functions().and_then(|own| own.named(&name)) {
                Some(guest) => {
                    let guest = guest?;
                    self.guest(guest, &args)
                }
                None => Err(unknown_function(&name, &upper, self.names.functions())),
            };
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

    /// A function of the script's own: a guest.
    fn guest(&mut self, function: GuestFunction, args: &[&Ast]) -> Result<Expr> {
        let wanted = function.arguments();
        if args.len() != wanted.len() {
            let (n, plural) = (wanted.len(), if wanted.len() == 1 { "" } else { "s" });
            let text =
                format!("{} expects {n} argument{plural}, not {}", function.name, args.len());
            return Err(
                Diagnostic::new("sql.argument", text).hint(format!("write {}", function.syntax()))
            );
        }
        let wanted: Vec<DataType> = wanted.collect();
        let mut bound = Vec::with_capacity(args.len());
        for (i, (arg, wanted)) in args.iter().zip(wanted).enumerate() {
            let wide = self.bind(arg)?.widen(wanted);
            bound.push(wide.map_err(|arg| {
                let (name, came, place) = (&function.name, arg.data_type, i + 1);
                let text = format!("argument {place} of {name} has to be {wanted}, not {came}");
                Diagnostic::new("sql.type", text)
                    .hint(format!("write {}, or CAST(… AS {wanted})", function.syntax()))
                    .located(args[i])
            })?);
        }
        Ok(Expr::guest(function, bound))
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
