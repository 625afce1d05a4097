//! Query 4, average prices: what do auctions of each category end at, on average?
//!
//! ```sql
//! SELECT Q.category, AVG(Q.final)
//! FROM (SELECT MAX(B.price) AS final, A.category
//!       FROM auction AS A, bid AS B
//!       WHERE A.id = B.auction AND B.dateTime BETWEEN A.dateTime AND A.expires
//!       GROUP BY A.id, A.category) AS Q
//! GROUP BY Q.category;
//! ```
//!
//! An auction and its bids are two streams that meet within the longest time that an auction is open, whichever comes
//! first. The highest bid per auction is a table, and when a higher one comes the category's average forgets the old one.

use headwater::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Auction, Bid, LATENESS_MS, LONGEST_AUCTION_MS};

const WHILE_OPEN: JoinWindows = JoinWindows::of(0).after(LONGEST_AUCTION_MS).grace(LATENESS_MS);

/// The highest bid so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Offer {
    category: i64,
    price: i64,
}

/// A sum that can be added to and taken from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Total {
    sum: i64,
    count: i64,
}

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q4");
    let auctions = app.stream::<i64, Auction>("auctions", Postcard).map_values(|sale| (sale.category, sale.expires));
    let bids = app.stream::<i64, Bid>("bids", Postcard).map_values(|bid| (bid.price, bid.date_time));
    auctions
        .join_stream(&bids, |auction, bid| (auction, bid), WHILE_OPEN, "bids-of-auctions")
        .filter(|_, ((_, expires), (_, date_time))| date_time <= expires)
        .map_values(|((category, _), (price, _))| Offer { category, price })
        .group_by_key("offers-by-auction")
        .reduce("highest-offers", |best, next| if next.price > best.price { next } else { best })
        .group_by(|_, offer| (offer.category, offer.price), "by-category")
        .aggregate(
            "totals",
            Total::default,
            |_, price, total| *total = Total { sum: total.sum + price, count: total.count + 1 },
            |_, price, total| *total = Total { sum: total.sum - price, count: total.count - 1 },
        )
        .map_values(|_, total| total.sum as f64 / total.count as f64)
        .updates()
        .to("q4", Postcard);
    app.build()
}
