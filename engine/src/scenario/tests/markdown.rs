//! Fences of generated documents: what a published reader of CommonMark finds, and its own examples.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::super::markdown::fences;

/// A fence's info, content and line.
type Found = (String, String, usize);

fn ours(source: &str) -> Vec<Found> {
    let found = fences(source).into_iter();
    found.map(|fence| (fence.info.join(" "), fence.text, fence.line as usize)).collect()
}

fn theirs(source: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut inside = false;
    for (event, range) in Parser::new_ext(source, Options::empty()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let info: Vec<_> = info.split_whitespace().collect();
                let line = source[..range.start].matches('\n').count() + 1;
                found.push((info.join(" "), String::new(), line));
                inside = true;
            }
            Event::Text(text) if inside => {
                let (_, content, _) = found.last_mut().expect("a block is open");
                content.push_str(&text.replace("\r\n", "\n"));
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            _ => {}
        }
    }
    found
}

/// Numbers that look random, by xorshift.
struct Random(u64);

impl Random {
    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from[(self.0 % from.len() as u64) as usize]
    }

    fn document(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..12 {
            for _ in 0..3 {
                text.push_str(self.pick(&MARKS));
            }
            text.push_str(self.pick(&TEXTS));
            text.push_str(self.pick(&["\n", "\n", "\n", "\n\n", "\r\n", " \n"]));
        }
        text
    }
}

const MARKS: [&str; 16] =
    ["", "", "", "", "", "", "> ", ">", "- ", "  ", "    ", "1. ", "2) ", "   ", " ", "*   "];

const TEXTS: [&str; 30] = [
    "",
    "```",
    "```",
    "```",
    "````",
    "~~~",
    "~~~",
    "~~~~~",
    "```sql",
    "~~~ a  b`c ~",
    "``` a`b",
    "```\\*a\\b",
    "word",
    "word",
    "ö",
    "# h",
    "#h",
    "---",
    "===",
    "* * *",
    "- -",
    "-",
    "3.",
    "<div>",
    "</div >",
    "<b a='1'>",
    "<pre>",
    "x</pre>",
    "<!-- x",
    "-->",
];

#[test]
fn generated_documents_have_the_same_fences() {
    let mut random = Random(11);
    let (mut blocks, mut lines) = (0, 0);
    for _ in 0..20_000 {
        let document = random.document();
        let found = ours(&document);
        assert_eq!(found, theirs(&document), "{document:?}");
        blocks += found.len();
        lines += found.iter().map(|(_, text, _)| text.lines().count()).sum::<usize>();
    }
    assert!(blocks > 20_000 && lines > 40_000, "{blocks} blocks of {lines} lines");
}

#[test]
fn content_stands_where_it_is_said_to() {
    let mut random = Random(12);
    for _ in 0..2_000 {
        let document = random.document();
        for fence in fences(&document) {
            let first = document[..fence.range.start].matches('\n').count() + 1;
            assert_eq!(first, fence.first_line() as usize, "{document:?}");
            let inside: Vec<_> = document[fence.range.clone()].lines().collect();
            assert_eq!(inside.len(), fence.indents.len(), "{document:?}");
            for ((whole, line), indent) in inside.iter().zip(fence.text.lines()).zip(fence.indents)
            {
                let right: String = whole.chars().skip(indent as usize).collect();
                assert_eq!(right, line, "{document:?}");
            }
        }
    }
}

/// Examples whose answers CommonMark's text gives: the content of each fence.
#[test]
fn the_rules_one_by_one() {
    for (document, expected) in [
        ("```\n<\n >\n```\n", &["<\n >\n"][..]),
        ("``\nfoo\n``\n", &[]),
        ("```\naaa\n~~~\n```\n", &["aaa\n~~~\n"]),
        ("````\naaa\n```\n``````\n", &["aaa\n```\n"]),
        ("```\n", &[""]),
        ("> ```\n> aaa\n\nbbb\n", &["aaa\n"]),
        ("```\n\n  \n```\n", &["\n  \n"]),
        ("  ```\naaa\n  aaa\naaa\n  ```\n", &["aaa\naaa\naaa\n"]),
        ("   ```\n   aaa\n    aaa\n  aaa\n   ```\n", &["aaa\n aaa\naaa\n"]),
        ("    ```\n    aaa\n    ```\n", &[]),
        ("```\naaa\n    ```\n", &["aaa\n    ```\n"]),
        ("``` ```\naaa\n", &[]),
        ("~~~ aa ``` ~~~\nfoo\n~~~\n", &["foo\n"]),
        ("foo\n```\nbar\n```\nbaz\n", &["bar\n"]),
        ("- a\n  > b\n  ```\n  c\n  ```\n- d\n", &["c\n"]),
        ("1.  a\n\n    ```\n    b\n\n\n      c\n    ```\n", &["b\n\n\n  c\n"]),
        ("-\n\n  ```\n  a\n", &["a\n"]),
        ("-\n  ```\n  bar\n  ```\n", &["bar\n"]),
        ("<!-- a\n\n```\nb\n-->\n```\nc\n```\n", &["c\n"]),
        ("\u{feff}```\na\n```", &["a\n"]),
        ("-\t```\n\t  a\n\t```\n", &["  a\n"]),
        (">\t```\n>\ta\n", &["a\n"]),
    ] {
        let found: Vec<_> = fences(document).into_iter().map(|fence| fence.text).collect();
        assert_eq!(found, expected, "{document:?}");
    }
}

#[test]
fn depth_and_length_cost_no_more_than_they_should() {
    let deep = format!("{}```\na\n", "> ".repeat(200_000));
    assert!(fences(&deep).is_empty(), "too deep to be a fence");
    let lists = format!("{}x\n{}", "- ".repeat(100_000), "\n".repeat(500_000));
    assert!(fences(&lists).is_empty());
}
