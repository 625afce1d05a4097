//! Records that wait for the grace of a stream-table join, so that rows that come late are there when they are joined.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Headers, Payload, Result, Serde, SerdeError, Timestamp};

use super::TableJoin;
use crate::{
    bounds::{Data, Key},
    plan::NodeId,
    store::{News, StoreSerdes, TimedStore},
    task::{OperatorTime, Slot, TaskContext, TimeStep},
    vocab::Grouped,
    wire::{Flow, Meta, Push, TaskBuilder},
};

/// A record's value with its headers.
#[derive(Clone)]
struct Kept<V> {
    headers: Headers,
    value: V,
}

/// The bytes of waiting records: headers, then the value.
struct KeptSerde<V>(Arc<dyn Serde<V>>);

impl<V: 'static> Serde<Kept<V>> for KeptSerde<V> {
    fn encode(&self, kept: &Kept<V>, out: &mut Vec<u8>) -> Result<Payload, SerdeError> {
        kept.headers.encode(out);
        self.0.encode(&kept.value, out)
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Kept<V>, SerdeError> {
        let mut input = bytes.unwrap_or_default();
        let headers = Headers::decode(&mut input).ok_or_else(|| SerdeError::new("a waiting record is cut short"))?;
        Ok(Kept { headers, value: self.0.decode(Some(input))? })
    }

    fn format(&self) -> &'static str {
        "kept"
    }
}

/// The records that wait, in front of their join. Bounded by what comes within the grace.
struct Buffer<J, K, V, VT, VO> {
    join: TableJoin<J, K, V, VT, VO>,
    rows: Rc<TimedStore<K, Kept<V>>>,
    keys: Arc<dyn Serde<K>>,
    grace_ms: i64,
    sequence: Slot,
    time: OperatorTime,
    context: Rc<TaskContext>,
}

/// The push target; a newtype because the buffer is shared with the task's clock.
pub(super) struct Waiting<J, K, V, VT, VO>(Rc<Buffer<J, K, V, VT, VO>>);

impl<J, K: Key, V: Data, VT: Data, VO: Data> Waiting<J, K, V, VT, VO>
where
    J: Fn(V, Option<VT>) -> Option<VO> + Send + Sync + 'static,
{
    /// The buffer in store `store` of step `id`, in front of `join`.
    pub(super) fn new(
        builder: &TaskBuilder<'_>,
        id: NodeId,
        (store, grace_ms): (&str, i64),
        stream: &Grouped<K, V>,
        join: TableJoin<J, K, V, VT, VO>,
    ) -> Result<Self> {
        let values = Arc::new(KeptSerde(stream.values.clone()));
        let serdes = StoreSerdes { keys: stream.keys.clone(), values };
        let context = builder.context.clone();
        let buffer = Rc::new(Buffer {
            join,
            rows: Rc::new(TimedStore::new(store, serdes, builder.env.store(store)?, News::None)),
            keys: stream.keys.clone(),
            grace_ms,
            sequence: context.memo.slot(&format!("sequence/{store}"), 0)?,
            time: OperatorTime::of(builder, id)?,
            context: context.clone(),
        });
        context.at_commit(id, buffer.rows.clone());
        context.on_time(id, buffer.clone());
        Ok(Self(buffer))
    }
}

impl<J, K: Key, V: Data, VT, VO> Buffer<J, K, V, VT, VO>
where
    J: Fn(V, Option<VT>) -> Option<VO>,
{
    /// Joins what has waited long enough, up to `time`: in the order of times, then of keys, then as it came.
    fn release(&self, time: Timestamp) -> Flow {
        let mut due = Vec::new();
        for taken in self.rows.take_until(time)? {
            let mut bytes = Vec::new();
            self.keys.encode(&taken.key, &mut bytes).map_err(|error| error.while_encoding("the key"))?;
            due.push(((taken.row.time, bytes, taken.row.sub), taken));
        }
        due.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.context.without_record(|| {
            for (_, taken) in due {
                let Kept { headers, value } = taken.row.value;
                self.join.join(Meta { timestamp: taken.row.time, headers: &headers }, taken.key, value, false)?;
            }
            Ok(())
        })
    }
}

impl<J, K: Key, V: Data, VT, VO> Push<K, V> for Waiting<J, K, V, VT, VO>
where
    J: Fn(V, Option<VT>) -> Option<VO>,
{
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let this = &*self.0;
        let Some(null_key) = this.join.accepts(&key, &value) else { return Ok(()) };
        if null_key {
            // It has no row to wait for.
            return this.join.join(meta, key, value, true);
        }
        let now = this.time.observe(&this.context, meta.timestamp);
        let due = now.saturating_sub(this.grace_ms);
        if meta.timestamp < due {
            return this.join.join(meta, key, value, false);
        }
        this.sequence.increment();
        let kept = Kept { headers: meta.headers.clone(), value };
        let quiet = Meta { headers: &Headers::new(), ..meta };
        this.rows.put(&key, meta.timestamp, this.sequence.get(), quiet, kept)?;
        if let OperatorTime::Observed(_) = this.time { this.release(due) } else { Ok(()) }
    }
}

impl<J, K: Key, V: Data, VT, VO> TimeStep for Buffer<J, K, V, VT, VO>
where
    J: Fn(V, Option<VT>) -> Option<VO>,
{
    fn time_moved(&self) -> Flow {
        if let OperatorTime::Observed(_) = self.time {
            return Ok(());
        }
        let time = self.time.closes_at(&self.context);
        time.map_or(Ok(()), |time| self.release(time.saturating_sub(self.grace_ms)))
    }

    fn end_of_input(&self) -> Flow {
        self.release(Timestamp::MAX)
    }
}
