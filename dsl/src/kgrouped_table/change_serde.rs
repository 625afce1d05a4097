//! A change's bytes: what both halves of a grouped row's change are in one record of the repartition topic.
//!
//! `which u8 | [the new value's length, varint, if both are there] | new value | old value`; bit 0 of `which` says that
//! the new value is there, bit 1 that the old one is.

use std::sync::Arc;

use headwater_core::{Payload, Serde, SerdeError, get_varint, put_varint};

use crate::{bounds::Data, wire::Change};

const NEW: u8 = 1;
const OLD: u8 = 2;

/// Writes both values of a change in the format of one.
pub(crate) struct ChangeSerde<V>(Arc<dyn Serde<V>>);

impl<V: Data> ChangeSerde<V> {
    pub(crate) fn of(values: Arc<dyn Serde<V>>) -> Arc<dyn Serde<Change<V>>> {
        Arc::new(Self(values))
    }

    fn encode_value(&self, value: Option<&V>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        let Some(value) = value else { return Ok(false) };
        Ok(self.0.encode(value, out)? == Payload::Bytes)
    }
}

impl<V: Data> Serde<Change<V>> for ChangeSerde<V> {
    fn encode(&self, change: &Change<V>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        let (mut new, mut old) = (Vec::new(), Vec::new());
        let has_new = self.encode_value(change.new.as_ref(), &mut new)?;
        let has_old = self.encode_value(change.old.as_ref(), &mut old)?;
        out.push(u8::from(has_new) * NEW + u8::from(has_old) * OLD);
        if has_new && has_old {
            put_varint(out, new.len() as u64);
        }
        out.extend_from_slice(&new);
        out.extend_from_slice(&old);
        Ok(Payload::Bytes)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Change<V>, SerdeError> {
        let (which, mut rest) =
            bytes.and_then(<[u8]>::split_first).ok_or_else(|| SerdeError::new("a change has at least one byte"))?;
        let (new, old) = match *which {
            0 => (None, None),
            NEW => (Some(rest), None),
            OLD => (None, Some(rest)),
            3 => {
                let len = get_varint(&mut rest).and_then(|len| usize::try_from(len).ok());
                let halves = len.and_then(|len| rest.split_at_checked(len));
                let (new, old) = halves.ok_or_else(|| SerdeError::new("a change is cut short"))?;
                (Some(new), Some(old))
            }
            other => return Err(SerdeError::new(format!("a change does not begin with {other}"))),
        };
        let decode = |bytes: Option<&[u8]>| bytes.map(|bytes| self.0.decode(Some(bytes))).transpose();
        Ok(Change { new: decode(new)?, old: decode(old)? })
    }

    fn format(&self) -> &'static str {
        self.0.format()
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::serde::Json;

    use super::*;

    #[test]
    fn changes_come_back_and_broken_ones_are_refused() {
        let serde = ChangeSerde::<String>::of(Arc::new(Json));
        for new in [None, Some(String::new()), Some("x".repeat(300))] {
            for old in [None, Some("old".to_owned())] {
                let change = Change { new: new.clone(), old };
                let mut bytes = Vec::new();
                serde.encode(&change, &mut bytes).unwrap();
                assert_eq!(serde.decode(Some(&bytes)).unwrap(), change);
            }
        }
        for broken in [None, Some([].as_slice()), Some(&[4]), Some(&[3]), Some(&[3, 9, b'"'])] {
            assert!(serde.decode(broken).is_err(), "{broken:?}");
        }
    }
}
