//! Where a program's log, state and lake are, and whose directory that is.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use headwater_core::{Error, ErrorKind, Result};
use headwater_log::Log;

use crate::{app::open_log, settings::Settings};

/// The file that marks a directory as ours. Its second line says which kind of log the state and the lake belong to.
const MARKER: &str = "HEADWATER";
/// The file that stands in the directory while `demo --fresh` is deleting.
pub(super) const UNFINISHED: &str = "HEADWATER.deleting";
const MARKER_TEXT: &str = "This directory belongs to a Headwater program: `demo --fresh` may delete what is in it.";
const LOG_WORD: &str = "log: ";

/// What a program keeps in its directory.
pub(super) const FOLDERS: [&str; 4] = [LOG, "state", "lake", "snapshots"];
/// The embedded log's folder.
pub(super) const LOG: &str = "log";

#[derive(Debug, Args)]
pub(super) struct Place {
    /// The directory of the embedded log, the state, the lake and the snapshots
    #[arg(long, value_name = "DIR", default_value = ".headwater")]
    pub(super) dir: PathBuf,
    /// Use Apache Kafka at this address [default: the embedded log in DIR]
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) brokers: Option<String>,
}

impl Place {
    /// Settings of version `version` in this place.
    pub(super) fn settings(&self, version: u32) -> Settings {
        Settings { version, create_output_topics: version > 1, ..Settings::in_dir(&self.dir) }
    }

    /// Opens the log; an embedded one is made if there is none.
    pub(super) fn log(&self) -> Result<Arc<dyn Log>> {
        open_log(&self.settings(1), self.brokers.as_deref())
    }

    /// Opens the log, which must be there.
    pub(super) fn existing_log(&self) -> Result<Arc<dyn Log>> {
        if self.brokers.is_none() {
            self.require(LOG)?;
        }
        self.log()
    }

    /// Refuses a directory without `folder`, before anything could make it.
    pub(super) fn require(&self, folder: &str) -> Result<()> {
        let path = self.dir.join(folder);
        if path.is_dir() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, "HW0701", format!("there is no {}; nothing was made", path.display()))
            .help("name the right directory with --dir, or fill it first with: demo"))
    }

    /// Makes the directory ours, or refuses it if its state and lake belong to another log.
    pub(super) fn adopt(&self) -> Result<()> {
        fs::create_dir_all(&self.dir).map_err(|error| cannot("be made", &self.dir, error))?;
        if self.dir.join(UNFINISHED).exists() {
            let message = format!("{} was being deleted by demo --fresh, which did not finish", self.dir.display());
            return Err(Error::new(ErrorKind::Config, "HW0712", message).help("finish it with: demo --fresh"));
        }
        let kind = if self.brokers.is_some() { "kafka" } else { "embedded" };
        match self.marker()? {
            Some(marker) => check_log(&self.dir, &marker, kind),
            // Folders of these names that somebody else has made are never put at the mercy of --fresh.
            None if FOLDERS.iter().any(|folder| self.dir.join(folder).exists()) => Ok(()),
            None => {
                let path = self.dir.join(MARKER);
                let text = format!("{MARKER_TEXT}\n{LOG_WORD}{kind}\n");
                fs::write(&path, text).map_err(|error| cannot("be written", &path, error))
            }
        }
    }

    /// The marker's text, if there is one.
    pub(super) fn marker(&self) -> Result<Option<String>> {
        let path = self.dir.join(MARKER);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("be read", &path, error)),
        }
    }
}

/// State and tables remember positions in one log; with another one they would skip or repeat records.
fn check_log(dir: &Path, marker: &str, kind: &str) -> Result<()> {
    let Some(other) = marker.lines().find_map(|line| line.strip_prefix(LOG_WORD)) else { return Ok(()) };
    if other == kind {
        return Ok(());
    }
    let message = format!("{} holds state and tables of the {other} log, and this is the {kind} log", dir.display());
    Err(Error::new(ErrorKind::Config, "HW0703", message)
        .help("use one directory per log: give another --dir, or the --brokers that the directory was made with"))
}

/// A directory or file that cannot be used.
pub(super) fn cannot(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Storage, "HW0704", format!("{} cannot {what}", path.display()))
        .caused_by(error)
        .help("check the path, its permissions and the room on the disk; what was committed is safe")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dir: &Path, brokers: Option<&str>) -> Place {
        Place { dir: dir.to_owned(), brokers: brokers.map(str::to_owned) }
    }

    #[test]
    fn looking_into_a_directory_that_is_not_there_makes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("missing");
        assert_eq!(place(&dir, None).existing_log().err().unwrap().code(), "HW0701");
        assert!(!dir.exists());
    }

    #[test]
    fn a_directory_belongs_to_one_kind_of_log() {
        let dir = tempfile::tempdir().unwrap();
        place(dir.path(), None).adopt().unwrap();
        place(dir.path(), None).adopt().unwrap();
        assert_eq!(place(dir.path(), Some("127.0.0.1:9")).adopt().unwrap_err().code(), "HW0703");
    }
}
