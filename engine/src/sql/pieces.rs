//! A script piece by piece, as the dialect tells them apart: for whoever cuts scripts, not for whoever plans them.

use std::ops::Range;

use sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

use super::dialect::Flink;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword, or a name without quotes.
    Word,
    /// A name in backticks.
    Quoted,
    /// Spaces and line ends.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A literal, an operator, another sign.
    Other,
}

/// A piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the script. Each piece begins where the one before it ends.
    pub range: Range<usize>,
}

/// The pieces of a script, in order; none when something in it is no token at all, such as an open quote.
pub fn pieces(script: &str) -> Vec<Piece> {
    let dialect = Flink::default();
    let Ok(tokens) = Tokenizer::new(&dialect, script).tokenize_with_location() else {
        return Vec::new();
    };
    let (mut at, mut rest) = (Location { line: 1, column: 1 }, script.chars());
    let mut place = |wanted: Location| {
        while at != wanted {
            match rest.next() {
                Some('\n') => at = Location { line: at.line + 1, column: 1 },
                Some(_) => at.column += 1,
                None => break,
            }
        }
        script.len() - rest.as_str().len()
    };
    let starts: Vec<usize> = tokens.iter().map(|token| place(token.span.start)).collect();
    let ends = starts.iter().skip(1).copied().chain([script.len()]);
    let ranges = starts.iter().zip(ends).map(|(from, to)| *from..to);
    tokens.iter().zip(ranges).map(|(t, range)| Piece { kind: kind(&t.token), range }).collect()
}

fn kind(token: &Token) -> Kind {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Kind::Word,
        Token::Word(_) => Kind::Quoted,
        Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => Kind::Space,
        Token::Whitespace(_) => Kind::Comment,
        Token::LParen => Kind::Open,
        Token::RParen => Kind::Close,
        Token::Comma => Kind::Comma,
        Token::SemiColon => Kind::Semicolon,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_script() {
        let script = "SELECT `ä b`, 'it''s; ü'\r\n-- why; ß\n /* a /* b */ FROM t(1);\n";
        let pieces = pieces(script);
        let joined: String = pieces.iter().map(|piece| &script[piece.range.clone()]).collect();
        assert_eq!(joined, script);
        let of = |kind| {
            let own = pieces.iter().filter(move |piece| piece.kind == kind);
            own.map(|piece| script[piece.range.clone()].trim()).collect::<Vec<_>>()
        };
        assert_eq!(of(Kind::Word), ["SELECT", "FROM", "t"]);
        assert_eq!(of(Kind::Quoted), ["`ä b`"]);
        assert_eq!(of(Kind::Comment), ["-- why; ß", "/* a /* b */"]);
        assert_eq!(of(Kind::Semicolon), [";"]);
        assert!(super::pieces("SELECT 'open").is_empty());
        assert!(super::pieces("").is_empty());
    }
}
