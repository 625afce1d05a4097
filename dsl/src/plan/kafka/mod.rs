//! The plan as Kafka Streams would describe it, with the names that it makes up: for people who move a topology over
//! and want to see that it is the same one.
//!
//! `translate` turns each step into Kafka's nodes, with its numbering; `graph` cuts them into sub-topologies and prints
//! them in Kafka's order.

mod graph;
mod java_hash;
mod joins;
mod translate;

use super::Plan;

impl Plan {
    /// The topology in the exact text of Kafka Streams' `Topology.describe()`, with the node names that Kafka Streams
    /// generates (`KSTREAM-FILTER-0000000001`). Steps that Kafka Streams does not have, such as `validate` and sinks,
    /// appear as processors. [`Plan::describe`] shows the names that Headwater uses.
    pub fn describe_as_kafka(&self) -> String {
        translate::translate(self).describe()
    }
}
