//! Topics that are made while a run goes on, and that its sources would read.

use std::{
    collections::BTreeSet,
    sync::PoisonError,
    thread::sleep,
    time::{Duration, Instant},
};

use headwater_core::Result;
use headwater_dsl::Topology;
use headwater_log::TopicInfo;

use crate::{app::Run, shared::Shared, topics};

/// How often the watcher looks whether the run ends.
const STEP: Duration = Duration::from_millis(50);

/// Looks again and again, until the run ends or there are new topics that match the pattern of a source: then marks the
/// run's threads as outdated.
pub(crate) fn watch(shared: &Shared, run: &Run) {
    let every = run.settings.topic_check_interval;
    let mut last = Instant::now();
    while !shared.is_ending() {
        sleep(STEP.min(every));
        if last.elapsed() < every {
            continue;
        }
        last = Instant::now();
        match has_new(shared, run) {
            Ok(true) => shared.outdate(),
            Ok(false) => {}
            // The threads see for themselves when the log is gone for good.
            Err(error) => tracing::warn!(%error, "the log could not be asked for new topics"),
        }
    }
}

/// The run's topology as it reads the `existing` topics, but those that were found not to fit.
pub(crate) fn resolved(run: &Run, existing: &[TopicInfo]) -> Topology {
    let left_out = run.left_out.lock().unwrap_or_else(PoisonError::into_inner);
    let names = existing.iter().map(|topic| topic.name.as_str()).filter(|topic| !left_out.contains(*topic));
    run.topology.versioned(run.settings.version).with_topics(names)
}

/// Whether there are new topics that can be read with the others. One that cannot is told of once, and left out: it must
/// not stop a run that can do without it.
fn has_new(shared: &Shared, run: &Run) -> Result<bool> {
    let existing = shared.log.topics()?;
    let read: BTreeSet<_> = shared.plan().input_topics().into_iter().map(str::to_owned).collect();
    let topology = resolved(run, &existing);
    let new: Vec<_> = topology.plan().input_topics().into_iter().filter(|topic| !read.contains(*topic)).collect();
    let mut any = false;
    for topic in new {
        let with_it: Vec<_> =
            existing.iter().filter(|known| known.name == topic || read.contains(&known.name)).cloned().collect();
        match topics::counts(resolved(run, &with_it).plan(), &with_it) {
            Ok(_) => {
                tracing::info!(topic, "a new topic matches the pattern of a source; it is read from now on");
                any = true;
            }
            Err(error) => {
                tracing::warn!(code = error.code(), topic, "a new topic cannot be read with the others: {error}");
                run.left_out.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned());
            }
        }
    }
    Ok(any)
}
