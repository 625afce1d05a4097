use std::sync::Arc;

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::NodeId,
    task::Blame,
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Ends the stream in a closure. What it does outside is not part of the transaction: after a crash it may see a
    /// record again. For exactly-once effects write a [`sink`](KStream::sink).
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// # use std::sync::atomic::{AtomicI64, Ordering};
    /// static SUM: AtomicI64 = AtomicI64::new(0);
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).for_each(|_, n| {
    ///     SUM.fetch_add(n, Ordering::Relaxed);
    /// });
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(SUM.load(Ordering::Relaxed), 7);
    /// ```
    #[track_caller]
    pub fn for_each(&self, act: impl Fn(K, V) + Shared) {
        let act = Arc::new(act);
        let _: KStream<K, V> =
            self.stateless("for_each", false, move |id, _: Target<K, V>| ForEach { id, act: act.clone() });
    }
}

struct ForEach<F> {
    id: NodeId,
    act: Arc<F>,
}

impl<K, V, F: Fn(K, V)> Push<K, V> for ForEach<F> {
    fn push(&self, _: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        (self.act)(key, value);
        blame.clear();
        Ok(())
    }
}
