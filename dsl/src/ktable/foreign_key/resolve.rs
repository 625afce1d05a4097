//! The left side again: answers become results.

use std::{rc::Rc, sync::Arc};

use headwater_core::Serde;

use super::{send::hash_of, words::Answer};
use crate::{
    bounds::Data,
    plan::NodeId,
    task::Blame,
    wire::{Flow, Meta, Push, TableView, Target},
};

/// Joins the left row with the answer to it, if it is still the row that asked.
pub(super) struct Resolve<J, K, V, VO> {
    pub(super) id: NodeId,
    pub(super) left: Rc<dyn TableView<K, V>>,
    pub(super) values: Arc<dyn Serde<V>>,
    /// The results so far.
    pub(super) results: Rc<dyn TableView<K, VO>>,
    pub(super) join: Arc<J>,
    pub(super) next: Target<K, Option<VO>>,
}

impl<J, K: Data, V: Data, VR: Data, VO: Data> Push<K, Answer<VR>> for Resolve<J, K, V, VO>
where
    J: Fn(V, Option<VR>) -> Option<VO>,
{
    fn push(&self, meta: Meta<'_>, key: K, answer: Answer<VR>) -> Flow {
        let row = self.left.get(&key)?.map(|(value, _)| value);
        if hash_of(&*self.values, row.as_ref())? != answer.hash {
            // The row has changed since: the answer to that is on its way.
            return Ok(());
        }
        // Kafka Streams leaves out answers that say nothing new to the row before. Here they come, as the answer to the row
        // before may have been dropped: only then there is a result to delete.
        if answer.quiet && self.results.get(&key)?.is_none() {
            return Ok(());
        }
        let blame = Blame::new(self.id);
        let joined = row.and_then(|row| (self.join)(row, answer.value));
        blame.clear();
        self.next.push(meta, key, joined)
    }
}
