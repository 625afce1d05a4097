//! Query 5, hot items: every two seconds, which auctions had the most bids within the last ten?
//!
//! ```sql
//! SELECT AuctionBids.auction, AuctionBids.num
//! FROM (SELECT auction, COUNT(*) AS num, window_start FROM HOP(bid, 2 s, 10 s) GROUP BY auction, window_start)
//!   AS AuctionBids
//! JOIN (SELECT MAX(num) AS maxn, window_start FROM (...the same...) GROUP BY window_start) AS MaxBids
//!   ON AuctionBids.window_start = MaxBids.window_start AND AuctionBids.num >= MaxBids.maxn;
//! ```
//!
//! The counts come once, when their window has closed, so what compares them need not take anything back.

use std::collections::BTreeSet;

use headwater::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Bid, LATENESS_MS};

pub const PERIOD_MS: i64 = seconds(10);
pub const ADVANCE_MS: i64 = seconds(2);

/// The auctions with the most bids of a window; several if they have equally many.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HotItems {
    pub bids: i64,
    pub auctions: BTreeSet<i64>,
}

impl HotItems {
    fn offer(&mut self, auction: i64, bids: i64) {
        if bids > self.bids {
            *self = Self { bids, auctions: BTreeSet::new() };
        }
        if bids == self.bids {
            self.auctions.insert(auction);
        }
    }
}

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q5");
    app.stream::<i64, Bid>("bids", Postcard)
        .group_by_key("bids-by-auction")
        .windowed_by(Hopping::of(PERIOD_MS).advance_by(ADVANCE_MS).grace(LATENESS_MS).emit_on_close())
        .count("bids-per-auction")
        .updates()
        .map(|window, bids| (window.start, (window.key, bids)))
        .group_by_key("counts-by-window")
        .aggregate("hot-items", HotItems::default, |_, (auction, bids), hot| hot.offer(auction, bids))
        .updates()
        .to("q5", Postcard);
    app.build()
}
