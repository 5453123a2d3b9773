//! What is said: the first example's answers in full, and mistakes.

use super::*;

const FIRST_WINDOW: &str = include_str!("../../../../examples/first-window.md");

fn errors<T>(result: Result<T, Vec<highwater_engine::error::Diagnostic>>) -> (String, String) {
    let error = result.err().expect("refused").remove(0);
    (error.code.to_owned(), format!("{error}"))
}

#[test]
fn the_first_example_is_explained() {
    let text = ask(FIRST_WINDOW, |why| why.window(None, &Wanted::default()).map(|w| w.text(why)));
    println!("{}", text.expect("an answer"));
    let text = ask(FIRST_WINDOW, |why| why.record(7).map(|w| w.text(why)));
    println!("{}", text.expect("an answer"));
    let text = ask(FIRST_WINDOW, |why| why.row(None, 1).map(|w| w.text(why)));
    println!("{}", text.expect("an answer"));
}

#[test]
fn mistakes_say_what_there_is() {
    let all = Wanted::default();
    ask(FIRST_WINDOW, |why| {
        let (code, text) = errors(why.record(99));
        assert_eq!(code, "why.no-record");
        assert!(text.contains("10 records were read, numbered 1 to 10"), "{text}");
        assert_eq!(errors(why.window(Some(0), &all)).0, "why.no-record");
        let (code, text) = errors(why.window(None, &Wanted { key: Some("x".into()), end: None }));
        assert_eq!(code, "why.no-window");
        assert!(text.contains("2024-05-01 08:00:30.000"), "{text}");
        assert_eq!(errors(why.held(None, None)).0, "why.no-join");
        let (code, text) = errors(why.row(Some("result"), 4));
        assert_eq!(code, "why.no-row");
        assert!(text.contains("it has 3 rows"), "{text}");
        assert_eq!(errors(why.row(Some("result"), 0)).0, "why.no-row");
        let (code, text) = errors(why.row(Some("other"), 1));
        assert_eq!(code, "why.no-table");
        assert!(text.contains("the sinks are result"), "{text}");
    });
}
