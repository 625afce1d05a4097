//! RocksDB without a log around it: the same bytes, one write batch per record batch, the embedded log's own options.

use std::path::Path;

use headwater_core::RecordBatch;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Options, ReadOptions, WriteBatch,
    WriteBufferManager,
};

use crate::Outcome;

/// The log's default for records held in memory.
const MEMORY_BYTES: usize = 48 << 20;
const FAMILY: &str = "log";

/// A bare RocksDB.
pub struct BareRocks(DB);

impl BareRocks {
    /// Opens it in `dir`.
    ///
    /// # Errors
    /// What RocksDB reports.
    pub fn open(dir: &Path) -> Outcome<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_background_jobs(2);
        options.set_max_total_wal_size(64 << 20);
        options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(MEMORY_BYTES, false));
        let mut family = Options::default();
        family.set_compression_type(DBCompressionType::None);
        family.set_write_buffer_size(MEMORY_BYTES / 3);
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&Cache::new_lru_cache(8 << 20));
        family.set_block_based_table_factory(&table);
        Ok(Self(DB::open_cf_descriptors(&options, dir, [ColumnFamilyDescriptor::new(FAMILY, family)])?))
    }

    /// Writes each batch under its base offset, in a write batch of its own.
    ///
    /// # Errors
    /// What RocksDB reports.
    pub fn write(&self, batches: &[RecordBatch]) -> Outcome<()> {
        let family = self.0.cf_handle(FAMILY).ok_or("the family is missing")?;
        for batch in batches {
            let mut write = WriteBatch::default();
            write.put_cf(family, batch.base_offset().to_be_bytes(), batch.as_bytes());
            self.0.write(write)?;
        }
        Ok(())
    }

    /// Reads all values in order; returns their bytes.
    ///
    /// # Errors
    /// What RocksDB reports.
    pub fn scan(&self) -> Outcome<usize> {
        let family = self.0.cf_handle(FAMILY).ok_or("the family is missing")?;
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        let mut entries = self.0.raw_iterator_cf_opt(family, options);
        entries.seek_to_first();
        let mut bytes = 0;
        while let Some(value) = entries.value() {
            bytes += value.len();
            entries.next();
        }
        entries.status()?;
        Ok(bytes)
    }

    /// Writes what is in memory to files, as the log does when it closes.
    ///
    /// # Errors
    /// What RocksDB reports.
    pub fn close(self) -> Outcome<()> {
        self.0.flush_cf(self.0.cf_handle(FAMILY).ok_or("the family is missing")?)?;
        Ok(())
    }
}
