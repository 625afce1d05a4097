//! Copies that are complete, checked and durable before anybody can see them.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use headwater_core::Result;
use sha2::{Digest, Sha256};

use crate::{digest::hex, directory::create_private_dir, errors};

const COPY_BUFFER: usize = 128 * 1024;

/// The length and SHA-256 of what `from` holds, copied to `to`.
pub(super) fn copy_and_hash(mut from: impl Read, mut to: impl Write) -> io::Result<(u64, String)> {
    let mut buffer = vec![0; COPY_BUFFER];
    let (mut bytes, mut hash) = (0, Sha256::new());
    loop {
        let read = match from.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Ok((bytes, hex(&hash.finalize())));
        }
        hash.update(part);
        to.write_all(part)?;
        bytes += read as u64;
    }
}

/// The length and SHA-256 of a file.
pub(super) fn hash_file(path: &Path) -> Result<(u64, String)> {
    let hash = || copy_and_hash(File::open(path)?, io::sink());
    hash().map_err(|error| errors::storage("read", path, error))
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| errors::storage("write", dir, error))
}

/// Makes a file's content durable.
pub(super) fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| errors::storage("write", path, error))
}

/// A path under `dir` that no other call of any process uses.
pub(super) fn unique_path(dir: &Path) -> Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    create_private_dir(dir)?;
    Ok(dir.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))))
}

/// A directory or file that disappears with this value.
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next `prune`.
        let _ = if self.0.is_dir() { fs::remove_dir_all(&self.0) } else { fs::remove_file(&self.0) };
    }
}
