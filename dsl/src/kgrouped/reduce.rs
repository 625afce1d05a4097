use super::KGroupedStream;
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    vocab::Materialized,
};

impl<K: Key, V: Data> KGroupedStream<K, V> {
    /// Folds the values per key into one of the same type; the first value starts it. Records with a null key or value
    /// are dropped and counted. A result that is null deletes the row: the next value starts afresh.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).group_by_key("by-key").reduce("greatest", i64::max).updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [5, 9, 6] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [5, 9, 9]);
    /// ```
    #[track_caller]
    pub fn reduce(self, name: impl Into<Materialized<K, V>>, reduce: impl Fn(V, V) -> V + Shared) -> KTable<K, V> {
        let null = self.grouped.null_value.clone();
        self.fold("reduce", name.into(), move |_, value, row| {
            let after = match row.take() {
                Some(before) => reduce(before, value),
                None => value,
            };
            *row = Some(after).filter(|after| !null(after));
        })
    }
}
