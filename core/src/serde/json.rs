//! JSON.

use serde::{Serialize, de::DeserializeOwned};

use super::{Payload, Serde, SerdeError, null};

/// JSON text, one value per payload, nothing after it.
///
/// `None` at the top level is a null payload, and so is not the text `null`; both decode to `None`. JSON has no form
/// for NaN and the infinities: serde_json writes `null` for them.
///
/// ```
/// use headwater_core::{Serde, serde::Json};
///
/// let mut out = Vec::new();
/// Json.encode(&vec![1, 2], &mut out).unwrap();
/// assert_eq!(out, b"[1,2]");
/// let back: Option<Vec<i32>> = Json.decode(Some(&out)).unwrap();
/// assert_eq!(back, Some(vec![1, 2]));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> Serde<T> for Json {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        if null::is_null(value) {
            return Ok(Payload::Null);
        }
        let start = out.len();
        match serde_json::to_writer(&mut *out, value) {
            Ok(()) => Ok(Payload::Bytes),
            Err(error) => {
                out.truncate(start);
                Err(SerdeError::new(error))
            }
        }
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        match bytes {
            None => null::from_null(),
            // `from_slice` refuses trailing bytes and nesting deeper than 128.
            Some(bytes) => serde_json::from_slice(bytes).map_err(SerdeError::new),
        }
    }

    fn format(&self) -> &'static str {
        "json"
    }
}
