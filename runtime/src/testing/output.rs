//! Reading a driver's output topics.

use std::sync::Arc;

use headwater_core::{Headers, RecordRef, Result, Serde, Timestamp, TopicPartition};
use headwater_dsl::{Consumed, Data};

use super::TopologyTestDriver;
use crate::stores::unknown;

/// A record that a topology has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRecord<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// The event time in milliseconds since 1970.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
    /// The partition it was written to.
    pub partition: i32,
}

/// Reads typed records from one output topic of a [`TopologyTestDriver`]. Each record is read once per driver.
pub struct TestOutput<K, V> {
    topic: String,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
}

impl<K, V> std::fmt::Debug for TestOutput<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestOutput").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> TestOutput<K, V> {
    pub(super) fn new(topic: &str, consumed: &Consumed<K, V>) -> Self {
        let (keys, values) = consumed.serdes();
        Self { topic: topic.to_owned(), keys, values }
    }

    /// The records committed since the last read, in the order in which they were written.
    ///
    /// # Errors
    /// `HW0120` for a topic the topology does not write, `HW0202` or `HW0203` for a record that cannot be decoded.
    pub fn read(&self, driver: &mut TopologyTestDriver) -> Result<Vec<TestRecord<K, V>>> {
        let known = driver.around.topology.plan().output_topics();
        if !known.contains(&self.topic.as_str()) {
            return Err(unknown("topic", &self.topic, "writes", &known));
        }
        let Some(topic) = driver.around.topic(&self.topic) else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        for (partition, record) in driver.topics.unread(topic) {
            let at = |error: headwater_core::Error| {
                error.at_record(&TopicPartition::new(self.topic.as_str(), partition), record.offset)
            };
            let key = self.keys.decode(record.key).map_err(|error| at(error.while_decoding("the key")))?;
            let value = self.values.decode(record.value).map_err(|error| at(error.while_decoding("the value")))?;
            let RecordRef { timestamp, headers, .. } = record;
            records.push(TestRecord { key, value, timestamp, headers, partition });
        }
        Ok(records)
    }

    /// The values of [`TestOutput::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read_values(&self, driver: &mut TopologyTestDriver) -> Result<Vec<V>> {
        Ok(self.read(driver)?.into_iter().map(|record| record.value).collect())
    }

    /// The keys and values of [`TestOutput::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read_key_values(&self, driver: &mut TopologyTestDriver) -> Result<Vec<(K, V)>> {
        Ok(self.read(driver)?.into_iter().map(|record| (record.key, record.value)).collect())
    }
}
