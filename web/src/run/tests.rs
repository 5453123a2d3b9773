//! Going back must give what going forward gave, and the facts must count what the trace says.

use highwater_trace::trace::What;

use super::*;
use crate::sample::{Plan, records, run};

const PLAN: Plan =
    Plan { window: 120_000, disorder: 30_000, checkpoint: 400_000_000, crash_after: 150 };

fn whole() -> Run {
    let mut all = Run::default();
    assert!(all.extend(run(&records(240), &PLAN)));
    all.show(u64::MAX);
    all
}

#[test]
fn seeking_back_equals_starting_anew() {
    let all = whole();
    let last = all.known_step();
    for step in (0..=last).step_by(13).chain([last]) {
        let mut back = all.clone();
        back.show(step);
        let mut fresh = Run::default();
        let (header, events) = (all.header.clone(), all.events.clone());
        fresh.extend(Chunk { header, first: 0, events });
        fresh.show(step);
        // The trees of partitions keep no empty entries, so the two are equal field by field.
        assert_eq!(back, fresh, "step {step}");
        back.show(u64::MAX);
        assert_eq!(back, all, "forward again from step {step}");
    }
}

#[test]
fn facts_count_what_the_trace_says() {
    let all = whole();
    let count = |f: &dyn Fn(&What) -> bool| all.events.iter().filter(|e| f(&e.what)).count();
    assert_eq!(all.marks.all.len(), count(&|w| matches!(w, What::Arrive { .. })));
    assert_eq!(all.late.len(), count(&|w| matches!(w, What::Late { .. })));
    assert!(all.late.len() > 5, "the sample has late records");
    assert_eq!(all.recovery.crashes.len(), 1);
    let replayed = all.marks.all.iter().filter(|m| m.replayed).count();
    assert_eq!(replayed as u64, all.recovery.crashes[0].replayed());
    assert!(replayed > 0);
}

#[test]
fn after_recovery_every_row_is_committed_once() {
    let all = whole();
    let lost: Vec<&SinkRow> = all.rows.all.iter().filter(|r| r.state() == RowState::Lost).collect();
    assert_eq!(lost.len() as u64, all.recovery.crashes[0].lost_rows);
    assert!(!lost.is_empty(), "the crash takes staged rows");
    let again = all.rows.all.iter().filter(|r| r.again).count();
    assert_eq!(again, lost.len(), "each lost row is made again");
    let mut texts: Vec<&str> = all
        .rows
        .all
        .iter()
        .filter(|r| r.state() == RowState::Committed)
        .map(|r| r.text.as_str())
        .collect();
    let total = texts.len();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), total, "no row is committed twice");
    // The same records without a crash give the same rows.
    let mut calm = Run::default();
    calm.extend(run(&records(240), &Plan { crash_after: 0, ..PLAN }));
    calm.show(u64::MAX);
    let mut expected: Vec<&str> = calm.rows.all.iter().map(|r| r.text.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(texts, expected);
}

#[test]
fn a_restore_takes_windows_back_to_the_snapshot() {
    let all = whole();
    let crash = &all.recovery.crashes[0];
    let (pos, _, checkpoint) = crash.restore.expect("the job came back");
    let mut then = all.clone();
    then.show(all.events[pos as usize].step);
    let snapshot = all.recovery.snapshot_of(checkpoint, 1);
    let mut at_snapshot = all.clone();
    at_snapshot.show(all.events[snapshot as usize].step);
    let open = |r: &Run| -> Vec<(u64, u32)> {
        let open = r.windows.all.iter().filter(|w| w.state() == WindowState::Open);
        open.map(|w| (w.id, w.count())).collect()
    };
    assert!(!open(&at_snapshot).is_empty());
    assert_eq!(open(&then), open(&at_snapshot));
}

#[test]
fn chunks_with_a_gap_are_refused_and_overlaps_are_harmless() {
    let chunk = run(&records(20), &PLAN);
    let mut r = Run::default();
    let later = Chunk { first: 5, events: chunk.events[5..].to_vec(), ..chunk.clone() };
    assert!(!r.extend(later.clone()));
    assert!(r.extend(Chunk { events: chunk.events[..8].to_vec(), ..chunk.clone() }));
    assert!(r.extend(later));
    assert_eq!(r.events, chunk.events);
}
