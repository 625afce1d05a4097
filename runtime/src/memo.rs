//! A task's memo as the metadata of a committed offset: `hw1:` and base64 of (hash u32 big endian, zigzag) pairs.
//! Brokers accept 4096 bytes, which is room for about 300 numbers.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use headwater_core::{Error, ErrorKind, Result, get_zigzag, put_zigzag};
use headwater_dsl::Memo;

const PREFIX: &str = "hw1:";
const MAX_BYTES: usize = 4096;

/// The metadata text for `memo`.
///
/// # Errors
/// `HW0610` if it does not fit.
pub(crate) fn to_metadata(memo: &Memo) -> Result<String> {
    let mut bytes = Vec::new();
    let mut values = Vec::new();
    memo.copy_to(&mut values);
    for (hash, value) in &values {
        bytes.extend_from_slice(&hash.to_be_bytes());
        put_zigzag(&mut bytes, *value);
    }
    let text = format!("{PREFIX}{}", STANDARD_NO_PAD.encode(bytes));
    if text.len() <= MAX_BYTES {
        return Ok(text);
    }
    let message = format!("the task must remember {} numbers, too many for an offset's metadata", values.len());
    Err(Error::new(ErrorKind::Topology, "HW0610", message)
        .help("a task remembers a time per upstream task and a counter per rule: use fewer partitions upstream"))
}

/// The numbers in a committed offset's metadata; none if somebody else wrote it.
pub(crate) fn from_metadata(metadata: &str) -> BTreeMap<u32, i64> {
    let decoded = metadata.strip_prefix(PREFIX).and_then(|text| STANDARD_NO_PAD.decode(text).ok());
    let bytes = decoded.unwrap_or_default();
    let mut input = bytes.as_slice();
    let mut values = BTreeMap::new();
    while let Some((hash, rest)) = input.split_first_chunk() {
        input = rest;
        let Some(value) = get_zigzag(&mut input) else { break };
        values.insert(u32::from_be_bytes(*hash), value);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_metadata() {
        let numbers = BTreeMap::from([(0, 0), (7, i64::MIN), (u32::MAX, i64::MAX), (5, -1)]);
        let text = to_metadata(&Memo::new(numbers.clone())).unwrap();
        assert_eq!(from_metadata(&text), numbers);
        assert!(from_metadata("somebody else's note").is_empty());
    }

    #[test]
    fn a_memo_that_does_not_fit_is_refused() {
        let numbers = (0..400).map(|n| (n, i64::MAX - i64::from(n))).collect();
        assert_eq!(to_metadata(&Memo::new(numbers)).unwrap_err().code(), "HW0610");
    }
}
