use super::KStream;
use crate::{
    bounds::Data,
    repartition::{Lane, add_lane},
    vocab::Repartitioned,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Sends the stream through the topic `<app>-<name>-repartition`, always: to spread it over another number of
    /// partitions, or to start a new sub-topology. Records with a null key are dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).repartition(Repartitioned::named("wide").partitions(8)).to("out", Json);
    /// let topology = app.build().unwrap();
    /// assert_eq!(topology.plan().repartition_topics(), ["demo-wide-repartition"]);
    /// let mut driver = TopologyTestDriver::new(topology).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [7]);
    /// ```
    #[track_caller]
    pub fn repartition(&self, repartitioned: impl Into<Repartitioned<K, V>>) -> Self {
        let r = repartitioned.into();
        let Repartitioned { keys, values, partitions, partitioner, .. } = r;
        let lane =
            Lane { label: &r.name, keys, values, partitions, forced: true, internal: false, place: None, partitioner };
        let id = add_lane(self, lane);
        Self::new(self.graph.clone(), id)
    }
}
