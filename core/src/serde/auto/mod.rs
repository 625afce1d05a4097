//! The format of keys when none is chosen.

mod decode;
mod encode;

use serde::{Serialize, de::DeserializeOwned};

use super::{Payload, Serde, SerdeError, limits::Limits, null};
use decode::AutoDeserializer;
use encode::AutoSerializer;

/// The default format of keys: Java's bytes for single values, ordered bytes for composed ones.
///
/// - text is UTF-8, integers are big-endian two's complement, floats IEEE 754 big-endian, a bool is one byte: what
///   Java's `StringSerializer`, `IntegerSerializer`, `LongSerializer`, `DoubleSerializer` ... write;
/// - `None` and `()` are null, `Some` and newtypes add nothing;
/// - tuples, structs, sequences, maps and enums are order-preserving, as [`to_ordered_vec`](super::to_ordered_vec)
///   makes them. A `Vec<u8>` is a sequence to serde: use `Raw` for plain bytes.
///
/// ```
/// use headwater_core::{Serde, serde::Auto};
///
/// let mut out = Vec::new();
/// Auto.encode(&7_i64, &mut out).unwrap();
/// assert_eq!(out, [0, 0, 0, 0, 0, 0, 0, 7]);
/// assert_eq!(Serde::<Option<i64>>::decode(&Auto, Some(&out)).unwrap(), Some(7));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Auto;

impl<T: Serialize + DeserializeOwned> Serde<T> for Auto {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        let start = out.len();
        value.serialize(AutoSerializer(out)).inspect_err(|_| out.truncate(start))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        let Some(mut bytes) = bytes else { return null::from_null_or_unit() };
        let budget = Limits::budget(bytes);
        let value = T::deserialize(AutoDeserializer { input: &mut bytes, limits: Limits::on(&budget) })?;
        if bytes.is_empty() { Ok(value) } else { Err(SerdeError::trailing(bytes.len())) }
    }

    fn format(&self) -> &'static str {
        "auto"
    }
}
