use super::KStream;
use crate::{
    bounds::{Data, Shared},
    kgrouped::KGroupedStream,
    repartition::add_repartition,
    vocab::Grouped,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Brings records of equal new keys together for an aggregation. The key counts as changed even if it is the same,
    /// so the records travel through the topic `<app>-<name>-repartition`; where the key stays use
    /// [`KStream::group_by_key`]. Records with a null key are dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).group_by(|_, n| n % 2, "parity").count("by-parity").to_stream().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [1, 2, 3] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// let counts = driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap();
    /// assert_eq!(counts, [(1, 1), (0, 1), (1, 2)]);
    /// ```
    #[track_caller]
    pub fn group_by<K2: Data>(
        &self,
        select: impl Fn(&K, &V) -> K2 + Shared,
        grouped: impl Into<Grouped<K2, V>>,
    ) -> KGroupedStream<K2, V> {
        self.with_key("group_by", select).group_by_key(grouped)
    }

    /// Brings records of equal keys together for an aggregation. Needs no topic unless the key was changed before.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).group_by_key("by-key").count("counts").to_stream().to("out", Json);
    /// let topology = app.build().unwrap();
    /// assert!(topology.plan().repartition_topics().is_empty());
    /// let mut driver = TopologyTestDriver::new(topology).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1]);
    /// ```
    #[track_caller]
    pub fn group_by_key(&self, grouped: impl Into<Grouped<K, V>>) -> KGroupedStream<K, V> {
        let grouped = grouped.into();
        let id = add_repartition(self, &grouped.name, &grouped.keys, &grouped.values, None, false);
        KGroupedStream::new(self.graph.clone(), id, grouped)
    }
}
