//! What the events are like, and the queries' answers on some ten thousand of them.

mod naive;

use std::collections::HashSet;

use super::queries::{self, Query};
use super::stream::{Bid, Event, FIRST_CATEGORY, FIRST_ID, LEAD, Stream};
use super::tables::Tables;
use super::{PEER, measure, peer};
use crate::bench::peer::peers;
use crate::bench::rows::Rows;

/// So few a second that windows of ten seconds close.
const SLOW: Stream = Stream { per_second: 1_000 };
const EVENTS: u64 = 25_000;

fn events(stream: Stream, count: u64) -> impl Iterator<Item = (u64, Event)> {
    (0..count).map(move |n| (n, stream.event(n)))
}

#[test]
fn events_have_the_published_proportions_and_order() {
    let (mut persons, mut auctions, mut bids) = (0, 0, 0);
    let mut last = i64::MIN;
    for (n, event) in events(Stream::PUBLISHED, 50_000) {
        let time = match &event {
            Event::Person(p) => {
                assert_eq!(p.id, FIRST_ID + persons);
                persons += 1;
                p.date_time
            }
            Event::Auction(a) => {
                assert_eq!(a.id, FIRST_ID + auctions);
                auctions += 1;
                a.date_time
            }
            Event::Bid(b) => {
                bids += 1;
                b.date_time
            }
        };
        assert_eq!(time, Stream::START + n as i64 / 10);
        assert!(time >= last, "in order");
        last = time;
        // From its number alone: no other event was made.
        assert_eq!(event, Stream::PUBLISHED.event(n));
    }
    assert_eq!((persons, auctions, bids), (1_000, 3_000, 46_000));
}

/// Ids are those of rows that are there, or of one of the ten that come next.
#[test]
fn keys_are_of_rows_that_are_there_or_come_next() {
    let lead = LEAD as i64;
    let (mut person, mut auction, mut ahead) = (0, 0, 0);
    let mut key = |key: i64, newest: i64| {
        assert!((FIRST_ID..=newest + lead).contains(&key), "{key}, the newest is {newest}");
        ahead += u64::from(key > newest);
    };
    for (_, event) in events(SLOW, 100_000) {
        match event {
            Event::Person(p) => person = p.id,
            Event::Auction(a) => {
                auction = a.id;
                key(a.seller, person);
                assert!((FIRST_CATEGORY..FIRST_CATEGORY + 5).contains(&a.category));
                assert!(a.expires > a.date_time && a.reserve >= a.initial_bid + 100);
            }
            Event::Bid(b) => {
                key(b.auction, auction);
                key(b.bidder, person);
            }
        }
    }
    assert!(ahead > 0 && ahead < 10_000, "{ahead}");
}

/// Half of all bids are for a hot auction, three of four by a hot bidder, three of four auctions of a hot seller;
/// some of the others meet a hot one, too.
#[test]
fn the_hot_ones_get_the_published_shares() {
    let hot = |id: i64, place: i64| u64::from((id - FIRST_ID) % 100 == place);
    let (mut sold, mut on, mut by, mut named) = (0, 0, 0, 0);
    let mut digits = [0_u64; 10];
    for (_, event) in events(Stream::PUBLISHED, 100_000) {
        match event {
            Event::Auction(a) => sold += hot(a.seller, 0),
            Event::Bid(b) => {
                on += hot(b.auction, 0);
                by += hot(b.bidder, 1);
                named += u64::from(!b.channel.starts_with("channel-"));
                digits[b.price.to_string().len()] += 1;
                assert!((100..=100_000_000).contains(&b.price), "{}", b.price);
                assert!((54..82).contains(&b.extra.len()), "{}", b.extra.len());
            }
            Event::Person(_) => {}
        }
    }
    let share = |count: u64, of: f64| count as f64 / of;
    let near =
        |found: f64, wanted: f64| assert!((found - wanted).abs() < 0.02, "{found}, not {wanted}");
    near(share(sold, 6_000.0), 0.75);
    near(share(on, 92_000.0), 0.505);
    near(share(by, 92_000.0), 0.75);
    near(share(named, 92_000.0), 0.5);
    // As many prices of three digits as of eight.
    digits[3..=8].iter().for_each(|count| near(share(*count, 92_000.0), 1.0 / 6.0));
}

