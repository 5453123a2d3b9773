//! Names, places, channels and fillings.

use super::draws::Draws;

/// The states of persons.
pub const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
/// The cities of persons.
pub const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
/// Where half of all bids come from.
pub const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const CHANNELS: u32 = 10_000;
/// A channel's url is drawn by its own number, far from those of events.
const URLS: u64 = 1 << 40;

/// First and last name.
pub fn name(draws: &mut Draws) -> String {
    format!("{} {}", draws.one_of(&FIRST_NAMES), draws.one_of(&LAST_NAMES))
}

/// A mail address.
pub fn email(draws: &mut Draws) -> String {
    format!("{}@{}.com", word(draws, 7, ' '), word(draws, 5, ' '))
}

/// Four times four digits.
pub fn credit_card(draws: &mut Draws) -> String {
    let four = [(); 4].map(|()| format!("{:04}", draws.below(10_000)));
    four.join(" ")
}

fn letter(draw: u64) -> char {
    char::from(b'a' + (draw % 26) as u8)
}

/// From three letters to one less than so many, each 13th a gap; no blanks at the ends.
pub fn word(draws: &mut Draws, most: u64, gap: char) -> String {
    let length = 3 + draws.below(most - 3);
    let mut one = || if draws.below(13) == 0 { gap } else { letter(draws.below(26)) };
    let word: String = (0..length).map(|_| one()).collect();
    word.trim().to_owned()
}

/// Letters that fill a row of which so many bytes are used up to the wanted ones, a fifth more or less.
pub fn extra(draws: &mut Draws, used: usize, wanted: usize) -> String {
    let room = wanted.saturating_sub(used) as u64;
    let spread = (room + 2) / 5;
    let length = room - spread + if spread == 0 { 0 } else { draws.below(2 * spread) };
    let mut text = String::with_capacity(room as usize + spread as usize);
    for first in (0..length).step_by(6) {
        let mut drawn = draws.below(26_u64.pow(6));
        for _ in first..length.min(first + 6) {
            text.push(letter(drawn));
            drawn /= 26;
        }
    }
    text
}

/// A bid's channel and its url.
pub fn channel(draws: &mut Draws) -> (String, String) {
    if draws.below(2) > 0 {
        let hot = draws.below(HOT_CHANNELS.len() as u64);
        let name = HOT_CHANNELS[hot as usize];
        return (name.to_owned(), url(&mut Draws::of(URLS + u64::from(CHANNELS) + hot)));
    }
    let number = draws.below(u64::from(CHANNELS)) as u32;
    let mut draws = Draws::of(URLS + u64::from(number));
    let mut url = url(&mut draws);
    if draws.below(10) > 0 {
        // The number's bits in reverse, as a number with a sign that is then left out.
        url += &format!("&channel_id={}", (number.reverse_bits() as i32).unsigned_abs());
    }
    (format!("channel-{number}"), url)
}

fn url(draws: &mut Draws) -> String {
    let folders = [(); 3].map(|()| word(draws, 5, '_'));
    format!("https://www.nexmark.com/{}/item.htm?query=1", folders.join("/"))
}
