use std::sync::Arc;

use headwater_core::Serde;

use crate::bounds::Data;

/// How a topic is written: serdes and the step's name. Records go to the partition that Java's default partitioner
/// chooses for the key's bytes; a record without key stays on its task's partition number.
pub struct Produced<K, V> {
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) name: Option<String>,
}

impl<K: Data, V: Data> Produced<K, V> {
    /// Writes keys and values with these serdes.
    pub fn with(keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self { keys: Arc::new(keys), values: Arc::new(values), name: None }
    }

    /// Names the step in the plan. Default: `to-` and the topic's name.
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

impl<K: 'static, V: 'static> std::fmt::Debug for Produced<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Produced({}, {})", self.keys.format(), self.values.format())
    }
}
