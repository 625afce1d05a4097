use std::sync::Arc;

use headwater_core::Serde;

use super::{Partitioner, Placement};
use crate::bounds::{Data, Shared};

/// How a topic is written: serdes, partitioner and the step's name. Default: records go to the partition that Java's
/// default partitioner chooses for the key's bytes; a record without key stays on its task's partition number.
pub struct Produced<K, V> {
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) name: Option<String>,
    pub(crate) partitioner: Option<Partitioner<K, V>>,
}

impl<K: Data, V: Data> Produced<K, V> {
    /// Writes keys and values with these serdes.
    pub fn with(keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self { keys: Arc::new(keys), values: Arc::new(values), name: None, partitioner: None }
    }

    /// Chooses the partition of each record, from its key, its value and how many partitions the topic has: a number,
    /// or a [`Placement`]. A partition that the topic does not have stops the program (`HW0247`).
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let by_value = Produced::with(Text, Json).partitioner("by-value", |_, n: &i64, partitions| *n as i32 % partitions);
    /// app.stream::<String, i64>("in", Json).to("out", by_value);
    /// let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut driver = driver.with_topic_partitions("out", 4).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read(&mut driver).unwrap()[0].partition, 3);
    /// ```
    #[must_use]
    pub fn partitioner<P: Into<Placement>>(mut self, name: &str, choose: impl Fn(&K, &V, i32) -> P + Shared) -> Self {
        self.partitioner = Some(Partitioner::new(name, choose));
        self
    }

    /// Names the step in the plan. Default: `to-` and the topic's name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The serdes of keys and values.
    pub fn serdes(&self) -> (Arc<dyn Serde<K>>, Arc<dyn Serde<V>>) {
        (self.keys.clone(), self.values.clone())
    }
}

impl<K: 'static, V: 'static> std::fmt::Debug for Produced<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Produced({}, {})", self.keys.format(), self.values.format())
    }
}
