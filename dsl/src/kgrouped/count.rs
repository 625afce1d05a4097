use super::KGroupedStream;
use crate::{
    bounds::{Data, Key},
    ktable::KTable,
    vocab::Materialized,
};

impl<K: Key, V: Data> KGroupedStream<K, V> {
    /// Counts the records per key. Records with a null key or value are dropped and counted as such. Changes go
    /// downstream at each commit, one per changed key.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).group_by_key("by-key").count("counts").updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [5, 6] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn count(self, name: impl Into<Materialized<K, i64>>) -> KTable<K, i64> {
        self.fold("count", name.into(), |_, _, row| *row = Some(row.unwrap_or(0) + 1))
    }
}
