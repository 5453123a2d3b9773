//! The trace as text: the lines around a place, filtered or not.

use crate::model::Model;
use crate::run::Pos;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceLine {
    /// Its event.
    pub pos: Pos,
    /// The step to go to.
    pub step: u64,
    /// The event's name, for its colour.
    pub name: &'static str,
    /// The one text form.
    pub text: String,
    /// It belongs to the step on the screen.
    pub current: bool,
}

/// How many lines there are to scroll through.
pub fn total(m: &Model) -> usize {
    if m.filter.is_empty() { m.run.applied } else { m.filter.hits.len() }
}

/// `count` lines from `first`.
pub fn lines(m: &Model, first: usize, count: usize) -> Vec<TraceLine> {
    let step = m.run.step();
    let end = total(m).min(first.saturating_add(count));
    let line = |i: usize| {
        let pos =
            if m.filter.is_empty() { Pos::try_from(i).ok()? } else { *m.filter.hits.get(i)? };
        let e = m.run.shown().get(pos as usize)?;
        Some(TraceLine {
            pos,
            step: e.step,
            name: e.what.name(),
            text: e.line(&m.run.header),
            current: e.step == step,
        })
    };
    (first..end).filter_map(line).collect()
}

/// The names of events that have happened, in order.
pub fn names(m: &Model) -> Vec<&'static str> {
    let mut seen: Vec<&'static str> = Vec::new();
    for e in &m.run.events {
        let name = e.what.name();
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.sort_unstable();
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use crate::update::{Msg, update};

    #[test]
    fn without_a_filter_all_lines_are_there() {
        let m = sample::model(50);
        assert_eq!(total(&m), m.run.applied);
        let some = lines(&m, 3, 4);
        assert_eq!(some.iter().map(|l| l.pos).collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert!(lines(&m, total(&m), 4).is_empty());
    }

    #[test]
    fn a_filter_keeps_what_matches_while_the_cursor_moves() {
        let mut m = sample::model(400);
        update(&mut m, Msg::FilterName(Some("late".into())));
        let all = m.run.late.len();
        assert!(all > 0);
        assert_eq!(total(&m), all);
        m.run.show(100);
        m.filter.scan(&m.run);
        assert_eq!(total(&m), m.run.late.len());
        m.run.show(400);
        m.filter.scan(&m.run);
        assert_eq!(total(&m), all);
        update(&mut m, Msg::FilterText("no such text".into()));
        assert_eq!(total(&m), 0);
    }
}
