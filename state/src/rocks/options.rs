//! RocksDB's settings, the same for every family.

use rocksdb::{BlockBasedOptions, LogLevel, Options};

use crate::StoreMemory;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Settings for a task's database: no write-ahead log (the changelog is the log), so all families must reach the disk
/// together; small write buffers and one cache, because a process holds many of these.
pub(super) fn options(memory: &StoreMemory) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(memory.cache());
    table.set_block_size(8 * KIB);
    // Most joins miss: a filter answers those without reading a block.
    table.set_bloom_filter(10.0, false);
    table.set_whole_key_filtering(true);
    // Otherwise indexes and filters live outside the cache and its bound.
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);

    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.create_if_missing(true);
    options.set_atomic_flush(true);
    options.set_write_buffer_manager(memory.write_buffers());
    options.set_write_buffer_size(16 * MIB);
    options.set_max_write_buffer_number(3);
    // The default takes a megabyte for the first row of each family, and counts it against the shared bound.
    options.set_arena_block_size(32 * KIB);
    // One thread writes a task's stores.
    options.set_allow_concurrent_memtable_write(false);
    options.set_max_open_files(256);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(MIB);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}
