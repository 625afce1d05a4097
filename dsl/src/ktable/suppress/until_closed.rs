use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

use super::{
    keys::KeyThenWindow,
    operator::{Rule, Shared, Suppress, View, open},
};
use crate::{
    bounds::{Data, Key},
    ktable::KTable,
    plan::{NodeKind, OldValues},
    store::StoreSerdes,
    vocab::Suppressed,
    window::Windowed,
    wire::{Change, TableView, Target},
};

impl<K: Key, V: Data> KTable<Windowed<K>, V> {
    /// Holds each window's result back until it is final, and sends it once: when the window's end and grace have
    /// passed by the time of the stream, or at the end of a bounded run. Results go in the order of their windows' ends,
    /// then of their keys. Later changes of such a window, as a further run may bring them, are dropped and counted.
    ///
    /// Where the aggregation can be told to, `emit_on_close` does the same without a second store; this is for what
    /// comes after other steps on the table, such as a filter. Before that the table's rows can be looked up.
    ///
    /// A full buffer stops the program with `HW0240`; see [`Suppressed`].
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Tumbling::of(minutes(1)).no_grace())
    ///     .count("per-minute")
    ///     .filter(|_, n| *n > 1)
    ///     .suppress_until_closed("busy-minutes")
    ///     .updates()
    ///     .map(|window, n| (window.key, n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for second in [1, 2, 3, 61, 125, 126] {
    ///     input.pipe(&mut driver, "k".into(), 0, seconds(second)).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [3]);
    /// ```
    #[track_caller]
    pub fn suppress_until_closed(&self, suppressed: impl Into<Suppressed<K, V>>) -> Self {
        let suppressed = suppressed.into();
        let name = suppressed.name.clone();
        let parent = self.id;
        let closing = self.graph.lock().plan.window_closing(parent);
        let emits_early = i64::from(suppressed.bound.emits_early);
        let closes_after_ms = closing.map(|closing| closing.after_ms);
        let kind = NodeKind::stateful("suppress_until_closed", &[&name])
            .taking_old_values(OldValues::Needed)
            .with_settings([("emits_early", Some(emits_early)), ("closes_after_ms", closes_after_ms)])
            .final_within(closing.map(|closing| closing.within_ms));
        let rule = Rule {
            time_of: |windowed: &Windowed<K>, _| windowed.end,
            delay_ms: closing.map_or(0, |closing| closing.after_ms),
            bound: suppressed.bound,
            is_final: true,
        };
        let spec = suppressed.spec();
        let (keys, values, bound) = (suppressed.keys, suppressed.values, suppressed.bound);
        let serdes = move || StoreSerdes { keys: Arc::new(KeyThenWindow(keys.clone())), values: values.clone() };
        let of_view = serdes.clone();
        let id = self.graph.add(Some(&name), "suppress", kind, vec![parent], |wiring, id| {
            wiring.view::<Windowed<K>, V>(id, move |builder, id| -> Result<Rc<dyn TableView<Windowed<K>, V>>> {
                let above = builder.view_of::<Windowed<K>, V>(parent)?;
                Ok(Rc::new(View { held: open(builder, id, of_view(), bound)?, above }))
            });
            wiring.target::<Windowed<K>, Change<V>>(id, move |builder, id| -> Result<Target<Windowed<K>, Change<V>>> {
                let held = open(builder, id, serdes(), bound)?;
                Ok(Rc::new(Shared(Suppress::start(builder, id, rule, held)?)))
            });
        });
        self.graph.declare_store(id, &name, spec);
        Self::new(self.graph.clone(), id)
    }
}
