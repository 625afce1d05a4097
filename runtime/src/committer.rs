//! The one committer of a sink: reads the committed descriptors in order and makes them visible.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use headwater_core::{Descriptor, Error, ErrorKind, Offset, Result, SinkCommitter, TopicPartition};
use headwater_dsl::AnySink;
use headwater_log::{Consumer, ConsumerConfig, Isolation, Polled};

use crate::shared::{Shared, commits_topic};

/// How often an unavailable target is asked again before the run gives up.
const RETRIES: u32 = 20;

/// Applies descriptors until `finish` is set and all of them are applied.
pub(crate) fn run(shared: &Shared, sink: &str, recipe: &Arc<dyn AnySink>, finish: &AtomicBool) -> Result<()> {
    let context = shared.settings.sink_context(shared.app(), sink, 0);
    let topic = TopicPartition::new(commits_topic(shared.app(), sink), 0);
    let mut committer = recipe.committer(&context)?;
    let start = start_offset(shared, &topic)?;
    let from = committer.recover()?.unwrap_or(start);
    if from < start {
        let message = format!("sink {sink} stands at {from} of {topic}, which now begins at {start}");
        return Err(Error::new(ErrorKind::Sink, "HW0603", message)
            .help("descriptors were removed before they were applied; replay into a new version"));
    }
    let mut consumer = shared.log.consumer(&ConsumerConfig::default())?;
    consumer.assign(&[(topic.clone(), from)])?;
    let mut waiting: Vec<(Offset, Descriptor)> = Vec::new();
    let mut last_commit = Instant::now();
    loop {
        read(&mut *consumer, &mut waiting)?;
        let finishing = finish.load(Ordering::SeqCst);
        // Also with nothing waiting: a sink that gathers small transactions publishes them by age.
        if finishing || last_commit.elapsed() >= shared.settings.commit_interval {
            apply(&mut *committer, &waiting)?;
            waiting.clear();
            last_commit = Instant::now();
        }
        if finishing && waiting.is_empty() && at_end(shared, &*consumer, &topic)? {
            break;
        }
    }
    committer.flush()?;
    consumer.close(Duration::from_secs(1));
    Ok(())
}

fn start_offset(shared: &Shared, topic: &TopicPartition) -> Result<Offset> {
    Ok(shared.log.start_offsets(std::slice::from_ref(topic))?.get(topic).copied().unwrap_or_default())
}

fn at_end(shared: &Shared, consumer: &dyn Consumer, topic: &TopicPartition) -> Result<bool> {
    // The committed end lags behind a commit for a moment: the last descriptors might lie beyond it.
    let ends = shared.log.end_offsets(std::slice::from_ref(topic), Isolation::ReadUncommitted)?;
    Ok(consumer.position(topic) >= ends.get(topic).copied())
}

fn read(consumer: &mut dyn Consumer, waiting: &mut Vec<(Offset, Descriptor)>) -> Result<()> {
    let Polled::Records(batches) = consumer.poll(Duration::from_millis(50))? else { return Ok(()) };
    for (_, batch) in batches {
        for record in &batch {
            let record = record?;
            if let Some(value) = record.value {
                waiting.push((record.offset, Descriptor(value.into())));
            }
        }
    }
    Ok(())
}

fn apply(committer: &mut dyn SinkCommitter, waiting: &[(Offset, Descriptor)]) -> Result<()> {
    let mut attempt = 0;
    loop {
        match committer.commit(waiting) {
            Err(error) if error.kind() == ErrorKind::Unavailable && attempt < RETRIES => {
                attempt += 1;
                tracing::warn!(%error, attempt, "the sink is not available; trying again");
                std::thread::sleep(Duration::from_millis(100 << attempt.min(6)));
            }
            done => return done,
        }
    }
}
