//! RocksDB as the embedded log uses it: its options, its two families, and what its errors mean.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use headwater_core::{Error, ErrorKind, Result};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRawIterator,
    DBRecoveryMode, LogLevel, Options, Range, ReadOptions, WriteBatch, WriteBufferManager, WriteOptions,
};

use super::{keys, log::EmbeddedConfig, owner};

const FORMAT_VERSION: u8 = 1;
const LOG: &str = "log";
const META: &str = "default";

/// The opened database.
pub(super) struct Storage {
    db: DB,
    dir: PathBuf,
    /// The first failed write. RocksDB refuses further ones, and so do we, until the directory is opened anew:
    /// only then it is certain what is in it.
    failed: OnceLock<String>,
    _owner: owner::OwnerFile,
}

impl Storage {
    pub fn open(dir: &Path, config: &EmbeddedConfig) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(|error| cannot_write(dir, error))?;
        let families =
            [ColumnFamilyDescriptor::new(META, meta_options()), ColumnFamilyDescriptor::new(LOG, log_options(config))];
        let db = DB::open_cf_descriptors(&database_options(config), dir, families).map_err(|error| {
            let message: &str = error.as_ref();
            if message.contains("LOCK: ") { owner::held(dir) } else { classify(dir, &error) }
        })?;
        let owner = owner::OwnerFile::write(dir).map_err(|error| cannot_write(dir, error))?;
        let storage = Self { db, dir: dir.to_owned(), failed: OnceLock::new(), _owner: owner };
        storage.check_format()?;
        Ok(storage)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn check_format(&self) -> Result<()> {
        match self.get(keys::FORMAT)?.as_deref() {
            Some([FORMAT_VERSION]) => Ok(()),
            None => {
                let mut batch = WriteBatch::default();
                batch.put(keys::FORMAT, [FORMAT_VERSION]);
                self.write(batch, true)
            }
            Some(other) => Err(Error::new(
                ErrorKind::State,
                "HW0320",
                format!("the log in {} has format {other:?}, this program reads {FORMAT_VERSION}", self.dir.display()),
            )
            .help("open it with the version of Headwater that wrote it")),
        }
    }

