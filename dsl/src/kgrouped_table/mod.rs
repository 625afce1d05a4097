//! Grouped tables: the parts of rows with equal group keys are together, and can be added and subtracted.

mod aggregate;
mod change_serde;
mod count;
mod fold;
mod reduce;

use std::marker::PhantomData;

pub(crate) use change_serde::ChangeSerde;

use crate::{graph::Graph, plan::NodeId};

/// A table whose rows are grouped by another key; see [`KTable::group_by`](crate::KTable::group_by). Consumed by its one
/// aggregation.
pub struct KGroupedTable<K, V> {
    graph: Graph,
    id: NodeId,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> KGroupedTable<K, V> {
    pub(crate) fn new(graph: Graph, id: NodeId) -> Self {
        Self { graph, id, types: PhantomData }
    }
}

impl<K, V> std::fmt::Debug for KGroupedTable<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KGroupedTable({})", self.id)
    }
}
