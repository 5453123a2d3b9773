//! Flink's dialect for sqlparser: its quoting, and hooks for what sqlparser does not know.
//!
//! What sqlparser has no tree for becomes a call of a function whose name starts with `$`, which no
//! user can write without backticks: `$TABLE(t, key…)`, `$CAST(x, 'type')`, `$INTERVAL(…)`.

use std::cell::RefCell;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Value, ValueWithSpan,
};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span as TokenSpan, Token, TokenWithSpan};

use super::diagnose::OWN_ERROR;
use super::types;
use crate::error::{Error, Result};

/// A table as an argument: `TABLE t PARTITION BY k`, `TABLE (SELECT …)`.
pub(super) const TABLE: &str = "$TABLE";
/// `CAST(x AS type)`; the type is the second argument, as text.
pub(super) const CAST: &str = "$CAST";
/// `TRY_CAST(x AS type)`.
pub(super) const TRY_CAST: &str = "$TRY_CAST";
/// `INTERVAL 'value' unit`; arguments: value, leading unit, leading precision or '', last unit or ''.
pub(super) const INTERVAL: &str = "$INTERVAL";
/// `TIMESTAMP '…'`
pub(super) const TIMESTAMP: &str = "$TIMESTAMP";
/// `DATE '…'`
pub(super) const DATE: &str = "$DATE";

/// The longest chain of operators without parentheses; a longer one would nest too deeply.
const CHAIN_LIMIT: usize = 200;

/// Flink's SQL dialect.
#[derive(Debug, Default)]
pub(super) struct Flink {
    /// The diagnostic a hook could not hand through sqlparser's error type.
    error: RefCell<Option<Error>>,
}

impl Flink {
    /// Our own diagnostic behind an error of sqlparser, if it was one.
    pub(super) fn own_error(&self, error: &ParserError) -> Option<Error> {
        match error {
            ParserError::ParserError(text) if text == OWN_ERROR => self.error.borrow_mut().take(),
            _ => None,
        }
    }

    fn raise<T>(&self, error: Error) -> std::result::Result<T, ParserError> {
        *self.error.borrow_mut() = Some(error);
        Err(ParserError::ParserError(OWN_ERROR.into()))
    }
}

impl Dialect for Flink {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<std::result::Result<Expr, ParserError>> {
        let token = parser.peek_token_ref();
        let Token::Word(word) = &token.token else { return None };
        if word.quote_style.is_some() {
            return None;
        }
        let (keyword, at) = (word.keyword, token.span);
        let upper = word.value.to_ascii_uppercase();
        let next = &parser.peek_nth_token_ref(1).token;
        let text = matches!(next, Token::SingleQuotedString(_));
        let open = *next == Token::LParen;
        match upper.as_str() {
            "TABLE" if keyword == Keyword::TABLE => Some(self.table(parser, at)),
            "CAST" | "TRY_CAST" if open => Some(self.cast(parser, at, &upper)),
            "INTERVAL" if text => Some(interval(parser, at)),
            "DATE" if text => Some(Ok(typed(parser, at, DATE))),
            "TIMESTAMP" if text => Some(Ok(typed(parser, at, TIMESTAMP))),
            _ => None,
        }
    }

    /// Never parses: it only refuses chains that would make the tree too deep.
    fn parse_infix(
        &self,
        _parser: &mut Parser,
        expr: &Expr,
        _precedence: u8,
    ) -> Option<std::result::Result<Expr, ParserError>> {
        let mut depth = 0;
        let mut at = expr;
        while let Some(inner) = left_operand(at) {
            depth += 1;
            at = inner;
        }
        (depth > CHAIN_LIMIT).then_some(Err(ParserError::RecursionLimitExceeded))
    }
}

/// What stands left in an operator's tree.
fn left_operand(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::BinaryOp { left, .. }
        | Expr::AnyOp { left, .. }
        | Expr::AllOp { left, .. }
        | Expr::IsDistinctFrom(left, _)
        | Expr::IsNotDistinctFrom(left, _) => Some(left),
        Expr::IsFalse(e)
        | Expr::IsNotFalse(e)
        | Expr::IsTrue(e)
        | Expr::IsNotTrue(e)
        | Expr::IsNull(e)
        | Expr::IsNotNull(e)
        | Expr::IsUnknown(e)
        | Expr::IsNotUnknown(e)
        | Expr::Nested(e)
        | Expr::UnaryOp { expr: e, .. }
        | Expr::Cast { expr: e, .. }
        | Expr::Between { expr: e, .. }
        | Expr::Like { expr: e, .. }
        | Expr::ILike { expr: e, .. }
        | Expr::RLike { expr: e, .. }
        | Expr::SimilarTo { expr: e, .. }
        | Expr::InList { expr: e, .. }
        | Expr::InSubquery { expr: e, .. }
        | Expr::InUnnest { expr: e, .. }
        | Expr::IsNormalized { expr: e, .. }
        | Expr::IsJson { expr: e, .. }
        | Expr::Collate { expr: e, .. }
        | Expr::JsonAccess { value: e, .. }
        | Expr::CompoundFieldAccess { root: e, .. }
        | Expr::AtTimeZone { timestamp: e, .. } => Some(e),
        _ => None,
    }
}

