//! Query 2, selection: the bids for some auctions, and of those only the price.
//!
//! ```sql
//! SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;
//! ```

use headwater::prelude::*;

use super::model::Bid;

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q2");
    app.stream::<i64, Bid>("bids", Postcard)
        .filter(|auction, _| auction % 123 == 0)
        .map_values(|bid| bid.price)
        .to("q2", Auto);
    app.build()
}
