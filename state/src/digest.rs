//! A store's content as one hash, to prove that two stores are equal.

use std::{fmt, fmt::Write, ops::ControlFlow};

use headwater_core::{Result, StoreReader};
use sha2::{Digest, Sha256};

/// The content of one store: how many rows, and a SHA-256 over all of them in key order. Equal digests mean equal
/// content, whatever files or backend hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreDigest {
    /// The number of rows.
    pub rows: u64,
    /// SHA-256 in lower-case hex over each row's key and value, each with its length before it.
    pub sha256: String,
}

impl fmt::Display for StoreDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, sha256 {}", self.rows, self.sha256)
    }
}

impl StoreDigest {
    pub(crate) fn of(store: &impl StoreReader) -> Result<Self> {
        let (mut rows, mut hash) = (0, Sha256::new());
        store.range(&[], None, &mut |key, value| {
            for part in [key, value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            rows += 1;
            ControlFlow::Continue(())
        })?;
        Ok(Self { rows, sha256: hex(&hash.finalize()) })
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
