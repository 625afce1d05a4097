//! Persons, auctions and bids out of a seed, in the proportions, id ranges and skews of the published benchmark: of each
//! 50 events 1 is a person, 3 are auctions, 46 are bids; every other bid is for the hot auction, three of four come from
//! the hot bidder, three of four auctions are of the hot seller; the hot ones change as time goes on.

use std::fmt::Write;

use super::model::{Auction, Bid, Event, LATENESS_MS, LONGEST_AUCTION_MS, Person};

/// 2015-07-15T00:00:00Z.
pub const START_MS: i64 = 1_436_918_400_000;
/// Events per second of event time.
const RATE: u64 = 10_000;
/// Events come out of order within so many milliseconds.
const JITTER_MS: u64 = 50;
const _: () = assert!((JITTER_MS as i64) < LATENESS_MS);

/// Persons, auctions and bids among each [`GROUP`] events.
const PERSONS: u64 = 1;
const AUCTIONS: u64 = 3;
const GROUP: u64 = 50;

const FIRST_ID: i64 = 1_000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
/// Auctions that are bid for, and persons that are at work, at any one time.
const IN_FLIGHT: u64 = 100;
const ACTIVE: u64 = 1_000;
/// One in so many is not hot: bids by auction, bids by bidder, auctions by seller.
const COLD_AUCTIONS: u64 = 2;
const COLD_BIDDERS: u64 = 4;
const COLD_SELLERS: u64 = 4;
/// Each hot id is hot for the time of so many new ones.
const HOT_FOR: i64 = 100;

const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

/// An endless run of events, the same for the same seed.
pub struct Generator {
    random: Random,
    number: u64,
}

impl Generator {
    /// The events of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { random: Random(seed), number: 0 }
    }

    /// The newest person or auction, by how many there are among [`GROUP`] events and at which place the first comes.
    fn newest(&self, per_group: u64, first: u64) -> i64 {
        let (group, place) = (self.number / GROUP, self.number % GROUP);
        let in_group = (place + 1).saturating_sub(first).min(per_group);
        FIRST_ID + (group * per_group + in_group) as i64 - 1
    }

    fn newest_person(&self) -> i64 {
        self.newest(PERSONS, 0)
    }

    fn newest_auction(&self) -> i64 {
        self.newest(AUCTIONS, PERSONS)
    }

    /// One of the `among` newest ids.
    fn recent(&mut self, newest: i64, among: u64) -> i64 {
        let known = (newest - FIRST_ID + 1).max(1) as u64;
        newest - self.random.below(known.min(among)) as i64
    }

    fn any_person(&mut self, cold: u64) -> i64 {
        let newest = self.newest_person();
        if self.random.below(cold) > 0 { hot(newest) } else { self.recent(newest, ACTIVE) }
    }

    fn person(&mut self, date_time: i64) -> Person {
        let random = &mut self.random;
        let (first, last) = (random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES));
        let (city, state) = (random.pick(&CITIES).to_owned(), random.pick(&STATES).to_owned());
        let cards: Vec<String> = (0..4).map(|_| format!("{:04}", random.below(10_000))).collect();
        let email = format!("{}@{}.com", random.text(7), random.text(5));
        let (name, credit_card, extra) = (format!("{first} {last}"), cards.join(" "), random.text(100));
        Person { id: self.newest_person(), name, email, credit_card, city, state, date_time, extra }
    }

    fn auction(&mut self, date_time: i64) -> Auction {
        let seller = self.any_person(COLD_SELLERS);
        // So long, on average, that the auctions in flight are the newest ones.
        let until = IN_FLIGHT * GROUP * 1_000 / AUCTIONS / RATE;
        let open_ms = (1 + self.random.below(2 * until) as i64).min(LONGEST_AUCTION_MS);
        let random = &mut self.random;
        let initial_bid = random.price();
        Auction {
            item: random.text(20),
            description: random.text(100),
            initial_bid,
            reserve: initial_bid + random.price(),
            date_time,
            expires: date_time + open_ms,
            seller,
            category: FIRST_CATEGORY + random.below(CATEGORIES) as i64,
            extra: random.text(300),
            id: self.newest_auction(),
        }
    }

    fn bid(&mut self, date_time: i64) -> Bid {
        let newest = self.newest_auction();
        let auction = if self.random.below(COLD_AUCTIONS) > 0 { hot(newest) } else { self.recent(newest, IN_FLIGHT) };
        let bidder = self.any_person(COLD_BIDDERS);
        let random = &mut self.random;
        let channel = match random.below(2) {
            0 => random.pick(&HOT_CHANNELS).to_owned(),
            _ => format!("channel-{}", random.below(10_000)),
        };
        let url = format!("https://www.nexmark.com/{}/item.htm?query=1", random.text(5));
        Bid { auction, bidder, price: random.price(), channel, url, date_time, extra: random.text(12) }
    }
}

impl Iterator for Generator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let due = START_MS + (self.number * 1_000 / RATE) as i64;
        let date_time = due + self.random.below(JITTER_MS + 1) as i64;
        let event = match self.number % GROUP {
            place if place < PERSONS => Event::Person(self.person(date_time)),
            place if place < PERSONS + AUCTIONS => Event::Auction(self.auction(date_time)),
            _ => Event::Bid(self.bid(date_time)),
        };
        self.number += 1;
        Some(event)
    }
}

fn hot(newest: i64) -> i64 {
    (newest / HOT_FOR * HOT_FOR).max(FIRST_ID)
}

/// Steele, Lea and Flood's SplitMix64: small, seeded, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound - 1`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len() as u64) as usize).copied().unwrap_or_default()
    }

    /// From 100 to 100 million cents, as many of each order of magnitude.
    fn price(&mut self) -> i64 {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (10_f64.powf(part * 6.0) * 100.0).round() as i64
    }

    fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            let _ = write!(text, "{:013x}", self.next() >> 12);
        }
        text.truncate(length);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_events_in_the_published_proportions() {
        let events = |seed| Generator::new(seed).take(5_000).map(|event| format!("{event:?}")).collect::<Vec<_>>();
        assert_eq!(events(1), events(1));
        assert_ne!(events(1), events(2));
        let kinds = |kind: &str| events(1).iter().filter(|event| event.starts_with(kind)).count();
        assert_eq!([kinds("Person"), kinds("Auction"), kinds("Bid")], [100, 300, 4_600]);
    }

    #[test]
    fn nothing_refers_to_what_was_not_there_before_it_and_nothing_is_later_than_said() {
        let (mut persons, mut auctions, mut latest) = (FIRST_ID - 1, FIRST_ID - 1, i64::MIN);
        for event in Generator::new(7).take(20_000) {
            let date_time = match event {
                Event::Person(person) => {
                    persons += 1;
                    assert_eq!(person.id, persons);
                    person.date_time
                }
                Event::Auction(auction) => {
                    auctions += 1;
                    assert_eq!(auction.id, auctions);
                    assert!((FIRST_ID..=persons).contains(&auction.seller), "{auction:?}");
                    assert!((1..=LONGEST_AUCTION_MS).contains(&(auction.expires - auction.date_time)), "{auction:?}");
                    auction.date_time
                }
                Event::Bid(bid) => {
                    assert!((FIRST_ID..=persons).contains(&bid.bidder), "{bid:?}");
                    assert!((FIRST_ID..=auctions).contains(&bid.auction), "{bid:?}");
                    bid.date_time
                }
            };
            assert!(latest.saturating_sub(date_time) < LATENESS_MS, "{date_time} comes after {latest}");
            latest = latest.max(date_time);
        }
    }
}
