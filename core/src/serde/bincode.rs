//! Bincode.

use ::bincode::{
    config,
    serde::{encode_into_std_write, seed_decode_from_slice},
};
use serde::{Serialize, Serializer, de::DeserializeOwned};

use super::{
    Payload, Serde, SerdeError, null,
    transparent::{Seed, Transparent},
};

/// Bincode 2 in its standard configuration: little-endian, variable-length integers; not self-describing.
///
/// `None` at the top level is a null payload and `Some` adds nothing. Refuses what `Postcard` refuses. The
/// bincode crate is frozen: prefer `Postcard` for new topics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bincode;

/// The greatest memory one payload's strings may claim before they are read.
const CLAIM_LIMIT: usize = 64 * 1024 * 1024;

impl<T: Serialize + DeserializeOwned> Serde<T> for Bincode {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        if null::is_null(value) {
            return Ok(Payload::Null);
        }
        let start = out.len();
        match encode_into_std_write(AtTop(value), out, config::standard()) {
            Ok(_) => Ok(Payload::Bytes),
            Err(error) => {
                out.truncate(start);
                Err(SerdeError::new(error))
            }
        }
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        let Some(bytes) = bytes else { return null::from_null() };
        let config = config::standard().with_limit::<CLAIM_LIMIT>();
        let (value, read) = seed_decode_from_slice(Seed::for_bytes(bytes), bytes, config).map_err(SerdeError::new)?;
        if read == bytes.len() { Ok(value) } else { Err(SerdeError::trailing(bytes.len() - read)) }
    }

    fn format(&self) -> &'static str {
        "bincode"
    }
}

/// A value that writes itself without its top-level `Some`s: bincode does not hand out its serializer.
struct AtTop<'a, T>(&'a T);

impl<T: Serialize> Serialize for AtTop<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Transparent(serializer))
    }
}
