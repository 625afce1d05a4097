//! Dead letters: records that could not be used, raw and with the reason, in KIP-1034's form.

use std::rc::Rc;

use headwater_core::{Headers, RecordRef, partition_for_key};

use crate::{task::TopicWriter, wire::Flow};

/// The header that names every rule a record broke, in rule order, joined by commas.
pub const BROKEN_RULES_HEADER: &str = "headwater.rules.broken";

/// A record as it came in.
pub(crate) struct Raw<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) record: &'a RecordRef<'a>,
}

/// Writes dead letters to one topic.
pub(crate) struct DeadLetters(Rc<dyn TopicWriter>);

impl DeadLetters {
    pub(crate) fn new(topic: Rc<dyn TopicWriter>) -> Self {
        Self(topic)
    }

    /// Sends the raw key and value with the original `headers`, KIP-1034's, and the names of the broken rules.
    pub(crate) fn send(
        &self,
        raw: &Raw<'_>,
        headers: &Headers,
        exception: &str,
        message: &str,
        broken_rules: Option<&str>,
    ) -> Flow {
        let mut headers = headers.clone();
        headers.push_text("__streams.errors.exception", exception);
        headers.push_text("__streams.errors.message", message);
        headers.push_text("__streams.errors.stacktrace", "");
        headers.push_text("__streams.errors.topic", raw.topic);
        headers.push_text("__streams.errors.partition", &raw.partition.to_string());
        headers.push_text("__streams.errors.offset", &raw.record.offset.to_string());
        if let Some(rules) = broken_rules {
            headers.push_text(BROKEN_RULES_HEADER, rules);
        }
        let partitions = self.0.partitions();
        let partition = match raw.record.key {
            Some(key) => partition_for_key(key, partitions),
            None => raw.partition.rem_euclid(partitions.max(1)),
        };
        self.0.send(partition, raw.record.timestamp, raw.record.key, raw.record.value, &headers)
    }
}
