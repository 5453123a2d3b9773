//! Statement sets: where one begins it ends, and between are INSERTs alone.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Diagnostic, Error, Result, Span};

/// The set that is open, if one is.
#[derive(Default)]
pub(super) struct Sets {
    open: Option<Span>,
}

impl Sets {
    /// Looks at the tokens of the next statement, or of what begins or ends a set.
    ///
    /// # Errors
    /// When it may not stand where it stands.
    pub fn next(&mut self, tokens: &[TokenWithSpan], span: Span) -> Result<()> {
        let is = |words: &[&str]| {
            tokens.len() > words.len()
                && words.iter().zip(tokens).all(|(wanted, token)| match &token.token {
                    Token::Word(word) => word.value.eq_ignore_ascii_case(wanted),
                    _ => false,
                })
        };
        let begins = is(&["EXECUTE", "STATEMENT", "SET"]) || is(&["BEGIN", "STATEMENT", "SET"]);
        // Behind the word stands the end of the statement.
        let ends = is(&["END"]) && tokens.len() == 2;
        if begins && self.open.is_some() {
            let message = "a statement set is open already";
            return Err(wrong(message).at(span).hint("end the one before with `END;`"));
        }
        if begins {
            self.open = Some(span);
        } else if ends && self.open.take().is_none() {
            let hint = "begin one with `EXECUTE STATEMENT SET BEGIN`, or leave the END out";
            return Err(wrong("there is no statement set to end").at(span).hint(hint));
        } else if !ends && self.open.is_some() && !is(&["INSERT"]) {
            let hint = "put it before `EXECUTE STATEMENT SET BEGIN`, or behind `END;`";
            return Err(wrong("a statement set holds INSERT INTO alone").at(span).hint(hint));
        }
        Ok(())
    }

    /// The script ends here.
    ///
    /// # Errors
    /// When a set is still open.
    pub fn end(self) -> Result<()> {
        let Some(span) = self.open else { return Ok(()) };
        let hint = "write `END;` behind its last INSERT INTO";
        Err(wrong("the statement set that begins here has no end").at(span).hint(hint))
    }
}

fn wrong(message: &str) -> Error {
    Diagnostic::new("sql.statement-set", message)
}
