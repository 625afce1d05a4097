//! The directory's own record of what has been applied to it: the file `_headwater.json`, replaced atomically.
//!
//! Publishing is three steps: write down what will be renamed, rename, write down that it is done. A crash in between
//! leaves the first note, and whoever opens the journal next finishes the renames, so a descriptor is either not
//! applied or applied whole.

use std::{fs, io, path::PathBuf};

use headwater_core::{CommitPosition, Error, ErrorKind, Offset, Result, SinkContext};
use serde::{Deserialize, Serialize};

use super::Place;
use crate::{Columns, durable, failpoint, fault};

const FILE_NAME: &str = "_headwater.json";
const VERSION: u32 = 1;

/// The record, and where it lies.
#[derive(Debug)]
pub(super) struct Journal {
    place: Place,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: u32,
    app: String,
    sink: String,
    columns: Vec<ColumnState>,
    /// Up to where descriptors have been applied.
    applied: CommitPosition,
    publishing: Option<Publication>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ColumnState {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
}

/// A set of files to appear together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Publication {
    /// One past the last descriptor in it.
    pub(super) to: Offset,
    pub(super) renames: Vec<Rename>,
    /// Staged files whose rows are in the renamed ones.
    pub(super) merged: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rename {
    pub(super) staged: String,
    pub(super) published: String,
}

impl Journal {
    /// Opens the journal of the directory, or begins one for a new directory.
    ///
    /// # Errors
    /// `HW0503` if the directory belongs to another sink or holds other columns.
    pub(super) fn open_or_create(place: &Place, context: &SinkContext, columns: &Columns) -> Result<Self> {
        let columns = columns
            .iter()
            .map(|column| ColumnState {
                name: column.name.clone(),
                kind: column.kind.to_string(),
                required: column.required,
            })
            .collect();
        let fresh = State {
            version: VERSION,
            app: context.app.clone(),
            sink: context.sink.clone(),
            columns,
            applied: None,
            publishing: None,
        };
        if let Some(state) = read(place)? {
            let differences = differences(&state, &fresh);
            if !differences.is_empty() {
                return Err(fault::table_does_not_fit(&place.target, &differences));
            }
            return Ok(Self { place: place.clone(), state });
        }
        let staged = place.staged();
        durable::create_directories(&staged).map_err(|error| fault::storage("create", &staged, error))?;
        let mut journal = Self { place: place.clone(), state: fresh.clone() };
        journal.write(fresh)?;
        Ok(journal)
    }

    /// Opens the journal of a directory that [`open_or_create`](Self::open_or_create) has seen.
    pub(super) fn open(place: &Place) -> Result<Self> {
        match read(place)? {
            Some(state) => Ok(Self { place: place.clone(), state }),
            None => Err(Error::new(
                ErrorKind::Sink,
                "HW0508",
                format!("{} is missing in {}", FILE_NAME, place.directory.display()),
            )
            .help("open the sink before asking for its committer; do not delete this file, it says what was applied")),
        }
    }

    /// Up to where descriptors have been applied, after finishing a publication that a crash interrupted.
    pub(super) fn settle(&mut self) -> Result<CommitPosition> {
        *self = Self::open(&self.place)?;
        if let Some(publication) = self.state.publishing.clone() {
            self.finish(&publication)?;
        }
        Ok(self.state.applied)
    }

    /// Makes the files of `publication` appear.
    pub(super) fn publish(&mut self, publication: &Publication) -> Result<()> {
        self.write(State { publishing: Some(publication.clone()), ..self.state.clone() })?;
        failpoint::reach("publication-noted");
        self.finish(publication)
    }

    fn finish(&mut self, publication: &Publication) -> Result<()> {
        for Rename { staged, published } in &publication.renames {
            let (from, to) = (self.place.staged_file(staged), self.place.published_file(published));
            match fs::rename(&from, &to) {
                Ok(()) => {}
                // Renamed before the crash.
                Err(error) if error.kind() == io::ErrorKind::NotFound && to.is_file() => {}
                Err(error) => return Err(fault::storage("publish", &from, error)),
            }
            failpoint::reach("file-published");
        }
        let directory = &self.place.directory;
        durable::sync_directory(directory).map_err(|error| fault::storage("make durable", directory, error))?;
        self.write(State { applied: Some(publication.to), publishing: None, ..self.state.clone() })?;
        failpoint::reach("position-written");
        durable::delete_quietly(publication.merged.iter().map(|name| self.place.staged_file(name)));
        Ok(())
    }

    fn write(&mut self, state: State) -> Result<()> {
        let path = self.path();
        let json = serde_json::to_vec_pretty(&state).map_err(|error| fault::lake("write the journal", error))?;
        durable::write_atomically(&path, &json).map_err(|error| fault::storage("write", &path, error))?;
        self.state = state;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.place.directory.join(FILE_NAME)
    }
}

fn read(place: &Place) -> Result<Option<State>> {
    let path = place.directory.join(FILE_NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault::storage("read", &path, error)),
    };
    let unreadable = |what: String| {
        Error::new(ErrorKind::Sink, "HW0508", format!("{} cannot be read: {what}", path.display()))
            .help("restore the file from a copy, or write to a new directory by a replay")
    };
    let state: State = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if state.version != VERSION {
        return Err(unreadable(format!("it has version {}, and this program knows {VERSION}", state.version)));
    }
    Ok(Some(state))
}

fn differences(there: &State, wanted: &State) -> Vec<String> {
    let mut differences = Vec::new();
    if (&there.app, &there.sink) != (&wanted.app, &wanted.sink) {
        differences.push(format!("the directory belongs to sink {} of program {}", there.sink, there.app));
    }
    let text = |column: &ColumnState| {
        format!("{} {} {}", column.name, column.kind, if column.required { "required" } else { "optional" })
    };
    for column in wanted.columns.iter().filter(|column| !there.columns.contains(column)) {
        differences.push(format!("column {} is not in the directory's files", text(column)));
    }
    for column in there.columns.iter().filter(|column| !wanted.columns.contains(column)) {
        differences.push(format!("column {} is in the directory's files and not in the sink", text(column)));
    }
    differences
}
