//! The right side: subscriptions and changed rows are answered.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Payload, Result, Serde};

use super::words::{Answer, Instruction, Subscription, decode_subscriber, encode_subscriber};
use crate::{
    bounds::Data,
    ktable::Past,
    store::{OrderedRows, damaged, decode_row, encode_row_head},
    wire::{Change, Flow, Meta, Push, TableView, Target},
};

/// Subscribers of one row that are answered at a time.
const AT_A_TIME: usize = 1_000;

/// Who subscribes to which row: `length of the foreign key u32 | foreign key | primary key`.
pub(super) struct Subscribers<K, KR> {
    pub(super) name: String,
    pub(super) rows: Rc<OrderedRows>,
    pub(super) keys: Arc<dyn Serde<K>>,
    pub(super) foreign_keys: Arc<dyn Serde<KR>>,
}

impl<K: Data, KR: Data> Subscribers<K, KR> {
    /// What the keys of all subscriptions to `foreign` begin with; `None` for a null key.
    fn prefix(&self, foreign: &KR) -> Result<Option<Vec<u8>>> {
        let mut prefix = vec![0; 4];
        let payload = self.foreign_keys.encode(foreign, &mut prefix);
        let payload = payload.map_err(|error| error.while_encoding("the foreign key"))?;
        let length = u32::try_from(prefix.len() - 4).unwrap_or(u32::MAX);
        for (to, from) in prefix.iter_mut().zip(length.to_be_bytes()) {
            *to = from;
        }
        Ok((payload == Payload::Bytes).then_some(prefix))
    }

    /// Notes or forgets a subscription. Returns false for a null key.
    fn note(&self, meta: Meta<'_>, foreign: &KR, subscription: &Subscription<K>) -> Result<bool> {
        let Some(mut key) = self.prefix(foreign)? else { return Ok(false) };
        self.keys.encode(&subscription.key, &mut key).map_err(|error| error.while_encoding("the primary key"))?;
        let keeps = matches!(subscription.instruction, Instruction::Answer | Instruction::AnswerQuietly);
        let row = keeps.then(|| {
            let mut row = Vec::new();
            encode_row_head(meta.timestamp, &mut row);
            encode_subscriber(subscription.hash, subscription.partition, &mut row);
            row
        });
        self.rows.put(key, row);
        Ok(true)
    }
}

/// Takes subscriptions.
pub(super) struct Take<K, KR, VR> {
    pub(super) subscribers: Subscribers<K, KR>,
    pub(super) right: Rc<dyn TableView<KR, VR>>,
    pub(super) next: Target<K, Answer<VR>>,
}

impl<K: Data, KR: Data, VR: Data> Push<Option<KR>, Subscription<K>> for Take<K, KR, VR> {
    fn push(&self, meta: Meta<'_>, foreign: Option<KR>, subscription: Subscription<K>) -> Flow {
        let row = match &foreign {
            Some(foreign) if self.subscribers.note(meta, foreign, &subscription)? => self.right.get(foreign)?,
            _ => None,
        };
        if subscription.instruction == Instruction::Delete {
            return Ok(());
        }
        let timestamp = row.as_ref().map_or(meta.timestamp, |(_, time)| meta.timestamp.max(*time));
        let told = subscription.instruction != Instruction::DeleteAndAnswer;
        let value = row.filter(|_| told).map(|(value, _)| value);
        let quiet = value.is_none() && subscription.instruction == Instruction::AnswerQuietly;
        let Subscription { hash, partition, key, .. } = subscription;
        self.next.push(Meta { timestamp, ..meta }, key, Answer { hash, partition, value, quiet })
    }
}

/// Tells the subscribers of a changed row.
pub(super) struct Tell<K, KR, VR> {
    pub(super) past: Past,
    pub(super) subscribers: Subscribers<K, KR>,
    pub(super) next: Target<K, Answer<VR>>,
}

impl<K: Data, KR: Data, VR: Data> Push<KR, Change<VR>> for Tell<K, KR, VR> {
    fn push(&self, meta: Meta<'_>, foreign: KR, change: Change<VR>) -> Flow {
        if self.past.is_now() {
            return Ok(());
        }
        let Some(prefix) = self.subscribers.prefix(&foreign)? else { return Ok(()) };
        let store = &self.subscribers.name;
        let (mut from, to) = (prefix.clone(), after(&prefix));
        loop {
            let found = self.subscribers.rows.range(&from, &to, AT_A_TIME)?;
            for (key, row) in &found {
                let key = key.get(prefix.len()..);
                let key = self.subscribers.keys.decode(key).map_err(|error| damaged(store, &error))?;
                let subscriber = decode_row(row).and_then(|(_, row)| decode_subscriber(row));
                let (hash, partition) = subscriber.ok_or_else(|| damaged(store, &"it is cut short"))?;
                self.next.push(meta, key, Answer { hash, partition, value: change.new.clone(), quiet: false })?;
            }
            match found.last() {
                Some((last, _)) if found.len() == AT_A_TIME => {
                    from.clone_from(last);
                    from.push(0);
                }
                _ => return Ok(()),
            }
        }
    }
}

/// The least bytes above everything that begins with `prefix`.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut after = prefix.to_vec();
    while let Some(last) = after.pop() {
        if last < u8::MAX {
            after.push(last + 1);
            break;
        }
    }
    after
}
