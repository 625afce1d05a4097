//! Windowed keys in topics, in the bytes of Kafka Streams' own serdes.

use headwater_core::{Payload, Serde, SerdeError, Timestamp};

use crate::window::Windowed;

/// Keys of time windows in a topic: the inner key's bytes, then the window's start (8 bytes, big endian), as Java's
/// `TimeWindowedSerializer`. The end is not written; a reader gets it from the windows' length.
///
/// ```
/// use headwater::prelude::*;
///
/// let app = StreamsBuilder::new("demo");
/// app.stream::<String, i64>("in", Json)
///     .group_by_key("by-key")
///     .windowed_by(Tumbling::of(minutes(1)).no_grace())
///     .count("counts")
///     .updates()
///     .to("counts", (TimeWindowedSerde::new(Text, minutes(1)), Auto));
/// assert!(app.build().is_ok());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TimeWindowedSerde<S> {
    keys: S,
    size_ms: i64,
}

impl<S> TimeWindowedSerde<S> {
    /// Inner keys in the format `keys`, windows of `size_ms` milliseconds.
    pub fn new(keys: S, size_ms: i64) -> Self {
        Self { keys, size_ms }
    }
}

impl<K: 'static, S: Serde<K>> Serde<Windowed<K>> for TimeWindowedSerde<S> {
    fn encode(&self, windowed: &Windowed<K>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        let payload = self.keys.encode(&windowed.key, out)?;
        if payload == Payload::Bytes {
            out.extend_from_slice(&windowed.start.to_be_bytes());
        }
        Ok(payload)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Windowed<K>, SerdeError> {
        let (key, start) = split_time(bytes.ok_or(SerdeError::Null)?)?;
        let key = self.keys.decode(Some(key))?;
        Ok(Windowed { key, start, end: start.saturating_add(self.size_ms) })
    }

    fn format(&self) -> &'static str {
        self.keys.format()
    }
}

/// Keys of sessions in a topic: the inner key's bytes, then the session's end and start (8 bytes each, big endian), as
/// Java's `SessionWindowedSerializer`. The end is the time of the session's last record.
///
/// ```
/// use headwater::prelude::*;
///
/// let session = Windowed { key: "k".to_owned(), start: 1, end: 20 };
/// let mut bytes = Vec::new();
/// SessionWindowedSerde::new(Text).encode(&session, &mut bytes).unwrap();
/// assert_eq!(bytes, [b'k', 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 1]);
/// assert_eq!(SessionWindowedSerde::new(Text).decode(Some(&bytes)).unwrap(), session);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SessionWindowedSerde<S> {
    keys: S,
}

impl<S> SessionWindowedSerde<S> {
    /// Inner keys in the format `keys`.
    pub fn new(keys: S) -> Self {
        Self { keys }
    }
}

impl<K: 'static, S: Serde<K>> Serde<Windowed<K>> for SessionWindowedSerde<S> {
    fn encode(&self, windowed: &Windowed<K>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        let payload = self.keys.encode(&windowed.key, out)?;
        if payload == Payload::Bytes {
            out.extend_from_slice(&windowed.end.to_be_bytes());
            out.extend_from_slice(&windowed.start.to_be_bytes());
        }
        Ok(payload)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Windowed<K>, SerdeError> {
        let (rest, start) = split_time(bytes.ok_or(SerdeError::Null)?)?;
        let (key, end) = split_time(rest)?;
        Ok(Windowed { key: self.keys.decode(Some(key))?, start, end })
    }

    fn format(&self) -> &'static str {
        self.keys.format()
    }
}

/// The time at the end of `bytes`, and what is before it.
fn split_time(bytes: &[u8]) -> Result<(&[u8], Timestamp), SerdeError> {
    let (rest, time) =
        bytes.split_last_chunk().ok_or_else(|| SerdeError::new("a windowed key has 8 bytes for each time"))?;
    Ok((rest, Timestamp::from_be_bytes(*time)))
}

#[cfg(test)]
mod tests {
    use headwater_core::serde::Text;

    use super::*;

    #[test]
    fn a_windowed_key_cut_short_is_an_error() {
        let decoded: Result<Windowed<String>, _> = TimeWindowedSerde::new(Text, 10).decode(Some(&[0; 7]));
        assert!(decoded.is_err());
        let decoded: Result<Windowed<String>, _> = SessionWindowedSerde::new(Text).decode(Some(&[0; 15]));
        assert!(decoded.is_err());
    }

    #[test]
    fn a_null_inner_key_is_a_null_key() {
        let window = Windowed { key: None::<String>, start: 0, end: 10 };
        let mut bytes = Vec::new();
        assert_eq!(TimeWindowedSerde::new(Text, 10).encode(&window, &mut bytes).unwrap(), Payload::Null);
        assert!(bytes.is_empty());
    }
}
