//! Query 11, user sessions: how many bids does a bidder make until they pause for ten seconds?
//!
//! ```sql
//! SELECT bidder, COUNT(*), SESSION_START, SESSION_END FROM bid GROUP BY bidder, SESSION(dateTime, 10 s);
//! ```

use headwater::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Bid, LATENESS_MS};

pub const GAP_MS: i64 = seconds(10);

/// Bids without a long pause between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Visit {
    pub start: i64,
    pub end: i64,
    pub bids: i64,
}

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q11");
    app.stream::<i64, Bid>("bids", Postcard)
        .map(|_, bid| (bid.bidder, ())) // the bidder is all that travels to the counting task
        .group_by_key("bids-by-bidder")
        .windowed_by(Session::with_gap(GAP_MS).grace(LATENESS_MS).emit_on_close())
        .count("bids-per-visit")
        .updates()
        .map(|visit, bids| (visit.key, Visit { start: visit.start, end: visit.end, bids }))
        .to("q11", Postcard);
    app.build()
}
