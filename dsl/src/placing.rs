//! Which partitions a record goes to.

use headwater_core::{Error, ErrorKind, Result};

use crate::{
    plan::NodeId,
    task::{Blame, Slot},
    vocab::{Partitioner, Placement},
    wire::{Flow, TaskBuilder},
};

/// A step's partitioner, if it has one of its own.
pub(crate) struct Placing<K, V> {
    id: NodeId,
    node: String,
    partitioner: Option<Partitioner<K, V>>,
    nowhere: Slot,
}

impl<K, V> Placing<K, V> {
    pub(crate) fn new(builder: &TaskBuilder<'_>, id: NodeId, partitioner: Option<Partitioner<K, V>>) -> Result<Self> {
        let node = builder.node(id)?.name.clone();
        let nowhere = builder.context.memo.slot(&format!("no-partition:{node}"), 0)?;
        Ok(Self { id, node, partitioner, nowhere })
    }

    /// Asks the partitioner; call it before any scratch space is borrowed, as it is the user's code.
    pub(crate) fn choose(&self, key: &K, value: &V, partitions: i32) -> Result<Placement> {
        let Some(partitioner) = &self.partitioner else { return Ok(Placement::Default) };
        let blame = Blame::new(self.id);
        let placement = (partitioner.choose)(key, value, partitions);
        blame.clear();
        let chosen = match &placement {
            Placement::One(one) => std::slice::from_ref(one),
            Placement::Several(several) => several,
            Placement::Default | Placement::Nowhere => &[],
        };
        match chosen.iter().find(|partition| !(0..partitions).contains(*partition)) {
            None => Ok(placement),
            Some(beyond) => {
                let what = format!("the partitioner {} chose partition {beyond} of {partitions}", partitioner.name);
                Err(Error::new(ErrorKind::User, "HW0247", what)
                    .at_node(&self.node)
                    .help("partitions are counted from 0; take the remainder by the count it is given"))
            }
        }
    }

    /// Calls `send` for each partition chosen; for none, counts the record as dropped.
    pub(crate) fn each(
        &self,
        placement: &Placement,
        default: impl FnOnce() -> i32,
        mut send: impl FnMut(i32) -> Flow,
    ) -> Flow {
        match placement {
            Placement::Default => send(default()),
            Placement::One(partition) => send(*partition),
            Placement::Several(partitions) if !partitions.is_empty() => {
                partitions.iter().try_for_each(|partition| send(*partition))
            }
            Placement::Several(_) | Placement::Nowhere => {
                self.nowhere.increment();
                Ok(())
            }
        }
    }
}
