//! Serdes: how keys and values become bytes. A format is a value (`Json`, `Postcard`, `Text` ...) that implements
//! [`Serde<T>`] for every type it can carry; a program's own format is one more implementation.

mod auto;
#[cfg(feature = "bincode")]
mod bincode;
mod json;
mod limits;
mod null;
mod ordered;
mod postcard;
mod raw;
mod text;
mod transparent;

pub use auto::Auto;
#[cfg(feature = "bincode")]
pub use bincode::Bincode;
pub use json::Json;
pub use null::is_null;
pub use ordered::{decode_ordered_prefix, encode_ordered, from_ordered_slice, to_ordered_vec};
pub use postcard::Postcard;
pub use raw::Raw;
pub use text::Text;

use crate::{Error, ErrorKind};

/// Turns values of type `T` into bytes and back. One implementation serves all tasks and threads.
///
/// A null payload (a tombstone, an absent key) is not an empty one: `encode` says which it wrote, and `decode` gets
/// `None` for a null. In every built-in format `Option<T>` at the top level is "null or `T`", so `T` and `Option<T>`
/// read each other's bytes.
///
/// ```
/// use headwater_core::{Payload, Serde, SerdeError};
///
/// /// Text in upper case.
/// struct Shout;
/// impl Serde<String> for Shout {
///     fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
///         out.extend_from_slice(value.to_uppercase().as_bytes());
///         Ok(Payload::Bytes)
///     }
///     fn decode(&self, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
///         let bytes = bytes.ok_or(SerdeError::Null)?;
///         String::from_utf8(bytes.to_vec()).map_err(SerdeError::new)
///     }
///     fn format(&self) -> &'static str {
///         "shout"
///     }
/// }
/// let mut out = Vec::new();
/// assert_eq!(Shout.encode(&"hi".to_owned(), &mut out).unwrap(), Payload::Bytes);
/// assert_eq!(Shout.decode(Some(&out)).unwrap(), "HI");
/// ```
pub trait Serde<T>: Send + Sync + 'static {
    /// Appends `value`'s bytes to `out`, or appends nothing and says that it is null.
    ///
    /// # Errors
    /// If the value has no form in this format.
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<Payload, SerdeError>;

    /// Reads a value; `None` is a null payload.
    ///
    /// # Errors
    /// [`SerdeError::Null`] for a null where `T` cannot be null, otherwise what is wrong with the bytes.
    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, SerdeError>;

    /// The format's name as the plan shows it, such as `json`.
    fn format(&self) -> &'static str;
}

/// What `encode` wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the value is null.
    Null,
    /// The bytes it appended, possibly none.
    Bytes,
}

/// Why a value could not be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// A null payload where the type has no null.
    #[error("the payload is null, and the type is not an Option")]
    Null,
    /// The format's own complaint.
    #[error("{0}")]
    Format(Box<dyn std::error::Error + Send + Sync>),
}

impl SerdeError {
    /// Wraps a format's own error or a message.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Format(source.into())
    }

    /// Bytes after the end of the value.
    pub(crate) fn trailing(bytes: usize) -> Self {
        Self::new(format!("{bytes} bytes follow the value"))
    }

    /// The error of a payload that could not be decoded; `what` names the payload, such as `the value`.
    ///
    /// Its code is `HW0202` for a null and `HW0203` for bytes that do not fit; the caller adds node and position.
    pub fn while_decoding(self, what: &str) -> Error {
        match self {
            Self::Null => {
                Error::new(ErrorKind::Serde, "HW0202", format!("{what} is null, and the type has no null")).help(
                    "read the payload as Option<T> if it may be null, or send such records to a dead-letter topic",
                )
            }
            Self::Format(source) => Error::new(ErrorKind::Serde, "HW0203", format!("{what} cannot be decoded"))
                .caused_by(source)
                .help("check that the serde and the type are those of the writer, or send such records to a dead-letter topic"),
        }
    }

    /// The error of a payload that could not be encoded (`HW0204`); `what` names the payload, such as `the key`.
    pub fn while_encoding(self, what: &str) -> Error {
        Error::new(ErrorKind::Serde, "HW0204", format!("{what} cannot be encoded"))
            .caused_by(self)
            .help("the format cannot carry this value; choose another serde or change the type")
    }
}

impl ::serde::ser::Error for SerdeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

impl ::serde::de::Error for SerdeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

#[cfg(test)]
mod tests;
