//! Topics that are made while a run goes on, and that its sources would read.

use std::{
    collections::BTreeSet,
    thread::sleep,
    time::{Duration, Instant},
};

use headwater_core::Result;
use headwater_dsl::Topology;

use crate::{shared::Shared, topics};

/// How often the watcher looks whether the run ends.
const STEP: Duration = Duration::from_millis(50);

/// Looks again and again, until the run ends or there are new topics that match the pattern of a source: then marks the
/// run's threads as outdated. `topology` is the run's, before its patterns were resolved.
pub(crate) fn watch(shared: &Shared, topology: &Topology) {
    let every = shared.settings.topic_check_interval;
    let mut refused = BTreeSet::new();
    let mut last = Instant::now();
    while !shared.is_ending() {
        sleep(STEP.min(every));
        if last.elapsed() < every {
            continue;
        }
        last = Instant::now();
        match found(shared, topology, &mut refused) {
            Ok(true) => shared.outdate(),
            Ok(false) => {}
            // The threads see for themselves when the log is gone for good.
            Err(error) => tracing::warn!(%error, "the log could not be asked for new topics"),
        }
    }
}

/// Whether there are new topics that can be read with the others. Those that cannot are told of once.
fn found(shared: &Shared, topology: &Topology, refused: &mut BTreeSet<String>) -> Result<bool> {
    let existing = shared.log.topics()?;
    let names = existing.iter().map(|topic| topic.name.as_str());
    let topology = topology.versioned(shared.settings.version).with_topics(names);
    let read = shared.plan().input_topics();
    let new: BTreeSet<_> = topology.plan().input_topics().into_iter().filter(|topic| !read.contains(topic)).collect();
    if new.is_empty() || new.iter().all(|topic| refused.contains(*topic)) {
        return Ok(false);
    }
    match topics::counts(topology.plan(), &existing) {
        Ok(_) => {
            tracing::info!(topics = ?new, "new topics match the patterns of sources; reading them from now on");
            Ok(true)
        }
        Err(error) => {
            tracing::warn!(code = error.code(), topics = ?new, "new topics cannot be read with the others: {error}");
            refused.extend(new.into_iter().map(str::to_owned));
            Ok(false)
        }
    }
}
