//! The committer of an Iceberg sink.

use headwater_core::{CommitPosition, Descriptor, Offset, Result, SinkCommitter};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    descriptor::{self, TableDescriptor},
    engine::{Batch, Engine, Owner},
};

pub(super) struct Committer {
    runtime: Runtime,
    engine: Engine,
    owner: Owner,
    incarnation: String,
    /// What this committer has seen applied; `None` until it has looked.
    seen: Option<CommitPosition>,
}

impl Committer {
    pub(super) fn new(runtime: Runtime, engine: Engine, owner: Owner) -> Self {
        Self { runtime, engine, owner, incarnation: Uuid::now_v7().to_string(), seen: None }
    }
}

impl SinkCommitter for Committer {
    fn recover(&mut self) -> Result<CommitPosition> {
        let applied = self.runtime.block_on(self.engine.applied(&self.owner))?;
        let position = applied.map(|marks| marks.to);
        self.seen = Some(position);
        Ok(position)
    }

    fn commit(&mut self, descriptors: &[(Offset, Descriptor)]) -> Result<()> {
        let expected = match self.seen {
            Some(seen) => seen,
            None => self.recover()?,
        };
        let new = descriptors.iter().filter(|(offset, _)| expected.is_none_or(|done| *offset >= done));
        let parsed = new
            .map(|(offset, bytes)| Ok((*offset, descriptor::decode(self.engine.target(), bytes)?)))
            .collect::<Result<Vec<(Offset, TableDescriptor)>>>()?;
        if parsed.is_empty() {
            return Ok(());
        }
        let batch = Batch { owner: &self.owner, incarnation: &self.incarnation, expected, descriptors: &parsed };
        let position = self.runtime.block_on(self.engine.append(&batch))?;
        self.seen = Some(position);
        Ok(())
    }
}
