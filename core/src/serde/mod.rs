//! Serdes: how keys and values become bytes. A format is a value (`Json`, `Postcard`, `Text` ...) that implements
//! [`Serde<T>`] for every type it can carry; a program's own format is one more implementation.

mod auto;
#[cfg(feature = "bincode")]
mod bincode;
mod json;
mod option;
mod ordered;
mod postcard;
mod raw;
mod text;

pub use auto::Auto;
#[cfg(feature = "bincode")]
pub use bincode::Bincode;
pub use json::Json;
pub use ordered::{from_ordered_slice, to_ordered_vec};
pub use postcard::Postcard;
pub use raw::Raw;
pub use text::Text;

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
}