/// On average as many auctions are open as the bids choose among.
#[test]
fn about_a_hundred_auctions_are_open() {
    let horizon = 100 * 50 / 3;
    let lengths = events(SLOW, 60_000).filter_map(|(_, event)| match event {
        Event::Auction(a) => Some(a.expires - a.date_time),
        _ => None,
    });
    let lengths: Vec<i64> = lengths.collect();
    let mean = lengths.iter().sum::<i64>() / lengths.len() as i64;
    assert!((mean - horizon).abs() < horizon / 20, "{mean}");
}

/// Some as they were when figures were first measured: others are another benchmark.
#[test]
fn events_never_change() {
    let Event::Person(person) = Stream::PUBLISHED.event(0) else { panic!("a person") };
    let told =
        [&person.name, &person.email_address, &person.credit_card, &person.city, &person.state];
    assert_eq!(told, ["Deiter White", "ceg@tont.com", "2046 8441 8554 6602", "Cheyenne", "CA"]);
    let Event::Auction(auction) = Stream::PUBLISHED.event(1) else { panic!("an auction") };
    assert_eq!((auction.seller, auction.category), (1_000, 11));
    assert_eq!((auction.initial_bid, auction.reserve), (99_624_956, 140_256_380));
    assert_eq!(
        (auction.item_name.as_str(), auction.expires),
        ("owf eyy wfsnyaqk", Stream::START + 54)
    );
    let bid = Bid {
        auction: 1_010,
        bidder: 1_001,
        price: 21_247_493,
        channel: "channel-3678".into(),
        url: "https://www.nexmark.com/kna/xac/habb/item.htm?query=1".into(),
        date_time: Stream::START,
        extra: "hjcogemmsdnrtrmpmcahjewaetmgftkuaaypjiylrcccblujzfbzllcfv".into(),
    };
    assert_eq!(Stream::PUBLISHED.event(4), Event::Bid(bid));
}

fn answer(query: &Query, tables: &Tables, how: (usize, u32)) -> Rows {
    let (runs, rows) = measure(query, tables, how, 1).expect(query.name);
    assert_eq!(runs.late, Some(0), "{}", query.name);
    rows
}

#[test]
fn every_query_gives_rows_and_the_same_in_any_batches_on_any_threads() {
    let (tables, few) = (Tables::of(SLOW, EVENTS), Tables::of(SLOW, 3_000));
    for query in &queries::ALL {
        let rows = answer(query, &tables, (8_192, 1));
        assert!(!rows.is_empty(), "{} gives rows", query.name);
        for how in [(64, 1), (1_000, 2)] {
            let found = answer(query, &tables, how);
            found
                .check(&format!("{} by {how:?}", query.name), ("one thread", &rows))
                .expect("equal");
        }
        let rows = answer(query, &few, (8_192, 1));
        answer(query, &few, (1, 1)).check(query.name, ("batches", &rows)).expect("equal");
    }
}

#[test]
fn naive_loops_give_the_rows_of_the_queries() {
    let tables = Tables::of(SLOW, EVENTS);
    let all: Vec<Event> = events(SLOW, EVENTS).map(|(_, event)| event).collect();
    let house = naive::House::of(&all);
    for (name, loops) in naive::ALL {
        let query = queries::named(name).expect("a query");
        let expected = Rows::of(loops(&house));
        assert!(!expected.is_empty(), "{name}");
        let found = answer(query, &tables, (1_000, 1));
        found.check(name, ("the loop", &expected)).expect("equal");
    }
}

#[test]
fn queries_are_found_by_their_numbers_and_none_is_missing() {
    let names: HashSet<&str> = queries::ALL.iter().map(|query| query.name).collect();
    let left_out: HashSet<&str> = queries::LEFT_OUT.iter().map(|query| query.0).collect();
    for number in 0..=22 {
        let name = format!("q{number}");
        assert!(names.contains(name.as_str()) != left_out.contains(name.as_str()), "{name}");
    }
    assert_eq!(queries::named("Q5").map(|query| query.name), Some("q5"));
    assert!(queries::named("q6").is_none() && queries::named("q24").is_none());
}

/// Where Python has it, the peer gives the same rows of a few events.
#[test]
fn the_peer_gives_the_same_rows_where_it_is() {
    let tables = Tables::of(SLOW, EVENTS);
    let folder = tempfile::tempdir().expect("a folder");
    tables.write(folder.path()).expect("written");
    for one in peers("python3", &[PEER]) {
        for query in &queries::ALL {
            let rows = answer(query, &tables, (8_192, 1));
            let (runs, theirs) = peer(query, folder.path(), &one, (1, 1)).expect(query.name);
            assert_eq!(runs.seconds.len(), 1);
            rows.check(query.name, (one.name, &theirs)).expect("equal");
        }
    }
}
