//! The errors of this crate, one function each, so that code and help stay together.

use std::{io, path::Path};

use headwater_core::{Error, ErrorKind};

/// Reading or writing `path` failed in the file system.
pub(crate) fn storage(doing: &str, path: &Path, source: io::Error) -> Error {
    Error::new(ErrorKind::Storage, "HW0402", format!("cannot {doing} {}", path.display()))
        .caused_by(source)
        .help("make room, or give a directory that this user can write; committed work is safe, start again afterwards")
}

/// A RocksDB call on the store in `dir` failed.
pub(crate) fn rocks(doing: &str, dir: &Path, source: rocksdb::Error) -> Error {
    let text = source.to_string();
    if source.kind() == rocksdb::ErrorKind::IOError && text.contains("lock") {
        return Error::new(ErrorKind::State, "HW0401", format!("the store in {} is open elsewhere", dir.display()))
            .caused_by(source)
            .help("stop the other program, or drop the other handle first");
    }
    let no_space = ["No space left", "Read-only file system", "Permission denied", "Disk quota", "Too many open files"];
    if no_space.iter().any(|sign| text.contains(sign)) {
        return storage(doing, dir, io::Error::other(source));
    }
    Error::new(ErrorKind::State, "HW0405", format!("cannot {doing} the store in {}", dir.display()))
        .caused_by(source)
        .help("if the store is damaged, delete its directory: it is rebuilt from a snapshot or from the changelog")
}

/// The store in `dir` holds something it should not.
pub(crate) fn damaged(dir: &Path, what: &str) -> Error {
    Error::new(ErrorKind::State, "HW0405", format!("the store in {} is damaged: {what}", dir.display()))
        .help("delete its directory: it is rebuilt from a snapshot or from the changelog")
}

/// The store or snapshot at `path` was written by a newer program.
pub(crate) fn newer_format(path: &Path, found: &str, known: u32) -> Error {
    Error::new(
        ErrorKind::State,
        "HW0403",
        format!("{} has format version {found}, this program knows up to {known}", path.display()),
    )
    .help("run the version of Headwater that wrote it, or delete it and let it be rebuilt from the changelog")
}

/// The task has no store of that name.
pub(crate) fn no_such_store(name: &str, stores: &[String]) -> Error {
    Error::new(ErrorKind::State, "HW0404", format!("no store {name:?} here, only {stores:?}"))
        .help("name the store when the task's stores are opened")
}

/// A snapshot cannot be trusted.
pub(crate) fn damaged_snapshot(file: &Path, snapshot: &str, what: &str) -> Error {
    Error::new(ErrorKind::State, "HW0410", format!("snapshot {snapshot} is damaged: {} {what}", file.display()))
        .help("restore another snapshot, or delete this one and let the state be rebuilt from the changelog")
}
