//! Records that wait for a partner: per key and time a list, as several may be equal in both.

use std::sync::Arc;

use headwater_core::{Payload, Serde, SerdeError, get_varint, put_varint};

/// The bytes of a list: per value `length varint | bytes`.
pub(super) struct Lists<V>(pub(super) Arc<dyn Serde<V>>);

impl<V: 'static> Serde<Vec<V>> for Lists<V> {
    fn encode(&self, values: &Vec<V>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        let mut bytes = Vec::new();
        for value in values {
            bytes.clear();
            self.0.encode(value, &mut bytes)?;
            put_varint(out, bytes.len() as u64);
            out.extend_from_slice(&bytes);
        }
        Ok(Payload::Bytes)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Vec<V>, SerdeError> {
        let mut input = bytes.unwrap_or_default();
        let mut values = Vec::new();
        while !input.is_empty() {
            let length = get_varint(&mut input).and_then(|length| usize::try_from(length).ok());
            let split = length.and_then(|length| input.split_at_checked(length));
            let (value, rest) = split.ok_or_else(|| SerdeError::new("a list is cut short"))?;
            values.push(self.0.decode(Some(value))?);
            input = rest;
        }
        Ok(values)
    }

    fn format(&self) -> &'static str {
        "list"
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::serde::Text;

    use super::*;

    #[test]
    fn lists_come_back_and_cut_ones_are_refused() {
        let serde = Lists::<String>(Arc::new(Text));
        for list in [vec![], vec!["", "a", "bc"]] {
            let list: Vec<String> = list.into_iter().map(str::to_owned).collect();
            let mut bytes = Vec::new();
            serde.encode(&list, &mut bytes).unwrap();
            assert_eq!(serde.decode(Some(&bytes)).unwrap(), list);
        }
        assert!(serde.decode(Some(&[3, b'a'])).is_err());
    }
}
