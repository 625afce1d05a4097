//! Bytes as they are.

use bytes::Bytes;

use super::{Payload, Serde, SerdeError};

/// Bytes as they are, for `Vec<u8>`, [`Bytes`] and their `Option`s. The same as Java's `ByteArraySerializer`.
///
/// ```
/// use headwater_core::{Serde, serde::Raw};
///
/// let back: Option<Vec<u8>> = Raw.decode(None).unwrap();
/// assert_eq!(back, None);
/// assert!(Serde::<Vec<u8>>::decode(&Raw, None).is_err());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

macro_rules! raw_bytes {
    ($bytes:ty, $copy:expr) => {
        impl Serde<$bytes> for Raw {
            fn encode(&self, value: &$bytes, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
                out.extend_from_slice(value);
                Ok(Payload::Bytes)
            }

            fn decode(&self, bytes: Option<&[u8]>) -> Result<$bytes, SerdeError> {
                bytes.map($copy).ok_or(SerdeError::Null)
            }

            fn format(&self) -> &'static str {
                "raw"
            }
        }

        impl Serde<Option<$bytes>> for Raw {
            fn encode(&self, value: &Option<$bytes>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
                value.as_ref().map_or(Ok(Payload::Null), |value| self.encode(value, out))
            }

            fn decode(&self, bytes: Option<&[u8]>) -> Result<Option<$bytes>, SerdeError> {
                Ok(bytes.map($copy))
            }

            fn format(&self) -> &'static str {
                "raw"
            }
        }
    };
}

raw_bytes!(Vec<u8>, <[u8]>::to_vec);
raw_bytes!(Bytes, Bytes::copy_from_slice);
