//! `CREATE TABLE`: its columns, watermark and options, read and checked.

use std::collections::BTreeMap;

use sqlparser::ast::{Expr as Ast, Ident};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span as TokenSpan, Token};

use super::connector::{self, CONNECTORS, Connector, INLINE};
use super::diagnose::{Locate, nearest, unknown, unsupported};
use super::statement::Reader;
use super::types::{self, Declared};
use crate::error::{Diagnostic, Error, Result};

/// A table as the script declares it, nothing looked up yet.
pub(super) struct TableDefinition {
    pub name: Ident,
    pub columns: Vec<ColumnDefinition>,
    pub watermark: Option<WatermarkDefinition>,
    /// The columns of PRIMARY KEY.
    pub key: Vec<Ident>,
    pub options: Vec<TableOption>,
}

/// A column of a table.
pub(super) struct ColumnDefinition {
    pub name: Ident,
    pub kind: ColumnKind,
}

/// Where a column's values come from.
pub(super) enum ColumnKind {
    /// From the connector.
    Physical(Declared, TokenSpan),
    /// From the other columns.
    Computed(Box<Ast>),
}

/// `WATERMARK FOR column AS expression`.
pub(super) struct WatermarkDefinition {
    pub column: Ident,
    pub expr: Ast,
}

/// `'key' = 'value'` of a `WITH` clause.
pub(super) struct TableOption {
    pub key: String,
    pub key_at: TokenSpan,
    pub value: String,
    pub value_at: TokenSpan,
}

/// Reads what follows `CREATE TABLE`.
pub(super) fn table(reader: &mut Reader) -> Result<TableDefinition> {
    let name = reader.name()?;
    let (columns, watermark, key, options) = Default::default();
    let mut table = TableDefinition { name, columns, watermark, key, options };
    reader.lift(|p| p.expect_token(&Token::LParen))?;
    loop {
        element(reader, &mut table)?;
        if !reader.parser.consume_token(&Token::Comma) {
            break;
        }
    }
    if reader.parser.peek_token_ref().token != Token::RParen {
        return Err(reader.expected("`,` or `)`"));
    }
    reader.parser.next_token();
    if reader.word("COMMENT") {
        reader.string("a comment")?;
    }
    refuse_clauses(reader)?;
    if reader.word("WITH") {
        table.options = self::options(reader)?;
    }
    refuse_clauses(reader)?;
    Ok(table)
}

fn refuse_clauses(reader: &mut Reader) -> Result<()> {
    let at = reader.parser.peek_token_ref().span;
    let (what, instead) = if reader.is_word("PARTITIONED") || reader.is_word("DISTRIBUTED") {
        ("partitioned tables are not supported", "leave the clause out; a table is one file")
    } else if reader.is_word("LIKE") {
        ("CREATE TABLE … LIKE is not supported", "write the columns and options out")
    } else if reader.is_word("AS") {
        ("CREATE TABLE … AS is not supported", "use CREATE TABLE, then INSERT INTO … SELECT")
    } else {
        return Ok(());
    };
    Err(unsupported(what, instead).located_at(at))
}

fn element(reader: &mut Reader, table: &mut TableDefinition) -> Result<()> {
    let token = reader.parser.peek_token();
    if reader.is_word("WATERMARK")
        && matches!(&reader.parser.peek_nth_token_ref(1).token, Token::Word(w)
            if w.value.eq_ignore_ascii_case("FOR"))
    {
        reader.words(&["WATERMARK", "FOR"]);
        let column = reader.name()?;
        reader.expect_word("AS")?;
        let expr = reader.lift(Parser::parse_expr)?;
        if table.watermark.is_some() {
            return Err(Diagnostic::new("sql.duplicate", "a table has one watermark only")
                .located_at(token.span));
        }
        table.watermark = Some(WatermarkDefinition { column, expr });
        return Ok(());
    }
    if reader.is_word("CONSTRAINT") || reader.is_word("PRIMARY") {
        return primary_key(reader, table);
    }
    if reader.is_word("UNIQUE") {
        return Err(unsupported("UNIQUE is not supported", "leave it out").located_at(token.span));
    }
    let (column, key) = column(reader)?;
    if let Some(at) = key {
        set_key(table, vec![column.name.clone()], at)?;
    }
    if table.columns.iter().any(|c| c.name.value == column.name.value) {
        return Err(Diagnostic::new(
            "sql.duplicate",
            format!("the column `{}` is declared twice", column.name.value),
        )
        .located_at(column.name.span));
    }
    table.columns.push(column);
    Ok(())
}

