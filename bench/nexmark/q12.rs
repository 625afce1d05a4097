//! Query 12, processing-time windows: how many bids of each bidder do we read in ten seconds?
//!
//! ```sql
//! SELECT bidder, COUNT(*), window_start FROM TUMBLE(bid, PROCTIME(), 10 s) GROUP BY bidder, window_start;
//! ```
//!
//! The time is the clock's when a bid is read. Another run reads at other times, so this query alone does not give the
//! same answer when it is replayed.

use headwater::prelude::*;

use super::model::Bid;

pub const PERIOD_MS: i64 = seconds(10);

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q12");
    app.stream("bids", Consumed::<i64, Bid>::with(Auto, Postcard).wall_clock())
        .map(|_, bid| (bid.bidder, ()))
        .group_by_key("bids-by-bidder")
        .windowed_by(Tumbling::of(PERIOD_MS).no_grace().emit_on_close())
        .count("bids-per-bidder")
        .updates()
        .map(|window, bids| ((window.key, window.start), bids))
        .to("q12", Auto);
    app.build()
}
