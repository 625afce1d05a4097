use std::sync::Arc;

use headwater_core::{Payload, Serde, serde::Auto, serde::Postcard, serde::is_null};

use crate::bounds::{Data, Key, Value};

/// Tells whether a key or value is null (a `None`).
pub(crate) type IsNull<T> = Arc<dyn Fn(&T) -> bool + Send + Sync>;

/// A grouping's name and serdes. The name becomes the repartition topic `<app>-<name>-repartition` where one is needed,
/// so it must stay the same as long as the state is to be kept.
pub struct Grouped<K, V> {
    pub(crate) name: String,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) null_key: IsNull<K>,
    pub(crate) null_value: IsNull<V>,
}

impl<K, V> Clone for Grouped<K, V> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            keys: self.keys.clone(),
            values: self.values.clone(),
            null_key: self.null_key.clone(),
            null_value: self.null_value.clone(),
        }
    }
}

impl<K: Data, V: Data> Grouped<K, V> {
    /// A grouping called `name` with keys as `Auto` and values as `Postcard`.
    pub fn named(name: &str) -> Self
    where
        K: Key,
        V: Value,
    {
        Self {
            name: name.to_owned(),
            keys: Arc::new(Auto),
            values: Arc::new(Postcard),
            null_key: Arc::new(is_null),
            null_value: Arc::new(is_null),
        }
    }

    /// A grouping called `name` with these serdes.
    pub fn with(name: &str, keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self::sharing(name, Arc::new(keys), Arc::new(values))
    }

    /// As [`Grouped::with`], with serdes that others use too.
    pub(crate) fn sharing(name: &str, keys: Arc<dyn Serde<K>>, values: Arc<dyn Serde<V>>) -> Self {
        Self {
            name: name.to_owned(),
            null_key: encodes_to_null(keys.clone()),
            null_value: encodes_to_null(values.clone()),
            keys,
            values,
        }
    }
}

/// Without a bound on the type only its serde can tell.
fn encodes_to_null<T: 'static>(serde: Arc<dyn Serde<T>>) -> IsNull<T> {
    Arc::new(move |value| matches!(serde.encode(value, &mut Vec::new()), Ok(Payload::Null)))
}

impl<K: Key, V: Value> From<&str> for Grouped<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl<K: 'static, V: 'static> std::fmt::Debug for Grouped<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Grouped({}, {}, {})", self.name, self.keys.format(), self.values.format())
    }
}
