//! Records without partner: they wait, find one, or are released when their window closes.

use std::collections::BTreeMap;

use headwater_core::{Headers, Result, Timestamp};

use super::state::{JoinState, Rows};
use crate::{
    bounds::{Data, Key},
    store::TakenRow,
    task::{Memo, OperatorTime, Slot, TimeStep},
    wire::{Flow, Meta},
};

/// How many records of one stream wait, by their time.
#[derive(Default)]
pub(super) struct Times(BTreeMap<Timestamp, usize>);

impl Times {
    fn add(&mut self, time: Timestamp) {
        *self.0.entry(time).or_default() += 1;
    }

    fn forget(&mut self, time: Timestamp) {
        self.0.remove(&time);
    }

    fn forget_some(&mut self, time: Timestamp, count: usize) {
        if let Some(waiting) = self.0.get_mut(&time) {
            *waiting = waiting.saturating_sub(count);
            if *waiting == 0 {
                self.forget(time);
            }
        }
    }

    fn first_from(&self, time: Timestamp) -> Option<(Timestamp, usize)> {
        self.0.range(time..).next().map(|(time, count)| (*time, *count))
    }

    fn has_before(&self, time: Timestamp) -> bool {
        self.0.first_key_value().is_some_and(|(first, _)| *first < time)
    }

    fn last(&self) -> Option<Timestamp> {
        self.0.last_key_value().map(|(time, _)| *time)
    }

    fn drop_before(&mut self, time: Timestamp) {
        self.0 = self.0.split_off(&time);
    }
}

impl Extend<Timestamp> for Times {
    fn extend<T: IntoIterator<Item = Timestamp>>(&mut self, times: T) {
        times.into_iter().for_each(|time| self.add(time));
    }
}

/// What Kafka Streams remembers of the waiting records to spare itself looking for closed ones. It decides when one that
/// has closed is released, so it is the same here: the results come in the same order.
pub(super) struct Waiting {
    pub(super) left: Times,
    pub(super) right: Times,
    /// A time before which no record waits; not always the greatest such time. `NOTHING` if none has waited yet.
    least: Slot,
}

/// No time: looked at before any other.
const NOTHING: Timestamp = Timestamp::MAX;

impl Waiting {
    pub(super) fn new(memo: &Memo, join: &str) -> Result<Self> {
        let least = memo.slot(&format!("least/{join}"), NOTHING)?;
        Ok(Self { left: Times::default(), right: Times::default(), least })
    }

    fn add(&mut self, is_left: bool, time: Timestamp) {
        let times = if is_left { &mut self.left } else { &mut self.right };
        times.add(time);
        self.least.set(self.least.get().min(time));
    }

    /// Looks through the waiting records in order of time, a right one before a left one, as far as an open one of each
    /// side and one more: the last one seen is remembered.
    fn look(&mut self, open_left: Timestamp, open_right: Timestamp) {
        let last = self.left.last().max(self.right.last());
        let least = match (self.left.first_from(open_left), self.right.first_from(open_right)) {
            (Some((left, lefts)), Some((right, rights))) => {
                let (seen, more) = if left >= right { (left, lefts > 1) } else { (right, rights > 1) };
                let left_beyond = if left >= right { left.saturating_add(1) } else { right };
                let next_left = self.left.first_from(left_beyond).map(|(time, _)| time);
                let next_right = self.right.first_from(seen.saturating_add(1)).map(|(time, _)| time);
                let next = if more { Some(seen) } else { next_left.into_iter().chain(next_right).min() };
                Some(next.unwrap_or(seen))
            }
            _ => last,
        };
        self.least.set(least.unwrap_or(NOTHING));
        self.left.drop_before(open_left);
        self.right.drop_before(open_right);
    }
}

