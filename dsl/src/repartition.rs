//! Repartitions: records change task through an internal topic, in an envelope that carries their sender's time.
//!
//! Envelope 1, the topic's value: `kind u8 | upstream task varint | stream time zigzag | rest`. Kinds: 0 a record with
//! a value (the rest), 1 a record with a null value, 2 time alone, 3 end of input (the rest: the run's id), 4 idle.
//! Bit 4 of the kind says that the time judges this record's lateness but says nothing of the sender's progress.

mod envelope;
mod receiver;
mod sender;

use std::{rc::Rc, sync::Arc};

use headwater_core::Serde;

use crate::{
    bounds::Data,
    kstream::KStream,
    plan::{NodeId, NodeKind},
    vocab::Partitioner,
};

/// Chooses a record's partition by its value.
pub(crate) type Place<V> = Arc<dyn Fn(&V) -> i32 + Send + Sync>;

/// A way between tasks: a repartition without its place in the plan.
pub(crate) struct Lane<'a, K, V> {
    pub(crate) label: &'a str,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) partitions: Option<i32>,
    /// Whether it becomes a topic in any case.
    pub(crate) forced: bool,
    /// Whether its topic is called `<app>-<label>-topic` instead of `<app>-<label>-repartition`.
    pub(crate) internal: bool,
    /// Where a record goes. By its key, or by the partitioner, if this is `None`.
    pub(crate) place: Option<Place<V>>,
    /// The user's partitioner.
    pub(crate) partitioner: Option<Partitioner<K, V>>,
}

impl<'a, K, V> Lane<'a, K, V> {
    /// A topic between the halves of one step.
    pub(crate) fn internal(label: &'a str, keys: Arc<dyn Serde<K>>, values: Arc<dyn Serde<V>>) -> Self {
        Self { label, keys, values, partitions: None, forced: true, internal: true, place: None, partitioner: None }
    }
}

/// Appends a repartition: it becomes a topic only if a plan pass finds that it must.
#[track_caller]
pub(crate) fn add_repartition<K: Data, V: Data>(
    stream: &KStream<K, V>,
    label: &str,
    keys: &Arc<dyn Serde<K>>,
    values: &Arc<dyn Serde<V>>,
    partitions: Option<i32>,
    forced: bool,
) -> NodeId {
    let (keys, values) = (keys.clone(), values.clone());
    add_lane(stream, Lane { label, keys, values, partitions, forced, internal: false, place: None, partitioner: None })
}

/// Appends a way between tasks.
#[track_caller]
pub(crate) fn add_lane<K: Data, V: Data>(stream: &KStream<K, V>, lane: Lane<'_, K, V>) -> NodeId {
    let Lane { label, keys, values, partitions, forced, internal, place, partitioner } = lane;
    let suffix = if internal { "topic" } else { "repartition" };
    let topic = internal.then(|| format!("{}-{label}-{suffix}", stream.graph.lock().plan.app));
    let kind = NodeKind::Repartition {
        label: label.to_owned(),
        topic,
        partitions,
        partitioner: partitioner.as_ref().map(|partitioner| partitioner.name.clone()),
        forced,
        key: keys.format().to_owned(),
        value: values.format().to_owned(),
    };
    stream.graph.add(Some(&format!("{label}-{suffix}")), "repartition", kind, vec![stream.id], |wiring, id| {
        // Without a topic it is nothing: its children take the records directly.
        wiring.pass_on::<K, V>(id);
        let serdes = (keys.clone(), values.clone());
        wiring.sender::<K, V>(id, move |builder, id| {
            let by = (place.clone(), partitioner.clone());
            Ok(Rc::new(sender::Sender::new(builder, id, serdes.0.clone(), serdes.1.clone(), by)?))
        });
        wiring.source(id, move |builder, id, _| {
            Ok(Rc::new(receiver::Receiver::<K, V>::new(builder, id, keys.clone(), values.clone())?))
        });
    })
}
