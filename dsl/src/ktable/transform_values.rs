use std::{cell::RefCell, rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Result};

use super::{KTable, TableStore, declare, open_table, wire_view};
use crate::{
    bounds::{Data, Key, Shared, UserResult},
    plan::{NodeId, NodeKind},
    processor::{Declared, Opening, Ports, Resources},
    task::{Blame, TaskContext},
    vocab::Materialized,
    wire::{Change, Flow, Meta, Push, Target},
};

impl<K: Key, V: Data> KTable<K, V> {
    /// The table with another value per row, made by code that keeps state: `make` gets the resources as opened in a
    /// task (stores of [`StreamsBuilder::store`](crate::StreamsBuilder::store), alone or in a tuple, or `()`) and returns
    /// the closure that is called with each change. It is called with `None` for a deletion, and deletes the row by
    /// returning `Ok(None)`. The results are kept in `store`, as the closure cannot be asked twice. Keys and partitions
    /// stay.
    ///
    /// An error stops the program with `HW0221`, naming step, task and record; nothing is skipped.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let versions = app.store::<String, i64>("versions");
    /// app.table::<String, String>("texts", Text, "latest")
    ///     .transform_values("numbered", versions, |versions| {
    ///         move |key: &String, text: Option<String>| {
    ///             let version = versions.get(key)?.unwrap_or_default() + 1;
    ///             versions.put(key.clone(), version)?;
    ///             Ok(text.map(|text| format!("{text} (version {version})")))
    ///         }
    ///     })
    ///     .updates()
    ///     .to("out", Text);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut texts = driver.input::<String, String>("texts", Text);
    /// for text in ["one", "two"] {
    ///     texts.pipe(&mut driver, "k".into(), text.into(), 0).unwrap();
    /// }
    /// let out = driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap();
    /// assert_eq!(out, ["one (version 1)", "two (version 2)"]);
    /// ```
    #[track_caller]
    pub fn transform_values<V2: Data, R: Resources, F>(
        &self,
        store: impl Into<Materialized<K, V2>>,
        resources: R,
        make: impl Fn(R::Open) -> F + Shared,
    ) -> KTable<K, V2>
    where
        F: FnMut(&K, Option<V>) -> UserResult<Option<V2>> + 'static,
    {
        let store = store.into();
        let (name, spec) = (store.name.clone(), declare(&store));
        let mut declared = Declared::default();
        resources.declare(&mut declared);
        let mut stores = vec![name.as_str()];
        stores.extend(declared.stores.iter().map(String::as_str));
        let kind = NodeKind::stateful("transform_values", &stores).reading(declared.reads_of(self.graph.token()));
        let (resources, make) = (Arc::new(resources), Arc::new(make));
        let id = self.graph.add(Some(&name), "transform_values", kind, vec![self.id], |wiring, id| {
            wire_view(wiring, id, &store);
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                let (node, context) = (builder.node(id)?.name.clone(), builder.context.clone());
                let rows = open_table(builder, id, &store)?;
                let mut opening = Opening { builder, step: id, readers: Vec::new(), ports: Ports::default() };
                let open = resources.open(&mut opening).map_err(|error| error.at_node(&node))?;
                let blame = Blame::new(id);
                let transform = RefCell::new(make(open));
                blame.clear();
                Ok(Rc::new(TransformValues { id, node, transform, rows, context }))
            });
        });
        if declared.reads.iter().any(|(_, builder)| *builder != self.graph.token()) {
            self.graph.lock().strangers.push(id);
        }
        if let Some((output, _)) = declared.outputs.first() {
            let reason = format!("a table's values are transformed with an output, {output}");
            self.graph.mistake(id, "HW0144", reason, "give it stores only; outputs are for process(..)");
        }
        self.graph.declare_store(id, &name, spec);
        KTable::new(self.graph.clone(), id)
    }
}

struct TransformValues<F, K, V2> {
    id: NodeId,
    node: String,
    /// Borrowed while it is called; it cannot reach this step again.
    transform: RefCell<F>,
    rows: TableStore<K, V2>,
    context: Rc<TaskContext>,
}

impl<K, V, V2, F> Push<K, Change<V>> for TransformValues<F, K, V2>
where
    K: Key,
    V: Data,
    V2: Data,
    F: FnMut(&K, Option<V>) -> UserResult<Option<V2>>,
{
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        // What it stores has the change's time.
        self.context.time_now.set(meta.timestamp);
        let blame = Blame::new(self.id);
        let made = (self.transform.borrow_mut())(&key, change.new);
        blame.clear();
        let made = made.map_err(|cause| match cause.downcast::<Error>() {
            Ok(ours) => ours.at_node(&self.node),
            Err(cause) => Error::new(ErrorKind::User, "HW0221", "the program's closure failed on a change")
                .caused_by(cause)
                .at_node(&self.node)
                .help("mend the closure or the record; nothing was skipped"),
        })?;
        self.rows.replace(key, meta, made).map(drop)
    }
}