impl<J, K: Key, V: Data, V2: Data, VO: Data> JoinState<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    /// A record waits for a partner.
    pub(super) fn wait<A: Data>(&self, this: &Rows<K, A>, is_left: bool, key: &K, meta: Meta<'_>, value: A) -> Flow {
        let Some(unmatched) = &this.unmatched else { return Ok(()) };
        self.waiting.borrow_mut().add(is_left, meta.timestamp);
        let meta = Meta { headers: &Headers::new(), ..meta };
        unmatched.update(key, meta.timestamp, 0, meta, |list| list.get_or_insert_default().push(value)).map(drop)
    }

    /// The record of `key` and `time` has found a partner.
    pub(super) fn no_longer_waits<B: Data>(&self, rows: &Rows<K, B>, is_left: bool, key: &K, time: Timestamp) -> Flow {
        let Some(unmatched) = &rows.unmatched else { return Ok(()) };
        if let Some((found, _)) = unmatched.remove(key, time, 0)? {
            let mut waiting = self.waiting.borrow_mut();
            let times = if is_left { &mut waiting.left } else { &mut waiting.right };
            times.forget_some(time, found.len());
        }
        Ok(())
    }

    /// A record has moved time to `now`: those that have waited long enough are released. `ahead_ms` is its own side's.
    pub(super) fn release_by(&self, now: Timestamp, ahead_ms: i64, headers: &Headers) -> Flow {
        if self.left.unmatched.is_none() && self.right.unmatched.is_none() {
            return Ok(());
        }
        let (open_left, open_right) = (self.open_from(&self.left, now), self.open_from(&self.right, now));
        {
            let mut waiting = self.waiting.borrow_mut();
            let too_early = |least: Timestamp| least >= now.saturating_sub(ahead_ms).saturating_sub(self.grace_ms);
            let least = Some(waiting.least.get()).filter(|least| *least != NOTHING);
            if least.is_some_and(too_early) {
                return Ok(());
            }
            waiting.look(open_left, open_right);
        }
        self.release(open_left, open_right, headers)
    }

    /// Releases the left records before `open_left` and the right ones before `open_right`, whichever record has moved
    /// time.
    fn release(&self, open_left: Timestamp, open_right: Timestamp, headers: &Headers) -> Flow {
        self.context.without_record(|| self.release_in_order(open_left, open_right, headers))
    }

    /// In order of time, right ones before left ones, then by key.
    fn release_in_order(&self, open_left: Timestamp, open_right: Timestamp, headers: &Headers) -> Flow {
        let mut left = taken(&self.left, open_left)?.into_iter().peekable();
        let mut right = taken(&self.right, open_right)?.into_iter().peekable();
        loop {
            let right_first = match (left.peek(), right.peek()) {
                (Some(left), Some(right)) => right.row.time <= left.row.time,
                (None, Some(_)) => true,
                _ => false,
            };
            if right_first {
                let Some(TakenRow { key, row }) = right.next() else { break };
                for value in row.value {
                    self.emit(Meta { timestamp: row.time, headers }, key.clone(), None, Some(value))?;
                }
            } else {
                let Some(TakenRow { key, row }) = left.next() else { break };
                for value in row.value {
                    self.emit(Meta { timestamp: row.time, headers }, key.clone(), Some(value), None)?;
                }
            }
        }
        Ok(())
    }

    /// As [`JoinState::release`], where time has moved by itself.
    fn release_quietly(&self, open_left: Timestamp, open_right: Timestamp) -> Flow {
        {
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.left.has_before(open_left) && !waiting.right.has_before(open_right) {
                return Ok(());
            }
            waiting.left.drop_before(open_left);
            waiting.right.drop_before(open_right);
        }
        self.release(open_left, open_right, &Headers::new())
    }
}

/// Takes out the records of one side that wait and are older than `open_from`.
fn taken<K: Key, A: Data>(rows: &Rows<K, A>, open_from: Timestamp) -> Result<Vec<TakenRow<K, Vec<A>>>> {
    match &rows.unmatched {
        Some(unmatched) if open_from > Timestamp::MIN => unmatched.take_until(open_from.saturating_sub(1)),
        _ => Ok(Vec::new()),
    }
}

impl<J, K: Key, V: Data, V2: Data, VO: Data> TimeStep for JoinState<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    fn time_moved(&self) -> Flow {
        // With one sender time moves with the records that reach the join, as in Kafka Streams.
        if let OperatorTime::Observed(_) = self.time {
            return Ok(());
        }
        self.time.closes_at(&self.context).map_or(Ok(()), |time| {
            self.release_quietly(self.open_from(&self.left, time), self.open_from(&self.right, time))
        })
    }

    fn end_of_input(&self) -> Flow {
        self.release_quietly(Timestamp::MAX, Timestamp::MAX)
    }
}
