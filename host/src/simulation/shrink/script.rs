//! A script made smaller by a step: each cut leaves something out that can stand alone in the text. Whether what is left is
//! a script, and means anything, is the engine's to say: most cuts it refuses at once. (Deletion along the tree of a
//! text, as in hierarchical delta debugging; Misherghi and Su, ICSE 2006.)

use std::ops::Range;

use highwater_engine::sql::pieces::{Kind, Piece, pieces};

/// What a part of a query begins with, and what ends the one before it.
const CLAUSES: [&str; 10] =
    ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "JOIN", "WITH"];
/// The same within those.
const PARTS: [&str; 10] =
    ["ON", "AND", "OR", "AS", "LEFT", "RIGHT", "FULL", "INNER", "DISTINCT", "FILTER"];
/// What goes with the word before it.
const TAILS: [&str; 5] = ["BY", "ALL", "OUTER", "KEY", "NOT"];

/// Bytes that give way to other text, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut(Vec<(Range<usize>, String)>);

impl Cut {
    /// With a space for what is gone, or words would become one.
    fn without(range: Range<usize>) -> Cut {
        Cut(vec![(range, " ".to_owned())])
    }

    fn len(&self) -> usize {
        self.0.iter().map(|(range, text)| range.len() - text.len().min(range.len())).sum()
    }

    /// The script with the cut made.
    pub fn of(&self, script: &str) -> String {
        let (mut cut, mut from) = (String::with_capacity(script.len()), 0);
        for (range, text) in &self.0 {
            cut += &script[from..range.start];
            cut += text;
            from = range.end;
        }
        cut + &script[from..]
    }
}

/// A script and its pieces.
struct Script<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
}

/// All cuts of a script: sets of statements made statements alone, then whole statements, the last first, views, and
/// parts of statements, the longest first.
pub fn cuts(script: &str) -> Vec<Cut> {
    let script = Script { text: script, pieces: pieces(script) };
    let statements = script.statements();
    let mut cuts: Vec<Cut> = script.without_sets(&statements).into_iter().collect();
    cuts.extend(statements.iter().rev().map(|whole| Cut::without(script.bytes(whole))));
    for statement in &statements {
        cuts.extend(script.bypassed(statement));
    }
    let is_comment = |at: &usize| script.pieces[*at].kind == Kind::Comment;
    let comments = (0..script.pieces.len()).filter(is_comment);
    let mut ranges: Vec<Range<usize>> = comments.map(|at| at..at + 1).collect();
    for statement in statements.into_iter().rev() {
        script.level(statement, &mut ranges);
    }
    ranges.retain(|range| !range.is_empty());
    let mut parts: Vec<Cut> =
        ranges.iter().map(|range| Cut::without(script.bytes(range))).collect();
    parts.sort_by_key(|cut| std::cmp::Reverse(cut.len()));
    parts.dedup();
    cuts.extend(parts);
    cuts
}

/// How many statements a script has.
pub fn count(script: &str) -> usize {
    Script { text: script, pieces: pieces(script) }.statements().len()
}

/// Whether a script has this name in it, in backticks or without.
pub fn names(script: &str, name: &str) -> bool {
    let quoted = format!("`{}`", name.replace('`', "``"));
    pieces(script).into_iter().any(|piece| match (piece.kind, &script[piece.range]) {
        (Kind::Word, text) => text == name,
        (Kind::Quoted, text) => text == quoted,
        _ => false,
    })
}

/// The script without the space that cuts have left.
pub fn tidied(script: &str) -> String {
    let mut tidied = String::with_capacity(script.len());
    let mut space = "";
    for piece in pieces(script) {
        let text = &script[piece.range];
        match piece.kind {
            Kind::Space if text.contains('\n') => space = "\n",
            Kind::Space => space = if space == "\n" { "\n" } else { " " },
            Kind::Comma | Kind::Close | Kind::Semicolon => {
                tidied += text;
                space = "";
            }
            _ => {
                if !tidied.is_empty() {
                    tidied +=
                        if tidied.ends_with('\n') || tidied.ends_with('(') { "" } else { space };
                }
                tidied += text;
                space = "";
            }
        }
    }
    tidied
}

