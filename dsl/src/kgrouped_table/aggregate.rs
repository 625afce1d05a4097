use super::KGroupedTable;
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    vocab::Materialized,
};

impl<K: Key, V: Data> KGroupedTable<K, V> {
    /// Folds the rows per group into an aggregate of any type, changed in place: `add` takes a row's new value in,
    /// `subtract` its old one out. They must undo each other in any order, as rows change in any order.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// use std::collections::BTreeSet;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, String>("teams", Text, "team-of")
    ///     .group_by(|person, team| (team, person.clone()), "by-team")
    ///     .aggregate(
    ///         "members",
    ///         BTreeSet::new,
    ///         |_, person, members| drop(members.insert(person)),
    ///         |_, person, members| drop(members.remove(&person)),
    ///     );
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut teams = driver.input::<String, String>("teams", Text);
    /// for (person, team) in [("ann", "red"), ("bob", "red"), ("ann", "blue")] {
    ///     teams.pipe(&mut driver, person.into(), team.into(), 0).unwrap();
    /// }
    /// let members = driver.store::<String, BTreeSet<String>>("members").unwrap();
    /// assert_eq!(members.get(&"red".into()).unwrap(), Some(BTreeSet::from(["bob".to_owned()])));
    /// ```
    #[track_caller]
    pub fn aggregate<A: Data>(
        self,
        name: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Shared,
        add: impl Fn(&K, V, &mut A) + Shared,
        subtract: impl Fn(&K, V, &mut A) + Shared,
    ) -> KTable<K, A> {
        let add = move |key: &K, value: V, row: &mut Option<A>| add(key, value, row.get_or_insert_with(&init));
        let subtract = move |key: &K, value: V, row: &mut Option<A>| {
            if let Some(aggregate) = row {
                subtract(key, value, aggregate);
            }
        };
        self.fold("aggregate", name.into(), add, subtract)
    }

    /// The general form: both closures see the row as it is, absent or not, and may delete it by setting `None`.
    /// `subtract` is called only where there is a row.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest")
    ///     .group_by(|_, n| (n % 2, n), "by-parity")
    ///     .update(
    ///         "sums",
    ///         |_, n, row: &mut Option<i64>| *row = Some(row.unwrap_or(0) + n),
    ///         |_, n, row| *row = row.map(|sum| sum - n).filter(|sum| *sum != 0),
    ///     )
    ///     .to_stream()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, Option<i64>>("in", Json);
    /// for n in [Some(1), None] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<i64, Option<i64>>("out", Json).read_values(&mut driver).unwrap(), [Some(1), None]);
    /// ```
    #[track_caller]
    pub fn update<A: Data>(
        self,
        name: impl Into<Materialized<K, A>>,
        add: impl Fn(&K, V, &mut Option<A>) + Shared,
        subtract: impl Fn(&K, V, &mut Option<A>) + Shared,
    ) -> KTable<K, A> {
        self.fold("update", name.into(), add, subtract)
    }
}
