//! Streams of independent records. One operator, one file.

mod filter;
mod flat_map;
mod for_each;
mod group_by;
mod join_global;
mod join_stream;
mod join_table;
mod map;
mod map_async;
mod merge;
mod peek;
mod process;
mod repartition;
mod select_key;
mod sink;
mod split;
mod to;
mod to_each;
mod to_table;

pub use process::Processed;
pub use split::Split;

use std::{marker::PhantomData, rc::Rc};

use headwater_core::Result;

use crate::{
    bounds::Data,
    graph::Graph,
    plan::{NodeId, NodeKind},
    wire::{Push, Target},
};

/// A stream of records with keys of type `K` and values of type `V`.
///
/// A cheap handle: using it several times gives every use all records. Records flow in the order of their arrival in
/// each partition; a step never reorders.
pub struct KStream<K, V> {
    pub(crate) graph: Graph,
    pub(crate) id: NodeId,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        Self { graph: self.graph.clone(), id: self.id, types: PhantomData }
    }
}

impl<K, V> std::fmt::Debug for KStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KStream({})", self.id)
    }
}

impl<K: Data, V: Data> KStream<K, V> {
    pub(crate) fn new(graph: Graph, id: NodeId) -> Self {
        Self { graph, id, types: PhantomData }
    }

    /// Names the last step, for `describe()`, errors and metrics. Default: the operation and the step's number.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.graph.rename(self.id, name);
        self
    }

    /// Appends a stateless step whose operator is made by `make` from what comes after it.
    #[track_caller]
    pub(crate) fn stateless<K2: Data, V2: Data, P: Push<K, V> + 'static>(
        &self,
        op: &str,
        changes_key: bool,
        make: impl Fn(NodeId, Target<K2, V2>) -> P + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        let kind = NodeKind::Stateless { op: op.to_owned(), changes_key };
        let id = self.graph.add(None, op, kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let next = builder.next::<K2, V2>(id)?;
                Ok(Rc::new(make(id, next)))
            });
        });
        KStream::new(self.graph.clone(), id)
    }
}
