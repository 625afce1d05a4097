//! Query 8, new users: who has opened an auction in the same ten seconds in which they registered?
//!
//! ```sql
//! SELECT P.id, P.name, P.starttime
//! FROM (SELECT id, name, window_start AS starttime FROM TUMBLE(person, 10 s) GROUP BY id, name, window_start) AS P
//! JOIN (SELECT seller, window_start AS starttime FROM TUMBLE(auction, 10 s) GROUP BY seller, window_start) AS A
//!   ON P.id = A.seller AND P.starttime = A.starttime;
//! ```
//!
//! A join by key and window is one row per key and window into which both streams are folded, and which is looked at when
//! its window has closed.

use headwater::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Auction, LATENESS_MS, Person};

pub const PERIOD_MS: i64 = seconds(10);

/// What somebody did within a window.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Activity {
    registered_as: Option<String>,
    has_sold: bool,
}

/// Somebody who registered and sold at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NewSeller {
    pub name: String,
    pub window_start: i64,
}

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q8");
    let registered =
        app.stream::<i64, Person>("persons", Postcard).map_values(|person| person.name).group_by_key("persons-by-id");
    let sold = app
        .stream::<i64, Auction>("auctions", Postcard)
        .map(|_, auction| (auction.seller, ()))
        .group_by_key("auctions-by-seller");
    registered
        .cogroup(|_, name, activity: &mut Activity| activity.registered_as = Some(name))
        .cogroup(sold, |_, (), activity| activity.has_sold = true)
        .windowed_by(Tumbling::of(PERIOD_MS).grace(LATENESS_MS).emit_on_close())
        .aggregate("activity", Activity::default)
        .updates()
        .flat_map(|window, activity| {
            let name = activity.registered_as.filter(|_| activity.has_sold);
            name.map(|name| (window.key, NewSeller { name, window_start: window.start }))
        })
        .to("q8", Postcard);
    app.build()
}
