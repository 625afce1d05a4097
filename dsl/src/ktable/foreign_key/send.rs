//! The left side: what a changed row tells the row it points to.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Error, Payload, Result, Serde};

use super::{
    hash::murmur3,
    words::{Instruction, Subscription},
};
use crate::{
    bounds::Data,
    ktable::Past,
    plan::NodeId,
    task::{Blame, Slot, TaskContext},
    wire::{Change, Flow, Meta, Push, Target},
};

/// Sends subscriptions for the changes of the left table.
pub(super) struct Subscribe<F, K, V, KR> {
    pub(super) id: NodeId,
    /// Whether a row that points nowhere stays.
    pub(super) left: bool,
    pub(super) extract: Arc<F>,
    pub(super) values: Arc<dyn Serde<V>>,
    pub(super) foreign_keys: Arc<dyn Serde<KR>>,
    pub(super) past: Past,
    pub(super) null_foreign_keys: Slot,
    pub(super) context: Rc<TaskContext>,
    pub(super) next: Target<Option<KR>, Subscription<K>>,
}

impl<F, K: Data, V: Data, KR: Data> Push<K, Change<V>> for Subscribe<F, K, V, KR>
where
    F: Fn(&K, &V) -> Option<KR>,
{
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        if self.past.is_now() {
            return Ok(());
        }
        let blame = Blame::new(self.id);
        let before = change.old.as_ref().and_then(|value| (self.extract)(&key, value));
        let now = change.new.as_ref().and_then(|value| (self.extract)(&key, value));
        blame.clear();
        let hash = hash_of(&*self.values, change.new.as_ref())?;
        let send = |to: Option<KR>, instruction: Instruction| {
            let partition = self.context.id.partition;
            self.next.push(meta, to, Subscription { instruction, hash, partition, key: key.clone() })
        };
        let moved = self.bytes(before.as_ref())? != self.bytes(now.as_ref())?;
        if self.left {
            if change.old.is_none() && change.new.is_none() {
                return Ok(());
            }
            if before.is_some() && moved {
                send(before, Instruction::Delete)?;
            }
            // A row that points nowhere, or is gone, has its answer as well: the result depends on it.
            return send(now, Instruction::Answer);
        }
        match (before, now) {
            (Some(before), None) => {
                self.count_null(&change);
                send(Some(before), Instruction::DeleteAndAnswer)
            }
            (Some(before), now) if moved => {
                send(Some(before), Instruction::Delete)?;
                // Also if there is no row: what the old one gave is to be deleted.
                send(now, Instruction::Answer)
            }
            (_, Some(now)) => send(Some(now), Instruction::AnswerQuietly),
            (None, None) if change.old.is_none() && change.new.is_none() => Ok(()),
            (None, None) => {
                self.count_null(&change);
                // What an older row gave may still be there: the answer that deletes it is for a row that is gone.
                send(None, Instruction::AnswerQuietly)
            }
        }
    }
}

impl<F, K, V, KR: 'static> Subscribe<F, K, V, KR> {
    fn count_null(&self, change: &Change<V>) {
        if change.new.is_some() {
            self.null_foreign_keys.increment();
        }
    }

    /// Whether a row points elsewhere is a question of the bytes.
    fn bytes(&self, key: Option<&KR>) -> Result<Option<Vec<u8>>> {
        let Some(key) = key else { return Ok(None) };
        let mut bytes = Vec::new();
        self.foreign_keys.encode(key, &mut bytes).map_err(|error| error.while_encoding("the foreign key"))?;
        Ok(Some(bytes))
    }
}

/// The hash of a left row; `None` if there is none.
pub(super) fn hash_of<V: 'static>(values: &dyn Serde<V>, value: Option<&V>) -> Result<Option<u128>, Error> {
    let Some(value) = value else { return Ok(None) };
    let mut bytes = Vec::new();
    match values.encode(value, &mut bytes).map_err(|error| error.while_encoding("the left table's value"))? {
        Payload::Bytes => Ok(Some(murmur3(&bytes))),
        Payload::Null => Ok(None),
    }
}
