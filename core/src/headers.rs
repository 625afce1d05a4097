//! Record headers: an ordered list, names may repeat, values may be null.

use bytes::Bytes;

use crate::varint::{get_varint, put_varint};

/// One header: a name and an optional value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The header's name. Names may repeat within a record.
    pub name: String,
    /// The value; `None` is a null, which is not the same as empty.
    pub value: Option<Bytes>,
}

/// The headers of a record, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// No headers. Does not allocate.
    #[inline]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a header; an earlier one of the same name stays.
    pub fn push(&mut self, name: impl Into<String>, value: Option<Bytes>) {
        self.0.push(Header { name: name.into(), value });
    }

    /// Appends a text header.
    pub fn push_text(&mut self, name: impl Into<String>, value: &str) {
        self.push(name, Some(Bytes::copy_from_slice(value.as_bytes())));
    }

    /// The value of the *last* header called `name`, as Kafka's `lastHeader`.
    pub fn last(&self, name: &str) -> Option<&Header> {
        self.0.iter().rev().find(|h| h.name == name)
    }

    /// All headers in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the wire form: count, then name length, name, value length + 1 (0 = null), value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        for header in &self.0 {
            put_varint(out, header.name.len() as u64);
            out.extend_from_slice(header.name.as_bytes());
            match &header.value {
                None => put_varint(out, 0),
                Some(value) => {
                    put_varint(out, value.len() as u64 + 1);
                    out.extend_from_slice(value);
                }
            }
        }
    }

    /// Reads the wire form, advancing `input`; `None` if it is cut short or not UTF-8.
    #[inline]
    pub fn decode(input: &mut &[u8]) -> Option<Self> {
        let count = usize::try_from(get_varint(input)?).ok()?;
        if count == 0 {
            return Some(Self::new());
        }
        Self::decode_some(count, input)
    }

    /// Out of line, so that what most records need stays small enough to be inlined.
    fn decode_some(count: usize, input: &mut &[u8]) -> Option<Self> {
        let mut headers = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let name_len = usize::try_from(get_varint(input)?).ok()?;
            let (name, rest) = input.split_at_checked(name_len)?;
            *input = rest;
            let name = std::str::from_utf8(name).ok()?.to_owned();
            let value = match get_varint(input)? {
                0 => None,
                n => {
                    let (value, rest) = input.split_at_checked(usize::try_from(n - 1).ok()?)?;
                    *input = rest;
                    Some(Bytes::copy_from_slice(value))
                }
            };
            headers.push(Header { name, value });
        }
        Some(Self(headers))
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}
