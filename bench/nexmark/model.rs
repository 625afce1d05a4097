//! What is traded: persons open auctions, persons bid. Three topics, each keyed by what its records are about: `persons`
//! and `auctions` by their ids, `bids` by the auction's.

use serde::{Deserialize, Serialize};

/// No record comes more than so many milliseconds of event time after a younger one: the grace of every window.
pub const LATENESS_MS: i64 = 100;

/// No auction is open for longer, in milliseconds.
pub const LONGEST_AUCTION_MS: i64 = 1_000;

/// Somebody who opens auctions or bids, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub credit_card: String,
    pub city: String,
    pub state: String,
    pub date_time: i64,
    pub extra: String,
}

/// Something for sale until it expires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Auction {
    pub id: i64,
    pub item: String,
    pub description: String,
    /// In cents, as all prices.
    pub initial_bid: i64,
    pub reserve: i64,
    pub date_time: i64,
    pub expires: i64,
    /// A person.
    pub seller: i64,
    pub category: i64,
    pub extra: String,
}

/// A price that somebody offers in an auction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bid {
    pub auction: i64,
    /// A person.
    pub bidder: i64,
    pub price: i64,
    pub channel: String,
    pub url: String,
    pub date_time: i64,
    pub extra: String,
}

/// A record of one of the three topics.
#[derive(Debug, Clone)]
pub enum Event {
    Person(Person),
    Auction(Auction),
    Bid(Bid),
}
