//! Queries answered by loops that look at everything, over the events themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::super::stream::{Auction, Bid, Event, Person};
use crate::bench::rows::Rows;

/// The events by their kinds.
#[derive(Default)]
pub struct House<'a> {
    persons: Vec<&'a Person>,
    auctions: Vec<&'a Auction>,
    bids: Vec<&'a Bid>,
}

impl<'a> House<'a> {
    pub fn of(events: &'a [Event]) -> House<'a> {
        let mut house = House::default();
        for event in events {
            match event {
                Event::Person(person) => house.persons.push(person),
                Event::Auction(auction) => house.auctions.push(auction),
                Event::Bid(bid) => house.bids.push(bid),
            }
        }
        house
    }

    /// Each auction with the bids for it while it was open.
    fn open(&self) -> impl Iterator<Item = (&'a Auction, Vec<&'a Bid>)> + '_ {
        let mut of: BTreeMap<i64, Vec<&'a Bid>> = BTreeMap::new();
        self.bids.iter().for_each(|bid| of.entry(bid.auction).or_default().push(bid));
        self.auctions.iter().map(move |auction| {
            let open = auction.date_time..=auction.expires;
            let bids = of.get(&auction.id).into_iter().flatten();
            (*auction, bids.filter(|bid| open.contains(&bid.date_time)).copied().collect())
        })
    }
}

type Lines = Vec<Box<str>>;

/// What answers a query.
pub type Loop = fn(&House<'_>) -> Lines;

pub const ALL: [(&str, Loop); 11] = [
    ("q1", currency),
    ("q2", selection),
    ("q3", local_items),
    ("q4", averages),
    ("q5", hot_items),
    ("q7", highest),
    ("q8", new_sellers),
    ("q9", winning),
    ("q11", sessions),
    ("q18", last),
    ("q19", ten_highest),
];

macro_rules! line {
    ($($cell:expr),+ $(,)?) => { Rows::line(&[$($cell.to_string()),+]) };
}

fn currency(house: &House<'_>) -> Lines {
    let line = |b: &&Bid| {
        let thousandths = 908 * b.price;
        let rest = format!("{:03}", thousandths % 1_000);
        let price = format!("{}.{rest}", thousandths / 1_000);
        let price = price.trim_end_matches('0').trim_end_matches('.');
        line!(b.auction, b.bidder, price, b.date_time, b.extra)
    };
    house.bids.iter().map(line).collect()
}

fn selection(house: &House<'_>) -> Lines {
    let bids = house.bids.iter().filter(|b| b.auction % 123 == 0);
    bids.map(|b| line!(b.auction, b.price)).collect()
}

fn local_items(house: &House<'_>) -> Lines {
    let mut lines = Vec::new();
    for a in house.auctions.iter().filter(|a| a.category == 10) {
        for p in house.persons.iter().filter(|p| p.id == a.seller) {
            if ["OR", "ID", "CA"].contains(&p.state.as_str()) {
                lines.push(line!(p.name, p.city, p.state, a.id));
            }
        }
    }
    lines
}

fn averages(house: &House<'_>) -> Lines {
    let mut of: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (auction, bids) in house.open() {
        if let Some(price) = bids.iter().map(|b| b.price).max() {
            of.entry(auction.category).or_default().push(price);
        }
    }
    let mean = |prices: &[i64]| prices.iter().sum::<i64>() / prices.len() as i64;
    of.iter().map(|(category, prices)| line!(category, mean(prices))).collect()
}

fn hot_items(house: &House<'_>) -> Lines {
    let mut windows: BTreeMap<i64, BTreeMap<i64, u64>> = BTreeMap::new();
    for bid in &house.bids {
        let newest = bid.date_time.div_euclid(2_000);
        for window in newest - 4..=newest {
            *windows.entry(window).or_default().entry(bid.auction).or_default() += 1;
        }
    }
    let mut lines = Vec::new();
    for counts in windows.values() {
        let most = counts.values().max();
        let best = counts.iter().filter(|(_, n)| Some(*n) == most);
        lines.extend(best.map(|(auction, n)| line!(auction, n)));
    }
    lines
}

/// Bids of one time and price may be in two windows: at the end of one both ends count.
fn highest(house: &House<'_>) -> Lines {
    let mut windows: BTreeMap<i64, i64> = BTreeMap::new();
    for bid in &house.bids {
        let most = windows.entry(bid.date_time.div_euclid(10_000)).or_default();
        *most = bid.price.max(*most);
    }
    let mut lines = Vec::new();
    for (window, price) in windows {
        let time = window * 10_000..=(window + 1) * 10_000;
        let best = house.bids.iter().filter(|b| b.price == price && time.contains(&b.date_time));
        lines.extend(best.map(|b| line!(b.auction, b.price, b.bidder, b.date_time, b.extra)));
    }
    lines
}

fn new_sellers(house: &House<'_>) -> Lines {
    let start = |time: i64| time.div_euclid(10_000) * 10_000;
    let sold: BTreeSet<_> = house.auctions.iter().map(|a| (a.seller, start(a.date_time))).collect();
    let new = house.persons.iter().filter(|p| sold.contains(&(p.id, start(p.date_time))));
    new.map(|p| line!(p.id, p.name, start(p.date_time))).collect()
}

fn winning(house: &House<'_>) -> Lines {
    let mut lines = Vec::new();
    for (a, bids) in house.open() {
        // The first of the best: `max_by_key` finds the last.
        let best = bids.iter().rev().max_by_key(|b| (b.price, std::cmp::Reverse(b.date_time)));
        if let Some(b) = best {
            lines.push(line!(
                a.id,
                a.item_name,
                a.description,
                a.initial_bid,
                a.reserve,
                a.date_time,
                a.expires,
                a.seller,
                a.category,
                b.auction,
                b.bidder,
                b.price,
                b.date_time,
                b.extra,
            ));
        }
    }
    lines
}

fn sessions(house: &House<'_>) -> Lines {
    let mut open: BTreeMap<i64, (u64, i64, i64)> = BTreeMap::new();
    let mut lines = Vec::new();
    let line =
        |bidder: &i64, (n, first, last): (u64, i64, i64)| line!(bidder, n, first, last + 10_000);
    for bid in &house.bids {
        let (n, first, last) = open.entry(bid.bidder).or_insert((0, bid.date_time, bid.date_time));
        if bid.date_time - *last > 10_000 {
            lines.push(line(&bid.bidder, (*n, *first, *last)));
            (*n, *first) = (0, bid.date_time);
        }
        (*n, *last) = (*n + 1, bid.date_time);
    }
    lines.extend(open.iter().map(|(bidder, session)| line(bidder, *session)));
    lines
}

fn last(house: &House<'_>) -> Lines {
    let last: BTreeMap<_, _> = house.bids.iter().map(|b| ((b.bidder, b.auction), b)).collect();
    let line =
        |b: &&&Bid| line!(b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra);
    last.values().map(line).collect()
}

fn ten_highest(house: &House<'_>) -> Lines {
    let mut of: BTreeMap<i64, Vec<&Bid>> = BTreeMap::new();
    house.bids.iter().for_each(|bid| of.entry(bid.auction).or_default().push(bid));
    let mut lines = Vec::new();
    for bids in of.values_mut() {
        // Those of one price stay in their order.
        bids.sort_by_key(|b| std::cmp::Reverse(b.price));
        lines.extend(bids.iter().take(10).zip(1..).map(|(b, place)| {
            line!(b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra, place)
        }));
    }
    lines
}
