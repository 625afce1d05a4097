use std::sync::Arc;

use headwater_core::Sink;

use super::KStream;
use crate::{bounds::Data, plan::NodeKind, sinking::Erased};

impl<K: Data, V: Data> KStream<K, V> {
    /// Writes the stream exactly once to a place outside the log, such as an Iceberg table. `name` becomes part of the
    /// topic `<app>-<name>-commits`, through which what was written travels in the transaction of its input; it must
    /// stay the same as long as the target is used.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// # use headwater::testing::MemorySink;
    /// let app = StreamsBuilder::new("demo");
    /// let sink = MemorySink::<String, i64>::new("numbers");
    /// app.stream::<String, i64>("in", Json).sink("numbers", sink.clone());
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(sink.rows(), [("k".to_owned(), 7)]);
    /// ```
    #[track_caller]
    pub fn sink(&self, name: &str, sink: impl Sink<K, V>) {
        let sink: Arc<dyn Sink<K, V>> = Arc::new(sink);
        let kind = NodeKind::Sink { sink: sink.spec() };
        self.graph.add(Some(name), "sink", kind, vec![self.id], |wiring, id| {
            wiring.sinks.push((id, Arc::new(Erased(sink.clone()))));
            wiring.target::<K, V>(id, move |builder, id| {
                let name = &builder.node(id)?.name;
                let env = builder.env;
                env.writers().target(id, name, &sink, &env.sink_context(name), builder.context.clone())
            });
        });
    }
}
