//! Files that survive a power cut: what it takes on a POSIX file system, and no more.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use headwater_core::Result;

use crate::fault;

/// How many files are made durable at a time: their journal commits then share one disk flush.
const PARALLEL_SYNCS: usize = 8;

/// Puts `bytes` under `path` so that readers see the old content or the new one, never a part.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path);
    let mut file = File::create(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_parent(path)
}

/// The name a file has while it is being written: beside the final one, hidden, and never ending in `.parquet`.
pub(crate) fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

/// Makes the entries of the directory that holds `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Creates a directory and its parents, and makes the new entries durable.
pub(crate) fn create_directories(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        create_directories(parent)?;
    }
    match fs::create_dir(directory) {
        // Another thread may have been faster; a file of that name is another matter.
        Err(error) if !directory.is_dir() => return Err(error),
        _ => {}
    }
    sync_parent(directory)
}

/// Makes finished files durable, and their entries in the three directories above them, which may be new.
pub(crate) fn sync_all(files: &[PathBuf]) -> Result<()> {
    let directories: BTreeSet<PathBuf> =
        files.iter().flat_map(|file| file.ancestors().skip(1).take(3).map(Path::to_owned)).collect();
    let directories: Vec<PathBuf> = directories.into_iter().collect();
    sync_each(files)?;
    sync_each(&directories)
}

fn sync_each(paths: &[PathBuf]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(|error| fault::storage("make durable", path, error))?;
        }
        Ok(())
    };
    let threads = PARALLEL_SYNCS.min(paths.len());
    if threads <= 1 {
        return work();
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Deletes files of which nobody else knows. A file that cannot be deleted is left behind and reported: it is
/// garbage, not damage.
pub(crate) fn delete_quietly<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) {
    for path in paths {
        let path = path.as_ref();
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "could not delete a file that is no longer needed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("position.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_named_when_it_cannot_be_made_durable() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("a");
        fs::write(&there, b"x").unwrap();
        let error = sync_all(&[there, dir.path().join("missing")]).unwrap_err();
        assert_eq!(error.code(), "HW0504");
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
