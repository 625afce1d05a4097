//! The memory that all stores of a process share.

use std::fmt;

use rocksdb::{Cache, WriteBufferManager};

/// One block cache and one bound on write buffers for all stores of a process. Cheap to clone: clones share.
///
/// Write buffers are charged to the cache, so `cache_bytes` is the bound on both together; give at least twice
/// `write_buffer_bytes`, and at least 1 MiB of write buffers per task: whoever writes when the bound is reached flushes
/// its own buffers, however small, so a tight bound means many small files. Default: 128 MiB and 48 MiB.
#[derive(Clone)]
pub struct StoreMemory {
    cache: Cache,
    write_buffers: WriteBufferManager,
    cache_bytes: usize,
}

impl StoreMemory {
    /// A cache of `cache_bytes`, in which up to `write_buffer_bytes` of unflushed changes live. Past that bound the
    /// oldest are flushed; writers never wait for it.
    pub fn new(cache_bytes: usize, write_buffer_bytes: usize) -> Self {
        let cache = Cache::new_lru_cache(cache_bytes);
        let write_buffers =
            WriteBufferManager::new_write_buffer_manager_with_cache(write_buffer_bytes, false, cache.clone());
        Self { cache, write_buffers, cache_bytes }
    }

    /// The bytes of unflushed changes now held in memory.
    pub fn write_buffer_usage(&self) -> usize {
        self.write_buffers.get_usage()
    }

    /// The bytes now in the cache, write buffers included.
    pub fn cache_usage(&self) -> usize {
        self.cache.get_usage()
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) fn write_buffers(&self) -> &WriteBufferManager {
        &self.write_buffers
    }
}

impl Default for StoreMemory {
    fn default() -> Self {
        Self::new(128 * 1024 * 1024, 48 * 1024 * 1024)
    }
}

impl fmt::Debug for StoreMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreMemory")
            .field("cache_bytes", &self.cache_bytes)
            .field("write_buffer_bytes", &self.write_buffers.get_buffer_size())
            .finish()
    }
}
