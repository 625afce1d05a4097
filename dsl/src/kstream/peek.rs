use std::sync::Arc;

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::NodeId,
    task::Blame,
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Looks at each record and passes it on. What `look` does outside is not part of the transaction: after a crash it
    /// may see a record again.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).peek(|key, n| eprintln!("{key}: {n}")).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [7]);
    /// ```
    #[track_caller]
    pub fn peek(&self, look: impl Fn(&K, &V) + Shared) -> Self {
        let look = Arc::new(look);
        self.stateless("peek", false, move |id, next| Peek { id, look: look.clone(), next })
    }
}

struct Peek<F, K, V> {
    id: NodeId,
    look: Arc<F>,
    next: Target<K, V>,
}

impl<K, V, F: Fn(&K, &V)> Push<K, V> for Peek<F, K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        (self.look)(&key, &value);
        blame.clear();
        self.next.push(meta, key, value)
    }
}
