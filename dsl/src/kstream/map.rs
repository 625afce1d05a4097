use std::{rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Result};

use super::KStream;
use crate::{
    bounds::{Data, Shared, UserResult},
    plan::{NodeId, NodeKind},
    task::Blame,
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Turns each record into another key and value. Marks the key as changed: the next grouping gets a repartition
    /// topic. Use [`KStream::map_values`] where the key stays.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).map(|key, n| (n, key)).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<i64, String>("out", Json).read_key_values(&mut driver).unwrap(), [(7, "k".to_owned())]);
    /// ```
    #[track_caller]
    pub fn map<K2: Data, V2: Data>(&self, map: impl Fn(K, V) -> (K2, V2) + Shared) -> KStream<K2, V2> {
        let map = Arc::new(map);
        self.stateless("map", true, move |id, next| Map { id, map: map.clone(), next })
    }

    /// Turns each value into another. Key and partition stay. The value is handed over, so its fields can be moved out.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).map_values(|n| n * 2).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [14]);
    /// ```
    #[track_caller]
    pub fn map_values<V2: Data>(&self, map: impl Fn(V) -> V2 + Shared) -> KStream<K, V2> {
        let map = Arc::new(map);
        self.stateless("map_values", false, move |id, next| MapValues { id, map: map.clone(), next })
    }

    /// As [`KStream::map_values`], with a closure that may fail: an error stops the program and names the record.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, String>("in", Text).try_map_values(|text| Ok(text.parse::<i64>()?)).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, String>("in", Text);
    /// input.pipe(&mut driver, "k".into(), "12".into(), 0).unwrap();
    /// let error = input.pipe(&mut driver, "k".into(), "twelve".into(), 0).unwrap_err();
    /// assert!(error.to_string().contains("in-0@1"), "{error}");
    /// ```
    #[track_caller]
    pub fn try_map_values<V2: Data>(&self, map: impl Fn(V) -> UserResult<V2> + Shared) -> KStream<K, V2> {
        let map = Arc::new(map);
        let kind = NodeKind::Stateless { op: "try_map_values".to_owned(), changes_key: false };
        let id = self.graph.add(None, "try_map_values", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let next = builder.next::<K, V2>(id)?;
                let node = builder.node(id)?.name.clone();
                Ok(Rc::new(TryMapValues { id, node, map: map.clone(), next }))
            });
        });
        KStream::new(self.graph.clone(), id)
    }
}

struct Map<F, K2, V2> {
    id: NodeId,
    map: Arc<F>,
    next: Target<K2, V2>,
}

impl<K, V, K2, V2, F: Fn(K, V) -> (K2, V2)> Push<K, V> for Map<F, K2, V2> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        let (key, value) = (self.map)(key, value);
        blame.clear();
        self.next.push(meta, key, value)
    }
}

struct MapValues<F, K, V2> {
    id: NodeId,
    map: Arc<F>,
    next: Target<K, V2>,
}

impl<K, V, V2, F: Fn(V) -> V2> Push<K, V> for MapValues<F, K, V2> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        let value = (self.map)(value);
        blame.clear();
        self.next.push(meta, key, value)
    }
}

struct TryMapValues<F, K, V2> {
    id: NodeId,
    node: String,
    map: Arc<F>,
    next: Target<K, V2>,
}

impl<K, V, V2, F: Fn(V) -> UserResult<V2>> Push<K, V> for TryMapValues<F, K, V2> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        let value = (self.map)(value);
        blame.clear();
        let value = value.map_err(|cause| {
            Error::new(ErrorKind::User, "HW0221", "the program's closure failed on a record")
                .caused_by(cause)
                .at_node(&self.node)
                .help("mend the closure or the record; nothing was skipped")
        })?;
        self.next.push(meta, key, value)
    }
}
