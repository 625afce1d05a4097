//! Typed stores: the write buffer in front of a store's bytes. It is the record cache, the read cache and the
//! transaction's buffer at once; a row is encoded once per commit, however often it changed.

mod buffer;
mod emission;
mod handle;
mod held;
mod kv;
mod layout;
mod ordered;
mod scan;
mod serdes;
mod timed;
mod types;
mod versioned;
mod windows;

pub(crate) use emission::{Emission, When};
pub use handle::{
    GlobalTableReader, KeyValueStore, Rows, SessionStore, SessionStoreRef, StoreRef, StoredSession, TableReader,
    TableRef, VersionedKeyValueStore, VersionedStoreRef, WindowStore, WindowStoreRef,
};
pub(crate) use held::HeldStore;
pub(crate) use kv::KvStore;
pub use layout::{
    KEPT_ROWS, TIMED_END, TIMED_ROWS, TimedKey, before_kept, decode_row, decode_time_entry, decode_timed_key,
    decode_window_key, encode_timed_key, encode_window_key, kept, time_entry_bound, timed_key_prefix,
};
pub(crate) use layout::{encode_row_head, start_bound};
pub(crate) use ordered::OrderedRows;
pub(crate) use serdes::{StoreSerdes, damaged};
pub(crate) use timed::{ChangedRow, News, TakenRow, TimedRow, TimedStore};
pub(crate) use types::DeclaredStore;
pub use types::StoreTypes;
pub(crate) use versioned::VersionedStore;
pub use versioned::{decode_version, encode_version_key, version_prefix};
pub(crate) use windows::WindowRows;
