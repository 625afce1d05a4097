//! Query 3, local items: who in Oregon, Idaho or California sells things of category 10?
//!
//! ```sql
//! SELECT P.name, P.city, P.state, A.id
//! FROM auction AS A JOIN person AS P ON A.seller = P.id
//! WHERE A.category = 10 AND P.state IN ('OR', 'ID', 'CA');
//! ```
//!
//! Neither side is bounded in time, and either may come first: two tables, and a join by the key that the one finds in
//! the other. Only what the answer needs is kept.

use headwater::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{Auction, Person};

/// Whom to turn to for an auction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seller {
    pub name: String,
    pub city: String,
    pub state: String,
}

pub const STATES: [&str; 3] = ["OR", "ID", "CA"];
pub const CATEGORY: i64 = 10;

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("nexmark-q3");
    let sellers = app
        .stream::<i64, Person>("persons", Postcard)
        .filter(|_, person| STATES.contains(&person.state.as_str()))
        .map_values(|person| Seller { name: person.name, city: person.city, state: person.state })
        .latest_as_table("persons-by-id", "local-sellers");
    app.stream::<i64, Auction>("auctions", Postcard)
        .filter(|_, auction| auction.category == CATEGORY)
        .map_values(|auction| auction.seller)
        .latest_as_table("auctions-by-id", "seller-of-auction")
        .join_on_foreign_key(&sellers, |_, seller| Some(*seller), |_, seller| seller, "by-seller", "local-items")
        .updates()
        .to("q3", Postcard);
    app.build()
}
