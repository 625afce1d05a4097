//! Folds per key and window of event time.

mod fold;

use super::KGroupedStream;
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    vocab::Materialized,
    window::{Tumbling, Windowed},
};

/// A grouped stream divided into windows; see [`KGroupedStream::windowed_by`].
pub struct WindowedStream<K, V> {
    pub(super) stream: KGroupedStream<K, V>,
    pub(super) windows: Tumbling,
}

impl<K, V> std::fmt::Debug for WindowedStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WindowedStream({:?}, {:?})", self.stream, self.windows)
    }
}

impl<K: Key, V: Data> WindowedStream<K, V> {
    /// Counts the records per key and window, null values too. A record with a null key, or for a window that has
    /// closed, is dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Tumbling::of(minutes(1)).grace(seconds(30)))
    ///     .count("per-minute")
    ///     .updates()
    ///     .map(|window, n| (window.start, n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for second in [1, 2, 61, 3, 90, 4] {
    ///     input.pipe(&mut driver, "k".into(), 0, seconds(second)).unwrap();
    /// }
    /// // The last one is late: its window closed when the stream reached second 90.
    /// let counts = driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap();
    /// assert_eq!(counts, [(0, 1), (0, 2), (60_000, 1), (0, 3), (60_000, 2)]);
    /// ```
    #[track_caller]
    pub fn count(self, name: impl Into<Materialized<K, i64>>) -> KTable<Windowed<K>, i64> {
        self.fold("count", name.into(), |_, _, row| *row = Some(row.unwrap_or(0) + 1))
    }

    /// Folds the values per key and window into one of the same type; the first value starts it. A result that is null
    /// deletes the row: the next value starts afresh.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Tumbling::of(minutes(1)).no_grace().emit_on_close())
    ///     .reduce("greatest", i64::max)
    ///     .updates()
    ///     .map(|window, n| (window.key, n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (n, second) in [(5, 1), (9, 2), (1, 60)] {
    ///     input.pipe(&mut driver, "k".into(), n, seconds(second)).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [9]);
    /// ```
    #[track_caller]
    pub fn reduce(
        self,
        name: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Shared,
    ) -> KTable<Windowed<K>, V> {
        let null = self.stream.grouped.null_value.clone();
        self.fold("reduce", name.into(), move |_, value, row| {
            let after = match row.take() {
                Some(before) => reduce(before, value),
                None => value,
            };
            *row = Some(after).filter(|after| !null(after));
        })
    }

    /// Folds the records per key and window into an aggregate of any type, changed in place. Null values are handed to
    /// the closure; records with a null key or for a closed window are dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Tumbling::of(minutes(1)).no_grace().emit_on_close())
    ///     .aggregate("sums", || 0_i64, |_, n, sum| *sum += n)
    ///     .updates()
    ///     .map(|window, n| (window.key, n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (n, second) in [(5, 1), (9, 2), (1, 60)] {
    ///     input.pipe(&mut driver, "k".into(), n, seconds(second)).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [14]);
    /// ```
    #[track_caller]
    pub fn aggregate<A: Data>(
        self,
        name: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Shared,
        add: impl Fn(&K, V, &mut A) + Shared,
    ) -> KTable<Windowed<K>, A> {
        self.fold("aggregate", name.into(), move |key, value, row| add(key, value, row.get_or_insert_with(&init)))
    }
}
