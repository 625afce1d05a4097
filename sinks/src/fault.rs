//! The errors of this crate: one constructor per kind of failure, so that each code has one meaning.

use std::{error::Error as StdError, io, path::Path};

use headwater_core::{Error, ErrorKind};

/// A sink was declared in a way that cannot work.
pub(crate) fn declaration(target: &str, what: &str, help: &str) -> Error {
    Error::new(ErrorKind::Config, "HW0501", format!("sink on {target:?}: {what}")).help(help)
}

/// A row does not fit the columns.
pub(crate) fn row(target: &str, what: &str) -> Error {
    Error::new(ErrorKind::Sink, "HW0502", format!("a row for {target} does not fit its columns: {what}"))
        .help("make the row type's fields agree with the sink's columns in name, type and nullability")
}

/// An existing table does not fit the sink.
pub(crate) fn table_does_not_fit(target: &str, differences: &[String]) -> Error {
    let what = differences.join("; ");
    Error::new(ErrorKind::Config, "HW0503", format!("table {target} exists but does not fit the sink: {what}")).help(
        "change the sink's columns to the table's, change the table, or write to another table; nothing was written",
    )
}

/// The file system refused.
pub(crate) fn storage(what: &str, path: &Path, source: io::Error) -> Error {
    Error::new(ErrorKind::Storage, "HW0504", format!("could not {what} {}", path.display()))
        .help("see to it that the disk has room and the directory can be written, then start again; committed data is safe")
        .caused_by(source)
}

/// The table's files could not be written or read. A refusal of the file system underneath is told as such.
pub(crate) fn lake(what: &str, source: impl StdError + Send + Sync + 'static) -> Error {
    if let Some(io) = io_below(&source) {
        let io = io::Error::new(io.kind(), io.to_string());
        return Error::new(ErrorKind::Storage, "HW0504", format!("could not {what}"))
            .help("see to it that the disk has room and the lake can be written, then start again; committed data is safe")
            .caused_by(io);
    }
    Error::new(ErrorKind::Sink, "HW0505", format!("could not {what}"))
        .help("read the cause; committed data is safe and the uncommitted part is written again")
        .caused_by(source)
}

/// The catalog could not be read or written.
pub(crate) fn catalog(what: &str, path: &Path, source: rusqlite::Error) -> Error {
    let busy = matches!(
        source.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    );
    let full = matches!(
        source.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen)
    );
    let (kind, help) = match (busy, full) {
        (true, _) => (ErrorKind::Unavailable, "another program holds the catalog; the commit is tried again"),
        (_, true) => (ErrorKind::Storage, "see to it that the disk has room and the lake can be written"),
        _ => (ErrorKind::Sink, "see that this file is the SQLite catalog of a lake and is not damaged"),
    };
    Error::new(kind, "HW0506", format!("could not {what} in the catalog {}", path.display()))
        .help(help)
        .caused_by(source)
}

/// A descriptor cannot be understood.
pub(crate) fn descriptor(target: &str, what: &str) -> Error {
    Error::new(ErrorKind::Sink, "HW0507", format!("a commit descriptor for {target} cannot be read: {what}")).help(
        "it was written by another version of the program or is damaged; commit it with the version that wrote it",
    )
}

/// The target's own records of what was applied disagree with each other or with what this committer has seen.
pub(crate) fn rolled_back(target: &str, what: &str) -> Error {
    Error::new(ErrorKind::Sink, "HW0510", format!("{target} was rolled back or changed by hand: {what}")).help(
        "put the target back to its newest state, or write to a new version of it by a replay; nothing was committed",
    )
}

/// Others kept getting in between, or the outcome could not be found out.
pub(crate) fn not_committed(target: &str, tries: u32, last: Option<Error>) -> Error {
    let error = Error::new(
        ErrorKind::Unavailable,
        "HW0511",
        format!("could not commit to {target} in {tries} tries; others were committing or the catalog did not answer"),
    )
    .help("nothing is lost; the commit is tried again");
    match last {
        Some(last) => error.caused_by(last),
        None => error,
    }
}

/// A descriptor belongs to a table that has been dropped and made anew.
pub(crate) fn other_table(target: &str) -> Error {
    Error::new(
        ErrorKind::Sink,
        "HW0512",
        format!("a commit descriptor was written for another incarnation of {target}: its table id differs"),
    )
    .help("the table was dropped and created again while the program had uncommitted files; replay into a new version")
}

/// There is nothing to read or to commit to.
pub(crate) fn missing(what: &str) -> Error {
    Error::new(ErrorKind::Sink, "HW0509", format!("there is no {what}"))
        .help("run the program that writes it first, or check the table's name and the lake's directory")
}

/// The first I/O error in the chain of causes.
fn io_below<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        next = error.source();
    }
    None
}
