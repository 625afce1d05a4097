//! Postcard.

use ::postcard::{Deserializer, Serializer, ser_flavors::Flavor};
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed},
};

use super::{
    Payload, Serde, SerdeError, null,
    transparent::{Seed, Transparent},
};

/// Postcard 1: compact, not self-describing; the reader's type must be the writer's.
///
/// `None` at the top level is a null payload and `Some` adds nothing; deeper inside both are Postcard's own. Bytes
/// after the value, nesting deeper than 128 and more than 65,536 elements without any bytes are refused.
///
/// ```
/// use headwater_core::{Serde, serde::Postcard};
///
/// let mut out = Vec::new();
/// Postcard.encode(&Some("ab".to_owned()), &mut out).unwrap();
/// assert_eq!(out, [2, b'a', b'b']);
/// let back: String = Postcard.decode(Some(&out)).unwrap();
/// assert_eq!(back, "ab");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Postcard;

impl<T: Serialize + DeserializeOwned> Serde<T> for Postcard {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        if null::is_null(value) {
            return Ok(Payload::Null);
        }
        let start = out.len();
        let mut serializer = Serializer { output: Append(&mut *out) };
        match value.serialize(Transparent(&mut serializer)) {
            Ok(()) => Ok(Payload::Bytes),
            Err(error) => {
                out.truncate(start);
                Err(SerdeError::new(error))
            }
        }
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        let Some(bytes) = bytes else { return null::from_null() };
        let mut deserializer = Deserializer::from_bytes(bytes);
        let value = Seed::for_bytes(bytes).deserialize(&mut deserializer).map_err(SerdeError::new)?;
        let rest = deserializer.finalize().map_err(SerdeError::new)?;
        if rest.is_empty() { Ok(value) } else { Err(SerdeError::trailing(rest.len())) }
    }

    fn format(&self) -> &'static str {
        "postcard"
    }
}

/// Postcard's output into the caller's buffer.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> ::postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> ::postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> ::postcard::Result<()> {
        Ok(())
    }
}
