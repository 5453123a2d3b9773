//! The hand-written guest: every call of a window, and a failed call that leaves nothing behind.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use highwater_engine::udf::Call;

use crate::guest;

const HOUR: i64 = 3_600_000;

fn counts(columns: &[ArrayRef]) -> Vec<i64> {
    columns[0].as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn windows_are_assigned_filled_and_read() {
    let mut guest = guest(&highwater_hostile::honest());
    let mut calls = Vec::new();
    let times = [HOUR + 5, 7, -1, HOUR, i64::MIN / 2];
    let windows = guest.assign(&times, &[], &[0, 1, 2, 3], &mut calls).expect("windows");
    let wanted = [(0, HOUR, 2 * HOUR), (1, 0, HOUR), (2, -HOUR, 0), (3, HOUR, 2 * HOUR)];
    assert_eq!(windows.iter().collect::<Vec<_>>(), wanted);

    assert_eq!(guest.stride(), 8);
    let mut slab = guest.init(3, &mut calls).expect("zeros");
    assert_eq!(slab, [0; 24]);
    let (rows, slots) = ([0, 1, 2, 3], [2, 0, 0, 2]);
    guest.accumulate(&times, &[], &rows, &slots, &mut slab, &mut calls).expect("added");
    guest.accumulate(&times, &[], &[1], &[0], &mut slab, &mut calls).expect("added");
    let bounds = [(0, HOUR), (HOUR, 2 * HOUR), (5, 6)];
    let (slots, columns) = guest.result(&bounds, &slab, &mut calls).expect("rows");
    assert_eq!(slots, [0, 1, 2]);
    assert_eq!(counts(&columns), [3, 0, 2]);
    let names: Vec<&str> = calls.iter().map(|c| c.export).collect();
    assert_eq!(names, ["win_assign", "win_accumulate", "win_accumulate", "win_result"]);
    assert!(calls.iter().all(|c| c.fuel > 10 && c.pages == 2), "{calls:?}");
}

#[test]
fn rows_alone_cost_what_their_number_says() {
    let mut guest = guest(&highwater_hostile::honest());
    let mut fuel = |n: u32| {
        let (mut calls, mut slab) = (Vec::new(), vec![0; 8]);
        let times = vec![0; n as usize];
        let rows: Vec<u32> = (0..n).collect();
        let slots = vec![0; n as usize];
        guest.accumulate(&times, &[], &rows, &slots, &mut slab, &mut calls).expect("added");
        assert_eq!(slab, u64::from(n).to_le_bytes());
        calls[0].fuel
    };
    let (one, two, many) = (fuel(1), fuel(2), fuel(1000));
    assert_eq!(many - one, (two - one) * 999);
}

#[test]
fn a_call_tells_the_same_whatever_came_before() {
    let mut guest = guest(&highwater_hostile::honest());
    let times = vec![0; 20_000];
    let rows: Vec<u32> = (0..20_000).collect();
    let small = |guest: &mut highwater_engine::udf::Guest| -> Vec<Call> {
        let mut calls = Vec::new();
        guest.assign(&times, &[], &[0], &mut calls).expect("windows");
        calls
    };
    let before = small(&mut guest);
    let mut calls = Vec::new();
    guest.assign(&times, &[], &rows, &mut calls).expect("windows");
    assert!(calls[0].pages > before[0].pages, "the large frame takes more memory");
    assert_eq!(small(&mut guest), before);
}

#[test]
fn a_frame_too_large_for_the_guest_is_split() {
    let mut guest = guest(&highwater_hostile::honest());
    // 16 pages in all: 100,000 rows do not fit at once.
    let times: Vec<i64> = (0..100_000).map(|i| i * 1000).collect();
    let rows: Vec<u32> = (0..100_000).collect();
    let mut calls = Vec::new();
    let windows = guest.assign(&times, &[], &rows, &mut calls).expect("windows");
    assert!(calls.len() > 1);
    let wanted: Vec<(u32, i64, i64)> =
        times.iter().zip(0..).map(|(t, row)| (row, t - t % HOUR, t - t % HOUR + HOUR)).collect();
    assert_eq!(windows.iter().collect::<Vec<_>>(), wanted);

    let slab: Vec<u8> = (0..100_000u64).flat_map(u64::to_le_bytes).collect();
    let bounds = vec![(0, HOUR); 100_000];
    let (slots, columns) = guest.result(&bounds, &slab, &mut calls).expect("rows");
    assert_eq!(slots, rows);
    assert_eq!(counts(&columns), (0..100_000).collect::<Vec<i64>>());
}

#[test]
fn windows_of_a_guest_that_cannot_merge_stay_alone() {
    let mut guest = guest(&highwater_hostile::honest());
    assert!(!guest.merges());
    let groups = guest.merge_windows(&[(0, 10), (5, 15)], &mut Vec::new()).expect("groups");
    assert_eq!(groups, [0, 1]);
}
