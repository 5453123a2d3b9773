//! Statements: a script cut at its semicolons, each statement read into a small tree.

use sqlparser::ast::{Ident, Query};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span as TokenSpan, Token, TokenWithSpan, Tokenizer};

use super::ddl::{self, TableDefinition};
use super::diagnose::{self, Locate, nearest, unsupported};
use super::dialect::Flink;
use super::statement_set::Sets;
use crate::error::{Diagnostic, Error, Position, Result, Span};

/// One statement and where it stands.
pub(super) struct Statement {
    pub kind: Kind,
    /// The whole statement.
    pub span: Span,
}

/// What a statement asks for.
pub(super) enum Kind {
    CreateTable(Box<TableDefinition>),
    CreateFunction {
        name: Ident,
        path: String,
        path_at: TokenSpan,
    },
    CreateView {
        name: Ident,
        columns: Vec<Ident>,
        query: Box<Query>,
    },
    Set {
        key: String,
        key_at: TokenSpan,
        value: String,
        value_at: TokenSpan,
    },
    Insert {
        table: Ident,
        columns: Vec<Ident>,
        query: Box<Query>,
    },
    Select(Box<Query>),
    Explain(Box<Statement>),
    /// A statement that changes nothing here, such as an empty statement set.
    Nothing,
}

/// The most set operations in a statement: they nest in the tree, one in the other.
const SET_OPERATION_LIMIT: usize = 50;

/// So many CASE in one another can always be read.
const CASE_LIMIT: usize = 40;

/// How deep CASE stands in CASE.
fn nested_cases(tokens: &[TokenWithSpan]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for token in tokens {
        match &token.token {
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::CASE => open += 1,
                Keyword::END => open = open.saturating_sub(1),
                _ => {}
            },
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// The tokens of one statement, the last one an end of input with its place.
struct Slice {
    tokens: Vec<TokenWithSpan>,
    span: Span,
}

/// Runs a function of sqlparser and turns its error into ours.
pub(super) fn lift<'a, T>(
    dialect: &Flink,
    parser: &mut Parser<'a>,
    run: impl FnOnce(&mut Parser<'a>) -> std::result::Result<T, ParserError>,
) -> Result<T> {
    run(parser).map_err(|error| {
        let at = diagnose::span(parser.peek_token_ref().span).unwrap_or(START);
        dialect.own_error(&error).unwrap_or_else(|| diagnose::from_parser(&error, at))
    })
}

/// The first place of a script, for what has no other.
pub(super) const START: Span =
    Span { start: Position { line: 1, column: 1 }, end: Position { line: 1, column: 2 } };

/// All statements that could be read, and an error for each that could not.
pub(super) fn parse(script: &str) -> (Vec<Statement>, Vec<Diagnostic>) {
    let mut statements = Vec::new();
    let mut errors = Vec::new();
    match split(script) {
        Ok(slices) => {
            let mut sets = Sets::default();
            for slice in slices {
                // What stands in the wrong place is there all the same for those behind it.
                let in_place = sets.next(&slice.tokens, slice.span);
                match parse_slice(slice) {
                    Ok(statement) => {
                        statements.push(statement);
                        errors.extend(in_place.err().map(|error| *error));
                    }
                    Err(error) => errors.push(*error),
                }
            }
            errors.extend(sets.end().err().map(|error| *error));
        }
        Err(error) => errors.push(*error),
    }
    (statements, errors)
}

fn split(script: &str) -> Result<Vec<Slice>> {
    let dialect = Flink::default();
    let tokens = Tokenizer::new(&dialect, script)
        .tokenize_with_location()
        .map_err(|e| diagnose::from_parser(&ParserError::from(e), START))?;
    let mut slices = Vec::new();
    let mut current: Vec<TokenWithSpan> = Vec::new();
    for token in tokens {
        match token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::SemiColon => finish(&mut slices, &mut current),
            _ => current.push(token),
        }
    }
    finish(&mut slices, &mut current);
    Ok(slices)
}

fn finish(slices: &mut Vec<Slice>, current: &mut Vec<TokenWithSpan>) {
    let mut tokens = std::mem::take(current);
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return };
    let end = last.span.end;
    let whole = TokenSpan { start: first.span.start, end };
    let span = diagnose::span(whole).unwrap_or(START);
    tokens.push(TokenWithSpan { token: Token::EOF, span: TokenSpan { start: end, end } });
    slices.push(Slice { tokens, span });
}

