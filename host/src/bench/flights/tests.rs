//! A few flights by hand, and some thousand of them by all that can answer.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;

use super::rows::{letters, told};
use super::{Answer, PEERS, Question, batch, engine, plain, prepare};
use crate::bench::peer::peers;
use crate::bench::rows::Rows;

/// Minutes since 2001, delay, distance, origin, destination.
type Flight = (i64, i64, i64, &'static str, &'static str);

/// 2001-01-01 in milliseconds since 1970.
const NEW_YEAR: i64 = 978_307_200_000;

fn write(path: &Path, flights: &[Flight]) {
    let date = flights.iter().map(|f| NEW_YEAR * 1_000 + f.0 * 60_000_000);
    let number =
        |of: fn(&Flight) -> i64| Arc::new(Int64Array::from_iter_values(flights.iter().map(of)));
    let text = |of: fn(&Flight) -> &'static str| {
        Arc::new(StringArray::from_iter_values(flights.iter().map(of))) as ArrayRef
    };
    let columns: [(&str, ArrayRef); 5] = [
        ("date", Arc::new(TimestampMicrosecondArray::from_iter_values(date))),
        ("delay", number(|f| f.1)),
        ("distance", number(|f| f.2)),
        ("origin", text(|f| f.3)),
        ("destination", text(|f| f.4)),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = std::fs::File::create(path).expect("made");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("starts");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

/// The flights in the order of their arrival, in a folder.
fn folder(flights: &[Flight]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let raw = folder.path().join("raw.parquet");
    write(&raw, flights);
    assert_eq!(prepare(&raw, folder.path()).expect("sorted"), flights.len() as u64);
    folder
}

fn rows(answer: Answer) -> (Rows, Option<u64>) {
    let late = answer.late;
    (answer.rows().expect("the types of the questions"), late)
}

#[test]
fn a_few_flights_by_hand() {
    let flights = [
        (10, 0, 80, "AAA", "BBB"),
        (50, 30, 80, "AAA", "BBB"),
        // Known at 310, when the newest flight so far is that of 301: the first hour closed at 300 - 1 ms.
        (20, 290, 80, "AAA", "BBB"),
        (301, 0, 80, "CCC", "AAA"),
        (150, 0, 800, "BBB", "CCC"),
        (149, 0, 800, "BBB", "AAA"),
    ];
    let folder = folder(&flights);
    let at = |minutes: i64| NEW_YEAR + minutes * 60_000;
    let [a, b, c] = ["AAA", "BBB", "CCC"].map(|name| letters(name).expect("short"));
    let mean = |value: f64| value.to_bits() as i64;
    let hourly = [
        [a, at(0), 2, mean(15.0), 0],
        [c, at(300), 1, mean(0.0), 0],
        [b, at(120), 2, mean(0.0), 0],
    ];
    // The second flight leaves at 80, 30 late, and lands at 80 + 30 + 10 = 120: of the two from BBB one waits.
    let connections = [[b, at(120), 30, at(150), 0]];
    let late = |question| u64::from(question == Question::Hourly);
    let expected = [(Question::Hourly, &hourly[..]), (Question::Connections, &connections)];
    for (question, expected) in expected {
        let expected = told(question, expected);
        for answer in [plain(question, folder.path()), engine(question, folder.path(), true)] {
            let found = rows(answer.expect("answers"));
            assert_eq!(found, (expected.clone(), Some(late(question))), "{}", question.name());
        }
    }
}

/// Flights as a generator makes them: few airports, delays of all kinds.
fn many(count: i64) -> Vec<Flight> {
    let airports = ["ATL", "DFW", "ORD", "LAX", "ANC"];
    let mut state = 7_u64;
    let mut draw = |limit: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    (0..count)
        .map(|i| {
            let delay = match draw(20) {
                0 => draw(600) as i64,
                1 => -(draw(90) as i64),
                _ => draw(60) as i64 - 10,
            };
            let place = |n: u64| airports[usize::try_from(n).expect("small")];
            (i / 3, delay, 21 + draw(4_900) as i64, place(draw(5)), place(draw(5)))
        })
        .collect()
}

#[test]
fn the_engine_gives_every_row_of_the_loop_and_so_do_the_peers_that_are_there() {
    let folder = folder(&many(20_000));
    let peers = peers("python3", &PEERS);
    for question in Question::ALL {
        let (expected, late) = rows(plain(question, folder.path()).expect("answers"));
        assert!(expected.len() > 500, "{}", expected.len());
        assert_eq!(question == Question::Hourly, late > Some(0));
        for ahead in [false, true] {
            let found = rows(engine(question, folder.path(), ahead).expect("answers"));
            found.0.check("the engine", ("the loop", &expected)).expect("equal rows");
            assert_eq!(found.1, late);
        }
        for peer in &peers {
            let found = rows(batch(question, folder.path(), peer, 1).expect("answers"));
            found.0.check(peer.name, ("the loop", &expected)).expect("equal rows");
        }
        let short = Rows::default();
        assert_eq!(
            short.check("nothing", ("the loop", &expected)).expect_err("differs").code,
            "bench.wrong-totals"
        );
    }
}
