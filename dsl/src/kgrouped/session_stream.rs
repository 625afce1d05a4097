use std::sync::Arc;

use super::{
    KGroupedStream,
    windowed::{Merge, into_sessions, reduce_into},
};
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    plan::StoreKind,
    vocab::Materialized,
    window::{Session, Windowed},
};

/// A grouped stream divided into sessions; see [`KGroupedStream::windowed_by`].
///
/// Without [`Session::emit_on_close`] a session that grows is another row of the table, as its key has the session's
/// bounds: the old row is deleted, then the new one comes.
pub struct SessionStream<K, V> {
    stream: KGroupedStream<K, V>,
    sessions: Session,
}

impl<K, V> std::fmt::Debug for SessionStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionStream({:?}, {:?})", self.stream, self.sessions)
    }
}

impl<K, V> SessionStream<K, V> {
    pub(crate) fn new(stream: KGroupedStream<K, V>, sessions: Session) -> Self {
        Self { stream, sessions }
    }
}

impl<K: Key, V: Data> SessionStream<K, V> {
    /// Counts the records per key and session, null values too. A record with a null key or for a session that has
    /// closed is dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Session::with_gap(10).no_grace())
    ///     .count("sessions")
    ///     .to_stream()
    ///     .map(|session, n| ((session.start, session.end), n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for time in [0, 20, 10] {
    ///     input.pipe(&mut driver, "k".into(), 0, time).unwrap();
    /// }
    /// let counts = driver.output::<(i64, i64), Option<i64>>("out", Json).read_key_values(&mut driver).unwrap();
    /// // The third record is between the two sessions and makes them one.
    /// let merged = [((0, 0), None), ((20, 20), None), ((0, 20), Some(3))];
    /// assert_eq!(counts, [[((0, 0), Some(1)), ((20, 20), Some(1))].as_slice(), &merged].concat());
    /// ```
    #[track_caller]
    pub fn count(self, name: impl Into<Materialized<K, i64>>) -> KTable<Windowed<K>, i64> {
        let merge = Arc::new(|_: &K, merged: Option<i64>, n| merged.unwrap_or(0) + n);
        self.fold("count", &name.into(), merge, |_, _, row| *row = Some(row.unwrap_or(0) + 1))
    }

    /// Folds the values per key and session into one of the same type; the first value starts it. When sessions become
    /// one, their values are reduced in the order of the sessions, and the record's value last. A null result deletes the
    /// row.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Session::with_gap(10).no_grace().emit_on_close())
    ///     .reduce("greatest", i64::max)
    ///     .updates()
    ///     .map(|session, n| (session.start, n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (n, time) in [(5, 0), (9, 8), (1, 30)] {
    ///     input.pipe(&mut driver, "k".into(), n, time).unwrap();
    /// }
    /// assert_eq!(driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap(), [(0, 9)]);
    /// ```
    #[track_caller]
    pub fn reduce(
        self,
        name: impl Into<Materialized<K, V>>,
        reduce: impl Fn(V, V) -> V + Shared,
    ) -> KTable<Windowed<K>, V> {
        let reduce = Arc::new(reduce);
        let is_null = self.stream.grouped.null_value.clone();
        let merging = reduce.clone();
        let merged_null = is_null.clone();
        let merge =
            Arc::new(move |_: &K, merged: Option<V>, next| match merged.filter(|merged| !merged_null(merged)) {
                Some(merged) => merging(merged, next),
                None => next,
            });
        self.fold("reduce", &name.into(), merge, move |_, value, row| reduce_into(row, value, &*reduce, &*is_null))
    }

    /// Folds the records per key and session into an aggregate of any type, changed in place. When sessions become one,
    /// `merge` is called with `init()` and the first session's aggregate, then with what came of it and the next one's;
    /// the record is added last. Null values are handed to the closure.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Session::with_gap(10).no_grace().emit_on_close())
    ///     .aggregate("all", Vec::new, |_, n, all| all.push(n), |_, a, b| [a, b].concat())
    ///     .updates()
    ///     .map(|session, all| (session.start, all))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (n, time) in [(5, 0), (9, 8), (1, 30)] {
    ///     input.pipe(&mut driver, "k".into(), n, time).unwrap();
    /// }
    /// let all = driver.output::<i64, Vec<i64>>("out", Json).read_key_values(&mut driver).unwrap();
    /// assert_eq!(all, [(0, vec![5, 9])]);
    /// ```
    #[track_caller]
    pub fn aggregate<A: Data>(
        self,
        name: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Shared,
        add: impl Fn(&K, V, &mut A) + Shared,
        merge: impl Fn(&K, A, A) -> A + Shared,
    ) -> KTable<Windowed<K>, A> {
        let init = Arc::new(init);
        let start = init.clone();
        let merge = Arc::new(move |key: &K, merged: Option<A>, next| merge(key, merged.unwrap_or_else(&*start), next));
        let add = move |key: &K, value, row: &mut Option<A>| add(key, value, row.get_or_insert_with(&*init));
        self.fold("aggregate", &name.into(), merge, add)
    }

    #[track_caller]
    fn fold<A: Data>(
        self,
        op: &str,
        store: &Materialized<K, A>,
        merge: Merge<K, A>,
        fold: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let kind = self.sessions.node_kind(op, &store.name);
        let into = into_sessions(self.sessions, store, merge);
        self.stream.fold_into(op, kind, StoreKind::Session, store, &into, fold)
    }
}
