//! Headwater: stream processing in the Kafka Streams tradition, replayable, exactly once, into a lake.
//!
//! A program describes a [`Topology`](prelude::Topology) with [`StreamsBuilder`](prelude::StreamsBuilder): topics in,
//! steps, topics and sinks out. Closures are typed and synchronous; steps that keep state have names that you gave them.
//! The topology then runs in three places, with the same results: in a unit test, on the embedded log, on Apache Kafka.
//!
//! ```
//! use headwater::prelude::*;
//!
//! fn topology() -> Result<Topology, TopologyErrors> {
//!     let app = StreamsBuilder::new("word-count");
//!     app.stream::<String, String>("lines", Text)
//!         .flat_map_values(|line| line.split(' ').map(str::to_lowercase).collect::<Vec<_>>())
//!         .group_by(|_, word| word.clone(), "by-word")
//!         .count("counts")
//!         .updates()
//!         .to("word-counts", Auto);
//!     app.build() // every mistake at once, each with the step's name, the reason and a help line
//! }
//!
//! let mut driver = TopologyTestDriver::new(topology().unwrap()).unwrap();
//! driver.input::<String, String>("lines", Text).pipe(&mut driver, "a".into(), "to be or not to be".into(), 0).unwrap();
//! assert_eq!(driver.store::<String, i64>("counts").unwrap().get(&"be".into()).unwrap(), Some(2));
//! ```
//!
//! * [`prelude`] has the words a topology is written in.
//! * [`testing`] runs one in a unit test.
//! * [`runtime`] runs one for real ([`App`](runtime::App)) and reads its stores while it runs.
//! * [`cli`] gives a program its whole command line: run, replay, compare, describe, topics, snapshots.
//! * [`sinks`] are Iceberg tables and Parquet directories, and the trait for others.
//! * [`dsl`], [`log`] and [`state`] are the layers below, for programs that do more with them.

#[cfg(doctest)]
mod book;

pub use headwater_core::{Error, ErrorKind, Result};
pub use headwater_dsl as dsl;
pub use headwater_log as log;
pub use headwater_runtime as runtime;
pub use headwater_sinks as sinks;
pub use headwater_state as state;

/// What a topology is written with: `use headwater::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "bincode")]
    pub use headwater_core::serde::Bincode;
    pub use headwater_core::{
        Headers, Payload, Serde, SerdeError, Sink, Timestamp, days, hours, minutes, seconds,
        serde::{Auto, Json, Postcard, Raw, Text},
    };
    pub use headwater_dsl::{
        Arrival, Cogrouped, Consumed, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, GlobalTable,
        GlobalTableReader, Grouped, Hopping, JoinWindows, Joined, KGroupedStream, KGroupedTable, KStream, KTable,
        KeyValueStore, Materialized, NegativeTime, OffsetReset, OnFailure, Output, Placement, Port, Processed,
        Processor, ProcessorContext, Produced, Punctuation, Record, Repartitioned, Rule, Rules, Session, SessionStore,
        SessionStoreRef, SessionStream, SessionWindowedSerde, Severity, Sliding, Split, StoreRef, StoredSession,
        StreamJoined, StreamsBuilder, Suppressed, TableJoined, TableReader, TableRef, TimeWindowedSerde, Timer, Topics,
        Topology, TopologyErrors, Tumbling, Unlimited, UserResult, VersionedKeyValueStore, VersionedStoreRef,
        WindowStore, WindowStoreRef, Windowed, WindowedStream, not_null, one_of, range,
    };
    pub use headwater_runtime::TopologyTestDriver;
    pub use headwater_sinks::{ColumnType, Columns, IcebergSink, ParquetSink, day};
}

/// Topologies in unit tests.
pub mod testing {
    pub use headwater_runtime::{
        MemorySink, TestInput, TestOutput, TestRecord, TestSessionStore, TestStore, TestVersionedStore,
        TestWindowStore, TopologyTestDriver,
    };
}

/// The command line that a program gets by one line.
pub mod cli {
    pub use headwater_runtime::{Feed, Program, Report, Topic, run_command_line as main};
}
