//! What a program tells its command line.

use std::collections::BTreeMap;

use headwater_dsl::{Topology, TopologyErrors, UserResult};
use headwater_log::TopicSpec;

use super::{feed::Feed, report::Report};

/// A program with a command line. A function that builds a topology is one; a program that brings data of its own for
/// `demo`, or prints a report of its own, implements this for a type.
///
/// ```
/// use headwater::{cli::{Feed, Program, Topic}, prelude::*};
///
/// struct Words;
///
/// impl Program for Words {
///     fn topology(&self) -> Result<Topology, TopologyErrors> {
///         let app = StreamsBuilder::new("shout");
///         app.stream::<String, String>("words", Json).map_values(|word| word.to_uppercase()).to("shouted", Text);
///         app.build()
///     }
///     fn topics(&self) -> Vec<Topic> {
///         vec![Topic::new("words", 2), Topic::new("shouted", 2)]
///     }
///     fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
///         let words = ["ready", "steady", "go"].map(str::to_owned);
///         feed.append("words", Text, Json, words.map(|word| (word.clone(), 0, word)))?;
///         Ok(())
///     }
/// }
/// assert!(Words.topology().is_ok());
/// ```
pub trait Program {
    /// Builds the topology. Called once per verb; must build the same one every time.
    ///
    /// # Errors
    /// Every mistake in the topology.
    fn topology(&self) -> Result<Topology, TopologyErrors>;

    /// The topics that `demo` makes before it feeds: inputs and outputs. Default: none.
    fn topics(&self) -> Vec<Topic> {
        Vec::new()
    }

    /// Feeds the program's data, the same records in the same order every time: [`Feed::append`] skips what an earlier
    /// start has fed. Default: feeds nothing.
    ///
    /// # Errors
    /// Whatever keeps the data from being read or stored.
    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let _ = feed;
        Ok(())
    }

    /// What `demo` prints below the counts per rule when everything has been processed. Default: nothing.
    ///
    /// # Errors
    /// Whatever keeps the results from being read.
    fn report(&self, report: &Report<'_>) -> UserResult<String> {
        let _ = report;
        Ok(String::new())
    }
}

impl<F: Fn() -> Result<Topology, TopologyErrors>> Program for F {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        self()
    }
}

/// A topic that `demo` makes. Its records are kept for ever unless a setting says otherwise: the log is the source of
/// truth, and a replay begins at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    spec: TopicSpec,
}

impl Topic {
    /// A topic called `name` with `partitions` partitions.
    pub fn new(name: &str, partitions: i32) -> Self {
        let config = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        Self { spec: TopicSpec { name: name.to_owned(), partitions, config } }
    }

    /// Sets one of Kafka's settings of topics, such as `cleanup.policy`.
    #[must_use]
    pub fn set(mut self, setting: &str, value: &str) -> Self {
        self.spec.config.insert(setting.to_owned(), value.to_owned());
        self
    }

    pub(super) fn spec(self) -> TopicSpec {
        self.spec
    }
}