impl Script<'_> {
    fn bytes(&self, range: &Range<usize>) -> Range<usize> {
        self.pieces[range.start].range.start..self.pieces[range.end - 1].range.end
    }

    fn is_space(&self, at: usize) -> bool {
        matches!(self.pieces[at].kind, Kind::Space | Kind::Comment)
    }

    fn word(&self, at: usize) -> Option<&str> {
        let piece = &self.pieces[at];
        (piece.kind == Kind::Word).then(|| &self.text[piece.range.clone()])
    }

    fn is_any(&self, at: usize, words: &[&str]) -> bool {
        self.word(at).is_some_and(|own| words.iter().any(|word| own.eq_ignore_ascii_case(word)))
    }

    /// Statements, each with its semicolon and what is in front of it.
    fn statements(&self) -> Vec<Range<usize>> {
        let ends = (0..self.pieces.len()).filter(|&at| self.pieces[at].kind == Kind::Semicolon);
        let mut found = Vec::new();
        let mut from = 0;
        for end in ends.map(|at| at + 1).chain([self.pieces.len()]) {
            if (from..end).any(|at| !self.is_space(at)) {
                found.push(from..end);
            }
            from = end;
        }
        found
    }

    /// Sets of statements as statements alone; `None`: there is no set.
    fn without_sets(&self, statements: &[Range<usize>]) -> Option<Cut> {
        let mut cut = Vec::new();
        for statement in statements {
            let words: Vec<usize> =
                statement.clone().filter(|&at| !self.is_space(at)).take(4).collect();
            let is = |index: usize, word: &[&str]| {
                words.get(index).is_some_and(|&at| self.is_any(at, word))
            };
            if is(0, &["EXECUTE", "BEGIN"]) && is(1, &["STATEMENT"]) && is(2, &["SET"]) {
                let last = words[2 + usize::from(is(3, &["BEGIN"]))];
                cut.push((self.bytes(&(words[0]..last + 1)), " ".to_owned()));
            } else if is(0, &["END"]) {
                cut.push((self.bytes(statement), " ".to_owned()));
            }
        }
        (!cut.is_empty()).then_some(Cut(cut))
    }

    /// The cuts of a stretch between two parentheses, or of a statement, and of all stretches within.
    fn level(&self, whole: Range<usize>, cuts: &mut Vec<Range<usize>>) {
        let mut stretches = vec![whole];
        while let Some(range) = stretches.pop() {
            let (mut places, mut opened) = (Vec::new(), Vec::new());
            for at in range.clone() {
                match self.pieces[at].kind {
                    Kind::Open => opened.push(at),
                    Kind::Close => {
                        let from = opened.pop();
                        stretches
                            .extend(from.filter(|_| opened.is_empty()).map(|from| from + 1..at));
                    }
                    Kind::Space | Kind::Comment | Kind::Semicolon => {}
                    _ if opened.is_empty() => places.push(at),
                    _ => {}
                }
            }
            self.within(&range, &places, cuts);
        }
    }

    /// The cuts of a stretch whose own pieces, spaces and what is in parentheses left out, are these.
    fn within(&self, range: &Range<usize>, places: &[usize], cuts: &mut Vec<Range<usize>>) {
        let closed = range.end > range.start && self.pieces[range.end - 1].kind == Kind::Semicolon;
        let end = range.end - usize::from(closed);
        let clause = |at: usize| self.is_any(at, &CLAUSES);
        let part = |at: usize| clause(at) || self.is_any(at, &PARTS);
        let comma = |at: usize| self.pieces[at].kind == Kind::Comma;
        let item = |at: usize| clause(at) || comma(at);
        let next = |from: usize, ends: &dyn Fn(usize) -> bool| {
            let at = places.partition_point(|&at| at < from);
            places[at..].iter().copied().find(|&at| ends(at)).unwrap_or(end)
        };
        for (index, &at) in places.iter().enumerate() {
            let before = |ends: &dyn Fn(usize) -> bool| {
                let last = places[..index].iter().rev().find(|&&at| ends(at));
                last.map_or(range.start, |at| at + 1)
            };
            if comma(at) {
                // Each item, and all behind it at once.
                cuts.extend([
                    before(&item)..at + 1,
                    at..next(at + 1, &item),
                    at..next(at + 1, &clause),
                ]);
            } else if part(at) {
                let goes_with = |&&at: &&usize| part(at) || self.is_any(at, &TAILS);
                let words = places[index..].iter().take_while(goes_with);
                let behind = words.last().map_or(at, |last| last + 1);
                let ends = [at + 1, behind, next(behind, &part), next(behind, &clause), end];
                cuts.extend(ends.map(|end| at..end));
                if self.is_any(at, &["AND", "OR"]) {
                    cuts.push(before(&part)..at + 1);
                }
                if self.is_any(at, &["UNION"]) {
                    let first = places.iter().copied().find(|&at| self.is_any(at, &["SELECT"]));
                    let all = places.get(index + 1).filter(|&&at| self.is_any(at, &["ALL"]));
                    let behind = all.map_or(at, |all| *all) + 1;
                    cuts.extend(first.filter(|first| *first < at).map(|first| first..behind));
                }
            }
        }
    }

    /// All that reads a view reads what the view itself reads.
    fn bypassed(&self, statement: &Range<usize>) -> Vec<Cut> {
        let names = |at: &usize| matches!(self.pieces[*at].kind, Kind::Word | Kind::Quoted);
        let words: Vec<usize> = statement.clone().filter(names).collect();
        let is =
            |index: usize, what: &[&str]| words.get(index).is_some_and(|&at| self.is_any(at, what));
        let view = (1..words.len()).find(|&index| is(index - 1, &["VIEW"]));
        let (Some(view), true) = (view, is(0, &["CREATE"])) else { return Vec::new() };
        let text = |at: usize| &self.text[self.pieces[at].range.clone()];
        let name = text(words[view]);
        let reads = (view + 1..words.len())
            .filter(|&index| is(index - 1, &["FROM", "JOIN", "TABLE"]) && !is(index, &["TABLE"]))
            .map(|index| text(words[index]))
            .filter(|read| *read != name);
        let users = |at: &usize| names(at) && text(*at) == name;
        let users: Vec<usize> = (statement.end..self.pieces.len()).filter(users).collect();
        let instead = |read: &str| {
            Cut(users.iter().map(|&at| (self.pieces[at].range.clone(), read.to_owned())).collect())
        };
        reads.filter(|_| !users.is_empty()).map(instead).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(script: &str) -> Vec<String> {
        cuts(script).iter().map(|cut| cut.of(script)).collect()
    }

    /// What is left of a script when every cut is taken that leaves these in it.
    fn least(script: &str, needed: &[&str]) -> String {
        let stays = |cut: &String| needed.iter().all(|part| tidied(cut).contains(part));
        let mut script = script.to_owned();
        while let Some(cut) = all(&script).into_iter().find(stays) {
            script = cut;
        }
        tidied(&script)
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
        let needed = ["SELECT a", "FROM t WHERE x = 1", "GROUP BY"];
        assert_eq!(least(script, &needed), "SELECT a FROM t WHERE x = 1 GROUP BY a;");
        assert_eq!(least(script, &["it''s"]), "SET 'a;b' = 'it''s';");
    }

    #[test]
    fn sides_of_joins_and_unions_go() {
        let union = "SELECT a FROM t UNION ALL SELECT b FROM u;";
        assert_eq!(least(union, &["SELECT a FROM t"]), "SELECT a FROM t;");
        assert_eq!(least(union, &["SELECT b FROM u"]), "SELECT b FROM u;");
        let join = "SELECT a FROM t LEFT JOIN u ON t.a = u.a AND t.b = u.b WHERE t.c = 1;";
        let needed = ["SELECT a FROM t", "WHERE t.c = 1"];
        assert_eq!(least(join, &needed), "SELECT a FROM t WHERE t.c = 1;");
        let needed = ["SELECT a FROM t", "JOIN u ON t.a = u.a"];
        assert_eq!(least(join, &needed), "SELECT a FROM t JOIN u ON t.a = u.a;");
    }

    #[test]
    fn a_view_is_bypassed() {
        let script =
            "CREATE VIEW `v w` AS SELECT a FROM TABLE(TUMBLE(TABLE t, b));\nSELECT a FROM `v w`;";
        assert!(all(script).iter().any(|cut| cut.ends_with("SELECT a FROM t;")));
        assert!(names(script, "v w") && names(script, "t") && !names(script, "v"));
    }

    #[test]
    fn sets_and_comments_go() {
        let insert = "INSERT INTO a SELECT b FROM c;";
        let script = format!("EXECUTE STATEMENT SET BEGIN\n-- why\n{insert}\nEND;");
        assert_eq!(least(&script, &[insert]), insert);
        let script = format!("BEGIN STATEMENT SET; {insert} END;");
        assert!(all(&script).iter().any(|cut| tidied(cut) == format!("; {insert}")));
        let table = "CREATE TABLE t (a INT, WATERMARK FOR a AS a - b);";
        assert!(all(table).iter().any(|cut| tidied(cut) == "CREATE TABLE t (a INT);"));
    }

    #[test]
    fn literals_stay_as_they_are() {
        let script = "SELECT  'a  b ;\n\n c' ,\r\n  d\n\n;  ";
        assert_eq!(tidied(script), "SELECT 'a  b ;\n\n c',\nd;");
    }

    #[test]
    fn what_is_no_script_has_no_cuts_and_no_end() {
        assert!(cuts("'").is_empty());
        for text in ["", ";", "((", "))", ") (", "SELECT (", "UNION", "a,,b", "CREATE VIEW", "ä,ö"]
        {
            assert!(all(text).iter().all(|cut| cut.len() <= text.len() + 1), "{text}");
        }
    }
}