/// A column, and the place of its PRIMARY KEY.
fn column(reader: &mut Reader) -> Result<(ColumnDefinition, Option<TokenSpan>)> {
    let name = reader.name()?;
    let kind = if reader.word("AS") {
        ColumnKind::Computed(Box::new(reader.lift(Parser::parse_expr)?))
    } else {
        let at = reader.parser.peek_token_ref().span;
        ColumnKind::Physical(types::parse(reader.dialect, reader.parser)?, at)
    };
    let at = reader.parser.peek_token_ref().span;
    if reader.is_word("METADATA") {
        return Err(unsupported(
            "metadata columns are not supported",
            "read the value from the record itself, or compute it",
        )
        .located_at(at));
    }
    let at = reader.parser.peek_token_ref().span;
    let key = reader.words(&["PRIMARY", "KEY"]).then_some(at);
    if key.is_some() {
        reader.words(&["NOT", "ENFORCED"]);
    }
    if reader.word("COMMENT") {
        reader.string("a comment")?;
    }
    Ok((ColumnDefinition { name, kind }, key))
}

/// A table has one key.
fn set_key(table: &mut TableDefinition, columns: Vec<Ident>, at: TokenSpan) -> Result<()> {
    if !table.key.is_empty() {
        return Err(Diagnostic::new("sql.duplicate", "a table has one primary key only")
            .hint("a key of several columns is written PRIMARY KEY (a, b) NOT ENFORCED")
            .located_at(at));
    }
    table.key = columns;
    Ok(())
}

/// `[CONSTRAINT c] PRIMARY KEY (columns) NOT ENFORCED`.
fn primary_key(reader: &mut Reader, table: &mut TableDefinition) -> Result<()> {
    let at = reader.parser.peek_token_ref().span;
    if reader.word("CONSTRAINT") {
        reader.name()?;
    }
    reader.expect_word("PRIMARY")?;
    reader.expect_word("KEY")?;
    reader.lift(|p| p.expect_token(&Token::LParen))?;
    let columns = reader.lift(|p| p.parse_comma_separated(Parser::parse_identifier))?;
    reader.lift(|p| p.expect_token(&Token::RParen))?;
    for column in &columns {
        if !table.columns.iter().any(|c| c.name.value == column.value) {
            let known = table.columns.iter().map(|c| c.name.value.as_str());
            return Err(unknown("sql.unknown-column", "column", &column.value, known, "")
                .located_at(column.span));
        }
    }
    if !reader.words(&["NOT", "ENFORCED"]) {
        return Err(reader
            .expected("NOT ENFORCED")
            .hint("a stream cannot check a key; say PRIMARY KEY (…) NOT ENFORCED"));
    }
    set_key(table, columns, at)
}

fn options(reader: &mut Reader) -> Result<Vec<TableOption>> {
    reader.lift(|p| p.expect_token(&Token::LParen))?;
    let mut found: Vec<TableOption> = Vec::new();
    loop {
        let (key, key_at) = reader.string("the name of an option")?;
        reader.lift(|p| p.expect_token(&Token::Eq))?;
        let (value, value_at) = reader.string("the value of the option")?;
        if found.iter().any(|o| o.key == key) {
            return Err(Diagnostic::new(
                "sql.duplicate",
                format!("the option '{key}' is given twice"),
            )
            .located_at(key_at));
        }
        found.push(TableOption { key, key_at, value, value_at });
        if !reader.parser.consume_token(&Token::Comma) {
            break;
        }
    }
    if reader.parser.peek_token_ref().token != Token::RParen {
        return Err(reader.expected("`,` or `)`"));
    }
    reader.parser.next_token();
    Ok(found)
}

