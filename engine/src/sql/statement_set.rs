//! Statement sets: where one begins it ends, and between are INSERTs alone.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Diagnostic, Error, Result, Span};

/// The sets that are open, where they begin. More than one is a mistake already.
#[derive(Default)]
pub(super) struct Sets {
    open: Vec<Span>,
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
        if begins {
            self.open.push(span);
            if self.open.len() > 1 {
                let message = "a statement set is open already";
                return Err(wrong(message).at(span).hint("end the one before with `END;`"));
            }
        } else if ends && self.open.pop().is_none() {
            let hint = "begin one with `EXECUTE STATEMENT SET BEGIN`, or leave the END out";
            return Err(wrong("there is no statement set to end").at(span).hint(hint));
        } else if !ends && !self.open.is_empty() && !is(&["INSERT"]) {
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
        let Some(span) = self.open.into_iter().next() else { return Ok(()) };
        let hint = "write `END;` behind its last INSERT INTO";
        Err(wrong("the statement set that begins here has no end").at(span).hint(hint))
    }
}

fn wrong(message: &str) -> Error {
    Diagnostic::new("sql.statement-set", message)
}

#[cfg(test)]
mod tests {
    use crate::sql::statement::parse;

    fn codes(script: &str) -> Vec<&'static str> {
        parse(script).1.iter().map(|error| error.code).collect()
    }

    #[test]
    fn sets_follow_each_other_and_may_be_empty() {
        let sets = "SET 'a' = 'b'; begin statement set; insert into a select 1; end; \
                    EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO a SELECT 2; END; \
                    EXECUTE STATEMENT SET BEGIN; END; SELECT 1";
        assert_eq!(codes(sets), [""; 0]);
    }

    /// What stands in the wrong place is read, and told once.
    #[test]
    fn a_mistake_is_told_once() {
        let (statements, errors) =
            parse("BEGIN STATEMENT SET; CREATE TABLE p (k INT); INSERT INTO p SELECT 1; END");
        assert_eq!((statements.len(), errors.len()), (4, 1));
        let nested = "BEGIN STATEMENT SET; BEGIN STATEMENT SET; INSERT INTO p SELECT 1; END; END";
        assert_eq!(codes(nested), ["sql.statement-set"]);
    }
}
