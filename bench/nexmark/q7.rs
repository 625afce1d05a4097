//! Query 7, highest bid: what was the most that was offered in each ten seconds, and by whom?
//!
//! ```sql
//! SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra
//! FROM bid AS B
//! JOIN (SELECT MAX(price) AS maxprice, window_end FROM TUMBLE(bid, 10 s) GROUP BY window_end) AS B1
//!   ON B.price = B1.maxprice AND B.dateTime BETWEEN B1.window_end - 10 s AND B1.window_end;
//! ```
//!
//! In two steps, so that not every bid has to travel to the one place where all are compared: the highest bids of each
//! auction, where its bids are, and of those, once their window has closed, the highest of all.

use std::collections::BTreeSet;

use headwater::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Bid, LATENESS_MS};

pub const PERIOD_MS: i64 = seconds(10);

/// The highest bids of a window; several if they are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Highest(pub BTreeSet<Bid>);

impl Highest {
    fn offer(&mut self, bid: Bid) {
        let most = self.0.first().map_or(0, |best| best.price);
        if bid.price > most {
            self.0.clear();
        }
        if bid.price >= most {
            self.0.insert(bid);
        }
    }

    fn or(mut self, others: Self) -> Self {
        others.0.into_iter().for_each(|bid| self.offer(bid));
        self
    }
}

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q7");
    app.stream::<i64, Bid>("bids", Postcard)
        .group_by_key("bids-by-auction")
        .windowed_by(Tumbling::of(PERIOD_MS).grace(LATENESS_MS).emit_on_close())
        .aggregate("highest-of-auction", Highest::default, |_, bid, highest| highest.offer(bid))
        .updates()
        .map(|window, highest| (window.start, highest))
        .group_by_key("highest-by-window")
        .reduce("highest-of-all", Highest::or)
        .updates()
        .to("q7", Postcard);
    app.build()
}
