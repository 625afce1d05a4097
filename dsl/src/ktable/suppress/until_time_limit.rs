use std::rc::Rc;

use headwater_core::{Result, Timestamp};

use super::operator::{Rule, Shared, Suppress, View, open};
use crate::{
    bounds::{Data, Key},
    ktable::KTable,
    plan::{NodeKind, OldValues},
    store::StoreSerdes,
    vocab::Suppressed,
    wire::{Change, TableView, Target},
};

impl<K: Key, V: Data> KTable<K, V> {
    /// Sends at most one change of each row in `limit_ms` milliseconds of event time: the first one starts the wait, and
    /// when it is over the last one goes out. The end of a bounded run ends all waits. What is sent has the row's value
    /// from before the wait as its old value. Changes go in the order in which their waits began, then of their keys.
    ///
    /// A full buffer stops the program with `HW0240`, or sends its first changes early; see [`Suppressed`].
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest")
    ///     .suppress_until_time_limit(minutes(1), "once-a-minute")
    ///     .updates()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for second in [0, 20, 40, 60, 80] {
    ///     input.pipe(&mut driver, "k".into(), second, seconds(second)).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [60]);
    /// ```
    #[track_caller]
    pub fn suppress_until_time_limit(&self, limit_ms: i64, suppressed: impl Into<Suppressed<K, V>>) -> Self {
        let suppressed = suppressed.into();
        let name = suppressed.name.clone();
        let kind = NodeKind::stateful("suppress_until_time_limit", &[&name])
            .taking_old_values(OldValues::Needed)
            .with_settings([("limit_ms", Some(limit_ms))]);
        let time_of = |_: &K, timestamp: Timestamp| timestamp;
        let rule = Rule { time_of, delay_ms: limit_ms, bound: suppressed.bound, is_final: false };
        let (parent, spec) = (self.id, suppressed.spec());
        let (keys, values, bound) = (suppressed.keys, suppressed.values, suppressed.bound);
        let serdes = move || StoreSerdes { keys: keys.clone(), values: values.clone() };
        let of_view = serdes.clone();
        let id = self.graph.add(Some(&name), "suppress", kind, vec![parent], |wiring, id| {
            wiring.view::<K, V>(id, move |builder, id| -> Result<Rc<dyn TableView<K, V>>> {
                let above = builder.view_of::<K, V>(parent)?;
                Ok(Rc::new(View { held: open(builder, id, of_view(), bound)?, above }))
            });
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                let held = open(builder, id, serdes(), bound)?;
                Ok(Rc::new(Shared(Suppress::start(builder, id, rule, held)?)))
            });
        });
        self.graph.declare_store(id, &name, spec);
        Self::new(self.graph.clone(), id)
    }
}
