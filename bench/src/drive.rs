//! Records through a pipeline, with regular commits.

use std::time::Duration;

use headwater_core::RecordBatch;

use crate::{Outcome, measure::on_thread, pipeline::Pipeline};

/// A topic with its batches.
pub type Source<'a> = (&'static str, &'a [RecordBatch]);

/// Lets `pipeline` take the records of `sources`, a batch of each topic in turn, with a commit after each `per_commit` of
/// them and one at the end of input. Returns the thread's CPU time.
///
/// # Errors
/// If a step fails.
pub fn drive(pipeline: &mut Pipeline, sources: &[Source<'_>], per_commit: usize) -> Outcome<Duration> {
    on_thread(|| {
        let (mut rest, mut uncommitted) = (sources.to_vec(), 0);
        while rest.iter().any(|(_, batches)| !batches.is_empty()) {
            for (topic, batches) in &mut rest {
                let Some((batch, after)) = batches.split_first() else { continue };
                pipeline.feed(topic, batch);
                uncommitted += batch.len();
                *batches = after;
            }
            if uncommitted >= per_commit {
                uncommitted = 0;
                pipeline.settle()?;
            }
        }
        Ok(pipeline.end()?)
    })
}
