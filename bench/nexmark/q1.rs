//! Query 1, currency conversion: each bid's price in euros.
//!
//! ```sql
//! SELECT auction, bidder, price * 0.908, dateTime, extra FROM bid;
//! ```

use headwater::prelude::*;

use super::model::Bid;

/// Cents of a dollar in cents of a euro, rounded down.
pub const fn in_euros(dollars: i64) -> i64 {
    dollars * 908 / 1_000
}

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q1");
    app.stream::<i64, Bid>("bids", Postcard)
        .map_values(|bid| Bid { price: in_euros(bid.price), ..bid })
        .to("q1", Postcard);
    app.build()
}
