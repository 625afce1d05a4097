//! The commit descriptor of a lake sink: what one transaction of one writer wrote, durable in the log before it is
//! visible in the table. The format is described in `docs/formats.md`; version 1 stays readable.

use std::collections::BTreeMap;

use headwater_core::{Descriptor, LineageRange, Result, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::fault;

/// The version written, and the newest one understood.
pub(crate) const VERSION: u32 = 1;

/// Descriptors above this size are compressed: a year's backlog in one transaction names hundreds of files, and logs
/// limit a message to a megabyte.
const COMPRESS_ABOVE: usize = 64 * 1024;

/// No descriptor grows beyond this when unpacked.
const MAX_BYTES: usize = 256 * 1024 * 1024;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TableDescriptor {
    pub(crate) version: u32,
    pub(crate) table: String,
    pub(crate) table_uuid: String,
    pub(crate) format_version: u8,
    pub(crate) schema_id: i32,
    /// Which attempt of which writer made the files; they carry it in their names.
    pub(crate) attempt: String,
    pub(crate) files: Vec<DescribedFile>,
    pub(crate) partitions: Vec<PartitionCount>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Nulls by column, columns without nulls left out.
    pub(crate) nulls: BTreeMap<String, u64>,
    pub(crate) event_time: Option<EventTime>,
    /// The least stream time of the tasks in `lineage`.
    pub(crate) watermark: Option<Timestamp>,
    pub(crate) lineage: Vec<LineageRange>,
}

/// A data file in the `iceberg` crate's JSON form, and the partition spec without which it cannot be read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DescribedFile {
    pub(crate) spec_id: i32,
    pub(crate) data_file: Box<RawValue>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionCount {
    /// Such as `2013-01-31`; `None` for a table without partitions and for rows without a day.
    pub(crate) day: Option<String>,
    pub(crate) files: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// The least and the greatest event time of the rows, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventTime {
    pub(crate) min: Timestamp,
    pub(crate) max: Timestamp,
}

impl EventTime {
    pub(crate) fn extend(range: &mut Option<Self>, timestamp: Timestamp) {
        // A negative timestamp means that the producer gave none.
        if timestamp < 0 {
            return;
        }
        let range = range.get_or_insert(Self { min: timestamp, max: timestamp });
        range.min = range.min.min(timestamp);
        range.max = range.max.max(timestamp);
    }
}

/// The least stream time in `lineage`.
pub(crate) fn watermark(lineage: &[LineageRange]) -> Option<Timestamp> {
    lineage.iter().filter_map(|range| range.stream_time).min()
}

pub(crate) fn encode<T: Serialize>(target: &str, descriptor: &T) -> Result<Descriptor> {
    let json = serde_json::to_vec(descriptor).map_err(|error| fault::descriptor(target, &error.to_string()))?;
    if json.len() <= COMPRESS_ABOVE {
        return Ok(Descriptor(json.into()));
    }
    let packed = zstd::bulk::compress(&json, 3).map_err(|error| fault::descriptor(target, &error.to_string()))?;
    Ok(Descriptor(packed.into()))
}

pub(crate) fn decode<T: DeserializeOwned>(target: &str, descriptor: &Descriptor) -> Result<T> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let unpacked;
    let json: &[u8] = if descriptor.0.starts_with(&ZSTD_MAGIC) {
        unpacked = unpack(&descriptor.0).map_err(|error| fault::descriptor(target, &error.to_string()))?;
        &unpacked
    } else {
        &descriptor.0
    };
    let parsed = |error: serde_json::Error| fault::descriptor(target, &error.to_string());
    let Versioned { version } = serde_json::from_slice(json).map_err(parsed)?;
    if version != VERSION {
        return Err(fault::descriptor(target, &format!("it has version {version}, and this program knows {VERSION}")));
    }
    serde_json::from_slice(json).map_err(parsed)
}

fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut json = Vec::new();
    zstd::Decoder::new(packed)?.take(MAX_BYTES as u64).read_to_end(&mut json)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Small {
        version: u32,
        text: String,
    }

    #[test]
    fn a_large_descriptor_is_packed_and_both_forms_come_back() {
        for (length, packed) in [(10, false), (COMPRESS_ABOVE, true)] {
            let small = Small { version: VERSION, text: "x".repeat(length) };
            let encoded = encode("t", &small).unwrap();
            assert_eq!(encoded.0.starts_with(b"{"), !packed);
            assert_eq!(decode::<Small>("t", &encoded).unwrap(), small);
        }
    }

    #[test]
    fn damage_and_unknown_versions_are_refused() {
        for bytes in [b"".as_slice(), b"{", b"{\"version\":2,\"text\":\"\"}", b"\x28\xb5\x2f\xfdxx", b"{\"version\":1}"]
        {
            let error = decode::<Small>("air.flights", &Descriptor(bytes.into())).unwrap_err();
            assert_eq!(error.code(), "HW0507");
            assert!(error.message().contains("air.flights"));
        }
    }
}
