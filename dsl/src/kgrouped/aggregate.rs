use super::KGroupedStream;
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    vocab::Materialized,
};

impl<K: Key, V: Data> KGroupedStream<K, V> {
    /// Folds the records per key into an aggregate of any type, changed in place. Records with a null key or value are
    /// dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .aggregate("all", Vec::new, |_, n, all| all.push(n))
    ///     .updates()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [5, 6] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// let all = driver.output::<String, Vec<i64>>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(all, [vec![5], vec![5, 6]]);
    /// ```
    #[track_caller]
    pub fn aggregate<A: Data>(
        self,
        name: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Shared,
        add: impl Fn(&K, V, &mut A) + Shared,
    ) -> KTable<K, A> {
        self.fold("aggregate", name.into(), move |key, value, row| add(key, value, row.get_or_insert_with(&init)))
    }

    /// The general form: the closure sees the row as it is, absent or not, and may delete it by setting `None`.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .update("open", |_, n, row: &mut Option<i64>| *row = (n > 0).then_some(n))
    ///     .to_stream()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [5, 0] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap(), [Some(5), None]);
    /// ```
    #[track_caller]
    pub fn update<A: Data>(
        self,
        name: impl Into<Materialized<K, A>>,
        update: impl Fn(&K, V, &mut Option<A>) + Shared,
    ) -> KTable<K, A> {
        self.fold("update", name.into(), update)
    }
}
