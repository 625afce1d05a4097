//! The records of one repartition partition that wait for their task, in one queue per upstream task.

use std::collections::VecDeque;

use headwater_core::{Offset, RecordBatch, RecordRef, Result, Timestamp};
use headwater_dsl::Order;

/// A record that waits, within its batch.
struct Waiting {
    batch: RecordBatch,
    at: usize,
    after: usize,
    offset: Offset,
    /// Its sender's time when it was sent.
    time: Timestamp,
}

/// A partition's records by sender. The partition is paused while more bytes wait than the settings allow, and then nobody
/// is waited for.
pub(crate) struct Lanes {
    lanes: Vec<VecDeque<Waiting>>,
    order: Order,
    bytes: usize,
    /// One past the last record that has come.
    read_to: Offset,
}

impl Lanes {
    pub(crate) fn new(order: &Order, start: Offset) -> Self {
        let lanes = (0..order.senders()).map(|_| VecDeque::new()).collect();
        Self { lanes, order: order.clone(), bytes: 0, read_to: start }
    }

    /// Sorts a batch's records by their senders, as `sender` tells them and their time; what was taken before is left out.
    /// A record of nobody known comes first, so that it is reported.
    pub(crate) fn append(
        &mut self,
        batch: &RecordBatch,
        sender: impl Fn(&RecordRef<'_>) -> Option<(usize, Timestamp)>,
    ) -> Result<()> {
        let mut at = batch.start();
        while let Some((record, after)) = batch.read_at(at)? {
            let offset = record.offset;
            let (upstream, time) =
                sender(&record).filter(|(upstream, _)| *upstream < self.lanes.len()).unwrap_or((0, Timestamp::MIN));
            let is_new = offset >= self.read_to && offset >= self.order.next_of(upstream);
            self.read_to = self.read_to.max(offset + 1);
            if let (true, Some(lane)) = (is_new, self.lanes.get_mut(upstream)) {
                self.bytes += after - at;
                lane.push_back(Waiting { batch: batch.clone(), at, after, offset, time });
            }
            at = after;
        }
        self.read_to = self.read_to.max(batch.next_offset());
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first offset that has not been taken.
    pub(crate) fn next(&self) -> Offset {
        self.lanes.iter().filter_map(|lane| lane.front()).map(|head| head.offset).min().unwrap_or(self.read_to)
    }

    /// The least sender's time among the heads, and whose it is.
    pub(crate) fn least(&self) -> Option<(Timestamp, usize)> {
        let heads = self.lanes.iter().enumerate();
        heads.filter_map(|(lane, waiting)| Some((waiting.front()?.time, lane))).min()
    }

    /// Whether a sender of whom nothing waits may still send what belongs before `time`.
    pub(crate) fn holds_back(&self, time: Timestamp) -> bool {
        let mut empty = self.lanes.iter().enumerate().filter(|(_, waiting)| waiting.is_empty());
        empty.any(|(lane, _)| self.order.held_at(lane).is_some_and(|held| held <= time))
    }

    /// The head of `lane` and the position after it.
    pub(crate) fn head(&self, lane: usize) -> Result<Option<(RecordRef<'_>, usize)>> {
        self.lanes.get(lane).and_then(VecDeque::front).map_or(Ok(None), |head| head.batch.read_at(head.at))
    }

    /// The head of `lane` was taken.
    pub(crate) fn advance(&mut self, lane: usize) {
        if let Some(taken) = self.lanes.get_mut(lane).and_then(VecDeque::pop_front) {
            self.bytes = self.bytes.saturating_sub(taken.after - taken.at);
        }
    }
}
