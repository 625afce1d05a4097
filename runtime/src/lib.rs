//! Headwater's runtime: tasks, commits, restore, replay and the command line.
//!
//! [`run`] takes a topology, a log and [`Settings`]; [`App`] is a run that goes on beside its caller, who may read its
//! [`Stores`]. Each task thread is a member of the application's consumer group
//! with one transactional producer; it takes records in the order of their time, and commits outputs, changelogs, sink
//! descriptors and input offsets in one transaction before the local stores follow. One committer per sink applies the
//! descriptors. Operators are synchronous; the threads are plain threads.

mod app;
mod cli;
mod committer;
mod compare;
mod env;
mod generation;
mod global;
mod lanes;
mod memo;
mod new_topics;
mod opening;
mod outbox;
mod progress;
mod queue;
mod restore;
mod settings;
mod shared;
mod snapshot;
mod stores;
mod task;
mod testing;
mod thread;
mod topics;

pub use app::{App, Mode, RunReport, open_log, run};
pub use cli::{Feed, Program, Report, Topic, main as run_command_line};
pub use compare::{TableDifference, compare};
pub use progress::Progress;
pub use settings::Settings;
pub use snapshot::{create_snapshots, list_snapshots, restore_snapshots};
pub use stores::{
    ReadOnlyKeyValueStore, ReadOnlySessionStore, ReadOnlyVersionedStore, ReadOnlyWindowStore, StoreRows, Stores,
};
pub use testing::{
    MemorySink, TestInput, TestOutput, TestRecord, TestSessionStore, TestStore, TestVersionedStore, TestWindowStore,
    TopologyTestDriver,
};
