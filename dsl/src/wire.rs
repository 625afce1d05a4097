//! The one file where types are erased. Each step registers a typed wiring closure under its node; at task start the
//! closures build push targets from the leaves up, with one downcast per edge and none per record.

use std::{any::Any, cell::RefCell, collections::HashMap, panic::Location, rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Headers, RecordRef, Result, Timestamp};

use crate::{
    bounds::Data,
    plan::{Node, NodeId, NodeKind, Plan},
    store::StoreTypes,
    task::{TaskContext, TaskEnv, TaskSource, Tie},
};

/// What travels beside key and value: two registers.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    /// The record's event time.
    pub timestamp: Timestamp,
    /// The record's headers, borrowed from its batch.
    pub headers: &'a Headers,
}

/// The result of a push; one pointer wide.
pub type Flow = Result<()>;

/// Takes records. `&self`: a graph without cycles never re-enters, state sits in cells of the operator.
pub trait Push<K, V> {
    /// Takes one record by value.
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow;
}

/// A shared child: joins and merges share it for free inside a task, which never leaves its thread.
pub(crate) type Target<K, V> = Rc<dyn Push<K, V>>;

/// A change of a table's row. `old` is filled only where a step asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<V> {
    /// The row's new value; `None` is a deletion.
    pub new: Option<V>,
    /// The row's value before, if a step below needs it.
    pub old: Option<V>,
}

/// Looks up rows of a table: what is in its store, with what waits for the commit, or a view of that.
pub(crate) trait TableView<K, V> {
    /// The row of `key` and its timestamp; `None` if there is none or the key is null.
    fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>>;

    /// The row as it was at `at`, for a table with history ([`Plan::is_versioned`]); any other has the row as it is.
    fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<(V, Timestamp)>> {
        let _ = at;
        self.get(key)
    }
}

