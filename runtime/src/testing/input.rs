//! Writing to a driver's input topics.

use std::sync::Arc;

use headwater_core::{Headers, Payload, RecordRef, Result, Serde, Timestamp};
use headwater_dsl::{Data, Produced};

use super::TopologyTestDriver;

/// Writes typed records to one input topic of a [`TopologyTestDriver`].
pub struct TestInput<K, V> {
    topic: String,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    partition: Option<i32>,
    /// The bytes of the record's key and value.
    scratch: (Vec<u8>, Vec<u8>),
}

impl<K, V> std::fmt::Debug for TestInput<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestInput").field("topic", &self.topic).field("partition", &self.partition).finish()
    }
}

impl<K: Data, V: Data> TestInput<K, V> {
    pub(super) fn new(topic: &str, produced: &Produced<K, V>) -> Self {
        let (keys, values) = produced.serdes();
        Self { topic: topic.to_owned(), keys, values, partition: None, scratch: Default::default() }
    }

    /// Writes to this partition. Default: the one that Java's producer would choose for the key; 0 without a key.
    #[must_use]
    pub fn to_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Writes a record with the event time `timestamp` (milliseconds since 1970) and runs the topology on it.
    ///
    /// # Errors
    /// `HW0120` for a topic the topology does not read; what a step fails with.
    pub fn pipe(&mut self, driver: &mut TopologyTestDriver, key: K, value: V, timestamp: Timestamp) -> Result<()> {
        self.pipe_with_headers(driver, key, value, timestamp, Headers::new())
    }

    /// As [`TestInput::pipe`], with headers.
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::needless_pass_by_value, reason = "a piped record is given away")]
    pub fn pipe_with_headers(
        &mut self,
        driver: &mut TopologyTestDriver,
        key: K,
        value: V,
        timestamp: Timestamp,
        headers: Headers,
    ) -> Result<()> {
        let key = encoded(&*self.keys, &key, "the key", &mut self.scratch.0)?;
        let value = encoded(&*self.values, &value, "the value", &mut self.scratch.1)?;
        // Its offset is the topic's to give.
        driver.pipe(&self.topic, self.partition, RecordRef { offset: 0, timestamp, key, value, headers })
    }
}

fn encoded<'a, T: 'static>(
    serde: &dyn Serde<T>,
    value: &T,
    what: &str,
    scratch: &'a mut Vec<u8>,
) -> Result<Option<&'a [u8]>> {
    scratch.clear();
    let payload = serde.encode(value, scratch).map_err(|error| error.while_encoding(what))?;
    Ok((payload == Payload::Bytes).then_some(scratch))
}
