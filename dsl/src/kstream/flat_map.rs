use std::sync::Arc;

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::NodeId,
    task::Blame,
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Turns each record into any number of records with any keys. Marks the key as changed.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, String>("in", Text)
    ///     .flat_map(|_, line| line.split(' ').map(|word| (word.to_owned(), 1_i64)).collect::<Vec<_>>())
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, String>("in", Text).pipe(&mut driver, "k".into(), "to be".into(), 0).unwrap();
    /// let out = driver.output::<String, i64>("out", Json).read_key_values(&mut driver).unwrap();
    /// assert_eq!(out, [("to".to_owned(), 1), ("be".to_owned(), 1)]);
    /// ```
    #[track_caller]
    pub fn flat_map<K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)>>(
        &self,
        map: impl Fn(K, V) -> I + Shared,
    ) -> KStream<K2, V2> {
        let map = Arc::new(map);
        self.stateless("flat_map", true, move |id, next| FlatMap { id, map: map.clone(), next })
    }

    /// Turns each value into any number of values under the same key. Partition stays.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).flat_map_values(|n| 0..n).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 3, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [0, 1, 2]);
    /// ```
    #[track_caller]
    pub fn flat_map_values<V2: Data, I: IntoIterator<Item = V2>>(
        &self,
        map: impl Fn(V) -> I + Shared,
    ) -> KStream<K, V2> {
        let map = Arc::new(map);
        self.stateless("flat_map_values", false, move |id, next| FlatMapValues { id, map: map.clone(), next })
    }
}

struct FlatMap<F, K2, V2> {
    id: NodeId,
    map: Arc<F>,
    next: Target<K2, V2>,
}

impl<K, V, K2, V2, I: IntoIterator<Item = (K2, V2)>, F: Fn(K, V) -> I> Push<K, V> for FlatMap<F, K2, V2> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        for (key, value) in (self.map)(key, value) {
            self.next.push(meta, key, value)?;
        }
        blame.clear();
        Ok(())
    }
}

struct FlatMapValues<F, K, V2> {
    id: NodeId,
    map: Arc<F>,
    next: Target<K, V2>,
}

impl<K: Clone, V, V2, I: IntoIterator<Item = V2>, F: Fn(V) -> I> Push<K, V> for FlatMapValues<F, K, V2> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        for value in (self.map)(value) {
            self.next.push(meta, key.clone(), value)?;
        }
        blame.clear();
        Ok(())
    }
}
