//! A finished topology: the plan and its typed wiring.

use std::sync::Arc;

use headwater_core::{Error, ErrorKind, RecordRef, Result};

use crate::{
    plan::{NodeId, Plan},
    sinking::AnySink,
    store::StoreTypes,
    wire::{RestoredRow, Wiring},
};

/// A topology that passed every check of `build()`. Immutable, cheap to clone, shared by all threads.
#[derive(Clone)]
pub struct Topology {
    plan: Arc<Plan>,
    wiring: Arc<Wiring>,
    version: u32,
}

impl Topology {
    pub(crate) fn new(plan: Plan, wiring: Wiring) -> Self {
        Self { plan: Arc::new(plan), wiring: Arc::new(wiring), version: 1 }
    }

    /// The plan: what the topology is, as data.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The topology in the form of Kafka's `describe()`.
    pub fn describe(&self) -> String {
        self.plan.describe()
    }

    /// The sinks by node name, in plan order.
    pub fn sinks(&self) -> impl Iterator<Item = (&str, &Arc<dyn AnySink>)> {
        let name = |id: NodeId| self.plan.node(id).map_or("", |node| node.name.as_str());
        self.wiring.sinks.iter().map(move |(id, sink)| (name(*id), sink))
    }

    /// The types of the rows in `store`; `None` if there is no such store, or if it is one that a step keeps for itself,
    /// such as the buffer of a join.
    pub fn store_types(&self, store: &str) -> Option<StoreTypes> {
        self.wiring.store_types.get(store).copied()
    }

    /// The row that a record of the topic that `store` is restored from is in it.
    ///
    /// # Errors
    /// If it cannot be decoded, or the store is not restored from its table's topic.
    pub fn restored_row(&self, store: &str, record: &RecordRef<'_>) -> Result<RestoredRow> {
        match self.wiring.restorers.get(store) {
            Some(restorer) => restorer(record),
            None => {
                Err(Error::new(ErrorKind::Internal, "HW0100", format!("store {store} has no source to restore from")))
            }
        }
    }

    /// The same topology as version `version` of the pipeline: from 2 on with its own application id, internal topics,
    /// output topics and dead letters, all marked `__v<N>`. Inputs stay the same. Version 1 has no mark.
    #[must_use]
    pub fn versioned(&self, version: u32) -> Self {
        if version <= 1 {
            return self.clone();
        }
        let plan = Arc::new(self.plan.marked(&format!("__v{version}")));
        Self { plan, wiring: self.wiring.clone(), version }
    }

    /// The same topology with the patterns of its sources resolved: they read those of the `existing` topics that
    /// match. Topics of the application's own, those it writes and those it reads by name are left out.
    #[must_use]
    pub fn with_topics<'a>(self, existing: impl IntoIterator<Item = &'a str>) -> Self {
        Self { plan: Arc::new(self.plan.with_topics(existing)), ..self }
    }

    /// The version of the pipeline that this is, from 1.
    pub fn version(&self) -> u32 {
        self.version
    }

    pub(crate) fn wiring(&self) -> &Wiring {
        &self.wiring
    }
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topology").field("plan", self.plan()).finish_non_exhaustive()
    }
}
