//! Typed stores: the write buffer in front of a store's bytes. It is the record cache, the read cache and the
//! transaction's buffer at once; a row is encoded once per commit, however often it changed.

mod buffer;
mod emission;
mod kv;
mod layout;
mod window;

pub(crate) use emission::Emission;
pub(crate) use kv::{KvStore, StoreSerdes};
pub(crate) use layout::start_bound;
pub use layout::{decode_row, decode_window_key, encode_window_key};
pub(crate) use window::WindowKeys;
