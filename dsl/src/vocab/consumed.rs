use std::sync::Arc;

use headwater_core::{Serde, Timestamp, serde::Auto, serde::Json};

use crate::bounds::{Data, Key, Shared, Value};

/// Chooses a record's event time.
pub(crate) type Extractor<K, V> = Arc<dyn Fn(&K, &V) -> Timestamp + Send + Sync>;

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
    pub(crate) timestamp: Option<Extractor<K, V>>,
    pub(crate) on_undecodable: OnUndecodable,
    pub(crate) name: Option<String>,
}

impl<K: Data, V: Data> Consumed<K, V> {
    /// Reads keys and values with these serdes.
    pub fn with(keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self {
            keys: Arc::new(keys),
            values: Arc::new(values),
            timestamp: None,
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

    /// Takes a record's event time (milliseconds since 1970) from its content. Default: the record's own timestamp.
    /// A record whose time is negative is dropped and counted.
    #[must_use]
    pub fn timestamp(mut self, extract: impl Fn(&K, &V) -> Timestamp + Shared) -> Self {
        self.timestamp = Some(Arc::new(extract));
        self
    }

    /// Sends records that cannot be decoded to `topic`, raw, with the reason in KIP-1034's headers. Default: stop with
    /// an error that names topic, partition and offset.
    #[must_use]
    pub fn dead_letter(mut self, topic: &str) -> Self {
        self.on_undecodable = OnUndecodable::DeadLetter(topic.to_owned());
        self
    }

    /// Names the source in the plan. Default: the topic's name.
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
