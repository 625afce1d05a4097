use std::sync::Arc;

use headwater_core::{
    Serde,
    serde::{Auto, Postcard},
};

use crate::bounds::{Data, Key, Value};

/// A foreign-key join's name and the serdes of both tables.
///
/// The name becomes the topics `<app>-<name>-subscription-registration-topic` and
/// `<app>-<name>-subscription-response-topic` and the store `<name>-subscription-store`, so it must stay the same as
/// long as the state is to be kept. The serde of the left table's values must give equal bytes for equal values: by their
/// hash a row is recognised when the answer to it comes back.
pub struct TableJoined<K, V, KR, VR> {
    pub(crate) name: String,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) foreign_keys: Arc<dyn Serde<KR>>,
    pub(crate) foreign_values: Arc<dyn Serde<VR>>,
}

impl<K: Data, V: Data, KR: Data, VR: Data> TableJoined<K, V, KR, VR> {
    /// A join called `name`; keys travel as `Auto` and values as `Postcard`.
    pub fn named(name: &str) -> Self
    where
        K: Key,
        V: Value,
        KR: Key,
        VR: Value,
    {
        Self::with(name, (Auto, Postcard), (Auto, Postcard))
    }

    /// A join called `name`; keys and values of the left table travel in the formats `left`, those of the right table
    /// in the formats `right`.
    pub fn with(name: &str, left: (impl Serde<K>, impl Serde<V>), right: (impl Serde<KR>, impl Serde<VR>)) -> Self {
        Self {
            name: name.to_owned(),
            keys: Arc::new(left.0),
            values: Arc::new(left.1),
            foreign_keys: Arc::new(right.0),
            foreign_values: Arc::new(right.1),
        }
    }
}

impl<K: Key, V: Value, KR: Key, VR: Value> From<&str> for TableJoined<K, V, KR, VR> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl<K, V, KR, VR> std::fmt::Debug for TableJoined<K, V, KR, VR> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TableJoined({})", self.name)
    }
}
