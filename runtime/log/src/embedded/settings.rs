//! A topic's settings, in Kafka's names.

use std::collections::BTreeMap;

use headwater_core::Result;

use crate::errors::bad_setting;

/// What the embedded log makes of a topic's settings. Unlike Kafka's, its records stay for ever unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicSettings {
    /// `cleanup.policy` contains `compact`. Default: no.
    pub compact: bool,
    /// `cleanup.policy` contains `delete`, so that the two limits below apply. Default: yes.
    pub delete: bool,
    /// Records this much older than the wall clock go. Default: never.
    pub retention_ms: Option<i64>,
    /// The oldest batches beyond this many bytes of a partition go. Default: never.
    pub retention_bytes: Option<u64>,
    /// The size of one record's key, value and headers. Default: Kafka's 1048588.
    pub max_message_bytes: usize,
    /// As the user wrote them.
    pub raw: BTreeMap<String, String>,
}

/// Settings of Kafka that have no meaning here but do no harm.
const WITHOUT_EFFECT: &[&str] = &[
    "compression.type",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "max.compaction.lag.ms",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

impl TopicSettings {
    pub fn parse(topic: &str, raw: &BTreeMap<String, String>) -> Result<Self> {
        let mut settings = Self {
            compact: false,
            delete: true,
            retention_ms: None,
            retention_bytes: None,
            max_message_bytes: 1_048_588,
            raw: raw.clone(),
        };
        for (name, value) in raw {
            match name.as_str() {
                "cleanup.policy" => (settings.compact, settings.delete) = cleanup(topic, value)?,
                "retention.ms" => settings.retention_ms = limit(topic, name, value)?,
                "retention.bytes" => {
                    settings.retention_bytes = limit(topic, name, value)?.map(i64::unsigned_abs);
                }
                "max.message.bytes" => {
                    settings.max_message_bytes =
                        value.parse().map_err(|_| bad_setting(topic, name, not_a_number(value)))?;
                }
                "message.timestamp.type" if value == "CreateTime" => {}
                "message.timestamp.type" => {
                    return Err(bad_setting(topic, name, "can only be CreateTime in the embedded log"));
                }
                other if WITHOUT_EFFECT.contains(&other) => {}
                _ => return Err(bad_setting(topic, name, "is not known to the embedded log")),
            }
        }
        Ok(settings)
    }
}

fn cleanup(topic: &str, value: &str) -> Result<(bool, bool)> {
    let (mut compact, mut delete) = (false, false);
    for policy in value.split(',').map(str::trim) {
        match policy {
            "compact" => compact = true,
            "delete" => delete = true,
            _ => {
                return Err(bad_setting(
                    topic,
                    "cleanup.policy",
                    format!("is {value:?}; it can be delete, compact or both"),
                ));
            }
        }
    }
    Ok((compact, delete))
}

/// A limit where -1 means none.
fn limit(topic: &str, name: &str, value: &str) -> Result<Option<i64>> {
    match value.parse() {
        Ok(-1) => Ok(None),
        Ok(number) if number >= 0 => Ok(Some(number)),
        _ => Err(bad_setting(topic, name, not_a_number(value))),
    }
}

fn not_a_number(value: &str) -> String {
    format!("is {value:?}, which is not a number it can be")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<TopicSettings> {
        let raw = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicSettings::parse("t", &raw)
    }

    #[test]
    fn records_stay_for_ever_by_default() {
        let settings = parse(&[]).unwrap();
        assert_eq!((settings.retention_ms, settings.retention_bytes, settings.compact), (None, None, false));
        assert_eq!(parse(&[("retention.ms", "-1")]).unwrap().retention_ms, None);
    }

    #[test]
    fn unknown_names_and_bad_values_are_refused() {
        for bad in [("retention.m", "1"), ("retention.ms", "soon"), ("retention.bytes", "-2"), ("cleanup.policy", "x")]
        {
            assert_eq!(parse(&[bad]).unwrap_err().code(), "HW0304", "{bad:?}");
        }
        assert!(parse(&[("cleanup.policy", "compact,delete"), ("segment.bytes", "1")]).unwrap().compact);
    }
}