/// The connector of a table and its options, checked. Every wrong option is an error of its own.
pub(super) fn connect(
    table: &TableDefinition,
    errors: &mut Vec<Error>,
) -> Option<(&'static Connector, BTreeMap<String, String>)> {
    let Some(named) = table.options.iter().find(|o| o.key == "connector") else {
        if table.options.is_empty() {
            return connector::connector(INLINE).map(|inline| (inline, BTreeMap::new()));
        }
        errors.push(
            Diagnostic::new("sql.missing-option", "the option 'connector' is missing")
                .hint(format!("the connectors are {}", connector_names()))
                .located_at(table.name.span),
        );
        return None;
    };
    let Some(connector) = connector::connector(&named.value) else {
        let known = CONNECTORS.iter().map(|c| c.name);
        let otherwise = format!("the connectors are {}", connector_names());
        errors.push(
            unknown("sql.unknown-connector", "connector", &named.value, known, otherwise)
                .located_at(named.value_at),
        );
        return None;
    };
    let mut options = BTreeMap::new();
    for option in table.options.iter().filter(|o| o.key != "connector") {
        match check_option(connector, table, option) {
            Ok(()) => {
                options.insert(option.key.clone(), option.value.clone());
            }
            Err(error) => errors.push(error),
        }
    }
    let mut given = BTreeMap::new();
    given.extend(table.options.iter().map(|o| (o.key.clone(), o.value.clone())));
    for missing in connector.missing(&given) {
        errors.push(
            Diagnostic::new(
                "sql.missing-option",
                format!("the connector `{}` needs the option '{}'", connector.name, missing.key),
            )
            .hint(format!(
                "{} Add '{}' = '…' ({})",
                missing.doc,
                missing.key,
                missing.value.describe()
            ))
            .located_at(named.value_at),
        );
    }
    Some((connector, options))
}

fn connector_names() -> String {
    CONNECTORS.iter().map(|c| c.name).filter(|n| *n != INLINE).collect::<Vec<_>>().join(", ")
}

fn check_option(
    connector: &Connector,
    table: &TableDefinition,
    option: &TableOption,
) -> Result<()> {
    let Some((known, column)) = connector.option(&option.key) else {
        let keys: Vec<&str> = connector.options.iter().map(|o| o.key).collect();
        let known = keys.iter().copied().chain(connector.common().map(|o| o.key));
        let hint = match nearest(&option.key, known) {
            Some(near) => format!("did you mean '{near}'?"),
            None if keys.is_empty() => format!("`{}` takes no options", connector.name),
            None => format!("`{}` takes {}", connector.name, keys.join(", ")),
        };
        return Err(Diagnostic::new(
            "sql.unknown-option",
            format!("the connector `{}` has no option '{}'", connector.name, option.key),
        )
        .hint(hint)
        .located_at(option.key_at));
    };
    if let Some(column) = column {
        let physical = |c: &&ColumnDefinition| matches!(c.kind, ColumnKind::Physical(..));
        let names = || table.columns.iter().filter(physical).map(|c| c.name.value.as_str());
        if !names().any(|name| name == column) {
            return Err(unknown("sql.unknown-column", "column", column, names(), "")
                .located_at(option.key_at));
        }
    }
    if !known.value.accepts(&option.value) {
        return Err(Diagnostic::new(
            "sql.option-value",
            format!("'{}' is no value of the option '{}'", option.value, option.key),
        )
        .hint(format!("it takes {}", known.value.describe()))
        .located_at(option.value_at));
    }
    Ok(())
}
