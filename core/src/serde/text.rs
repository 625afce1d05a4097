//! Plain text.

use super::{Payload, Serde, SerdeError};

/// UTF-8 text as it is, for `String` and `Option<String>`. The same bytes as Java's `StringSerializer`.
///
/// ```
/// use headwater_core::{Payload, Serde, serde::Text};
///
/// let mut out = Vec::new();
/// assert_eq!(Text.encode(&None::<String>, &mut out).unwrap(), Payload::Null);
/// assert_eq!(Serde::<String>::decode(&Text, Some(b"EWR")).unwrap(), "EWR");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Text;

const FORMAT: &str = "text";

impl Serde<String> for Text {
    fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(Payload::Bytes)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        let text = std::str::from_utf8(bytes.ok_or(SerdeError::Null)?).map_err(SerdeError::new)?;
        Ok(text.to_owned())
    }

    fn format(&self) -> &'static str {
        FORMAT
    }
}

impl Serde<Option<String>> for Text {
    fn encode(&self, value: &Option<String>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        value.as_ref().map_or(Ok(Payload::Null), |value| self.encode(value, out))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Option<String>, SerdeError> {
        bytes.map(|bytes| self.decode(Some(bytes))).transpose()
    }

    fn format(&self) -> &'static str {
        FORMAT
    }
}
