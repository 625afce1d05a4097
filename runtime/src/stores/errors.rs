//! The errors of reading stores by name.

use headwater_core::{Error, ErrorKind, TaskId};
use headwater_dsl::StoreKind;

/// The error of a name that the topology does not know.
pub(crate) fn unknown(what: &str, name: &str, does: &str, known: &[&str]) -> Error {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::new(ErrorKind::Config, "HW0120", format!("the topology {does} no {what} {name}"))
        .help(format!("it {does} these: {known}"))
}

/// The task's stores are being brought up to date.
pub(super) fn restoring(store: &str, task: TaskId) -> Error {
    Error::new(ErrorKind::Unavailable, "HW0650", format!("store {store} is being restored"))
        .in_task(task)
        .help("ask again in a moment")
}

/// The task does not run in this process.
pub(super) fn not_here(store: &str, task: TaskId) -> Error {
    let message = format!("a task of store {store} is not in this process now");
    Error::new(ErrorKind::Unavailable, "HW0651", message).in_task(task).help(
        "it has not started yet, has moved to another process, or the run has ended: ask again in a moment, or there; \
         of_local_tasks() reads the tasks that are here",
    )
}

/// The store was declared with other types, formats or windows.
pub(super) fn other_types(store: &str, declared: &str, asked: &str) -> Error {
    let message = format!("store {store} was declared with {declared}, and is asked for with {asked}");
    Error::new(ErrorKind::Config, "HW0652", message).help("ask for it with what the topology declares it with")
}

/// The store's rows are of another kind.
pub(super) fn other_kind(store: &str, kind: StoreKind) -> Error {
    let (is, method) = match kind {
        StoreKind::KeyValue => ("one of keys and values", "store"),
        StoreKind::Window | StoreKind::Timed => ("one of windows", "window_store"),
        StoreKind::Session => ("one of sessions", "session_store"),
        StoreKind::Versioned => ("one with history", "versioned_store"),
        StoreKind::Buffer => return not_for_readers(store),
    };
    Error::new(ErrorKind::Config, "HW0652", format!("store {store} is {is}")).help(format!("read it with {method}"))
}

/// A step keeps the store for itself.
pub(super) fn not_for_readers(store: &str) -> Error {
    let message = format!("store {store} is one that a step keeps for itself, in a form of its own");
    Error::new(ErrorKind::Config, "HW0652", message).help("read the table that the step makes, or materialize it")
}

/// A row that cannot be read.
pub(super) fn damaged(store: &str) -> Error {
    Error::new(ErrorKind::State, "HW0205", format!("a row of store {store} cannot be read"))
        .help("its bytes are damaged: wipe the state directory, it is restored from the changelog")
}
