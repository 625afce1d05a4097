//! Query 0, pass-through: what reading and writing cost.
//!
//! ```sql
//! SELECT * FROM bid;
//! ```

use headwater::prelude::*;

use super::model::Bid;

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q0");
    app.stream::<i64, Bid>("bids", Postcard).to("q0", Postcard);
    app.build()
}
