//! The committer of a Parquet sink: gathers what committed descriptors name, and publishes it when there is enough
//! or it is old enough.

use std::{fs::File, path::PathBuf, time::Instant};

use headwater_core::{CommitPosition, Descriptor, Offset, Result, SinkCommitter};

use super::{
    Place, Roll,
    journal::{Journal, Publication, Rename},
    merge::merge,
    staged::StagedFile,
    writer::FilesDescriptor,
};
use crate::{descriptor, failpoint, fault};

pub(super) struct Committer {
    place: Place,
    journal: Journal,
    roll: Roll,
    /// What the directory holds, as far as this committer knows; `None` until it has looked.
    seen: Option<CommitPosition>,
    /// Taken but not published, in order. Its rows are safe in staged files; after a crash the descriptors come again.
    waiting: Vec<(Offset, Vec<StagedFile>)>,
    waiting_since: Option<Instant>,
}

impl Committer {
    pub(super) fn new(place: Place, journal: Journal, roll: Roll) -> Self {
        Self { place, journal, roll, seen: None, waiting: Vec::new(), waiting_since: None }
    }

    fn full(&self) -> bool {
        let bytes: u64 = self.waiting.iter().flat_map(|(_, files)| files).map(|file| file.bytes).sum();
        bytes >= self.roll.bytes || self.waiting_since.is_some_and(|since| since.elapsed() >= self.roll.age)
    }

    /// Two committers of one directory must not change it at a time; the lock goes with the file handle.
    fn lock(&self) -> Result<File> {
        let path = self.place.directory.join("_lock");
        let lock = File::create(&path).map_err(|error| fault::storage("create", &path, error))?;
        lock.lock().map_err(|error| fault::storage("lock", &path, error))?;
        Ok(lock)
    }

    fn publish(&mut self) -> Result<()> {
        let _lock = self.lock()?;
        let applied = self.journal.settle()?;
        let seen = self.seen.flatten();
        if applied < seen {
            let name = |position: CommitPosition| position.map_or_else(|| "nothing".to_owned(), |to| to.to_string());
            let what = format!("it holds descriptors up to {} and held up to {}", name(applied), name(seen));
            return Err(fault::rolled_back(&self.place.target, &what));
        }
        self.waiting.retain(|(offset, _)| applied.is_none_or(|done| *offset >= done));
        if let Some((newest, _)) = self.waiting.last() {
            let publication = self.gather(applied.unwrap_or(0), newest + 1)?;
            self.journal.publish(&publication)?;
            self.seen = Some(Some(newest + 1));
        } else {
            self.seen = Some(applied);
        }
        self.waiting.clear();
        self.waiting_since = None;
        Ok(())
    }

    /// Puts the waiting files together into files of about the wanted size.
    fn gather(&self, from: Offset, to: Offset) -> Result<Publication> {
        for file in self.waiting.iter().flat_map(|(_, files)| files) {
            let path = self.place.staged_file(&file.name);
            std::fs::metadata(&path).map_err(|error| fault::storage("find the committed file", &path, error))?;
        }
        let mut publication = Publication { to, renames: Vec::new(), merged: Vec::new() };
        for (number, group) in self.groups().into_iter().enumerate() {
            let published = format!("{from:020}-{to:020}-{number:05}.parquet");
            let staged = match group.as_slice() {
                [only] => only.name.clone(),
                parts => {
                    // The range names it, so a repeated attempt replaces its predecessor's.
                    let merged = format!("{published}.staged");
                    let paths: Vec<PathBuf> = parts.iter().map(|part| self.place.staged_file(&part.name)).collect();
                    merge(&paths, &self.place.staged_file(&merged))?;
                    publication.merged.extend(parts.iter().map(|part| part.name.clone()));
                    merged
                }
            };
            publication.renames.push(Rename { staged, published });
        }
        failpoint::reach("files-merged");
        Ok(publication)
    }

    /// A group is full when it reaches the wanted size, so that one more small file does not stay alone.
    fn groups(&self) -> Vec<Vec<&StagedFile>> {
        let mut groups: Vec<Vec<&StagedFile>> = Vec::new();
        let mut bytes = 0_u64;
        for file in self.waiting.iter().flat_map(|(_, files)| files) {
            match groups.last_mut() {
                Some(group) if bytes < self.roll.bytes => {
                    group.push(file);
                    bytes += file.bytes;
                }
                _ => {
                    groups.push(vec![file]);
                    bytes = file.bytes;
                }
            }
        }
        groups
    }
}

impl SinkCommitter for Committer {
    fn recover(&mut self) -> Result<CommitPosition> {
        let _lock = self.lock()?;
        let position = self.journal.settle()?;
        self.seen = Some(position);
        self.waiting.clear();
        self.waiting_since = None;
        Ok(position)
    }

    fn commit(&mut self, descriptors: &[(Offset, Descriptor)]) -> Result<()> {
        let seen = match self.seen {
            Some(seen) => seen,
            None => self.recover()?,
        };
        let mut next = self.waiting.last().map(|(offset, _)| offset + 1).or(seen);
        for (offset, bytes) in descriptors {
            if next.is_some_and(|next| *offset < next) {
                continue;
            }
            let described: FilesDescriptor = descriptor::decode(&self.place.target, bytes)?;
            self.waiting.push((*offset, described.files));
            self.waiting_since.get_or_insert_with(Instant::now);
            next = Some(offset + 1);
        }
        if self.full() { self.publish() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() { Ok(()) } else { self.publish() }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        // Only for visibility: what stays unpublished comes again at the next start.
        if let Err(error) = self.flush() {
            tracing::warn!(%error, target = self.place.target, "could not publish the last files");
        }
    }
}