/// Builds one port of a node; `Any` holds its `Target<K, V>`.
type Wire = Box<dyn Fn(&mut TaskBuilder<'_>, NodeId) -> Result<Box<dyn Any>> + Send + Sync>;
/// Builds what looks up a table's rows; `Any` holds its `Rc<dyn TableView<K, V>>`.
type ViewWire = Box<dyn Fn(&mut TaskBuilder<'_>, NodeId) -> Result<Box<dyn Any>> + Send + Sync>;
/// Builds what a source or repartition reads one of its topics with.
type SourceWire = Box<dyn Fn(&mut TaskBuilder<'_>, NodeId, &str) -> Result<Rc<dyn TaskSource>> + Send + Sync>;

/// The row that a record of a table's topic is in the table's store, or the deletion of one: key and value in the store's
/// formats. `None` if the record is none of the table's.
pub type RestoredRow = Option<(Vec<u8>, Option<Vec<u8>>)>;

/// Makes the row of a record that is read to restore a store.
pub(crate) type Restorer = Box<dyn Fn(&RecordRef<'_>) -> Result<RestoredRow> + Send + Sync>;

/// The typed half of a topology: closures by node.
#[derive(Default)]
pub(crate) struct Wiring {
    targets: HashMap<NodeId, Wire>,
    /// For a repartition with a topic: the writing half.
    senders: HashMap<NodeId, Wire>,
    sources: HashMap<NodeId, SourceWire>,
    views: HashMap<NodeId, ViewWire>,
    /// The types of the stores that the program named.
    pub(crate) store_types: HashMap<String, StoreTypes>,
    /// By store.
    pub(crate) restorers: HashMap<String, Restorer>,
    pub(crate) sinks: Vec<(NodeId, Arc<dyn crate::sinking::AnySink>)>,
    pub(crate) locations: HashMap<NodeId, &'static Location<'static>>,
}

impl Wiring {
    /// Registers the target of `id`.
    pub(crate) fn target<K: Data, V: Data>(
        &mut self,
        id: NodeId,
        make: impl Fn(&mut TaskBuilder<'_>, NodeId) -> Result<Target<K, V>> + Send + Sync + 'static,
    ) {
        self.targets.insert(id, Box::new(move |builder, id| Ok(Box::new(make(builder, id)?))));
    }

    /// `id` does nothing: what comes after it takes its records.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general over lifetimes")]
    pub(crate) fn pass_on<K: Data, V: Data>(&mut self, id: NodeId) {
        self.target::<K, V>(id, |builder, id| builder.next::<K, V>(id));
    }

    /// Registers the writing half of repartition `id`.
    pub(crate) fn sender<K: Data, V: Data>(
        &mut self,
        id: NodeId,
        make: impl Fn(&mut TaskBuilder<'_>, NodeId) -> Result<Target<K, V>> + Send + Sync + 'static,
    ) {
        self.senders.insert(id, Box::new(move |builder, id| Ok(Box::new(make(builder, id)?))));
    }

    /// Registers how the rows of table `id` are looked up.
    pub(crate) fn view<K: Data, V: Data>(
        &mut self,
        id: NodeId,
        make: impl Fn(&mut TaskBuilder<'_>, NodeId) -> Result<Rc<dyn TableView<K, V>>> + Send + Sync + 'static,
    ) {
        self.views.insert(id, Box::new(move |builder, id| Ok(Box::new(make(builder, id)?))));
    }

    /// Registers how `id` reads each of its topics.
    pub(crate) fn source(
        &mut self,
        id: NodeId,
        make: impl Fn(&mut TaskBuilder<'_>, NodeId, &str) -> Result<Rc<dyn TaskSource>> + Send + Sync + 'static,
    ) {
        self.sources.insert(id, Box::new(make));
    }
}

/// Builds the operators of one task from the sinks up to the sources.
pub(crate) struct TaskBuilder<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) wiring: &'a Wiring,
    pub(crate) part: usize,
    pub(crate) env: &'a dyn TaskEnv,
    pub(crate) context: Rc<TaskContext>,
    built: HashMap<NodeId, Box<dyn Any>>,
    shared: HashMap<String, Box<dyn Any>>,
    unfinished: Vec<Unfinished>,
}

/// What ties a store to the steps below it, once all of them may be built.
type Unfinished = Box<dyn FnOnce(&mut TaskBuilder<'_>) -> Result<()>>;

impl<'a> TaskBuilder<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        wiring: &'a Wiring,
        part: usize,
        env: &'a dyn TaskEnv,
        context: Rc<TaskContext>,
    ) -> Self {
        let (built, shared, unfinished) = (HashMap::new(), HashMap::new(), Vec::new());
        Self { plan, wiring, part, env, context, built, shared, unfinished }
    }

    /// The node `id`.
    pub(crate) fn node(&self, id: NodeId) -> Result<&'a Node> {
        self.plan.node(id).ok_or_else(|| broken(&format!("node {id} is not in the plan")))
    }

    /// The steps of the task.
    pub(crate) fn steps(&self) -> &'a [NodeId] {
        self.plan.subtopologies.get(self.part).map_or(&[], |part| &part.nodes)
    }

    /// What takes the records that `id` forwards: nothing, its only child, or a fan-out in the order written.
    pub(crate) fn next<K: Data, V: Data>(&mut self, id: NodeId) -> Result<Target<K, V>> {
        let children: Vec<NodeId> = self.plan.children(id).map(|child| child.id).collect();
        self.target_among(&children)
    }

    /// What hands records to these nodes, in this order.
    pub(crate) fn target_among<K: Data, V: Data>(&mut self, nodes: &[NodeId]) -> Result<Target<K, V>> {
        let mut targets = Vec::with_capacity(nodes.len());
        for node in nodes {
            targets.push(self.target_of::<K, V>(*node)?);
        }
        Ok(match targets.len() {
            1 => targets.swap_remove(0),
            0 => Rc::new(Discard),
            _ => Rc::new(FanOut(targets)),
        })
    }

    /// As [`TaskBuilder::next`], but the steps below are built only when the sources are: two tables that are joined look
    /// into each other's store, so neither store can wait for the steps that look into it.
    pub(crate) fn next_later<K: Data, V: Data>(&mut self, id: NodeId) -> Target<K, V> {
        let later = Rc::new(Later(RefCell::new(None)));
        let target = later.clone();
        self.context.tie(later.clone());
        self.unfinished.push(Box::new(move |builder| {
            let next = builder.next::<K, V>(id)?;
            target.0.replace(Some(next));
            Ok(())
        }));
        later
    }

    /// Builds what was left for later.
    pub(crate) fn finish(&mut self) -> Result<()> {
        while let Some(step) = self.unfinished.pop() {
            step(self)?;
        }
        Ok(())
    }

    /// The target of node `id` itself, built on first use.
    pub(crate) fn target_of<K: Data, V: Data>(&mut self, id: NodeId) -> Result<Target<K, V>> {
        if !self.built.contains_key(&id) {
            let node = self.node(id)?;
            let cut = matches!(node.kind, NodeKind::Repartition { topic: Some(_), .. });
            let wires = if cut { &self.wiring.senders } else { &self.wiring.targets };
            let Some(wire) = wires.get(&id) else {
                return Err(broken(&format!("step {} has no wiring", node.name)));
            };
            let made = wire(self, id)?;
            self.built.insert(id, made);
        }
        let name = || self.plan.node(id).map_or_else(String::new, |node| node.name.clone());
        self.built
            .get(&id)
            .and_then(|made| made.downcast_ref::<Target<K, V>>())
            .cloned()
            .ok_or_else(|| broken(&format!("step {} takes records of another type", name())))
    }

    /// The one instance per task of what several steps share under `name`, usually a store's name; made on first use.
    pub(crate) fn shared<S: 'static>(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<Rc<S>>,
    ) -> Result<Rc<S>> {
        if !self.shared.contains_key(name) {
            let made = make(self)?;
            self.shared.insert(name.to_owned(), Box::new(made));
        }
        let made = self.shared.get(name).and_then(|made| made.downcast_ref::<Rc<S>>());
        made.cloned().ok_or_else(|| broken(&format!("{name} is shared by steps that take it for different types")))
    }

    /// What looks up the rows of table `id`.
    pub(crate) fn view_of<K: Data, V: Data>(&mut self, id: NodeId) -> Result<Rc<dyn TableView<K, V>>> {
        let name = self.node(id)?.name.clone();
        let Some(wire) = self.wiring.views.get(&id) else {
            return Err(broken(&format!("the rows of step {name} cannot be looked up")));
        };
        let made = wire(self, id)?;
        made.downcast::<Rc<dyn TableView<K, V>>>()
            .map(|view| *view)
            .map_err(|_| broken(&format!("step {name} is a table of other types")))
    }

    /// What the source or repartition `id` reads `topic` with.
    pub(crate) fn source_of(&mut self, id: NodeId, topic: &str) -> Result<Rc<dyn TaskSource>> {
        let Some(wire) = self.wiring.sources.get(&id) else {
            return Err(broken(&format!("source {id} has no wiring")));
        };
        wire(self, id, topic)
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Internal, "HW0100", format!("the plan and its wiring disagree: {what}"))
        .help("a step added to a stream after build() has no place in the topology; otherwise report this defect")
}

/// Steps that are built after what pushes to them.
struct Later<K, V>(RefCell<Option<Target<K, V>>>);

impl<K, V> Push<K, V> for Later<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let target = self.0.borrow().clone();
        target.ok_or_else(|| broken("a table's change comes before its steps are built"))?.push(meta, key, value)
    }
}

impl<K, V> Tie for Later<K, V> {
    fn untie(&self) {
        self.0.replace(None);
    }
}

/// The end of a stream nobody uses.
struct Discard;

impl<K, V> Push<K, V> for Discard {
    fn push(&self, _: Meta<'_>, _: K, _: V) -> Flow {
        Ok(())
    }
}

/// Hands each record to every child; clones for all but the last.
struct FanOut<K, V>(Vec<Target<K, V>>);

impl<K: Clone, V: Clone> Push<K, V> for FanOut<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let Some((last, others)) = self.0.split_last() else { return Ok(()) };
        for target in others {
            target.push(meta, key.clone(), value.clone())?;
        }
        last.push(meta, key, value)
    }
}
