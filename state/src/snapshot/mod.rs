//! Snapshots: copies of a task's stores outside its state directory, each file checked by its hash.
//!
//! ```text
//! ROOT/manifests/APP/0_3/00000007.json    what snapshot 7 of task 0_3 consists of
//! ROOT/files/HASH                         a file of one or more snapshots, named by its SHA-256
//! ROOT/tmp/                               copies under way
//! ```

mod create;
mod files;
mod manifest;
mod prune;
mod restore;

use std::{
    fs::{self, File},
    io::ErrorKind as IoErrorKind,
    path::{Path, PathBuf},
};

use headwater_core::{Error, ErrorKind, Result, TaskId, check_name};

use crate::{directory::create_private_dir, errors};
pub use manifest::{Manifest, SnapshotFile, SnapshotPosition};
pub use prune::Pruned;

/// A directory of snapshots. Any number of programs may use one at the same time.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    root: PathBuf,
}

impl SnapshotStore {
    /// The snapshots under `root`; nothing is created before the first snapshot.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All snapshots of `app`, by task and then from old to new.
    ///
    /// # Errors
    /// `HW0410` naming the manifest if one is damaged, `HW0402` if the directory cannot be read.
    pub fn list(&self, app: &str) -> Result<Vec<Manifest>> {
        let mut found = Vec::new();
        for task in entry_names(&self.app_dir(app)?)? {
            let dir = self.app_dir(app)?.join(task);
            for id in ids_in(&dir)? {
                found.push(Manifest::read(&dir.join(file_name(&id)))?);
            }
        }
        found.sort_by(|a, b| (a.task, &a.id).cmp(&(b.task, &b.id)));
        Ok(found)
    }

    fn app_dir(&self, app: &str) -> Result<PathBuf> {
        check_name("application", app)?;
        Ok(self.manifests_dir().join(app))
    }

    fn task_dir(&self, app: &str, task: TaskId) -> Result<PathBuf> {
        Ok(self.app_dir(app)?.join(task.to_string()))
    }

    fn manifests_dir(&self) -> PathBuf {
        self.root.join("manifests")
    }

    fn files_dir(&self) -> PathBuf {
        self.root.join("files")
    }

    fn tmp_dir(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The lock between makers of snapshots (shared) and the removal of unused files (alone).
    fn open_lock(&self) -> Result<File> {
        create_private_dir(&self.root)?;
        let path = self.root.join(".lock");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        file.map_err(|error| errors::storage("open", &path, error))
    }
}

fn no_such_snapshot(app: &str, task: TaskId, id: Option<&str>) -> Error {
    let what = id.map_or_else(|| "no snapshot".to_owned(), |id| format!("no snapshot {id:?}"));
    Error::new(ErrorKind::State, "HW0411", format!("{what} of {app} for task {task}"))
        .help("list the snapshots, or let the state be rebuilt from the changelog")
}

/// The manifest's file name for a snapshot's id.
fn file_name(id: &str) -> String {
    format!("{id}.json")
}

/// A snapshot's number as its id: ids sort like numbers.
fn id_of(number: u64) -> String {
    format!("{number:08}")
}

/// The ids of the manifests in a task's directory, from old to new.
fn ids_in(dir: &Path) -> Result<Vec<String>> {
    let mut numbers: Vec<u64> = entry_names(dir)?
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .filter_map(|id| id.parse().ok().filter(|number| id_of(*number) == id))
        .collect();
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(id_of).collect())
}

/// The names in a directory, in order; none if it does not exist.
fn entry_names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(errors::storage("read", dir, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| errors::storage("read", dir, error))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
