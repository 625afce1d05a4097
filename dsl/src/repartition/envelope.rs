//! The envelope's bytes.

use headwater_core::{Timestamp, get_varint, get_zigzag, put_varint, put_zigzag};

/// What an envelope carries beside upstream task and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// A record; `None` is a null value.
    Record(Option<&'a [u8]>),
    /// The sender's time alone.
    Progress,
    /// The sender reached the end of its input in this bounded run.
    End(u64),
    /// The sender has caught up and heard nothing for long.
    Idle,
}

/// An internal record's envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    /// The upstream task's partition number.
    pub(super) upstream: u64,
    /// The upstream task's stream time.
    pub(super) time: Timestamp,
    /// Whether the sender will send nothing older than `time` that is not late.
    pub(super) is_progress: bool,
    pub(super) content: Content<'a>,
}

const NOT_PROGRESS: u8 = 0x10;

impl<'a> Envelope<'a> {
    /// Appends everything but a record's value, which the caller appends after it.
    pub(super) fn encode_head(&self, out: &mut Vec<u8>) {
        let kind = match self.content {
            Content::Record(Some(_)) => 0,
            Content::Record(None) => 1,
            Content::Progress => 2,
            Content::End(_) => 3,
            Content::Idle => 4,
        };
        out.push(if self.is_progress { kind } else { kind | NOT_PROGRESS });
        put_varint(out, self.upstream);
        put_zigzag(out, self.time);
        if let Content::End(run_id) = self.content {
            put_varint(out, run_id);
        }
    }

    /// Reads an envelope; `None` if the bytes are none.
    pub(super) fn decode(mut input: &'a [u8]) -> Option<Self> {
        let (&kind, rest) = input.split_first()?;
        input = rest;
        let upstream = get_varint(&mut input)?;
        let time = get_zigzag(&mut input)?;
        let content = match kind & !NOT_PROGRESS {
            0 => Content::Record(Some(input)),
            1 => Content::Record(None),
            2 => Content::Progress,
            3 => Content::End(get_varint(&mut input)?),
            4 => Content::Idle,
            _ => return None,
        };
        Some(Self { upstream, time, is_progress: kind & NOT_PROGRESS == 0, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_come_back() {
        for content in
            [Content::Record(Some(b"v")), Content::Record(None), Content::Progress, Content::End(7), Content::Idle]
        {
            for is_progress in [true, false] {
                let envelope = Envelope { upstream: 300, time: -5, is_progress, content };
                let mut bytes = Vec::new();
                envelope.encode_head(&mut bytes);
                if let Content::Record(Some(value)) = content {
                    bytes.extend_from_slice(value);
                }
                assert_eq!(Envelope::decode(&bytes), Some(envelope));
            }
        }
        assert_eq!(Envelope::decode(&[]), None);
        assert_eq!(Envelope::decode(&[9, 0, 0]), None);
    }
}
