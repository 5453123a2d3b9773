//! A script made smaller by a step: each cut leaves something out that can stand alone in the text. Whether what is left is
//! a script, and means anything, is the engine's to say: most cuts it refuses at once. (Deletion along the tree of a
//! text, as in hierarchical delta debugging; Misherghi and Su, ICSE 2006.)

use std::ops::Range;

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

/// What a part of a query begins with, and what ends the one before it.
const CLAUSES: [&str; 10] =
    ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "JOIN", "WITH"];
/// The same within those.
const PARTS: [&str; 10] =
    ["ON", "AND", "OR", "AS", "LEFT", "RIGHT", "FULL", "INNER", "DISTINCT", "FILTER"];
/// What goes with the word before it.
const TAILS: [&str; 5] = ["BY", "ALL", "OUTER", "KEY", "NOT"];

/// All scripts that are a cut smaller than this one, those without a whole statement first.
pub fn cuts(script: &str) -> Vec<String> {
    let tokens = pieces(script);
    let statements = statements(&tokens);
    let mut cuts: Vec<String> =
        statements.iter().rev().map(|whole| without(&tokens, whole)).collect();
    if !statements.is_empty() {
        cuts.push(without_sets(&tokens, &statements));
    }
    for statement in &statements {
        cuts.extend(bypassed(&tokens, statement));
    }
    let comments = tokens.iter().enumerate().filter(|(_, token)| is_comment(token));
    let mut ranges: Vec<Range<usize>> = comments.map(|(at, _)| at..at + 1).collect();
    for statement in statements.into_iter().rev() {
        level(&tokens, statement, &mut ranges);
    }
    ranges.sort_by_key(|range: &Range<usize>| std::cmp::Reverse(range.len()));
    ranges.dedup();
    cuts.extend(ranges.iter().map(|range| without(&tokens, range)));
    cuts.retain(|cut| cut != script);
    cuts
}

/// How many statements a script has.
pub fn count(script: &str) -> usize {
    statements(&pieces(script)).len()
}

/// A token and how it stands in the script.
struct Piece<'a> {
    token: Token,
    text: &'a str,
}

/// The script token by token, spaces too; none when it is no SQL at all.
fn pieces(script: &str) -> Vec<Piece<'_>> {
    let tokens = Tokenizer::new(&GenericDialect {}, script).tokenize_with_location();
    let tokens = tokens.unwrap_or_default();
    let (mut at, mut rest) = (Location { line: 1, column: 1 }, script.char_indices());
    let mut place = |wanted: Location| {
        while at != wanted {
            match rest.next() {
                Some((_, '\n')) => at = Location { line: at.line + 1, column: 1 },
                Some(_) => at.column += 1,
                None => break,
            }
        }
        rest.offset()
    };
    let starts: Vec<usize> = tokens.iter().map(|token| place(token.span.start)).collect();
    let ends = starts.iter().skip(1).copied().chain([script.len()]);
    let texts = starts.iter().zip(ends).map(|(from, to)| &script[*from..to]);
    tokens.into_iter().zip(texts).map(|(token, text)| Piece { token: token.token, text }).collect()
}