    /// The family of record batches.
    pub fn log(&self) -> Result<&ColumnFamily> {
        self.family(LOG)
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily> {
        self.db.cf_handle(name).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "HW0324", format!("{} has no family {name:?}", self.dir.display()))
        })
    }

    /// Writes all of `batch` or nothing; `sync` makes it outlast a power cut.
    pub fn write(&self, batch: WriteBatch, sync: bool) -> Result<()> {
        self.check_usable()?;
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(batch, &options).map_err(|error| self.fail(&error))
    }

    /// Makes everything written so far outlast a power cut.
    pub fn sync(&self) -> Result<()> {
        self.check_usable()?;
        self.db.flush_wal(true).map_err(|error| self.fail(&error))
    }

    /// An error once a write has failed.
    pub fn check_usable(&self) -> Result<()> {
        match self.failed.get() {
            None => Ok(()),
            Some(first) => Err(unusable(&self.dir, first)),
        }
    }

    fn fail(&self, error: &rocksdb::Error) -> Error {
        let _ = self.failed.set(error.to_string());
        classify(&self.dir, error)
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get(key).map_err(|error| classify(&self.dir, &error))
    }

    /// Calls `visit` for each entry of the default family from `lower` to before `upper`.
    pub fn scan(&self, lower: &[u8], upper: &[u8], mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let mut iter = self.db.raw_iterator_opt(bounded(lower, upper));
        iter.seek_to_first();
        while let Some((key, value)) = iter.item() {
            visit(key, value)?;
            iter.next();
        }
        self.check(&iter)
    }

    /// The first entry of the default family from `lower` to before `upper`.
    pub fn first(&self, lower: &[u8], upper: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut iter = self.db.raw_iterator_opt(bounded(lower, upper));
        iter.seek_to_first();
        let found = iter.item().map(|(key, value)| (key.to_vec(), value.to_vec()));
        self.check(&iter)?;
        Ok(found)
    }

    /// The last entry of the default family from `lower` to before `upper`.
    pub fn last(&self, lower: &[u8], upper: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut iter = self.db.raw_iterator_opt(bounded(lower, upper));
        iter.seek_to_last();
        let found = iter.item().map(|(key, value)| (key.to_vec(), value.to_vec()));
        self.check(&iter)?;
        Ok(found)
    }

    /// An iterator over the batches from `lower` to before `upper`, not yet positioned.
    pub fn batches(&self, lower: &[u8], upper: &[u8]) -> Result<DBRawIterator<'_>> {
        Ok(self.db.raw_iterator_cf_opt(self.log()?, bounded(lower, upper)))
    }

    /// An iterator that has become invalid is at its end only if this says so.
    pub fn check(&self, iter: &DBRawIterator<'_>) -> Result<()> {
        iter.status().map_err(|error| classify(&self.dir, &error))
    }

    /// Gives the disk space of deleted batches back. `delete_range` alone would leave it to a compaction that may
    /// never come.
    pub fn reclaim(&self, from: &[u8], to: &[u8]) -> Result<()> {
        let log = self.log()?;
        let fail = |error: rocksdb::Error| classify(&self.dir, &error);
        self.db.delete_file_in_range_cf(log, from, to).map_err(fail)?;
        self.db.flush_cf(log).map_err(fail)?;
        // A WAL file goes only when no family needs it, and the small one may not fill its memory for days.
        self.db.flush_cf(self.family(META)?).map_err(fail)?;
        self.db.compact_range_cf(log, Some(from), Some(to));
        Ok(())
    }

    /// About how many bytes on disk the batches of a range take; those still in memory do not count.
    pub fn bytes_on_disk(&self, from: &[u8], to: &[u8]) -> Result<u64> {
        Ok(self.db.get_approximate_sizes_cf(self.log()?, &[Range::new(from, to)]).iter().sum())
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if self.failed.get().is_some() {
            return;
        }
        // With nothing left to replay, the next open takes milliseconds.
        let families = [self.db.cf_handle(LOG), self.db.cf_handle(META)];
        for family in families.into_iter().flatten() {
            if let Err(error) = self.db.flush_cf(family) {
                tracing::warn!(dir = %self.dir.display(), %error, "the log could not be flushed on closing");
            }
        }
    }
}

fn database_options(config: &EmbeddedConfig) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // RocksDB's default opens silently after damage in the middle of the WAL and drops every later commit.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options.set_log_level(LogLevel::Warn);
    // The small family would otherwise keep old WAL files alive, and replaying them takes 3 ms per MiB.
    options.set_max_total_wal_size(64 << 20);
    options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(config.memory_bytes, false));
    options
}

fn meta_options() -> Options {
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(4 << 20);
    options
}

fn log_options(config: &EmbeddedConfig) -> Options {
    let mut options = Options::default();
    // Producers that care compress their values; level and uncompressed reads and writes fastest.
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size((config.memory_bytes / 3).max(1 << 20));
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(8 << 20));
    options.set_block_based_table_factory(&table);
    options
}

fn bounded(lower: &[u8], upper: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(lower);
    options.set_iterate_upper_bound(upper);
    options.fill_cache(false);
    options
}

fn classify(dir: &Path, error: &rocksdb::Error) -> Error {
    if error.kind() == rocksdb::ErrorKind::Corruption {
        return Error::new(ErrorKind::State, "HW0316", format!("the log in {} is damaged: {error}", dir.display()))
            .help("the disk or another program changed its files; restore the directory from a copy");
    }
    cannot_write(dir, error)
}

fn cannot_write(dir: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Storage, "HW0314", format!("the log in {} cannot be written: {error}", dir.display()))
        .help("make room or make the directory writable and start again; what was committed is safe")
}

fn unusable(dir: &Path, first: &str) -> Error {
    Error::new(
        ErrorKind::Storage,
        "HW0314",
        format!("the log in {} takes no more writes since one failed: {first}", dir.display()),
    )
    .help("make room or make the directory writable and start again; what was committed is safe")
}
