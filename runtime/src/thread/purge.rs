//! Repartition topics are ways, not places: what their reader has committed goes.

use std::time::Instant;

use headwater_core::{Offset, TopicPartition};

use super::StreamThread;

impl StreamThread {
    /// Deletes the repartition records that lie before what this thread has committed, now and then. They stay if the log
    /// refuses: that costs room and no result, and is tried again.
    pub(super) fn purge_if_due(&mut self) {
        if self.last_purge.elapsed() < self.shared.settings.repartition_purge_interval {
            return;
        }
        self.last_purge = Instant::now();
        let mut read = self.tasks.values_mut().flat_map(|task| &mut task.queues).collect::<Vec<_>>();
        read.retain(|queue| queue.internal && queue.committed > queue.purged);
        let before: Vec<(TopicPartition, Offset)> =
            read.iter().map(|queue| (queue.partition.clone(), queue.committed)).collect();
        if before.is_empty() {
            return;
        }
        match self.shared.log.delete_records(&before) {
            Ok(()) => read.into_iter().for_each(|queue| queue.purged = queue.committed),
            Err(error) => tracing::warn!(%error, "repartition records that have been read could not be deleted"),
        }
    }
}
