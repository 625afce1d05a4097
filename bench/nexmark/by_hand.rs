//! What each query has to answer, worked out from all events at once in plain Rust: no stream, no state, no DSL.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headwater::prelude::{Timestamp, seconds};

use super::{
    generator::START_MS,
    model::{Auction, Bid, Event, Person},
    q1::in_euros,
    q3::{self, Seller},
    q5::{self, HotItems},
    q7::{self, Highest},
    q8::{self, NewSeller},
    q11::{self, Visit},
    q12,
};

/// Rows of a result: keys and values.
pub type Rows<K, V> = Vec<(K, V)>;

fn bids(events: &[Event]) -> impl Iterator<Item = &Bid> {
    events.iter().filter_map(|event| if let Event::Bid(bid) = event { Some(bid) } else { None })
}

fn auctions(events: &[Event]) -> impl Iterator<Item = &Auction> {
    events.iter().filter_map(|event| if let Event::Auction(auction) = event { Some(auction) } else { None })
}

fn persons(events: &[Event]) -> impl Iterator<Item = &Person> {
    events.iter().filter_map(|event| if let Event::Person(person) = event { Some(person) } else { None })
}

fn start_of(time: Timestamp, period_ms: i64) -> Timestamp {
    time.div_euclid(period_ms) * period_ms
}

pub fn q0(events: &[Event]) -> Rows<i64, Bid> {
    bids(events).map(|bid| (bid.auction, bid.clone())).collect()
}

pub fn q1(events: &[Event]) -> Rows<i64, Bid> {
    bids(events).map(|bid| (bid.auction, Bid { price: in_euros(bid.price), ..bid.clone() })).collect()
}

pub fn q2(events: &[Event]) -> Rows<i64, i64> {
    bids(events).filter(|bid| bid.auction % 123 == 0).map(|bid| (bid.auction, bid.price)).collect()
}

pub fn q3(events: &[Event]) -> Rows<i64, Seller> {
    let by_id: HashMap<i64, &Person> = persons(events).map(|person| (person.id, person)).collect();
    let wanted = auctions(events).filter(|auction| auction.category == q3::CATEGORY);
    wanted
        .filter_map(|auction| {
            let person = by_id.get(&auction.seller).filter(|person| q3::STATES.contains(&&*person.state))?;
            let Person { name, city, state, .. } = (*person).clone();
            Some((auction.id, Seller { name, city, state }))
        })
        .collect()
}

pub fn q4(events: &[Event]) -> Rows<i64, f64> {
    let by_id: HashMap<i64, &Auction> = auctions(events).map(|auction| (auction.id, auction)).collect();
    let mut highest: HashMap<i64, i64> = HashMap::new();
    for bid in bids(events) {
        let auction = by_id.get(&bid.auction);
        if auction.is_some_and(|auction| (auction.date_time..=auction.expires).contains(&bid.date_time)) {
            let price = highest.entry(bid.auction).or_default();
            *price = bid.price.max(*price);
        }
    }
    let mut finals: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (auction, price) in &highest {
        let category = by_id.get(auction).map_or(0, |auction| auction.category);
        finals.entry(category).or_default().push(*price);
    }
    let average = |prices: Vec<i64>| prices.iter().sum::<i64>() as f64 / prices.len() as f64;
    finals.into_iter().map(|(category, prices)| (category, average(prices))).collect()
}

pub fn q5(events: &[Event]) -> Rows<i64, HotItems> {
    let mut counts: BTreeMap<i64, HashMap<i64, i64>> = BTreeMap::new();
    for bid in bids(events) {
        let last = start_of(bid.date_time, q5::ADVANCE_MS);
        for back in 0..q5::PERIOD_MS / q5::ADVANCE_MS {
            *counts.entry(last - back * q5::ADVANCE_MS).or_default().entry(bid.auction).or_default() += 1;
        }
    }
    let hottest = |counts: HashMap<i64, i64>| {
        let bids = counts.values().copied().max().unwrap_or_default();
        let auctions = counts.into_iter().filter(|(_, count)| *count == bids).map(|(auction, _)| auction).collect();
        HotItems { bids, auctions }
    };
    counts.into_iter().map(|(start, counts)| (start, hottest(counts))).collect()
}

pub fn q7(events: &[Event]) -> Rows<i64, Highest> {
    let mut windows: BTreeMap<i64, Vec<&Bid>> = BTreeMap::new();
    for bid in bids(events) {
        windows.entry(start_of(bid.date_time, q7::PERIOD_MS)).or_default().push(bid);
    }
    let highest = |bids: Vec<&Bid>| {
        let most = bids.iter().map(|bid| bid.price).max().unwrap_or_default();
        Highest(bids.into_iter().filter(|bid| bid.price == most).cloned().collect())
    };
    windows.into_iter().map(|(start, bids)| (start, highest(bids))).collect()
}

pub fn q8(events: &[Event]) -> Rows<i64, NewSeller> {
    let sold: BTreeSet<(i64, i64)> =
        auctions(events).map(|auction| (auction.seller, start_of(auction.date_time, q8::PERIOD_MS))).collect();
    persons(events)
        .map(|person| (person, start_of(person.date_time, q8::PERIOD_MS)))
        .filter(|(person, window_start)| sold.contains(&(person.id, *window_start)))
        .map(|(person, window_start)| (person.id, NewSeller { name: person.name.clone(), window_start }))
        .collect()
}

pub fn q11(events: &[Event]) -> Rows<i64, Visit> {
    let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for bid in bids(events) {
        times.entry(bid.bidder).or_default().push(bid.date_time);
    }
    let mut visits = Vec::new();
    for (bidder, mut times) in times {
        times.sort_unstable();
        for visit in times.chunk_by(|before, after| after - before <= q11::GAP_MS) {
            if let [start, ..] = visit {
                let end = visit.last().copied().unwrap_or(*start);
                visits.push((bidder, Visit { start: *start, end, bids: visit.len() as i64 }));
            }
        }
    }
    visits
}

/// The clock when event `number` is read: it stands still within a round of `round` events, and moves on by three seconds
/// from one round to the next.
pub fn clock_ms(number: usize, round: usize) -> Timestamp {
    START_MS + seconds(3) * (number / round) as i64
}

pub fn q12(events: &[Event], round: usize) -> Rows<(i64, i64), i64> {
    let mut counts = BTreeMap::new();
    for (number, event) in events.iter().enumerate() {
        if let Event::Bid(bid) = event {
            let window = start_of(clock_ms(number, round), q12::PERIOD_MS);
            *counts.entry((bid.bidder, window)).or_default() += 1;
        }
    }
    counts.into_iter().collect()
}