fn text(tokens: &[Piece<'_>]) -> String {
    tokens.iter().map(|piece| piece.text).collect()
}

/// With a space for what is gone, or words would become one.
fn without(tokens: &[Piece<'_>], range: &Range<usize>) -> String {
    format!("{} {}", text(&tokens[..range.start]), text(&tokens[range.end..]))
}

fn is_space(piece: &Piece<'_>) -> bool {
    matches!(piece.token, Token::Whitespace(_))
}

fn is_comment(piece: &Piece<'_>) -> bool {
    use Whitespace::{MultiLineComment, SingleLineComment};
    matches!(piece.token, Token::Whitespace(SingleLineComment { .. } | MultiLineComment(_)))
}

/// The script with its sets of statements as statements alone.
fn without_sets(tokens: &[Piece<'_>], statements: &[Range<usize>]) -> String {
    let mut cut = String::new();
    for statement in statements {
        let words: Vec<usize> =
            statement.clone().filter(|&at| !is_space(&tokens[at])).take(4).collect();
        let is = |index: usize, word: &str| {
            words.get(index).is_some_and(|&at| is_any(&tokens[at], &[word]))
        };
        let begins = [is(0, "EXECUTE") || is(0, "BEGIN"), is(1, "STATEMENT"), is(2, "SET")];
        let from = match begins == [true; 3] {
            true => words[2 + usize::from(is(3, "BEGIN"))] + 1,
            false => statement.start,
        };
        if !is(0, "END") {
            cut += &text(&tokens[from..statement.end]);
        }
    }
    cut
}

/// Statements, each with its semicolon and what is in front of it.
fn statements(tokens: &[Piece<'_>]) -> Vec<Range<usize>> {
    let ends = (0..tokens.len()).filter(|&at| tokens[at].token == Token::SemiColon);
    let mut found = Vec::new();
    let mut from = 0;
    for end in ends.map(|at| at + 1).chain([tokens.len()]) {
        if tokens[from..end].iter().any(|token| !is_space(token)) {
            found.push(from..end);
        }
        from = end;
    }
    found
}

fn word<'a>(piece: &'a Piece<'_>) -> Option<&'a str> {
    match &piece.token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}

fn is_any(token: &Piece<'_>, words: &[&str]) -> bool {
    word(token).is_some_and(|own| words.iter().any(|word| own.eq_ignore_ascii_case(word)))
}

/// The cuts of a stretch between two parentheses, or of a statement, and of all stretches within.
fn level(tokens: &[Piece<'_>], range: Range<usize>, cuts: &mut Vec<Range<usize>>) {
    let mut places = Vec::new();
    let mut at = range.start;
    while at < range.end {
        if tokens[at].token == Token::LParen {
            let end = closing(tokens, at, range.end);
            level(tokens, at + 1..end, cuts);
            at = end;
        } else if !is_space(&tokens[at]) && tokens[at].token != Token::SemiColon {
            places.push(at);
        }
        at += 1;
    }
    let end = places.last().map_or(range.end, |last| match tokens[range.end - 1].token {
        Token::SemiColon => range.end - 1,
        _ => (last + 1).max(range.end),
    });
    let next = |from: usize, words: &dyn Fn(&Piece<'_>) -> bool| {
        places.iter().copied().find(|&at| at >= from && words(&tokens[at])).unwrap_or(end)
    };
    let clause = |token: &Piece<'_>| is_any(token, &CLAUSES);
    let part = |token: &Piece<'_>| clause(token) || is_any(token, &PARTS);
    let item = |token: &Piece<'_>| clause(token) || token.token == Token::Comma;
    for (index, &at) in places.iter().enumerate() {
        let before = |words: &dyn Fn(&Piece<'_>) -> bool| {
            let ends = places[..index].iter().rev().find(|&&at| words(&tokens[at]));
            ends.map_or(range.start, |at| at + 1)
        };
        if tokens[at].token == Token::Comma {
            cuts.extend([before(&item)..at + 1, at..next(at + 1, &item)]);
        } else if part(&tokens[at]) {
            let words = places[index..]
                .iter()
                .take_while(|&&at| part(&tokens[at]) || is_any(&tokens[at], &TAILS));
            let behind = words.last().map_or(at, |last| last + 1);
            cuts.extend([
                at..at + 1,
                at..behind,
                at..next(behind, &part),
                at..next(behind, &clause),
                at..end,
            ]);
            if is_any(&tokens[at], &["AND", "OR"]) {
                cuts.push(before(&part)..at + 1);
            }
            if is_any(&tokens[at], &["UNION"]) {
                let first = places.iter().copied().find(|&at| is_any(&tokens[at], &["SELECT"]));
                let all = places.get(index + 1).filter(|&&at| is_any(&tokens[at], &["ALL"]));
                cuts.extend(
                    first
                        .filter(|first| *first < at)
                        .map(|first| first..all.map_or(at, |all| *all) + 1),
                );
            }
        }
    }
}

/// Where the parenthesis at `open` is closed, at most at `end`.
fn closing(tokens: &[Piece<'_>], open: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().take(end).skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    end
}

/// The script in which all that reads a view reads what the view itself reads.
fn bypassed(tokens: &[Piece<'_>], statement: &Range<usize>) -> Vec<String> {
    let words: Vec<(usize, &str)> =
        statement.clone().filter_map(|at| Some((at, word(&tokens[at])?))).collect();
    let is = |index: usize, what: &str| {
        words.get(index).is_some_and(|(_, word)| word.eq_ignore_ascii_case(what))
    };
    let view = (1..words.len()).find(|&index| is(index - 1, "VIEW"));
    let (Some(view), true) = (view, is(0, "CREATE")) else { return Vec::new() };
    let name = words[view].1;
    let reads = (view + 1..words.len())
        .filter(|&index| is(index - 1, "FROM") || is(index - 1, "JOIN") || is(index - 1, "TABLE"))
        .map(|index| words[index].1)
        .filter(|read| !read.eq_ignore_ascii_case("TABLE") && *read != name);
    reads
        .map(|read| {
            let behind = tokens[statement.end..].iter().map(|token| match word(token) {
                Some(own) if own == name => read.to_owned(),
                _ => token.text.to_owned(),
            });
            text(&tokens[..statement.end]) + &behind.collect::<String>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a script when every cut is taken that leaves these in it.
    fn least(script: &str, needed: &[&str]) -> String {
        let plain = |text: &str| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.join(" ").replace(" ;", ";").replace(" )", ")")
        };
        let stays = |cut: &String| needed.iter().all(|part| plain(cut).contains(part));
        let mut script = script.to_owned();
        while let Some(cut) = cuts(&script).into_iter().find(stays) {
            script = cut;
        }
        plain(&script)
    }

    #[test]
    fn statements_clauses_and_items_go() {
        let script = "SET 'a;b' = 'it''s';\n-- a comment; with one\nSELECT a, MAX(b, c) AS m, d \
                      FROM t WHERE x = 1 AND y = 2 GROUP BY a, d HAVING a > 1;\n";
        assert_eq!(count(script), 2);
        assert_eq!(
            least(script, &["SELECT MAX(b", "FROM t WHERE", "y = 2"]),
            "SELECT MAX(b) FROM t WHERE y = 2;"
        );
        assert_eq!(
            least(script, &["SELECT a", "FROM t WHERE x = 1", "GROUP BY"]),
            "SELECT a FROM t WHERE x = 1 GROUP BY a;"
        );
        assert_eq!(least(script, &["it''s"]), "SET 'a;b' = 'it''s';");
    }

    #[test]
    fn sides_of_joins_and_unions_go() {
        let union = "SELECT a FROM t UNION ALL SELECT b FROM u;";
        assert_eq!(least(union, &["SELECT a FROM t"]), "SELECT a FROM t;");
        assert_eq!(least(union, &["SELECT b FROM u"]), "SELECT b FROM u;");
        let join = "SELECT a FROM t LEFT JOIN u ON t.a = u.a AND t.b = u.b WHERE t.c = 1;";
        assert_eq!(
            least(join, &["SELECT a FROM t", "WHERE t.c = 1"]),
            "SELECT a FROM t WHERE t.c = 1;"
        );
        assert_eq!(
            least(join, &["SELECT a FROM t", "JOIN u ON t.a = u.a"]),
            "SELECT a FROM t JOIN u ON t.a = u.a;"
        );
    }

    #[test]
    fn a_view_is_bypassed() {
        let script = "CREATE VIEW v AS SELECT a FROM TABLE(TUMBLE(TABLE t, b));\nSELECT a FROM v;";
        assert!(cuts(script).iter().any(|cut| cut.ends_with("SELECT a FROM t;")));
    }

    #[test]
    fn sets_and_comments_go() {
        let script = "EXECUTE STATEMENT SET BEGIN\n-- why\nINSERT INTO a SELECT b FROM c;\nEND;";
        assert_eq!(
            least(script, &["INSERT INTO a SELECT b FROM c;"]),
            "INSERT INTO a SELECT b FROM c;"
        );
        let script = "BEGIN STATEMENT SET; INSERT INTO a SELECT b FROM c; END;";
        assert!(cuts(script).iter().any(|cut| cut.trim() == "; INSERT INTO a SELECT b FROM c;"));
        let table = "CREATE TABLE t (a INT, WATERMARK FOR a AS a - b);";
        assert!(cuts(table).contains(&"CREATE TABLE t (a INT );".to_owned()));
    }

    #[test]
    fn what_is_no_script_has_no_cuts_and_no_end() {
        assert!(cuts("'").is_empty());
        for text in ["", ";", "((", "))", ") (", "SELECT (", "UNION", "a,,b", "CREATE VIEW"] {
            assert!(cuts(text).iter().all(|cut| cut.len() <= text.len() + 1), "{text}");
        }
    }
}
