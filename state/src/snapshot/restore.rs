//! Restoring a snapshot.

use std::{
    fs::{self, File},
    io::ErrorKind as IoErrorKind,
    path::{Path, PathBuf},
};

use headwater_core::{Error, ErrorKind, Result, TaskId};

use super::{
    Manifest, SnapshotFile, SnapshotStore, file_name,
    files::{Temporary, copy_and_hash, sync_dir, sync_file},
    ids_in, no_such_snapshot,
};
use crate::{directory::create_private_dir, errors};

impl SnapshotStore {
    /// Restores a snapshot, the newest one if `id` is `None`, into the directory `target`, which must not exist or be
    /// empty. Every file is checked against its hash on the way; `target` appears only when all is well.
    ///
    /// # Errors
    /// `HW0410` naming the file if the snapshot is damaged, `HW0411` if there is no such snapshot, `HW0412` if `target`
    /// is there already, `HW0402` if the disk is full. Nothing is left at `target` then.
    pub fn restore(&self, app: &str, task: TaskId, id: Option<&str>, target: &Path) -> Result<Manifest> {
        let dir = self.task_dir(app, task)?;
        let ids = ids_in(&dir)?;
        let chosen = match id {
            None => ids.last(),
            Some(id) => ids.iter().find(|known| *known == id),
        };
        let chosen = chosen.ok_or_else(|| no_such_snapshot(app, task, id))?;
        let lock = self.open_lock()?;
        lock.lock_shared().map_err(|error| errors::storage("lock", &self.root, error))?;
        let manifest_path = dir.join(file_name(chosen));
        let manifest = Manifest::read(&manifest_path)?;
        if manifest.app != app || manifest.task != task {
            return Err(errors::damaged_snapshot(&manifest_path, chosen, "belongs to another task"));
        }
        refuse_used(target)?;
        let copy = Temporary(beside(target));
        if copy.path().exists() {
            // An interrupted restore left it.
            fs::remove_dir_all(copy.path()).map_err(|error| errors::storage("delete", copy.path(), error))?;
        }
        create_private_dir(copy.path())?;
        for file in &manifest.files {
            self.fetch(file, &manifest.id, copy.path())?;
        }
        for file in &manifest.files {
            sync_file(&copy.path().join(&file.name))?;
        }
        sync_dir(copy.path())?;
        // Onto an empty directory too: a rename replaces one.
        fs::rename(copy.path(), target).map_err(|error| errors::storage("write", target, error))?;
        target.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)?;
        Ok(manifest)
    }

    /// Copies one file and checks it.
    fn fetch(&self, file: &SnapshotFile, snapshot: &str, to: &Path) -> Result<()> {
        let source = self.files_dir().join(&file.sha256);
        let damaged = |what: &str| {
            let what = format!("({} of the store) {what}", file.name);
            errors::damaged_snapshot(&source, snapshot, &what)
        };
        let from = match File::open(&source) {
            Ok(from) => from,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Err(damaged("is missing")),
            Err(error) => return Err(errors::storage("read", &source, error)),
        };
        let path = to.join(&file.name);
        let copied = File::create(&path).and_then(|to| copy_and_hash(from, to));
        let (bytes, sha256) = copied.map_err(|error| errors::storage("write", &path, error))?;
        if (bytes, &sha256) != (file.bytes, &file.sha256) {
            return Err(damaged("does not have the content it was written with"));
        }
        Ok(())
    }
}

/// Refuses a target that holds anything.
fn refuse_used(target: &Path) -> Result<()> {
    let used = match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == IoErrorKind::NotFound => false,
        Err(error) if error.kind() == IoErrorKind::NotADirectory => true,
        Err(error) => return Err(errors::storage("read", target, error)),
    };
    if used {
        return Err(Error::new(ErrorKind::State, "HW0412", format!("{} is there already", target.display()))
            .help("remove the task's state first, then restore"));
    }
    Ok(())
}

/// Where the copy is made: beside the target, so that one rename brings it there.
fn beside(target: &Path) -> PathBuf {
    let mut path = target.as_os_str().to_owned();
    path.push("~restoring");
    path.into()
}
