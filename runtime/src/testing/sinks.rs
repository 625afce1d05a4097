//! The sinks of a driver: their committers, and the descriptors on their way to them.

use headwater_core::{Descriptor, Offset, Result, SinkCommitter};

use super::env::Surroundings;

struct DrivenSink {
    name: String,
    committer: Box<dyn SinkCommitter>,
    /// The offset of the next descriptor.
    next: Offset,
}

/// All sinks of a driver.
#[derive(Default)]
pub(super) struct DrivenSinks(Vec<DrivenSink>);

impl DrivenSinks {
    pub(super) fn open(around: &Surroundings) -> Result<Self> {
        let mut sinks = Vec::new();
        for (name, sink) in around.topology.sinks() {
            let context = around.sink_context(name, 0);
            sink.open(&context)?;
            let mut committer = sink.committer(&context)?;
            let next = committer.recover()?.unwrap_or_default();
            sinks.push(DrivenSink { name: name.to_owned(), committer, next });
        }
        Ok(Self(sinks))
    }

    /// Makes visible what a committed transaction describes.
    pub(super) fn apply(&mut self, descriptors: Vec<(String, Descriptor)>) -> Result<()> {
        for (name, descriptor) in descriptors {
            let Some(sink) = self.0.iter_mut().find(|sink| sink.name == name) else { continue };
            let offset = sink.next;
            sink.next += 1;
            sink.committer.commit(&[(offset, descriptor)])?;
        }
        Ok(())
    }

    /// The run ends.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.0.iter_mut().try_for_each(|sink| sink.committer.flush())
    }
}
