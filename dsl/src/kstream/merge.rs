use std::rc::Rc;

use super::KStream;
use crate::{
    bounds::Data,
    plan::NodeKind,
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Both streams as one. Order is kept within each, not between them. The key counts as changed if it was changed
    /// in either.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let left: KStream<String, i64> = app.stream("left", Json);
    /// left.merge(&app.stream("right", Json)).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("left", Json).pipe(&mut driver, "k".into(), 1, 0).unwrap();
    /// driver.input::<String, i64>("right", Json).pipe(&mut driver, "k".into(), 2, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn merge(&self, other: &Self) -> Self {
        let kind = NodeKind::Stateless { op: "merge".to_owned(), changes_key: false };
        let related = self.graph.is_same(&other.graph);
        let twice = related && self.id == other.id;
        let parents = if related && !twice { vec![self.id, other.id] } else { vec![self.id] };
        let id = self.graph.add(None, "merge", kind, parents, |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| {
                let next = builder.next::<K, V>(id)?;
                Ok(if twice { Rc::new(Twice(next)) } else { next })
            });
        });
        if !related {
            self.graph.lock().strangers.push(id);
        }
        Self::new(self.graph.clone(), id)
    }
}

/// A stream merged with itself: every record twice.
struct Twice<K, V>(Target<K, V>);

impl<K: Clone, V: Clone> Push<K, V> for Twice<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        self.0.push(meta, key.clone(), value.clone())?;
        self.0.push(meta, key, value)
    }
}
