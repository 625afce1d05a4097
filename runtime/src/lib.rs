//! Headwater's runtime: tasks, commits, restore, replay and the command line.
//!
//! [`run`] takes a topology, a log and [`Settings`]. Each task thread is a member of the application's consumer group
//! with one transactional producer; it takes records in the order of their time, and commits outputs, changelogs, sink
//! descriptors and input offsets in one transaction before the local stores follow. One committer per sink applies the
//! descriptors. Operators are synchronous; the threads are plain threads.

mod app;
mod cli;
mod committer;
mod compare;
mod env;
mod global;
mod lanes;
mod memo;
mod outbox;
mod progress;
mod queue;
mod restore;
mod settings;
mod shared;
mod snapshot;
mod task;
mod testing;
mod thread;
mod topics;

pub use app::{Mode, RunReport, open_log, run};
pub use cli::{Feed, Program, Report, Topic, main as run_command_line};
pub use compare::{TableDifference, compare};
pub use progress::Progress;
pub use settings::Settings;
pub use snapshot::{create_snapshots, list_snapshots, restore_snapshots};
pub use testing::{
    MemorySink, TestInput, TestOutput, TestRecord, TestSessionStore, TestStore, TestVersionedStore, TestWindowStore,
    TopologyTestDriver,
};
