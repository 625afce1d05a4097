//! Folds per key and window of event time.

mod aligned;
mod output;
mod session;
mod sliding;

use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

pub(crate) use session::Merge;

use super::{
    KGroupedStream,
    folding::{Folding, Inlet, Open},
};
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    plan::StoreKind,
    vocab::Materialized,
    window::{Session, TimeWindows, Windowed},
};

/// A grouped stream divided into windows; see [`KGroupedStream::windowed_by`].
pub struct WindowedStream<K, V> {
    stream: KGroupedStream<K, V>,
    windows: TimeWindows,
}

impl<K, V> std::fmt::Debug for WindowedStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WindowedStream({:?}, {:?})", self.stream, self.windows)
    }
}

impl<K, V> WindowedStream<K, V> {
    pub(crate) fn new(stream: KGroupedStream<K, V>, windows: TimeWindows) -> Self {
        Self { stream, windows }
    }
}

impl<K: Key, V: Data> WindowedStream<K, V> {
    /// Counts the records per key and window, null values too (but for sliding windows). A record with a null key, or for a window that has
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
        self.fold("count", &name.into(), |_, _, row| *row = Some(row.unwrap_or(0) + 1))
    }

    /// Folds the values per key and window into one of the same type; the first value starts it. A null result deletes
    /// the row, and the next record starts it afresh.
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
        let is_null = self.stream.grouped.null_value.clone();
        self.fold("reduce", &name.into(), move |_, value, row| reduce_into(row, value, &reduce, &*is_null))
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
        self.fold("aggregate", &name.into(), move |key, value, row| add(key, value, row.get_or_insert_with(&init)))
    }

    #[track_caller]
    fn fold<A: Data>(
        self,
        op: &str,
        store: &Materialized<K, A>,
        fold: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let windows = self.windows;
        let kind = windows.node_kind(op, &store.name);
        let into = into_windows(windows, store);
        self.stream.fold_into(op, kind, store_kind(windows), store, &into, fold)
    }
}

/// Takes a value into a row with a reducer; a null result deletes it.
pub(super) fn reduce_into<V>(
    row: &mut Option<V>,
    value: V,
    reduce: &impl Fn(V, V) -> V,
    is_null: &(dyn Fn(&V) -> bool + Send + Sync),
) {
    // Two sessions merged into a null are no row to go on with.
    let reduced = match row.take().filter(|before| !is_null(before)) {
        Some(before) => reduce(before, value),
        None => value,
    };
    *row = Some(reduced).filter(|reduced| !is_null(reduced));
}

/// How the rows of these windows are laid out.
pub(super) fn store_kind(windows: TimeWindows) -> StoreKind {
    match windows {
        TimeWindows::Aligned(_) => StoreKind::Window,
        TimeWindows::Sliding(_) => StoreKind::Timed,
    }
}

/// Folding into windows.
pub(super) fn into_windows<K: Key, A: Data>(
    windows: TimeWindows,
    store: &Materialized<K, A>,
) -> Inlet<K, Windowed<K>, A> {
    let name = store.name.clone();
    let store = store.clone();
    let open: Open<K, Windowed<K>, A> = Arc::new(move |builder, id| -> Result<Rc<dyn Folding<K, Windowed<K>, A>>> {
        Ok(match windows {
            TimeWindows::Aligned(windows) => aligned::open(builder, id, windows, &store)?,
            TimeWindows::Sliding(windows) => sliding::open(builder, id, windows, &store)?,
        })
    });
    Inlet { store: name, drop_null_values: windows.drop_null_values(), open }
}

/// Folding into sessions.
pub(super) fn into_sessions<K: Key, A: Data>(
    sessions: Session,
    store: &Materialized<K, A>,
    merge: Merge<K, A>,
) -> Inlet<K, Windowed<K>, A> {
    let name = store.name.clone();
    let store = store.clone();
    let open: Open<K, Windowed<K>, A> = Arc::new(move |builder, id| -> Result<Rc<dyn Folding<K, Windowed<K>, A>>> {
        Ok(session::open(builder, id, sessions, &store, merge.clone())?)
    });
    Inlet { store: name, drop_null_values: false, open }
}
