//! A JSON scanner that reports places: it checks the grammar of RFC 8259 and hands out slices.

use std::borrow::Cow;

/// The deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 128;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The record has no such field.
    Missing,
    Null,
    True,
    False,
    Number,
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    /// An array or an object.
    Nested,
}

/// A value in the text; strings without their quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Slot {
    /// No value.
    pub(super) const MISSING: Slot = Slot { kind: Kind::Missing, start: 0, end: 0 };

    /// Where the value begins, an opening quote included.
    pub(super) fn begin(self) -> usize {
        self.start - usize::from(matches!(self.kind, Kind::Plain | Kind::Escaped))
    }
}

/// What should have stood at a byte of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unexpected {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

/// A position in the bytes of a record.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Scan<T> = Result<T, Unexpected>;

impl<'a> Scanner<'a> {
    /// Begins at the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0 }
    }

    /// Reads a text that is one object and calls `field` with each key and its value.
    pub(super) fn object(&mut self, mut field: impl FnMut(Slot, Slot)) -> Scan<()> {
        self.space();
        self.take(b'{', "an object")?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.space();
                let key = self.key()?;
                let value = self.value(1)?;
                field(key, value);
                if !self.more(b'}', "`,` or `}`")? {
                    break;
                }
            }
        }
        self.space();
        if self.at < self.bytes.len() { self.fail("the end of the line") } else { Ok(()) }
    }

    fn fail<T>(&self, expected: &'static str) -> Scan<T> {
        Err(Unexpected { at: self.at, expected })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Scan<()> {
        if self.peek() != Some(byte) {
            return self.fail(expected);
        }
        self.at += 1;
        Ok(())
    }

    fn key(&mut self) -> Scan<Slot> {
        if self.peek() != Some(b'"') {
            return self.fail("a field name in double quotes");
        }
        let key = self.string()?;
        self.space();
        self.take(b':', "`:`")?;
        Ok(key)
    }

    /// After an element: whether another follows.
    fn more(&mut self, close: u8, expected: &'static str) -> Scan<bool> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b) if b == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.fail(expected),
        }
    }

    fn value(&mut self, depth: usize) -> Scan<Slot> {
        self.space();
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Kind::True),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            Some(b'{' | b'[') => self.nested(depth),
            _ => self.fail("a value"),
        }
    }

    fn word(&mut self, word: &'static str, kind: Kind) -> Scan<Slot> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word.as_bytes()) {
            return self.fail("a value");
        }
        self.at += word.len();
        Ok(Slot { kind, start, end: self.at })
    }

    fn number(&mut self) -> Scan<Slot> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Slot { kind: Kind::Number, start, end: self.at })
    }

    fn digits(&mut self) -> Scan<()> {
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return self.fail("a digit");
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Scan<Slot> {
        self.at += 1;
        let start = self.at;
        let mut kind = Kind::Plain;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(0..0x20) => return self.fail("an escape instead of a control character"),
                Some(_) => self.at += 1,
                None => return self.fail("a closing double quote"),
            }
        }
        self.at += 1;
        Ok(Slot { kind, start, end: self.at - 1 })
    }

    fn escape(&mut self) -> Scan<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let high = self.hex()?;
                if (0xdc00..0xe000).contains(&high) {
                    return self.fail("the first half of a surrogate pair");
                }
                self.at += 6;
                if (0xd800..0xdc00).contains(&high) {
                    if !matches!(self.hex(), Ok(0xdc00..0xe000)) {
                        return self.fail("the second half of a surrogate pair");
                    }
                    self.at += 6;
                }
            }
            _ => return self.fail("an escape such as `\\n`"),
        }
        Ok(())
    }

    /// The number of the `\uXXXX` here.
    fn hex(&self) -> Scan<u32> {
        code_unit(&self.bytes[self.at..])
            .ok_or(Unexpected { at: self.at, expected: "`\\u` and four hexadecimal digits" })
    }

    /// Skips an array or object, checking it. The text limits how often it calls itself.
    fn nested(&mut self, depth: usize) -> Scan<Slot> {
        let start = self.at;
        if depth > MAX_DEPTH {
            return self.fail("no more than 128 levels of nesting");
        }
        let object = self.peek() == Some(b'{');
        let (close, expected) = if object { (b'}', "`,` or `}`") } else { (b']', "`,` or `]`") };
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            loop {
                self.space();
                if object {
                    self.key()?;
                }
                self.value(depth + 1)?;
                if !self.more(close, expected)? {
                    break;
                }
            }
        }
        Ok(Slot { kind: Kind::Nested, start, end: self.at })
    }
}

fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |n, &b| Some(n * 16 + char::from(b).to_digit(16)?))
}

/// A string's text; `raw` was scanned before.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (c, taken) = match rest.as_bytes().get(1) {
            Some(b'u') => code_point(rest),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(&other) => (char::from(other), 2),
            None => ('\\', 1),
        };
        text.push(c);
        rest = &rest[taken..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

fn code_point(text: &str) -> (char, usize) {
    let high = code_unit(text.as_bytes()).unwrap_or(0xfffd);
    if !(0xd800..0xdc00).contains(&high) {
        return (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
    }
    let low = code_unit(&text.as_bytes()[6..]).unwrap_or(0xdc00);
    let point = 0x10000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00);
    (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
}

/// The JSON text without the spaces between its tokens; `raw` was scanned before.
pub(super) fn compact(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let (mut inside, mut escaped) = (false, false);
    for c in raw.chars() {
        if inside || !matches!(c, ' ' | '\t' | '\r' | '\n') {
            text.push(c);
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && c == '\\' && !escaped;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<(usize, &'static str)> {
        Scanner::new(text.as_bytes()).object(|_, _| {}).err().map(|e| (e.at, e.expected))
    }

    #[test]
    fn the_grammar_is_that_of_the_standard_parser() {
        for text in [
            "{}",
            " { } ",
            r#"{"a":1}"#,
            r#"{"a":[]}"#,
            r#"{"a":[1,2,{"b":null}],"c":"\u00e9\n"}"#,
            r#"{"a":-0.0e-5}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":1e}"#,
            r#"{"a":tru}"#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\ud83d\ude00"}"#,
            r#"{"a":"\ud83d"}"#,
            r#"{"a":"\ude00"}"#,
            r#"{"a":"\u12"}"#,
            "{\"a\":\"\t\"}",
            r#"{"a":1} x"#,
            "{",
            r#"{"a"#,
            r#"{"a":"b"#,
            r#"{'a':1}"#,
            r#"{"a":nullx}"#,
            r#"{"a":-}"#,
            r#"{"a":{"b":[}]}"#,
            "",
            r#"{"a":"é한😀"}"#,
            r#"{"a":1e400}"#,
        ] {
            let standard = serde_json::from_str::<serde_json::Value>(text);
            // The one difference: numbers beyond a float are text to us.
            let valid = standard.is_ok() || text.contains("1e400");
            assert_eq!(fault(text).is_none(), valid, "{text}: {:?}", fault(text));
        }
    }

    #[test]
    fn faults_have_a_place() {
        for (text, at, expected) in [
            ("[1]", 0, "an object"),
            (r#"{"a" 1}"#, 5, "`:`"),
            (r#"{"a":1 "b":2}"#, 7, "`,` or `}`"),
            (r#"{"a":x}"#, 5, "a value"),
            (r#"{"a":1}}"#, 7, "the end of the line"),
            (r#"{"a":"\q"}"#, 6, "an escape such as `\\n`"),
            (r#"{"a":[1"#, 7, "`,` or `]`"),
        ] {
            assert_eq!(fault(text), Some((at, expected)), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(fault(&deep), Some((133, "no more than 128 levels of nesting")));
    }

    #[test]
    fn strings_and_nested_values_read_back_as_the_standard_parser_reads_them() {
        for text in [r#""a\"b\\c\/d\b\f\n\r\t""#, r#""\u00e9\ud83d\ude00x""#, r#""plain""#, r#""""#]
        {
            let raw = &text[1..text.len() - 1];
            let standard: String = serde_json::from_str(text).expect(text);
            assert_eq!(unescape(raw), standard);
        }
        let text = "{ \"a b\" : [ 1.50 , \"x \\\" y\" ] }";
        assert_eq!(compact(text), "{\"a b\":[1.50,\"x \\\" y\"]}");
    }
}
