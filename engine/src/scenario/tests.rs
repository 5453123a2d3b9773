//! Scenarios of every shape: what is read, where it stands, what is refused.

mod markdown;

use super::*;

const LESSON: &str = "# First *window*\n\nTen `clicks`,\none late.\n\nMore.\n\n\
```sql\nCREATE TABLE a (x INT);\n```\n\n\
1. A step:\n\n   ~~~ sql  \n   INSERT INTO b\n     SELECT ö;\n   ~~~\n\n\
```  jsonl   clicks  arrival=seen\n{\"x\":1}\n```\n\n\
```csv clicks\nx\n2\n```\n\n\
```text\nexpect nothing\n```\n\n\
```faults\n# a comment\nat 12s crash window/1\n\nat 20s crash sink/0\n```\n\n\
```toml settings\nseed = 7\nbatch_rows = 2\n```\n\n\
```expect rows  out\n1 | 2\n```\n\n```expect trace late fire\n```\n\n```expect hash\nabc";

fn lesson() -> Scenario {
    parse("lesson.md", LESSON).expect("a scenario")
}

/// The line of the file, from 1, that holds the text.
fn line_of(text: &str) -> u32 {
    LESSON.lines().position(|line| line.contains(text)).expect(text) as u32 + 1
}

#[test]
fn all_parts_are_read() {
    let scenario = lesson();
    assert_eq!(scenario.script(), "CREATE TABLE a (x INT);\nINSERT INTO b\n  SELECT ö;\n");
    let clicks = &scenario.blocks["clicks"];
    assert_eq!(clicks.len(), 2);
    assert_eq!((clicks[0].format.as_str(), clicks[0].text.as_str()), ("json", "{\"x\":1}\n"));
    assert_eq!(clicks[0].arrival.as_deref(), Some("seen"));
    assert_eq!(clicks[0].first_line, line_of("{\"x\":1}"));
    assert_eq!((clicks[1].format.as_str(), clicks[1].text.as_str()), ("csv", "x\n2\n"));
    assert_eq!(
        scenario.faults,
        [
            (line_of("at 12s"), "at 12s crash window/1".to_owned()),
            (line_of("at 20s"), "at 20s crash sink/0".to_owned())
        ]
    );
    let knobs = Knobs { seed: Some(7), batch_rows: Some(2), ..Knobs::default() };
    assert_eq!(scenario.knobs, knobs);
    let expects: Vec<_> = scenario
        .expects
        .iter()
        .map(|e| (e.kind, e.argument.as_str(), e.text.as_str(), &LESSON[e.range.clone()]))
        .collect();
    assert_eq!(
        expects,
        [
            (ExpectKind::Rows, "out", "1 | 2\n", "1 | 2\n"),
            (ExpectKind::Trace, "late fire", "", ""),
            (ExpectKind::Hash, "", "abc", "abc"),
        ]
    );
}

#[test]
fn places_of_the_script_are_places_of_the_file() {
    let scenario = lesson();
    for (script, column) in [((1, 1), 1), ((2, 8), 11), ((3, 10), 13)] {
        let text = ["CREATE TABLE", "INSERT INTO", "SELECT"][script.0 as usize - 1];
        let place = scenario.place(Position { line: script.0, column: script.1 });
        assert_eq!(place, Position { line: line_of(text), column }, "{text}");
    }
    // An error at the end of the script stands in its last piece.
    assert_eq!(scenario.place(Position { line: 4, column: 1 }).line, line_of("SELECT") + 1);
}

#[test]
fn windows_line_ends_change_nothing_but_the_bytes() {
    let crlf = LESSON.replace('\n', "\r\n");
    let (a, b) = (lesson(), parse("lesson.md", &crlf).expect("a scenario"));
    assert_eq!(a.script(), b.script());
    assert_eq!(a.sql, b.sql);
    assert_eq!(a.blocks, b.blocks);
    assert_eq!(a.faults, b.faults);
    assert_eq!(&crlf[b.expects[0].range.clone()], "1 | 2\r\n");
    let new = rewrite(&crlf, &[(b.expects[0].range.clone(), "3\n4\n".into())]);
    assert_eq!(new, crlf.replace("1 | 2\r\n", "3\r\n4\r\n"));
}

#[test]
fn rewriting_touches_only_the_blocks() {
    let scenario = lesson();
    let range = |i: usize| scenario.expects[i].range.clone();
    let new = rewrite(
        LESSON,
        &[(range(2), "def\n".into()), (range(1), "x\n".into()), (range(0), String::new())],
    );
    let expected = LESSON
        .replace("1 | 2\n", "")
        .replace("late fire\n```", "late fire\nx\n```")
        .replace("hash\nabc", "hash\ndef\n");
    assert_eq!(new, expected);
    let nested = "- item\n\n  ```sql\n  s\n  ```\n\n  ````expect rows\n  ```\n  old\n  ````\n";
    let scenario = parse("n.md", nested).expect("a scenario");
    assert_eq!(scenario.expects[0].text, "```\nold\n");
    let new = rewrite(nested, &[(scenario.expects[0].range.clone(), "a\n\nb\n".into())]);
    assert_eq!(new, nested.replace("  ```\n  old\n", "  a\n\n  b\n"));
}

#[test]
fn mistakes_have_a_place() {
    for (text, code, line, column) in [
        ("prose", "scenario.no-sql", 1, 1),
        ("```sql\n```\n\n```expect row\n```", "scenario.unknown-expect", 4, 1),
        ("```sql\n```\n\n```expect\n```", "scenario.unknown-expect", 4, 1),
        ("```sql\n```\n\n```expect hash x\n```", "scenario.unknown-word", 4, 1),
        ("```sql\n```\n\n```expect hash with x\n```", "scenario.unknown-word", 4, 1),
        ("```sql\n```\n```jsonl t at=x\n```", "scenario.unknown-word", 3, 1),
        ("```sql\n```\n```toml settings\nseed = 1\nsede = 2\n```", "scenario.settings", 5, 1),
        ("```sql\n```\n```toml settings\nseed = 'a'\n```", "scenario.settings", 4, 8),
        ("```sql\n```\n  ```toml settings\n  seed = -1\n  ```", "scenario.settings", 4, 10),
        ("```sql\n```\n```toml settings\nparallelism = 0\n```", "scenario.settings", 4, 1),
        (
            "```sql\n```\n```toml settings\n```\n```toml settings\n```",
            "scenario.two-settings",
            5,
            1,
        ),
    ] {
        let errors = parse("x.md", text).expect_err(text);
        assert_eq!(errors.len(), 1, "{text}");
        let start = errors[0].span.map(|s| (s.start.line, s.start.column));
        assert_eq!((errors[0].code, start), (code, Some((line, column))), "{text}: {}", errors[0]);
        assert_eq!(errors[0].source.as_deref(), Some("x.md"));
    }
}

#[test]
fn a_script_alone_is_a_scenario() {
    let scenario = from_sql("a.sql", "SELECT 1;\r\nSELECT 2;\r\n");
    assert_eq!(scenario.script(), "SELECT 1;\nSELECT 2;\n");
    let at = Position { line: 2, column: 3 };
    assert_eq!(scenario.place(at), at);
}
