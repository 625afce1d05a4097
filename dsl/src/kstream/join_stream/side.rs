//! A record of one stream arrives.

use std::rc::Rc;

use headwater_core::{Headers, Result, Timestamp};

use super::state::{JoinState, Rows};
use crate::{
    bounds::{Data, Key},
    store::TimedRow,
    task::OperatorTime,
    wire::{Flow, Meta, Push},
};

/// Takes the left stream's records.
pub(super) struct FromLeft<J, K, V, V2, VO>(pub(super) Rc<JoinState<J, K, V, V2, VO>>);

/// Takes the right stream's records.
pub(super) struct FromRight<J, K, V, V2, VO>(pub(super) Rc<JoinState<J, K, V, V2, VO>>);

impl<J, K: Key, V: Data, V2: Data, VO: Data> Push<K, V> for FromLeft<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let state = &*self.0;
        let nulls = ((state.words.0.null_key)(&key), (state.words.0.null_value)(&value));
        let emit = |meta: Meta<'_>, key: K, this, other| state.emit(meta, key, this, other);
        state.arrive((&state.left, &state.right), true, nulls, meta, (key, value), emit)
    }
}

impl<J, K: Key, V: Data, V2: Data, VO: Data> Push<K, V2> for FromRight<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    fn push(&self, meta: Meta<'_>, key: K, value: V2) -> Flow {
        let state = &*self.0;
        let nulls = ((state.words.1.null_key)(&key), (state.words.1.null_value)(&value));
        let emit = |meta: Meta<'_>, key: K, this, other| state.emit(meta, key, other, this);
        state.arrive((&state.right, &state.left), false, nulls, meta, (key, value), emit)
    }
}

impl<J, K: Key, V: Data, V2: Data, VO: Data> JoinState<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    /// Meets the other stream's rows, or waits for them; then becomes a row itself.
    fn arrive<A: Data, B: Data>(
        &self,
        (this, other): (&Rows<K, A>, &Rows<K, B>),
        is_left: bool,
        (null_key, null_value): (bool, bool),
        meta: Meta<'_>,
        (key, value): (K, A),
        emit: impl Fn(Meta<'_>, K, Option<A>, Option<B>) -> Flow,
    ) -> Flow {
        let at = meta.timestamp;
        let now = self.time.observe(&self.context, at);
        if null_value || (null_key && this.unmatched.is_none()) {
            self.nulls.increment();
            // A null value is no row, but its time is time of its side, as in Kafka Streams.
            if !null_key {
                this.newest.set(this.newest.get().max(at));
            }
            return Ok(());
        }
        if null_key {
            return emit(meta, key, Some(value), None);
        }
        if matches!(self.time, OperatorTime::Observed(_)) && at == now {
            self.release_by(now, this.ahead_ms, meta.headers)?;
        }
        let partners = self.partners(this, other, &key, at, now)?;
        let matched = !partners.is_empty();
        for partner in partners {
            self.no_longer_waits(other, !is_left, &key, partner.time)?;
            let meta = Meta { timestamp: at.max(partner.time), ..meta };
            emit(meta, key.clone(), Some(value.clone()), Some(partner.value))?;
        }
        if !matched && this.unmatched.is_some() {
            if self.is_past(this, at, now) {
                let quiet = Meta { headers: &Headers::new(), ..meta };
                // Whether it would have waited depends, behind several upstream tasks, on how far the others are.
                let meta = if matches!(self.time, OperatorTime::Observed(_)) { meta } else { quiet };
                emit(meta, key.clone(), Some(value.clone()), None)?;
            } else {
                self.wait(this, is_left, &key, meta, value.clone())?;
            }
        }
        self.keep(this, &key, meta, value)
    }

    /// The rows of the other stream that a record of time `at` meets.
    fn partners<A, B: Data>(
        &self,
        this: &Rows<K, A>,
        other: &Rows<K, B>,
        key: &K,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<TimedRow<B>>> {
        let from = at.saturating_sub(this.behind_ms).max(0);
        let to = at.saturating_add(this.ahead_ms).max(0);
        let visible_from = match &self.time {
            OperatorTime::Observed(_) => other.newest.get().saturating_sub(self.retention_ms),
            // By the sender's time, so that it does not matter how far the other senders are.
            OperatorTime::Upstream { .. } => self.open_from(other, now),
        };
        let from = from.max(visible_from);
        if from > to { Ok(Vec::new()) } else { other.rows.fetch(key, from..=to) }
    }

    /// Whether a record without partner is not waited for.
    fn is_past<A>(&self, this: &Rows<K, A>, at: Timestamp, now: Timestamp) -> bool {
        match &self.time {
            OperatorTime::Observed(_) => at.saturating_add(this.ahead_ms).max(0) < now,
            OperatorTime::Upstream { .. } => {
                self.time.closes_at(&self.context).is_some_and(|time| at < self.open_from(this, time))
            }
        }
    }

    /// The record becomes a row, unless nobody will ask for it.
    fn keep<A: Data>(&self, this: &Rows<K, A>, key: &K, meta: Meta<'_>, value: A) -> Flow {
        let at = meta.timestamp;
        let wanted = match &self.time {
            OperatorTime::Observed(_) => {
                this.newest.set(this.newest.get().max(at));
                at >= this.newest.get().saturating_sub(self.retention_ms)
            }
            OperatorTime::Upstream { .. } => {
                self.time.closes_at(&self.context).is_none_or(|time| at >= self.open_from(this, time))
            }
        };
        self.sequence.increment();
        if wanted {
            this.rows.put(key, at, self.sequence.get(), Meta { headers: &Headers::new(), ..meta }, value)?;
        }
        Ok(())
    }
}
