//! Who holds a log directory: RocksDB's lock decides, the file `owner` beside it says who.

use std::{
    fs,
    path::{Path, PathBuf},
};

use headwater_core::{Error, ErrorKind};

/// Written once the lock is held, removed on a clean close.
#[derive(Debug)]
pub(super) struct OwnerFile(PathBuf);

impl OwnerFile {
    pub fn write(dir: &Path) -> std::io::Result<Self> {
        let path = path(dir);
        let program = std::env::args_os().next().unwrap_or_default();
        fs::write(&path, format!("{}\n{}\n", std::process::id(), Path::new(&program).display()))?;
        Ok(Self(path))
    }
}

impl Drop for OwnerFile {
    fn drop(&mut self) {
        // It only serves messages; the next holder overwrites one that stays.
        let _ = fs::remove_file(&self.0);
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("owner")
}

/// The error of somebody who found the directory locked.
pub(super) fn held(dir: &Path) -> Error {
    let text = fs::read_to_string(path(dir)).unwrap_or_default();
    let mut lines = text.lines();
    let who = match (lines.next(), lines.next()) {
        (Some(pid), _) if pid == std::process::id().to_string() => format!("this process (pid {pid})"),
        (Some(pid), Some(program)) => format!("process {pid} ({program})"),
        _ => "another process".to_owned(),
    };
    Error::new(ErrorKind::State, "HW0313", format!("the log directory {} is in use by {who}", dir.display()))
        .help("wait until it has ended or stop it; one process at a time can open an embedded log")
}
