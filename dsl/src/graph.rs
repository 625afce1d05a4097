//! What the handles share while a program describes its topology.

use std::{
    panic::Location,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    plan::{GlobalStore, Node, NodeId, NodeKind, Plan},
    store::DeclaredStore,
    vocab::OnFailure,
    wire::{Restorer, Wiring},
};

/// The topology in the making.
pub(crate) struct Draft {
    pub(crate) plan: Plan,
    pub(crate) wiring: Wiring,
    /// Whether repartitions of one stream share a topic.
    pub(crate) merges_repartitions: bool,
    pub(crate) duplicate_stores: Vec<(String, NodeId)>,
    /// Steps that were given a stream of another builder.
    pub(crate) strangers: Vec<NodeId>,
    /// Mistakes that the plan does not show: code, reason, help.
    pub(crate) mistakes: Vec<(NodeId, &'static str, String, &'static str)>,
}

/// A handle to the topology in the making; streams and tables carry one.
#[derive(Clone)]
pub(crate) struct Graph(Arc<Mutex<Draft>>);

impl Graph {
    pub(crate) fn new(app: &str) -> Self {
        let plan = Plan {
            app: app.to_owned(),
            on_failure: OnFailure::Fail,
            nodes: Vec::new(),
            stores: Default::default(),
            global_stores: Default::default(),
            subtopologies: Vec::new(),
        };
        Self(Arc::new(Mutex::new(Draft {
            plan,
            wiring: Wiring::default(),
            merges_repartitions: false,
            duplicate_stores: Vec::new(),
            strangers: Vec::new(),
            mistakes: Vec::new(),
        })))
    }

    /// Never held while user code runs.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Draft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a step. `name` is the user's; otherwise it is made of the operation and the step's number.
    #[track_caller]
    pub(crate) fn add(
        &self,
        name: Option<&str>,
        op: &str,
        kind: NodeKind,
        parents: Vec<NodeId>,
        wire: impl FnOnce(&mut Wiring, NodeId),
    ) -> NodeId {
        let location = Location::caller();
        let mut draft = self.lock();
        let id = NodeId(draft.plan.nodes.len() as u32);
        let name = name.map_or_else(|| format!("{op}-{}", id.0), str::to_owned);
        draft.plan.nodes.push(Node { id, name, kind, parents });
        draft.wiring.locations.insert(id, location);
        wire(&mut draft.wiring, id);
        id
    }

    /// Declares a store of node `id`.
    pub(crate) fn declare_store(&self, id: NodeId, name: &str, store: impl Into<DeclaredStore>) {
        let DeclaredStore { mut spec, types } = store.into();
        let mut draft = self.lock();
        spec.changelog = format!("{}-{name}-changelog", draft.plan.app);
        draft.wiring.store_types.extend(types.map(|types| (name.to_owned(), types)));
        if draft.plan.stores.insert(name.to_owned(), spec).is_some() {
            draft.duplicate_stores.push((name.to_owned(), id));
        }
    }

    /// Declares a store that steps are given later.
    pub(crate) fn declare_free_store(&self, name: &str, store: impl Into<DeclaredStore>) {
        // No step is to blame if the name is taken.
        self.declare_store(NodeId(u32::MAX), name, store);
    }

    /// Lets the store of a table be restored from the topic that the table reads.
    pub(crate) fn restore_from(&self, topic: &str, store: &str, restorer: Restorer) {
        let mut draft = self.lock();
        if let Some(spec) = draft.plan.stores.get_mut(store) {
            spec.options.source = Some(topic.to_owned());
        }
        draft.wiring.restorers.insert(store.to_owned(), restorer);
    }

    /// Declares a global table's store.
    pub(crate) fn declare_global(&self, name: &str, mut store: GlobalStore) {
        let mut draft = self.lock();
        store.after_steps = draft.plan.nodes.len() as u32;
        let taken = draft.plan.stores.contains_key(name) || draft.plan.global_stores.contains_key(name);
        if taken {
            let id = NodeId(draft.plan.nodes.len() as u32);
            draft.duplicate_stores.push((name.to_owned(), id));
        }
        draft.plan.global_stores.insert(name.to_owned(), store);
    }

    /// Notes a mistake in step `id` for `build()` to report.
    pub(crate) fn mistake(&self, id: NodeId, code: &'static str, reason: String, help: &'static str) {
        self.lock().mistakes.push((id, code, reason, help));
    }

    /// Tells this builder's steps from another's.
    pub(crate) fn token(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Whether both handles belong to one builder.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Renames a step.
    pub(crate) fn rename(&self, id: NodeId, name: &str) {
        let mut draft = self.lock();
        if let Some(node) = draft.plan.nodes.get_mut(id.0 as usize) {
            name.clone_into(&mut node.name);
        }
    }
}
