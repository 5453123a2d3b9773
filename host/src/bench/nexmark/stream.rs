//! The events of the auction house, each from its number alone.
//!
//! The proportions and the shape of the fields are those of the published generator
//! (<https://github.com/nexmark/nexmark>, its `generator` package with its default configuration); the draws are
//! our own, so the events are others. Of 50 events in a row the first is a person, three are auctions and 46 are
//! bids. Persons and auctions are numbered from 1000 on in the order in which they come. Half of all bids are for
//! the first auction of the last hundred, three of four are by the second person of the last hundred, and three of
//! four auctions are of the first person of the last hundred. The others choose evenly among the last hundred
//! auctions or the last thousand persons and, as published, among the ten that come next: an id may be met
//! before its row. Events come in order, so many a second, each when it happens.

use super::draws::Draws;
use super::texts;

/// What starts a row of 50 events, and what comes after it.
const PERSONS: u64 = 1;
const AUCTIONS: u64 = 3;
const ALL: u64 = 50;
/// The first number of persons and of auctions.
pub const FIRST_ID: i64 = 1_000;
/// Categories are this and the next four.
pub const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
/// One of so many persons and auctions is hot.
const HOT: u64 = 100;
/// How many of the last auctions are bid for, and how many of the last persons bid and sell.
const IN_FLIGHT: u64 = 100;
const ACTIVE: u64 = 1_000;
/// How many that do not exist yet are chosen, too.
pub const LEAD: u64 = 10;

/// Somebody who sells or bids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// From 1000 on.
    pub id: i64,
    /// First and last name.
    pub name: String,
    /// Nobody's.
    pub email_address: String,
    /// Four times four digits.
    pub credit_card: String,
    /// One of ten.
    pub city: String,
    /// One of six, whatever the city.
    pub state: String,
    /// Milliseconds since 1970.
    pub date_time: i64,
    /// Fills the row up to about 200 bytes.
    pub extra: String,
}

/// Something is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auction {
    /// From 1000 on.
    pub id: i64,
    /// Letters and blanks.
    pub item_name: String,
    /// Letters and blanks.
    pub description: String,
    /// From 100 to 100 million, evenly by its logarithm.
    pub initial_bid: i64,
    /// Higher than the initial bid.
    pub reserve: i64,
    /// Milliseconds since 1970.
    pub date_time: i64,
    /// Later; on average a hundred auctions are open.
    pub expires: i64,
    /// A person's id.
    pub seller: i64,
    /// 10 to 14.
    pub category: i64,
    /// Fills the row up to about 500 bytes.
    pub extra: String,
}

/// Somebody bids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bid {
    /// An auction's id.
    pub auction: i64,
    /// A person's id.
    pub bidder: i64,
    /// From 100 to 100 million, evenly by its logarithm.
    pub price: i64,
    /// Half of the time one of four, else one of ten thousand.
    pub channel: String,
    /// One for each channel.
    pub url: String,
    /// Milliseconds since 1970.
    pub date_time: i64,
    /// Fills the row up to about 100 bytes.
    pub extra: String,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A person comes.
    Person(Person),
    /// An auction opens.
    Auction(Auction),
    /// A bid is made.
    Bid(Bid),
}

/// A stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// How many events there are in a second of event time.
    pub per_second: u64,
}

/// The number of the newest person, from 0, once event `n` is there.
fn newest_person(n: u64) -> u64 {
    n / ALL
}

/// The same of auctions; there is none before the second event.
fn newest_auction(n: u64) -> u64 {
    let before = n / ALL * AUCTIONS;
    (before + (n % ALL).min(PERSONS + AUCTIONS - 1)).saturating_sub(PERSONS)
}

fn id(number: u64) -> i64 {
    FIRST_ID + number as i64
}

/// An active person.
fn person(n: u64, draws: &mut Draws) -> u64 {
    let persons = newest_person(n) + 1;
    let active = persons.min(ACTIVE);
    persons - active + draws.below(active + LEAD)
}

impl Stream {
    /// The published rate.
    pub const PUBLISHED: Stream = Stream { per_second: 10_000 };
    /// The first event's time: 15 seconds before midnight, so that hours and days change.
    pub const START: i64 = 1_436_918_385_000;

    /// When event `n` happens, in microseconds since 1970.
    pub fn arrival(&self, n: u64) -> u64 {
        Self::START.unsigned_abs() * 1_000 + n * 1_000_000 / self.per_second
    }

    /// The same in milliseconds.
    pub fn time(&self, n: u64) -> i64 {
        (self.arrival(n) / 1_000) as i64
    }

    /// The event of that number, counted from 0.
    pub fn event(&self, n: u64) -> Event {
        let mut draws = Draws::of(n);
        match n % ALL {
            0 => Event::Person(self.person(n, &mut draws)),
            1..=AUCTIONS => Event::Auction(self.auction(n, &mut draws)),
            _ => Event::Bid(self.bid(n, &mut draws)),
        }
    }

    fn person(&self, n: u64, draws: &mut Draws) -> Person {
        let mut person = Person {
            id: id(newest_person(n)),
            name: texts::name(draws),
            email_address: texts::email(draws),
            credit_card: texts::credit_card(draws),
            city: draws.one_of(&texts::CITIES).to_owned(),
            state: draws.one_of(&texts::STATES).to_owned(),
            date_time: self.time(n),
            extra: String::new(),
        };
        let p = &person;
        let texts = [&p.name, &p.email_address, &p.credit_card, &p.city, &p.state];
        let used = 8 + texts.iter().map(|text| text.len()).sum::<usize>();
        person.extra = texts::extra(draws, used, 200);
        person
    }

    fn auction(&self, n: u64, draws: &mut Draws) -> Auction {
        let hot = draws.below(4) > 0;
        let seller = if hot { newest_person(n) / HOT * HOT } else { person(n, draws) };
        let category = FIRST_CATEGORY + draws.below(CATEGORIES) as i64;
        let initial_bid = draws.price();
        let date_time = self.time(n);
        // In so much time as many auctions open as shall be open: lengths are up to twice that.
        let horizon = self.time(n + IN_FLIGHT * ALL / AUCTIONS) - date_time;
        let expires = date_time + 1 + draws.below(2 * horizon.unsigned_abs().max(1)) as i64;
        let item_name = texts::word(draws, 20, ' ');
        let description = texts::word(draws, 100, ' ');
        let reserve = initial_bid + draws.price();
        let used = 48 + item_name.len() + description.len();
        Auction {
            id: id(newest_auction(n)),
            item_name,
            description,
            initial_bid,
            reserve,
            date_time,
            expires,
            seller: id(seller),
            category,
            extra: texts::extra(draws, used, 500),
        }
    }

    fn bid(&self, n: u64, draws: &mut Draws) -> Bid {
        let newest = newest_auction(n);
        let auction = if draws.below(2) > 0 {
            newest / HOT * HOT
        } else {
            let oldest = newest.saturating_sub(IN_FLIGHT);
            oldest + draws.below(newest - oldest + 1 + LEAD)
        };
        let hot = draws.below(4) > 0;
        // The second of a hundred: hot sellers are others.
        let bidder = if hot { newest_person(n) / HOT * HOT + 1 } else { person(n, draws) };
        let price = draws.price();
        let (channel, url) = texts::channel(draws);
        Bid {
            auction: id(auction),
            bidder: id(bidder),
            price,
            channel,
            url,
            date_time: self.time(n),
            extra: texts::extra(draws, 32, 100),
        }
    }
}
