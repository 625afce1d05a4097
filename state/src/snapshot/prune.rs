//! Removing old snapshots and the files that only they had.

use std::{collections::HashSet, fs, path::Path};

use headwater_core::Result;

use super::{Manifest, SnapshotStore, entry_names, file_name, files::sync_dir, ids_in};
use crate::errors;

/// What [`SnapshotStore::prune`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The number of snapshots.
    pub snapshots: usize,
    /// The number of files that no snapshot needs any more.
    pub files: usize,
    /// The length of those files.
    pub bytes: u64,
}

impl SnapshotStore {
    /// Keeps the newest `keep` snapshots of each task of `app` (at least one), removes the older ones, and then every
    /// file that no snapshot of any application needs.
    ///
    /// # Errors
    /// `HW0410` if any manifest is damaged: nobody knows then which files it needs, and no file is removed. `HW0402` if
    /// the directory cannot be written.
    pub fn prune(&self, app: &str, keep: usize) -> Result<Pruned> {
        let app_dir = self.app_dir(app)?;
        let lock = self.open_lock()?;
        lock.lock().map_err(|error| errors::storage("lock", &self.root, error))?;
        let mut pruned = Pruned::default();
        for task in entry_names(&app_dir)? {
            let dir = app_dir.join(task);
            let ids = ids_in(&dir)?;
            let old = ids.len().saturating_sub(keep.max(1));
            for id in ids.iter().take(old) {
                remove(&dir.join(file_name(id)))?;
                pruned.snapshots += 1;
            }
            // A manifest must be gone for good before its files go.
            sync_dir(&dir)?;
        }
        self.remove_unused(&mut pruned)?;
        Ok(pruned)
    }

    fn remove_unused(&self, pruned: &mut Pruned) -> Result<()> {
        let mut needed = HashSet::new();
        for app in entry_names(&self.manifests_dir())? {
            for task in entry_names(&self.manifests_dir().join(&app))? {
                let dir = self.manifests_dir().join(&app).join(task);
                for id in ids_in(&dir)? {
                    needed.extend(Manifest::read(&dir.join(file_name(&id)))?.files.into_iter().map(|file| file.sha256));
                }
            }
        }
        for name in entry_names(&self.files_dir())? {
            if !needed.contains(&name) {
                let path = self.files_dir().join(name);
                pruned.bytes += fs::metadata(&path).map_or(0, |found| found.len());
                remove(&path)?;
                pruned.files += 1;
            }
        }
        // Nobody makes a snapshot now, so what is here was left by an interrupted one.
        if self.tmp_dir().exists() {
            fs::remove_dir_all(self.tmp_dir()).map_err(|error| errors::storage("delete", &self.tmp_dir(), error))?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| errors::storage("delete", path, error))
}
