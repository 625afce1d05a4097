use std::sync::Arc;

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::NodeId,
    task::Blame,
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Keeps the records for which `keep` is true. Key and partition stay.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).filter(|_, n| *n > 1).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [1, 2, 3] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [2, 3]);
    /// ```
    #[track_caller]
    pub fn filter(&self, keep: impl Fn(&K, &V) -> bool + Shared) -> Self {
        let keep = Arc::new(keep);
        self.stateless("filter", false, move |id, next| Filter { id, keep: keep.clone(), next })
    }

    /// Drops the records for which `drop` is true; the opposite of [`KStream::filter`].
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).filter_not(|_, n| *n > 1).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [1, 2, 3] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1]);
    /// ```
    #[track_caller]
    pub fn filter_not(&self, drop: impl Fn(&K, &V) -> bool + Shared) -> Self {
        let keep = Arc::new(move |key: &K, value: &V| !drop(key, value));
        self.stateless("filter_not", false, move |id, next| Filter { id, keep: keep.clone(), next })
    }
}

struct Filter<F, K, V> {
    id: NodeId,
    keep: Arc<F>,
    next: Target<K, V>,
}

impl<K, V, F: Fn(&K, &V) -> bool> Push<K, V> for Filter<F, K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        let keep = (self.keep)(&key, &value);
        blame.clear();
        if keep { self.next.push(meta, key, value) } else { Ok(()) }
    }
}
