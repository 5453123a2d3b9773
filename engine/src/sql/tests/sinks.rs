//! What a table promises of the rows written to it: where the option stands, who may ask for what, and what the plan says.

use super::mistakes::{diagnose, unmark};
use super::{Guests, TABLES};
use crate::plan::{Guarantee, Op, SinkKind};
use crate::sql::plan;

const PLAIN: &str = "CREATE TABLE t (a BIGINT) WITH ('connector' = 'print', \
    'sink.delivery-guarantee' = 'at-least-once'); INSERT INTO t SELECT a FROM plain;";

/// Code, a script with its place marked, and a part of the hint.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "sql.option-value",
        "CREATE TABLE t (a INT) WITH ('connector' = 'print', 'sink.delivery-guarantee' = ¿'none')",
        "it takes exactly-once or at-least-once",
    ),
    (
        "sql.unknown-option",
        "CREATE TABLE t (a INT) WITH ('connector' = 'print', ¿'sink.delivery-garantee' = 'none')",
        "did you mean 'sink.delivery-guarantee'?",
    ),
    (
        "sql.unknown-option",
        "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', ¿'sink.delivery-guarantee' = 'at-least-once')",
        "`datagen` takes",
    ),
    (
        "sql.delivery-guarantee",
        "SET 'highwater.guarantee' = 'at-least-once'; \
         CREATE TABLE t (a BIGINT) WITH ('connector' = 'print', 'sink.delivery-guarantee' = ¿'exactly-once'); \
         INSERT INTO t SELECT a FROM plain",
        "SET 'highwater.guarantee' = 'exactly-once', or leave the option out: then the table is at-least-once, too",
    ),
    // The last SET holds, wherever it stands; and the table is told of once.
    (
        "sql.delivery-guarantee",
        "CREATE TABLE t (a BIGINT) WITH ('connector' = 'print', 'sink.delivery-guarantee' = ¿'at-least-once'); \
         INSERT INTO t SELECT a FROM plain; INSERT INTO t SELECT b FROM plain; \
         SET 'highwater.guarantee' = 'at-most-once'",
        "SET 'highwater.guarantee' = 'at-least-once', or leave the option out: then the table is at-most-once, too",
    ),
];

#[test]
fn a_table_that_cannot_promise_it_is_refused() {
    for (code, marked, hint) in WRONG {
        let (script, line, column) = unmark(marked);
        let found = diagnose(&script);
        let told: Vec<_> = found.iter().map(|(c, l, k, _)| (*c, *l, *k)).collect();
        assert_eq!(told, [(*code, line, column)], "{marked}: {found:#?}");
        assert!(found[0].3.contains(hint), "{marked}: {found:#?}");
    }
}

#[test]
fn a_plan_says_what_a_table_promises() {
    let planned = |script: &str| plan(&format!("{TABLES}{script}"), &Guests).expect("a plan");
    let kind = |script: &str| {
        let plan = planned(script);
        let sink = plan.nodes.iter().find_map(|node| match &node.op {
            Op::Sink(spec) => Some(spec.clone()),
            _ => None,
        });
        let sink = sink.expect("a sink");
        (sink.delivery, sink.kind(Guarantee::ExactlyOnce), plan.explain())
    };
    let (delivery, plain, text) = kind(PLAIN);
    assert_eq!((delivery, plain), (Some(Guarantee::AtLeastOnce), SinkKind::Plain));
    assert!(text.contains("Sink(print, [a BIGINT], delivery=[at-least-once])"), "{text}");
    let keyed = PLAIN.replace("a BIGINT", "a BIGINT, PRIMARY KEY (a) NOT ENFORCED");
    assert_eq!(kind(&keyed).1, SinkKind::Idempotent);
    let (delivery, default, text) = kind("SELECT a FROM plain");
    assert_eq!((delivery, default), (None, SinkKind::Transactional));
    assert!(!text.contains("delivery"), "{text}");
}
