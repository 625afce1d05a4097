use std::sync::Arc;

use headwater_core::{Serde, Timestamp, serde::Auto, serde::Json};

use super::{Arrival, EventTime, NegativeTime};
use crate::{
    bounds::{Data, Key, Shared, Value},
    plan::OffsetReset,
};

/// What happens to a record that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnUndecodable {
    /// The program stops with an error that names topic, partition and offset; nothing is skipped. Default.
    #[default]
    Fail,
    /// The record goes, raw and with the reason in its headers, to this topic.
    DeadLetter(String),
}

/// How a topic is read: serdes, event time, what to do with records that cannot be decoded.
pub struct Consumed<K, V> {
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) event_time: EventTime<K, V>,
    pub(crate) negative_time: NegativeTime,
    pub(crate) reset: Option<OffsetReset>,
    pub(crate) on_undecodable: OnUndecodable,
    pub(crate) name: Option<String>,
}

impl<K: Data, V: Data> Consumed<K, V> {
    /// Reads keys and values with these serdes.
    pub fn with(keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self {
            keys: Arc::new(keys),
            values: Arc::new(values),
            event_time: EventTime::Recorded,
            negative_time: NegativeTime::Drop,
            reset: None,
            on_undecodable: OnUndecodable::Fail,
            name: None,
        }
    }

    /// Reads values as JSON and keys as `Auto`.
    pub fn json() -> Self
    where
        K: Key,
        V: Value,
    {
        Self::with(Auto, Json)
    }

    /// Why a table's rows could differ from those that reading made of the same records, if they were read anew.
    pub(crate) fn not_repeatable(&self) -> Option<&'static str> {
        match (&self.event_time, self.negative_time, self.reset) {
            (EventTime::WallClock | EventTime::Arrival(_), _, _) => Some("its time depends on more than the record"),
            (_, NegativeTime::PartitionTime, _) => Some("a negative time gets the time of records before it"),
            (_, _, Some(OffsetReset::Latest | OffsetReset::ByDuration(_) | OffsetReset::None)) => {
                Some("its reset may leave records out")
            }
            _ => None,
        }
    }

    /// Takes a record's event time (milliseconds since 1970) from its content. Default: the record's own timestamp.
    /// A record whose time is negative is treated as [`Consumed::on_negative_time`] says.
    #[must_use]
    pub fn timestamp(mut self, extract: impl Fn(&K, &V) -> Timestamp + Shared) -> Self {
        self.event_time = EventTime::Content(Arc::new(extract));
        self
    }

    /// Works a record's event time out from all that is known of it: also its headers, its own timestamp and the time
    /// of its partition. Default: the record's own timestamp.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// // Never more than a minute before what came before.
    /// let bounded = Consumed::<String, i64>::json().timestamp_by(|arrival| {
    ///     arrival.timestamp.max(arrival.partition_time.map_or(0, |time| time - minutes(1)))
    /// });
    /// app.stream("in", bounded).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// input.pipe(&mut driver, "k".into(), 1, hours(1)).unwrap();
    /// input.pipe(&mut driver, "k".into(), 2, 0).unwrap();
    /// let out = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    /// assert_eq!(out[1].timestamp, minutes(59));
    /// ```
    #[must_use]
    pub fn timestamp_by(mut self, extract: impl Fn(Arrival<'_, K, V>) -> Timestamp + Shared) -> Self {
        self.event_time = EventTime::Arrival(Arc::new(extract));
        self
    }

    /// Takes the clock's time at which a record is read for its event time. A replay gives other times, and so other
    /// windows. Default: the record's own timestamp.
    #[must_use]
    pub fn wall_clock(mut self) -> Self {
        self.event_time = EventTime::WallClock;
        self
    }

    /// What happens to a record whose event time is negative. Default: it is dropped and counted.
    #[must_use]
    pub fn on_negative_time(mut self, negative_time: NegativeTime) -> Self {
        self.negative_time = negative_time;
        self
    }

    /// Where to begin in partitions of which the application has committed no offset yet. Default: at the earliest
    /// record, where another version of the pipeline (a replay) always begins.
    #[must_use]
    pub fn reset(mut self, reset: OffsetReset) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Sends records that cannot be decoded to `topic`, raw, with the reason in KIP-1034's headers. Default: stop with
    /// an error that names topic, partition and offset.
    #[must_use]
    pub fn dead_letter(mut self, topic: &str) -> Self {
        self.on_undecodable = OnUndecodable::DeadLetter(topic.to_owned());
        self
    }

    /// Names the source in the plan. Default: the topic's name; for several topics or a pattern `source-` and the step's
    /// number.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The serdes of keys and values.
    pub fn serdes(&self) -> (Arc<dyn Serde<K>>, Arc<dyn Serde<V>>) {
        (self.keys.clone(), self.values.clone())
    }
}

impl<K: 'static, V: 'static> std::fmt::Debug for Consumed<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consumed({}, {})", self.keys.format(), self.values.format())
    }
}
