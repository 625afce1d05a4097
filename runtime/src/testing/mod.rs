//! A topology in a unit test: the real operators, tasks and commits over topics and stores in memory.
//!
//! [`TopologyTestDriver`] needs no broker, no files and no threads. Tasks take records in the order in which the real
//! runtime takes them, sub-topologies hand over through repartition topics, and what a commit would make visible becomes
//! visible at a commit.

mod driver;
mod env;
mod input;
mod memory_sink;
mod memory_topic;
mod outbox;
mod output;
mod sinks;
mod stepping;
mod store;
mod task;

pub use driver::TopologyTestDriver;
pub use input::TestInput;
pub use memory_sink::MemorySink;
pub use output::{TestOutput, TestRecord};
pub use store::{TestSessionStore, TestStore, TestVersionedStore, TestWindowStore};
