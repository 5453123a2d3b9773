//! What other registries list has an example, and what has an example is listed.

use std::collections::BTreeSet;

use super::options::{OPTIONS, SETTERS, TABLES_OF};
use super::*;
use crate::plan::explain;
use crate::sql::connector::{CONNECTORS, READ_OPTIONS, WRITE_OPTIONS, connector};
use crate::sql::settings::{SETTINGS, TABLE_SETTINGS};
use crate::sql::statement::{self, Kind};
use crate::sql::tests::Guests;
use crate::sql::{plan, types};

/// The plan of an entry's example, as text.
fn planned(entry: &Entry) -> String {
    match plan(&format!("{TABLES}{}", entry.example.script), &Guests) {
        Ok(plan) => explain(&plan),
        Err(errors) => panic!("{}: {}\n{errors:?}", entry.name, entry.example.script),
    }
}

/// The entries of a section by name.
fn of(section: Section) -> Vec<Entry> {
    entries().into_iter().filter(|e| e.section == section).collect()
}

#[test]
fn every_entry_says_what_it_is_and_can_be_planned() {
    let mut seen = BTreeSet::new();
    for entry in entries() {
        let Entry { name, section, syntax, doc, example } = &entry;
        assert!(!syntax.is_empty() && !doc.contains('\n'), "{name}");
        assert!(doc.contains('.'), "{name}: {doc}");
        assert!(!example.script.is_empty() && !example.shown.is_empty(), "{name} has no example");
        assert!(seen.insert((*name, section.title())), "{name} stands twice in {section:?}");
        planned(&entry);
    }
}

/// A misspelt option or setting would be taken as one that nobody knows.
#[test]
fn examples_have_no_warnings() {
    for entry in entries() {
        let plan = plan(&format!("{TABLES}{}", entry.example.script), &Guests).expect("a plan");
        let told: Vec<_> = plan.warnings.iter().map(|w| w.code).collect();
        assert!(!told.contains(&"sql.unknown-setting"), "{}: {told:?}", entry.name);
    }
}

#[test]
fn every_example_of_an_option_is_of_one() {
    for (of, key, _, options) in OPTIONS {
        let known = connector(of).expect("a connector");
        let listed = known.options.iter().chain(known.common()).any(|o| o.key == *key);
        assert!(listed, "{of} has no option {key}");
        for (key, value) in *options {
            let (option, _) = known.option(key).unwrap_or_else(|| panic!("{of} has no {key}"));
            assert!(option.value.accepts(value), "{key} = {value}");
        }
        let its = options.iter().filter_map(|(key, _)| known.option(key));
        assert!(its.into_iter().any(|(o, _)| o.key == *key), "{key} is not in its example");
        assert_eq!(OPTIONS.iter().filter(|o| (o.0, o.1) == (of, key)).count(), 1, "{key}");
    }
    let listed: usize = CONNECTORS.iter().map(|c| c.options.len()).sum();
    assert_eq!(OPTIONS.len(), listed + READ_OPTIONS.len() + WRITE_OPTIONS.len());
    for (name, reads, ..) in TABLES_OF {
        let known = connector(name).expect("a connector");
        assert!(if *reads { known.reads } else { known.writes }, "{name}");
    }
}

#[test]
fn every_example_of_a_setting_is_of_one() {
    let all = || SETTINGS.iter().chain(TABLE_SETTINGS);
    assert!(all().map(|s| s.key).eq(SETTERS.iter().map(|s| s.0)), "in the same order");
    for (key, value, ..) in SETTERS {
        assert!(all().any(|s| s.key == *key && s.value.accepts(value)), "{key} = {value}");
    }
}

/// The name under which help has a statement.
fn named(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::CreateTable(_) => "CREATE TABLE",
        Kind::CreateFunction { .. } => "CREATE FUNCTION",
        Kind::CreateView { .. } => "CREATE VIEW",
        Kind::Set { .. } => "SET",
        Kind::Insert { .. } => "INSERT INTO",
        Kind::Select(_) => "SELECT",
        Kind::Explain(_) => "EXPLAIN",
        // The END of a statement set.
        Kind::Nothing => return None,
    })
}

#[test]
fn every_statement_is_shown_under_its_name() {
    let mut shown = BTreeSet::new();
    for entry in entries() {
        let (statements, errors) = statement::parse(&entry.example.script);
        assert!(errors.is_empty(), "{}: {errors:?}", entry.name);
        let kinds: Vec<_> = statements.iter().filter_map(|s| named(&s.kind)).collect();
        shown.extend(kinds.iter().copied());
    }
    assert_eq!(shown.len(), 7, "{shown:?}");
    for entry in of(Section::Statements).iter().chain(&of(Section::Guests)) {
        let (statements, _) = statement::parse(&entry.example.script);
        let uses = statements.iter().any(|s| named(&s.kind) == Some(entry.name));
        assert!(uses || !shown.contains(entry.name), "{} is not in its example", entry.name);
        shown.remove(entry.name);
    }
    assert!(shown.is_empty(), "{shown:?} has no entry");
}

#[test]
fn joins_are_the_operators_they_are_called_after() {
    let joins = of(Section::Joins);
    for (name, operator) in [
        ("interval join", "IntervalJoin("),
        ("window join", "WindowJoin("),
        ("temporal join", "TemporalJoin("),
        ("lookup join", "LookupJoin("),
        ("ASOF JOIN", "TemporalJoin(left"),
        ("regular join", "RegularJoin("),
        ("LEFT JOIN", "left"),
        ("IN with a query", "semi"),
        ("EXISTS", "anti"),
    ] {
        let entry = joins.iter().find(|e| e.name == name).expect("it is listed");
        let plan = planned(entry);
        assert!(plan.to_lowercase().contains(&operator.to_lowercase()), "{name}:\n{plan}");
    }
}

#[test]
fn every_type_that_can_be_declared_is_listed() {
    let types: Vec<String> = of(Section::Types).into_iter().map(|e| e.syntax).collect();
    let words = types.join(" ");
    let words: Vec<&str> = words.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for name in types::NAMES {
        assert!(words.contains(&name), "{name} is not listed");
    }
}

#[test]
fn help_prints_all_of_them() {
    let text = text();
    for entry in entries() {
        assert!(text.contains(&entry.syntax), "{}", entry.name);
        let one = super::entry(&entry.name.to_lowercase()).expect("it is found");
        assert!(one.contains(entry.example.script.lines().next().unwrap_or_default()));
    }
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|n| n <= 150), "{widest:?}");
    assert!(entry("filesystem").is_some_and(|t| t.contains("csv.header")));
    assert_eq!(near("TUMBEL"), Some("TUMBLE"));
    assert_eq!(entry("nothing at all"), None);
}
