use std::sync::Arc;

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::NodeId,
    task::Blame,
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Gives each record a new key. The value stays. Marks the key as changed: the next grouping gets a repartition
    /// topic.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).select_key(|_, n| n % 2).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap(), [(1, 7)]);
    /// ```
    #[track_caller]
    pub fn select_key<K2: Data>(&self, select: impl Fn(&K, &V) -> K2 + Shared) -> KStream<K2, V> {
        self.with_key("select_key", select)
    }

    /// As [`KStream::select_key`], for the step called `op`.
    #[track_caller]
    pub(super) fn with_key<K2: Data>(&self, op: &str, select: impl Fn(&K, &V) -> K2 + Shared) -> KStream<K2, V> {
        let select = Arc::new(select);
        self.stateless(op, true, move |id, next| SelectKey { id, select: select.clone(), next })
    }
}

struct SelectKey<F, K2, V> {
    id: NodeId,
    select: Arc<F>,
    next: Target<K2, V>,
}

impl<K, V, K2, F: Fn(&K, &V) -> K2> Push<K, V> for SelectKey<F, K2, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        let key = (self.select)(&key, &value);
        blame.clear();
        self.next.push(meta, key, value)
    }
}