fn parse_slice(slice: Slice) -> Result<Statement> {
    let span = slice.span;
    let is_set = |token: &TokenWithSpan| {
        matches!(&token.token, Token::Word(w) if w.quote_style.is_none()
            && matches!(w.keyword, Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT))
    };
    if slice.tokens.iter().filter(|token| is_set(token)).count() > SET_OPERATION_LIMIT {
        return Err(diagnose::from_parser(&ParserError::RecursionLimitExceeded, span));
    }
    let cases = nested_cases(&slice.tokens);
    let dialect = Flink::default();
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(slice.tokens);
    let mut reader = Reader { dialect: &dialect, parser: &mut parser, span };
    let kind = reader.whole().map_err(|error| {
        // sqlparser then takes the innermost CASE for a name and stumbles over what follows.
        let misled = error.code == "sql.syntax" && cases > CASE_LIMIT;
        if misled {
            diagnose::from_parser(&ParserError::RecursionLimitExceeded, span)
        } else {
            error
        }
    })?;
    Ok(Statement { kind, span })
}

/// Reads the tokens of one statement.
pub(super) struct Reader<'r, 'd> {
    pub dialect: &'r Flink,
    pub parser: &'r mut Parser<'d>,
    span: Span,
}

impl<'d> Reader<'_, 'd> {
    /// Runs a function of sqlparser and turns its error into ours.
    pub(super) fn lift<T>(
        &mut self,
        run: impl FnOnce(&mut Parser<'d>) -> std::result::Result<T, ParserError>,
    ) -> Result<T> {
        run(self.parser).map_err(|error| {
            let own = self.dialect.own_error(&error);
            own.unwrap_or_else(|| diagnose::from_parser(&error, self.span))
        })
    }

    /// Takes the next word if it is this one, in any case.
    pub(super) fn word(&mut self, wanted: &str) -> bool {
        let found = self.is_word(wanted);
        if found {
            self.parser.next_token();
        }
        found
    }

    /// Takes these words if they come next.
    pub(super) fn words(&mut self, wanted: &[&str]) -> bool {
        let found = wanted.iter().enumerate().all(|(i, wanted)| {
            matches!(&self.parser.peek_nth_token_ref(i).token, Token::Word(w)
                if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(wanted))
        });
        if found {
            wanted.iter().for_each(|_| self.parser.advance_token());
        }
        found
    }

    /// Whether the next word is this one, in any case.
    pub(super) fn is_word(&self, wanted: &str) -> bool {
        matches!(&self.parser.peek_token_ref().token, Token::Word(w)
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(wanted))
    }

    /// Takes the word or says that it was expected.
    pub(super) fn expect_word(&mut self, wanted: &str) -> Result<()> {
        if self.word(wanted) { Ok(()) } else { Err(self.expected(wanted)) }
    }

    /// "expected …, found …" at the next token.
    pub(super) fn expected(&mut self, what: &str) -> Error {
        let token = self.parser.peek_token();
        let expected = self.parser.expected::<()>(what, token.clone());
        match expected {
            Err(error) => diagnose::from_parser(&error, self.span).located_at(token.span),
            Ok(()) => Diagnostic::new("sql.syntax", format!("expected {what}")),
        }
    }

    /// A string literal and its place.
    pub(super) fn string(&mut self, what: &str) -> Result<(String, TokenSpan)> {
        let token = self.parser.peek_token();
        match token.token {
            Token::SingleQuotedString(text) => {
                self.parser.next_token();
                Ok((text, token.span))
            }
            _ => Err(self.expected(&format!("{what} in single quotes"))),
        }
    }

    /// A name of one part.
    pub(super) fn name(&mut self) -> Result<Ident> {
        let name = self.lift(Parser::parse_identifier)?;
        if self.parser.peek_token_ref().token == Token::Period {
            return Err(unsupported(
                "catalogs and databases are not supported",
                "name the table alone; all tables of a script stand in one place",
            )
            .located_at(name.span));
        }
        Ok(name)
    }

    /// A statement with nothing behind it.
    fn whole(&mut self) -> Result<Kind> {
        let kind = self.statement_or_set()?;
        self.end()?;
        Ok(kind)
    }

    fn end(&mut self) -> Result<()> {
        match self.parser.peek_token_ref().token {
            Token::EOF => Ok(()),
            _ => Err(self.expected("`;` or the end of the statement")),
        }
    }

    /// A statement, or the first of a statement set, or the word that closes one.
    fn statement_or_set(&mut self) -> Result<Kind> {
        if self.words(&["EXECUTE", "STATEMENT", "SET"])
            || self.words(&["BEGIN", "STATEMENT", "SET"])
        {
            self.word("BEGIN");
            if matches!(self.parser.peek_token_ref().token, Token::EOF) {
                return Ok(Kind::Nothing);
            }
            if !self.is_word("INSERT") {
                return Err(self.expected("INSERT INTO"));
            }
        } else if self.is_word("END")
            && matches!(self.parser.peek_nth_token_ref(1).token, Token::EOF)
        {
            self.parser.next_token();
            return Ok(Kind::Nothing);
        }
        self.statement()
    }

    fn statement(&mut self) -> Result<Kind> {
        let token = self.parser.peek_token();
        let word = match &token.token {
            Token::Word(w) if w.quote_style.is_none() => w.value.to_ascii_uppercase(),
            Token::LParen => "SELECT".to_owned(),
            _ => return Err(self.expected("a statement")),
        };
        match word.as_str() {
            "CREATE" => {
                self.parser.next_token();
                self.create()
            }
            "SET" => {
                self.parser.next_token();
                self.set()
            }
            "INSERT" => {
                self.parser.next_token();
                self.insert()
            }
            "EXECUTE" => {
                self.parser.next_token();
                if !self.is_word("INSERT") {
                    return Err(self.expected("INSERT INTO, or STATEMENT SET"));
                }
                self.statement()
            }
            "EXPLAIN" => {
                self.parser.next_token();
                self.explain()
            }
            "SELECT" | "WITH" | "VALUES" | "FROM" => {
                self.lift(Parser::parse_query).map(Kind::Select)
            }
            _ => Err(unknown_statement(&word).located_at(token.span)),
        }
    }

    fn create(&mut self) -> Result<Kind> {
        let at = self.parser.peek_token_ref().span;
        if self.words(&["OR", "REPLACE"]) {
            return Err(unsupported(
                "CREATE OR REPLACE is not supported",
                "a script starts from nothing, so CREATE is enough",
            )
            .located_at(at));
        }
        let temporary = self.word("TEMPORARY");
        if temporary {
            self.word("SYSTEM");
        }
        if self.word("TABLE") {
            self.words(&["IF", "NOT", "EXISTS"]);
            ddl::table(self).map(|table| Kind::CreateTable(Box::new(table)))
        } else if self.word("VIEW") {
            self.words(&["IF", "NOT", "EXISTS"]);
            self.view()
        } else if self.word("FUNCTION") {
            self.words(&["IF", "NOT", "EXISTS"]);
            self.function()
        } else {
            Err(self.expected("TABLE, VIEW or FUNCTION"))
        }
    }

    fn view(&mut self) -> Result<Kind> {
        let name = self.name()?;
        let mut columns = Vec::new();
        if self.parser.consume_token(&Token::LParen) {
            columns = self.lift(|p| p.parse_comma_separated(Parser::parse_identifier))?;
            self.lift(|p| p.expect_token(&Token::RParen))?;
        }
        if self.word("COMMENT") {
            self.string("a comment")?;
        }
        self.expect_word("AS")?;
        let query = self.lift(Parser::parse_query)?;
        Ok(Kind::CreateView { name, columns, query })
    }

    fn function(&mut self) -> Result<Kind> {
        let name = self.name()?;
        self.expect_word("AS")?;
        let (path, path_at) = self.string("the path of a WebAssembly module")?;
        if !self.word("LANGUAGE") {
            return Err(self.expected("LANGUAGE WASM").hint(
                "functions are WebAssembly modules: CREATE FUNCTION f AS 'f.wasm' LANGUAGE WASM",
            ));
        }
        let language = self.parser.peek_token();
        if !self.word("WASM") {
            return Err(unsupported(
                format!("functions in {} are not supported", language.token),
                "compile it to a WebAssembly module and say LANGUAGE WASM",
            )
            .located_at(language.span));
        }
        Ok(Kind::CreateFunction { name, path, path_at })
    }

    fn set(&mut self) -> Result<Kind> {
        if !matches!(self.parser.peek_token_ref().token, Token::SingleQuotedString(_)) {
            return Err(self
                .expected("a key in single quotes")
                .hint("for example SET 'parallelism.default' = '2'"));
        }
        let (key, key_at) = self.string("a key")?;
        self.lift(|p| p.expect_token(&Token::Eq))?;
        if !matches!(self.parser.peek_token_ref().token, Token::SingleQuotedString(_)) {
            return Err(self.expected("a value in single quotes").hint(
                "values stand in single quotes, numbers too: SET 'parallelism.default' = '2'",
            ));
        }
        let (value, value_at) = self.string("a value")?;
        Ok(Kind::Set { key, key_at, value, value_at })
    }

    fn insert(&mut self) -> Result<Kind> {
        let at = self.parser.peek_token_ref().span;
        if self.word("OVERWRITE") {
            return Err(
                unsupported("INSERT OVERWRITE is not supported", "use INSERT INTO").located_at(at)
            );
        }
        self.expect_word("INTO")?;
        self.word("TABLE");
        let table = self.name()?;
        let mut columns = Vec::new();
        let list = self.parser.peek_token_ref().token == Token::LParen
            && !matches!(&self.parser.peek_nth_token_ref(1).token, Token::Word(w)
                if w.quote_style.is_none() && matches!(w.keyword, Keyword::SELECT | Keyword::WITH));
        if list {
            self.parser.next_token();
            columns = self.lift(|p| p.parse_comma_separated(Parser::parse_identifier))?;
            self.lift(|p| p.expect_token(&Token::RParen))?;
        }
        let query = self.lift(Parser::parse_query)?;
        Ok(Kind::Insert { table, columns, query })
    }

    fn explain(&mut self) -> Result<Kind> {
        self.words(&["PLAN", "FOR"]);
        let token = self.parser.peek_token();
        let ok = ["SELECT", "INSERT", "WITH"].iter().any(|w| self.is_word(w))
            || token.token == Token::LParen;
        if !ok {
            return Err(self
                .expected("SELECT or INSERT")
                .hint("EXPLAIN PLAN FOR takes a query or an INSERT; details such as ESTIMATED_COST are not supported"));
        }
        let start = diagnose::span(token.span).map_or(self.span.start, |s| s.start);
        let kind = self.statement()?;
        let span = Span { start, end: self.span.end };
        Ok(Kind::Explain(Box::new(Statement { kind, span })))
    }
}

fn unknown_statement(word: &str) -> Error {
    let known = ["CREATE", "SET", "INSERT", "SELECT", "EXPLAIN", "EXECUTE", "WITH"];
    match word {
        "UPDATE" | "DELETE" | "MERGE" | "TRUNCATE" => unsupported(
            format!("{word} is not supported"),
            "a stream is changed by writing a query over it: INSERT INTO … SELECT",
        ),
        "DROP" | "ALTER" | "USE" | "SHOW" | "DESCRIBE" | "DESC" | "LOAD" | "UNLOAD" | "RESET"
        | "ADD" | "REMOVE" | "ANALYZE" | "CALL" | "STOP" => unsupported(
            format!("{word} is not supported"),
            "a script starts from nothing and runs once: CREATE what it needs, then INSERT or SELECT",
        ),
        _ => {
            let error =
                Diagnostic::new("sql.syntax", format!("expected a statement, found {word}"));
            match nearest(word, known) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint(
                    "statements are CREATE TABLE, CREATE VIEW, CREATE FUNCTION, SET, INSERT INTO, \
                     SELECT and EXPLAIN",
                ),
            }
        }
    }
}
