use super::KGroupedTable;
use crate::{
    bounds::{Data, Key},
    ktable::KTable,
    vocab::Materialized,
};

impl<K: Key, V: Data> KGroupedTable<K, V> {
    /// Counts the rows per group. A group that has lost all its rows stays, with 0.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest")
    ///     .group_by(|_, n| (n % 2, n), "by-parity")
    ///     .count("parities")
    ///     .updates()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, Option<i64>>("in", Json);
    /// for n in [Some(1), Some(3), None] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// let counts = driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap();
    /// assert_eq!(counts, [(1, 1), (1, 1), (1, 0)]);
    /// ```
    #[track_caller]
    pub fn count(self, name: impl Into<Materialized<K, i64>>) -> KTable<K, i64> {
        self.fold(
            "count",
            name.into(),
            |_, _, row| *row = Some(row.unwrap_or(0) + 1),
            |_, _, row| *row = row.map(|n| n - 1),
        )
    }
}
