//! Making a snapshot.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind as IoErrorKind, Write},
    path::Path,
};

use headwater_core::{Error, ErrorKind, Result, TaskId, Timestamp};

use super::{
    Manifest, SnapshotFile, SnapshotPosition, SnapshotStore, entry_names, file_name,
    files::{Temporary, copy_and_hash, hash_file, sync_dir, sync_file, unique_path},
    id_of, ids_in,
    manifest::FORMAT_VERSION,
};
use crate::{TaskStore, directory::create_private_dir, errors};

impl SnapshotStore {
    /// Makes a snapshot of everything applied to `store` so far. Files that an earlier snapshot has are not copied
    /// again. The snapshot exists from the moment its manifest does; until then nobody sees it.
    ///
    /// # Errors
    /// `HW0402` if the disk is full, `HW0405` if `store` cannot be read, `HW0406` if it is in memory.
    pub fn create(
        &self,
        app: &str,
        task: TaskId,
        store: &TaskStore,
        extra: BTreeMap<String, String>,
        now_ms: Timestamp,
    ) -> Result<Manifest> {
        let task_dir = self.task_dir(app, task)?;
        let lock = self.open_lock()?;
        lock.lock_shared().map_err(|error| errors::storage("lock", &self.root, error))?;
        let copy = Temporary(unique_path(&self.tmp_dir())?);
        let positions = store.checkpoint(copy.path())?;
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            id: String::new(),
            app: app.to_owned(),
            task,
            created_ms: now_ms,
            positions: positions
                .into_iter()
                .map(|(at, offset)| SnapshotPosition { topic: at.topic, partition: at.partition, offset })
                .collect(),
            stores: store.stores().to_vec(),
            files: self.keep_files(copy.path())?,
            extra,
        };
        self.publish(manifest, &task_dir)
    }

    /// Puts every file of `dir` under its hash.
    fn keep_files(&self, dir: &Path) -> Result<Vec<SnapshotFile>> {
        create_private_dir(&self.files_dir())?;
        let mut files = Vec::new();
        for name in entry_names(dir)? {
            let path = dir.join(&name);
            let (bytes, sha256) = hash_file(&path)?;
            let kept = self.files_dir().join(&sha256);
            if !fs::metadata(&kept).is_ok_and(|found| found.len() == bytes) {
                self.keep_file(&path, &kept)?;
            }
            files.push(SnapshotFile { name, sha256, bytes });
        }
        sync_dir(&self.files_dir())?;
        Ok(files)
    }

    /// Copies a file. A link would be free, but then damage to the store's disk block would be damage to its snapshot.
    fn keep_file(&self, from: &Path, to: &Path) -> Result<()> {
        let copy = Temporary(unique_path(&self.tmp_dir())?);
        let write = || copy_and_hash(File::open(from)?, File::create(copy.path())?);
        write().map_err(|error| errors::storage("write", copy.path(), error))?;
        sync_file(copy.path())?;
        fs::rename(copy.path(), to).map_err(|error| errors::storage("write", to, error))
    }

    /// Writes the manifest under the next free id.
    fn publish(&self, mut manifest: Manifest, task_dir: &Path) -> Result<Manifest> {
        create_private_dir(task_dir)?;
        loop {
            let last = ids_in(task_dir)?.pop().and_then(|id| id.parse::<u64>().ok()).unwrap_or(0);
            manifest.id = id_of(last + 1);
            let text = manifest.seal().map_err(|error| {
                Error::new(ErrorKind::Internal, "HW0407", "a snapshot's manifest cannot be written").caused_by(error)
            })?;
            let draft = Temporary(unique_path(&self.tmp_dir())?);
            let write = || File::create(draft.path())?.write_all(text.as_bytes());
            write().map_err(|error| errors::storage("write", draft.path(), error))?;
            sync_file(draft.path())?;
            let path = task_dir.join(file_name(&manifest.id));
            // A link, unlike a rename, fails if another process took the id in the meantime.
            match fs::hard_link(draft.path(), &path) {
                Ok(()) => break,
                Err(error) if error.kind() == IoErrorKind::AlreadyExists => {}
                Err(error) => return Err(errors::storage("write", &path, error)),
            }
        }
        self.sync_manifest_dirs(task_dir)?;
        Ok(manifest)
    }

    /// Makes a new manifest durable together with the directories that may be new.
    fn sync_manifest_dirs(&self, task_dir: &Path) -> Result<()> {
        task_dir.ancestors().take_while(|dir| dir.starts_with(&self.root)).try_for_each(sync_dir)
    }
}
