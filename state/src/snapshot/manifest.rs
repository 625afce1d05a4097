//! What a snapshot consists of, in a file that vouches for itself.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind as IoErrorKind,
    path::{Component, Path},
    sync::Arc,
};

use headwater_core::{Offset, Result, TaskId, Timestamp, TopicPartition};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{digest::hex, errors};

pub(super) const FORMAT_VERSION: u32 = 1;

/// What a snapshot consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The manifest's format. Now 1.
    pub format_version: u32,
    /// The snapshot's id, unique for its application and task; later snapshots have greater ids.
    pub id: String,
    /// The application.
    pub app: String,
    /// The task whose stores these are.
    pub task: TaskId,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: Timestamp,
    /// The positions up to which the stores hold their inputs' effects.
    pub positions: Vec<SnapshotPosition>,
    /// The names of the stores in it.
    pub stores: Vec<String>,
    /// Its files.
    pub files: Vec<SnapshotFile>,
    /// What the maker of the snapshot wanted to be kept with it.
    pub extra: BTreeMap<String, String>,
}

/// One position of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPosition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// The offset of the next record to read.
    pub offset: Offset,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFile {
    /// Its name in the store's directory.
    pub name: String,
    /// The SHA-256 of its content, in lower-case hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// The file: the manifest's text and the hash of exactly that text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a> {
    sha256: String,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

impl Manifest {
    /// The positions as a map.
    pub fn position_map(&self) -> BTreeMap<TopicPartition, Offset> {
        self.positions
            .iter()
            .map(|position| (TopicPartition::new(Arc::clone(&position.topic), position.partition), position.offset))
            .collect()
    }

    /// The length of all its files.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The file's content.
    pub(super) fn seal(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string_pretty(self)?;
        let sha256 = hex(&Sha256::digest(&text));
        serde_json::to_string(&Sealed { sha256, manifest: &RawValue::from_string(text)? })
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let damaged = |what: &str| errors::damaged_snapshot(path, &id, what);
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Err(damaged("is missing")),
            Err(error) => return Err(errors::storage("read", path, error)),
        };
        let sealed: Sealed<'_> =
            serde_json::from_slice(&bytes).map_err(|error| damaged("is not a manifest").caused_by(error))?;
        if hex(&Sha256::digest(sealed.manifest.get())) != sealed.sha256 {
            return Err(damaged("does not have the content it was written with"));
        }
        let versioned: Versioned = serde_json::from_str(sealed.manifest.get())
            .map_err(|error| damaged("has no format version").caused_by(error))?;
        if versioned.format_version > FORMAT_VERSION {
            return Err(errors::newer_format(path, &versioned.format_version.to_string(), FORMAT_VERSION));
        }
        let manifest: Self = serde_json::from_str(sealed.manifest.get())
            .map_err(|error| damaged("lacks a part of a manifest").caused_by(error))?;
        if manifest.id != id {
            return Err(damaged("belongs to another snapshot"));
        }
        if let Some(file) = manifest.files.iter().find(|file| !is_plain(&file.name) || !is_plain(&file.sha256)) {
            return Err(damaged(&format!("names a file outside the store, {:?}", file.name)));
        }
        Ok(manifest)
    }
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

/// Whether a name stays in its directory.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn names_that_leave_the_directory_are_not_plain() {
        for plain in ["CURRENT", "000012.sst", ".hidden"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", ".", "..", "../x", "/etc/x", "a/b", "a/", "./a"] {
            assert!(!is_plain(other), "{other}");
        }
    }
}