impl Flink {
    /// `TABLE name [PARTITION BY …]` or `TABLE (query)` where an expression may stand.
    fn table(&self, parser: &mut Parser, at: TokenSpan) -> std::result::Result<Expr, ParserError> {
        parser.next_token();
        let mut args = Vec::new();
        if parser.consume_token(&Token::LParen) {
            let query = parser.parse_query()?;
            parser.expect_token(&Token::RParen)?;
            args.push(Expr::Subquery(query));
        } else {
            let mut parts = vec![parser.parse_identifier()?];
            while parser.consume_token(&Token::Period) {
                parts.push(parser.parse_identifier()?);
            }
            args.push(identifier(parts));
        }
        if parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
            let parenthesised = parser.consume_token(&Token::LParen);
            args.push(Expr::Identifier(parser.parse_identifier()?));
            while parser.peek_token_ref().token == Token::Comma
                && (parenthesised || another_key(parser))
            {
                parser.next_token();
                args.push(Expr::Identifier(parser.parse_identifier()?));
            }
            if parenthesised {
                parser.expect_token(&Token::RParen)?;
            }
        }
        Ok(call(TABLE, at, args))
    }

    fn cast(
        &self,
        parser: &mut Parser,
        at: TokenSpan,
        name: &str,
    ) -> std::result::Result<Expr, ParserError> {
        parser.next_token();
        parser.expect_token(&Token::LParen)?;
        let input = parser.parse_expr()?;
        parser.expect_keyword_is(Keyword::AS)?;
        let place = parser.peek_token_ref().span;
        let target: Result<types::Declared> = types::parse(self, parser);
        let target = match target {
            Ok(target) => target,
            Err(error) => return self.raise(error),
        };
        parser.expect_token(&Token::RParen)?;
        let marker = if name == "CAST" { CAST } else { TRY_CAST };
        Ok(call(marker, at, vec![input, string(target.data_type.to_string(), place)]))
    }
}

/// After a key of PARTITION BY and a comma: is the next argument of the call another key?
fn another_key(parser: &Parser) -> bool {
    let Token::Word(word) = &parser.peek_nth_token_ref(1).token else { return false };
    let reserved =
        [Keyword::TABLE, Keyword::INTERVAL, Keyword::NULL, Keyword::TRUE, Keyword::FALSE];
    if word.quote_style.is_none() && reserved.contains(&word.keyword) {
        return false;
    }
    matches!(parser.peek_nth_token_ref(2).token, Token::Comma | Token::RParen)
}

fn interval(parser: &mut Parser, at: TokenSpan) -> std::result::Result<Expr, ParserError> {
    parser.next_token();
    let value = parser.next_token();
    let Token::SingleQuotedString(text) = value.token else {
        return parser.expected("a quoted number", value);
    };
    let (unit, unit_at) = word(parser)?;
    let mut precision = String::new();
    if parser.consume_token(&Token::LParen) {
        precision = parser.parse_literal_uint()?.to_string();
        if parser.consume_token(&Token::Comma) {
            parser.parse_literal_uint()?;
        }
        parser.expect_token(&Token::RParen)?;
    }
    let mut last = (String::new(), unit_at);
    if parser.parse_keyword(Keyword::TO) {
        last = word(parser)?;
        if parser.consume_token(&Token::LParen) {
            parser.parse_literal_uint()?;
            parser.expect_token(&Token::RParen)?;
        }
    }
    let args = vec![
        string(text, value.span),
        string(unit, unit_at),
        string(precision, unit_at),
        string(last.0, last.1),
    ];
    Ok(call(INTERVAL, at, args))
}

fn word(parser: &mut Parser) -> std::result::Result<(String, TokenSpan), ParserError> {
    let token = parser.next_token();
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => {
            Ok((word.value.to_ascii_uppercase(), token.span))
        }
        _ => parser.expected("a unit such as SECOND, MINUTE, HOUR or DAY", token),
    }
}

/// `DATE '…'`: the word and its string become one call.
fn typed(parser: &mut Parser, at: TokenSpan, marker: &str) -> Expr {
    parser.next_token();
    let TokenWithSpan { token, span } = parser.next_token();
    let text = match token {
        Token::SingleQuotedString(text) => text,
        other => other.to_string(),
    };
    call(marker, at, vec![string(text, span)])
}

fn identifier(mut parts: Vec<Ident>) -> Expr {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => Expr::Identifier(only),
        (last, _) => {
            parts.extend(last);
            Expr::CompoundIdentifier(parts)
        }
    }
}

fn string(text: String, span: TokenSpan) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), span })
}

fn call(name: &str, span: TokenSpan, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident { value: name.into(), quote_style: None, span }]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The name and arguments of a call that a hook of this dialect made.
pub(super) fn marker(expr: &Expr) -> Option<(&str, Vec<&Expr>)> {
    let Expr::Function(function) = expr else { return None };
    let [part] = function.name.0.as_slice() else { return None };
    let name = part.as_ident()?;
    if name.quote_style.is_some() || !name.value.starts_with('$') {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else { return None };
    let args = list.args.iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    Some((name.value.as_str(), args.collect()))
}

/// The text of a string literal.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    }
}
