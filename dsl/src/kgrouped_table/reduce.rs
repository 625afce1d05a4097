use super::KGroupedTable;
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    vocab::Materialized,
};

impl<K: Key, V: Data> KGroupedTable<K, V> {
    /// Folds the rows per group into one of the same type; the first value starts it. `add` takes a row's new value in,
    /// `subtract` its old one out, each with what is there so far as its first argument. They must undo each other in
    /// any order, as rows change in any order.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest")
    ///     .group_by(|_, n| (n % 2, n), "by-parity")
    ///     .reduce("sums", |sum, n| sum + n, |sum, n| sum - n)
    ///     .updates()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (key, n) in [("a", 1), ("b", 5), ("a", 3)] {
    ///     input.pipe(&mut driver, key.into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<i64, i64>("out", Json).read_values(&mut driver).unwrap(), [1, 6, 8]);
    /// ```
    #[track_caller]
    pub fn reduce(
        self,
        name: impl Into<Materialized<K, V>>,
        add: impl Fn(V, V) -> V + Shared,
        subtract: impl Fn(V, V) -> V + Shared,
    ) -> KTable<K, V> {
        let add = move |_: &K, value: V, row: &mut Option<V>| {
            *row = Some(match row.take() {
                Some(before) => add(before, value),
                None => value,
            });
        };
        let subtract = move |_: &K, value: V, row: &mut Option<V>| {
            *row = row.take().map(|before| subtract(before, value));
        };
        self.fold("reduce", name.into(), add, subtract)
    }
}
