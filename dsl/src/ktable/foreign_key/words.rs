//! What the two sides of a foreign-key join say to each other, and its bytes.
//!
//! Subscription: `1 | instruction u8 | partition varint | hash | primary key`. Answer: `1 | partition varint | hash |
//! 0 or 2 (quiet), or 1 and the foreign value`. Hash: `0`, or `1` and 16 bytes.

use std::sync::Arc;

use headwater_core::{Payload, Serde, SerdeError, get_varint, put_varint};

const FORMAT: u8 = 1;

/// What the right side is to do with a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Forget it.
    Delete,
    /// Forget it, and answer that there is no row.
    DeleteAndAnswer,
    /// Keep it, and answer whether there is a row or not.
    Answer,
    /// Keep it, and answer; that there is no row matters only to a row that has a result.
    AnswerQuietly,
}

/// A left row subscribes to a right row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription<K> {
    pub(super) instruction: Instruction,
    /// The hash of the left row; `None` if it was deleted.
    pub(super) hash: Option<u128>,
    /// The left task's partition, where the answer goes.
    pub(super) partition: i32,
    pub(super) key: K,
}

/// A right row for a left one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer<VR> {
    /// The hash of the left row that it is for.
    pub(super) hash: Option<u128>,
    pub(super) partition: i32,
    /// `None`: there is no row.
    pub(super) value: Option<VR>,
    /// Whether that there is no row is no news, unless the left row has a result.
    pub(super) quiet: bool,
}

/// The bytes of foreign keys, where a left row may have none.
pub(super) struct OptionalKeys<K>(pub(super) Arc<dyn Serde<K>>);

impl<K: 'static> Serde<Option<K>> for OptionalKeys<K> {
    fn encode(&self, key: &Option<K>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        key.as_ref().map_or(Ok(Payload::Null), |key| self.0.encode(key, out))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Option<K>, SerdeError> {
        bytes.map(|bytes| self.0.decode(Some(bytes))).transpose()
    }

    fn format(&self) -> &'static str {
        self.0.format()
    }
}

/// The bytes of subscriptions.
pub(super) struct Subscriptions<K>(pub(super) Arc<dyn Serde<K>>);

impl<K: 'static> Serde<Subscription<K>> for Subscriptions<K> {
    fn encode(&self, subscription: &Subscription<K>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        let instruction = match subscription.instruction {
            Instruction::Delete => 0,
            Instruction::DeleteAndAnswer => 1,
            Instruction::Answer => 2,
            Instruction::AnswerQuietly => 3,
        };
        out.extend_from_slice(&[FORMAT, instruction]);
        put_partition(out, subscription.partition);
        put_hash(out, subscription.hash);
        self.0.encode(&subscription.key, out)?;
        Ok(Payload::Bytes)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Subscription<K>, SerdeError> {
        let read = |bytes: Option<&mut &[u8]>| {
            let input = bytes?;
            let instruction = match begun(input)? {
                0 => Instruction::Delete,
                1 => Instruction::DeleteAndAnswer,
                2 => Instruction::Answer,
                3 => Instruction::AnswerQuietly,
                _ => return None,
            };
            Some((instruction, get_partition(input)?, get_hash(input)?))
        };
        let mut bytes = bytes;
        let (instruction, partition, hash) = read(bytes.as_mut()).ok_or_else(|| SerdeError::new("no subscription"))?;
        Ok(Subscription { instruction, hash, partition, key: self.0.decode(bytes)? })
    }

    fn format(&self) -> &'static str {
        "subscription"
    }
}

/// The bytes of answers.
pub(super) struct Answers<VR>(pub(super) Arc<dyn Serde<VR>>);

impl<VR: 'static> Serde<Answer<VR>> for Answers<VR> {
    fn encode(&self, answer: &Answer<VR>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        out.push(FORMAT);
        put_partition(out, answer.partition);
        put_hash(out, answer.hash);
        match &answer.value {
            None => out.push(if answer.quiet { 2 } else { 0 }),
            Some(value) => {
                out.push(1);
                self.0.encode(value, out)?;
            }
        }
        Ok(Payload::Bytes)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Answer<VR>, SerdeError> {
        let mut input = bytes.and_then(|bytes| bytes.strip_prefix(&[FORMAT])).unwrap_or_default();
        let head = (|input: &mut &[u8]| Some((get_partition(input)?, get_hash(input)?, next(input)?)))(&mut input);
        let (partition, hash, has_value) = head.ok_or_else(|| SerdeError::new("no answer"))?;
        let value = if has_value == 1 { Some(self.0.decode(Some(input))?) } else { None };
        Ok(Answer { hash, partition, value, quiet: has_value == 2 })
    }

    fn format(&self) -> &'static str {
        "answer"
    }
}

/// The byte after the format's.
fn begun(input: &mut &[u8]) -> Option<u8> {
    *input = input.strip_prefix(&[FORMAT])?;
    next(input)
}

fn next(input: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    Some(*byte)
}

fn put_partition(out: &mut Vec<u8>, partition: i32) {
    put_varint(out, u64::try_from(partition).unwrap_or_default());
}

fn get_partition(input: &mut &[u8]) -> Option<i32> {
    i32::try_from(get_varint(input)?).ok()
}

fn put_hash(out: &mut Vec<u8>, hash: Option<u128>) {
    match hash {
        None => out.push(0),
        Some(hash) => {
            out.push(1);
            out.extend_from_slice(&hash.to_be_bytes());
        }
    }
}

fn get_hash(input: &mut &[u8]) -> Option<Option<u128>> {
    if next(input)? == 0 {
        return Some(None);
    }
    let (hash, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(Some(u128::from_be_bytes(*hash)))
}

/// The part of a subscription's row that is not in its key: `partition varint | hash`.
pub(super) fn encode_subscriber(hash: Option<u128>, partition: i32, out: &mut Vec<u8>) {
    put_partition(out, partition);
    put_hash(out, hash);
}

/// Reads what [`encode_subscriber`] wrote.
pub(super) fn decode_subscriber(mut bytes: &[u8]) -> Option<(Option<u128>, i32)> {
    let partition = get_partition(&mut bytes)?;
    Some((get_hash(&mut bytes)?, partition))
}

#[cfg(test)]
mod tests {
    use headwater_core::serde::{Auto, Json};

    use super::*;

    #[test]
    fn words_come_back_and_others_are_refused() {
        for hash in [None, Some(0), Some(u128::MAX)] {
            for instruction in
                [Instruction::Delete, Instruction::DeleteAndAnswer, Instruction::Answer, Instruction::AnswerQuietly]
            {
                let subscription = Subscription { instruction, hash, partition: 300, key: "k".to_owned() };
                let (serde, mut bytes) = (Subscriptions::<String>(Arc::new(Auto)), Vec::new());
                serde.encode(&subscription, &mut bytes).unwrap();
                assert_eq!(serde.decode(Some(&bytes)).unwrap(), subscription);
            }
            for value in [None, Some("v".to_owned())] {
                let answer = Answer { hash, partition: 0, quiet: hash.is_some() && value.is_none(), value };
                let (serde, mut bytes) = (Answers::<String>(Arc::new(Json)), Vec::new());
                serde.encode(&answer, &mut bytes).unwrap();
                assert_eq!(serde.decode(Some(&bytes)).unwrap(), answer);
                assert!(serde.decode(Some(&bytes[..2])).is_err());
            }
        }
        assert!(Subscriptions::<String>(Arc::new(Auto)).decode(None).is_err());
        assert!(Answers::<String>(Arc::new(Json)).decode(None).is_err());
    }
}
