//! What a demo's own report is made from.

use std::path::PathBuf;

use headwater_core::{Result, Table};
use headwater_dsl::Topology;

use crate::{app::RunReport, settings::Settings};

/// The results of a complete run, for [`Program::report`](super::Program::report).
#[derive(Debug)]
pub struct Report<'a> {
    topology: &'a Topology,
    settings: &'a Settings,
    run: &'a RunReport,
}

impl<'a> Report<'a> {
    pub(super) fn new(topology: &'a Topology, settings: &'a Settings, run: &'a RunReport) -> Self {
        Self { topology, settings, run }
    }

    /// What the run did, with the counters of all tasks.
    pub fn run(&self) -> &RunReport {
        self.run
    }

    /// The rows that the sink called `sink` has committed; `None` if there is no such sink or it cannot be read back.
    ///
    /// # Errors
    /// If the sink's target cannot be read.
    pub fn table(&self, sink: &str) -> Result<Option<Table>> {
        let topology = self.topology.versioned(self.settings.version);
        let Some((name, recipe)) = topology.sinks().find(|(name, _)| *name == sink) else { return Ok(None) };
        recipe.read(&self.settings.sink_context(&topology.plan().app, name, 0)).map_err(|error| error.at_node(sink))
    }

    /// The directory of the lake.
    pub fn lake_dir(&self) -> PathBuf {
        self.settings.lake_dir()
    }
}
