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
    add_partitioned(stream, label, keys, values, partitions, None, forced)
}

/// As [`add_repartition`], with a partitioner of the user's.
#[track_caller]
pub(crate) fn add_partitioned<K: Data, V: Data>(
    stream: &KStream<K, V>,
    label: &str,
    keys: &Arc<dyn Serde<K>>,
    values: &Arc<dyn Serde<V>>,
    partitions: Option<i32>,
    partitioner: Option<Partitioner<K, V>>,
    forced: bool,
) -> NodeId {
    let kind = NodeKind::Repartition {
        label: label.to_owned(),
        topic: None,
        partitions,
        partitioner: partitioner.as_ref().map(|partitioner| partitioner.name.clone()),
        forced,
        key: keys.format().to_owned(),
        value: values.format().to_owned(),
    };
    let (keys, values) = (keys.clone(), values.clone());
    stream.graph.add(Some(&format!("{label}-repartition")), "repartition", kind, vec![stream.id], |wiring, id| {
        // Without a topic it is nothing: its children take the records directly.
        wiring.pass_on::<K, V>(id);
        let serdes = (keys.clone(), values.clone());
        wiring.sender::<K, V>(id, move |builder, id| {
            let partitioner = partitioner.clone();
            Ok(Rc::new(sender::Sender::new(builder, id, serdes.0.clone(), serdes.1.clone(), partitioner)?))
        });
        wiring.source(id, move |builder, id, _| {
            Ok(Rc::new(receiver::Receiver::<K, V>::new(builder, id, keys.clone(), values.clone())?))
        });
    })
}
