// Compiles: the other files fail for their own reason only.
use headwater::prelude::*;

pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("demo");
    let orders = app.stream::<String, i64>("orders", Json);
    orders.group_by(|_, cents| *cents, "by-price").count("counts");
    app.build()
}
