//! What is said: the first example's answers in full, and mistakes.

use super::*;

const FIRST_WINDOW: &str = include_str!("../../../../examples/first-window.md");

fn errors<T>(result: Result<T, Vec<highwater_engine::error::Diagnostic>>) -> (String, String) {
    let error = result.err().expect("refused").remove(0);
    (error.code.to_owned(), format!("{error}"))
}

#[test]
fn the_first_example_is_explained() {
    let said = ask(FIRST_WINDOW, |why| {
        let window = why.window(None, &Wanted::default()).expect("a window").text(why);
        let fired = Wanted { key: None, end: Some(1_714_550_410_000) };
        let fired = why.window(Some(8), &fired).expect("a window").text(why);
        let late = why.record(7).expect("a record").text(why);
        let kept = why.record(4).expect("a record").text(why);
        let row = why.row(None, 3).expect("a row").text(why);
        [window, fired, late, kept, row]
    });
    assert_eq!(said, [WINDOW, FIRED, LATE, KEPT, ROW]);
}

const WINDOW: &str = "\
after record 10:
window/0: window 2024-05-01 08:00:20.000 to 2024-05-01 08:00:30.000 has not fired
  it holds record 9
  it fires when the watermark is 2024-05-01 08:00:29.999; now that is 2024-05-01 08:00:20.000
  held back by `cars`, partition 0, whose watermark is 2024-05-01 08:00:20.000
  a record of `cars`, partition 0, at 2024-05-01 08:00:32.999 fires it, one at 2024-05-01 08:00:32.998 does not: \
\"lane=north, cars=3, event_time=2024-05-01 08:00:32.999\"
";

const FIRED: &str = "\
after record 8:
window/0: window 2024-05-01 08:00:00.000 to 2024-05-01 08:00:10.000 has fired
  it held records 1, 2, 3, 4
  the watermark came to 2024-05-01 08:00:10.000 by record 6
";

const LATE: &str = "\
record 7 of `cars`, partition 0, arrived 2024-05-01 08:00:16.000000: \
\"lane=north, cars=5, event_time=2024-05-01 08:00:09.000\"
window/0: dropped
  all its windows had fired, the last: window 2024-05-01 08:00:00.000 to 2024-05-01 08:00:10.000
  its time is 2024-05-01 08:00:09.000, the watermark was 2024-05-01 08:00:10.000 by record 6
  the watermark of `cars` stays behind by INTERVAL '3' SECOND: INTERVAL '3.002' SECOND keeps the record, \
INTERVAL '3.001' SECOND drops it
";

const KEPT: &str = "\
record 4 of `cars`, partition 0, arrived 2024-05-01 08:00:11.000000: \
\"lane=north, cars=1, event_time=2024-05-01 08:00:06.000\"
window/0: kept
  it is in the window 2024-05-01 08:00:00.000 to 2024-05-01 08:00:10.000
  its time is 2024-05-01 08:00:06.000, the watermark was 2024-05-01 08:00:05.000 by record 3
  the watermark of `cars` stays behind by INTERVAL '3' SECOND: no delay drops the record
";

const ROW: &str = "\
row 3 of `result`: \"window_start=2024-05-01 08:00:20.000, window_end=2024-05-01 08:00:30.000, cars=2, records=1\"
  it came out by a partition that fell silent or ended (place 11 of the stream)
  it is of the window 2024-05-01 08:00:20.000 to 2024-05-01 08:00:30.000
  made of record 9
    record 9 of `cars`, partition 0, arrived 2024-05-01 08:00:24.000000: \
\"lane=north, cars=2, event_time=2024-05-01 08:00:23.000\"
  a run with these records alone gives the same row
  without any one of them it does not
";

/// A join that bounds no time: its rows stay, but for the first count, which has been taken back.
const WHOLE: &str = r#"```sql
CREATE TABLE t (k STRING, v INT);
CREATE VIEW counts AS SELECT k, COUNT(*) AS n FROM t GROUP BY k;
SELECT t.v, counts.n FROM t JOIN counts ON t.k = counts.k;
```

```jsonl t
{"k": "a", "v": 1}
{"k": "a", "v": 2}
```
"#;

const KEPT_WHOLE: &str = "\
after record 2:
join/0: left row by record 1: \"k=a, v=1\"
join/0: left row by record 2: \"k=a, v=2\"
join/0: right row by record 2: \"k=a, v=2\"
  a join that bounds no time keeps its inputs whole: no watermark frees such a row;
  it stays until it is taken back
";

#[test]
fn what_is_kept_whole_is_told() {
    let held = |text: &str| ask(text, |why| why.held(None, None).expect("a join").text(why));
    assert_eq!(held(WHOLE), KEPT_WHOLE);
    let set = "```sql\nSET 'table.exec.state.ttl' = '1 min';\n";
    let text = held(&WHOLE.replace("```sql\n", set));
    let end =
        "it stays until it is taken back, or its time to live, INTERVAL '60' SECOND, is over\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn in_batch_mode_a_window_waits_for_the_end() {
    let set = "```sql\nSET 'execution.runtime-mode' = 'batch';\n";
    let text = FIRST_WINDOW.replace("```sql\n", set);
    let said = ask(&text, |why| why.window(None, &Wanted::default()).expect("a window").text(why));
    assert!(said.contains("in batch mode time stands still until all input has ended"), "{said}");
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

#[test]
fn a_number_that_is_no_record_says_what_it_is() {
    let text = scenario(&records(RECORDS, 2), TUMBLING);
    ask(&text, |why| {
        let last = *why.records().keys().next_back().expect("a record");
        let gap = (1..last).find(|seq| !why.records().contains_key(seq)).expect("somebody is idle");
        let (code, text) = errors(why.record(gap));
        assert_eq!(code, "why.no-record");
        assert!(text.contains("fell silent") && text.contains("60 records"), "{text}");
        assert_eq!(errors(why.window(Some(gap), &Wanted::default())).0, "why.no-record");
    });
}

#[test]
fn an_event_time_of_two_columns_is_told_of_without_a_proposal() {
    let text = scenario(&records(12, 1), TUMBLING).replace(
        "ts TIMESTAMP(3), WATERMARK FOR ts AS ts -",
        "ts TIMESTAMP(3), t2 AS COALESCE(ts, TO_TIMESTAMP(k)), WATERMARK FOR t2 AS t2 -",
    );
    let text = text.replace("DESCRIPTOR(ts)", "DESCRIPTOR(t2)");
    let said = ask(&text, |why| {
        why.window(None, &Wanted::default()).map(|w| w.text(why)).expect("a window")
    });
    assert!(said.contains("`t` does not come from one column"), "{said}");
}

#[test]
fn too_many_records_are_refused() {
    let text = "CREATE TABLE t (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '30000');\n\
        SELECT n FROM t;";
    let (files, options) = (Files::default(), Options::default());
    let why = Why::open("t.sql", text, &files, Interpreter::shared(), &options);
    assert_eq!(errors(why.map(|_| ())).0, "why.too-long");
}
