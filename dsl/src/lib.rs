//! Headwater's DSL: typed streams and tables in the Kafka Streams tradition, and the plan they become.
//!
//! A program describes its topology with [`StreamsBuilder`]; [`StreamsBuilder::build`] checks it and returns a
//! [`Topology`]: a [`Plan`], which is plain data, and typed wiring. The runtime (or the test driver) makes a
//! [`ProcessorTask`] of each sub-topology and partition and feeds it records. Nothing here does IO, reads a clock or
//! knows a log, a store engine or a lake.

mod bounds;
mod builder;
mod dead_letter;
mod error;
mod global;
mod graph;
mod kgrouped;
mod kgrouped_table;
mod kstream;
mod ktable;
mod placing;
mod plan;
mod processor;
mod quality;
mod repartition;
mod sinking;
mod source;
mod store;
mod task;
mod topology;
mod vocab;
mod window;
mod windowed_serde;
mod wire;
mod writing;

pub use bounds::{Data, Key, Shared, UserResult, Value};
pub use builder::StreamsBuilder;
pub use dead_letter::BROKEN_RULES_HEADER;
pub use error::{TopologyError, TopologyErrors};
pub use global::GlobalTable;
pub use kgrouped::{Cogrouped, KGroupedStream, SessionCogrouped, SessionStream, WindowedCogrouped, WindowedStream};
pub use kgrouped_table::KGroupedTable;
pub use kstream::{KStream, Processed, Split};
pub use ktable::KTable;
pub use plan::{
    EmitStrategy, GlobalStore, Node, NodeId, NodeKind, OffsetReset, OldValues, Plan, PlanDiff, RuleSpec, StoreKind,
    StoreOptions, StoreSpec, Subtopology,
};
pub use processor::{
    FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Output, Port, Processor, ProcessorContext, ProcessorScope,
    Record, RecordMetadata, Resources,
};
pub use quality::{Rule, Rules, Severity, Validated, not_null, one_of, range};
pub use sinking::{AnySink, AnyWriter, ThreadWriters};
pub use store::{
    GlobalTableReader, KEPT_ROWS, KeyValueStore, Rows, SessionStore, SessionStoreRef, StoreRef, StoreTypes,
    StoredSession, TIMED_END, TIMED_ROWS, TableReader, TableRef, TimedKey, VersionedKeyValueStore, VersionedStoreRef,
    WindowStore, WindowStoreRef, before_kept, decode_row, decode_time_entry, decode_timed_key, decode_version,
    decode_window_key, encode_timed_key, encode_version_key, encode_window_key, kept, time_entry_bound,
    timed_key_prefix, version_prefix,
};
pub use task::{
    GlobalReader, Memo, Order, PanicGuard, ProcessorTask, Punctuation, SourceHandle, StoreChangeVisitor, TaskContext,
    TaskEnv, TaskSource, TimeSkew, Timer, TopicWriter,
};
pub use topology::Topology;
pub use vocab::{
    Arrival, Consumed, Grouped, JoinWindows, Joined, Materialized, NegativeTime, OnFailure, OnUndecodable, Placement,
    Produced, Repartitioned, StreamJoined, Suppressed, TableJoined, Topics,
};
pub use window::{Hopping, Session, Sliding, Tumbling, Unlimited, Windowed, Windows};
pub use windowed_serde::{SessionWindowedSerde, TimeWindowedSerde};
pub use wire::{Change, Flow, Meta, RestoredRow};
