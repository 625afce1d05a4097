//! Grouped streams: records of equal keys are together and can be folded.

mod aggregate;
mod cogroup;
mod count;
mod fold;
mod folding;
mod reduce;
mod session_stream;
mod windowed;

pub use cogroup::{Cogrouped, SessionCogrouped, WindowedCogrouped};
pub use session_stream::SessionStream;
pub use windowed::WindowedStream;

use crate::{graph::Graph, plan::NodeId, vocab::Grouped, window::Windows};

/// A stream whose records of equal keys are together. Consumed by its one aggregation.
pub struct KGroupedStream<K, V> {
    pub(crate) graph: Graph,
    pub(crate) id: NodeId,
    pub(crate) grouped: Grouped<K, V>,
}

impl<K, V> std::fmt::Debug for KGroupedStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KGroupedStream({})", self.id)
    }
}

impl<K, V> KGroupedStream<K, V> {
    pub(crate) fn new(graph: Graph, id: NodeId, grouped: Grouped<K, V>) -> Self {
        Self { graph, id, grouped }
    }

    /// Divides the records into windows of event time: [`Tumbling`](crate::Tumbling), [`Hopping`](crate::Hopping),
    /// [`Sliding`](crate::Sliding), [`Session`](crate::Session) or [`Unlimited`](crate::Unlimited).
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .group_by_key("by-key")
    ///     .windowed_by(Tumbling::of(minutes(1)).no_grace().emit_on_close())
    ///     .count("per-minute")
    ///     .updates()
    ///     .map(|window, n| (window.key, n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for second in [1, 2, 61] {
    ///     input.pipe(&mut driver, "k".into(), 0, seconds(second)).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [2]);
    /// ```
    pub fn windowed_by<W: Windows>(self, windows: W) -> W::Stream<K, V> {
        windows.divide(self)
    }
}
