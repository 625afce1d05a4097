//! Order-preserving bytes for keys: comparing two encoded values byte by byte gives the order of the values.
//!
//! | Rust | Bytes |
//! |---|---|
//! | `bool` | 0 or 1 |
//! | unsigned integers, `char` | big-endian |
//! | signed integers | big-endian with the sign bit flipped |
//! | floats | IEEE 754 big-endian, sign bit flipped, or all bits flipped if negative (the order of `total_cmp`) |
//! | text, bytes | as they are, each 0x00 as 0x00 0xFF, and 0x00 0x00 at the end |
//! | `Option` | 0, or 1 and the value |
//! | sequence | 1 before each element, 0 at the end |
//! | tuple, struct, newtype | the fields one after the other |
//! | enum | the variant's number in four bytes, then its fields |
//! | map | as the sequence of its entries (key, value), sorted by the encoded key |
//! | `()` | nothing |
//!
//! Every value ends itself, so encoded values can be put one behind the other, and a prefix sorts before what it
//! begins.

mod decode;
mod encode;

use serde::{Serialize, de::DeserializeOwned};

use super::{SerdeError, limits::Limits};
pub(super) use decode::OrderedDeserializer;
pub(super) use encode::{Entries, Fields, OrderedSerializer, Sequence};

/// The order-preserving bytes of `value`: byte order is the values' own order.
///
/// Integers are big-endian with the sign bit flipped, text ends with two zero bytes, tuples and structs are their
/// fields one after the other. Every value ends itself, so parts of a compound key can be encoded one by one.
///
/// ```
/// use headwater_core::serde::to_ordered_vec;
///
/// assert!(to_ordered_vec(&("EWR", -1)).unwrap() < to_ordered_vec(&("EWR", 1)).unwrap());
/// assert!(to_ordered_vec("a").unwrap() < to_ordered_vec("ab").unwrap());
/// ```
///
/// # Errors
/// If `value`'s `Serialize` fails or skips a field.
pub fn to_ordered_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, SerdeError> {
    let mut out = Vec::new();
    encode_ordered(value, &mut out)?;
    Ok(out)
}

/// Appends the order-preserving bytes of `value` to `out`, as [`to_ordered_vec`] makes them.
///
/// # Errors
/// As [`to_ordered_vec`]; `out` is then as it was.
pub fn encode_ordered<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
    let start = out.len();
    value.serialize(OrderedSerializer(out)).map(drop).inspect_err(|_| out.truncate(start))
}

/// Reads a value from exactly the bytes that [`to_ordered_vec`] made.
///
/// # Errors
/// If the bytes are not such a value, or go on after it.
pub fn from_ordered_slice<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, SerdeError> {
    let value = decode_ordered_prefix(&mut bytes)?;
    if bytes.is_empty() { Ok(value) } else { Err(SerdeError::trailing(bytes.len())) }
}

/// Reads a value from the front of `bytes` and moves `bytes` behind it, for keys made of several parts.
///
/// ```
/// use headwater_core::serde::{decode_ordered_prefix, encode_ordered};
///
/// let mut key = Vec::new();
/// encode_ordered("EWR", &mut key).unwrap();
/// encode_ordered(&7_i64, &mut key).unwrap();
/// let mut rest = key.as_slice();
/// assert_eq!(decode_ordered_prefix::<String>(&mut rest).unwrap(), "EWR");
/// assert_eq!(decode_ordered_prefix::<i64>(&mut rest).unwrap(), 7);
/// assert!(rest.is_empty());
/// ```
///
/// # Errors
/// If the bytes do not begin with such a value; `bytes` may then have moved.
pub fn decode_ordered_prefix<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, SerdeError> {
    let budget = Limits::budget(bytes);
    T::deserialize(Limits::on(&budget).guard(OrderedDeserializer { input: bytes }))
}
