use std::sync::Arc;

/// Where a partitioner sends a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// Where it goes without a partitioner: to the partition that Java's default partitioner chooses for the key's
    /// bytes; a record without key stays on its task's partition number.
    Default,
    /// To this partition.
    One(i32),
    /// To each of these partitions.
    Several(Vec<i32>),
    /// Nowhere: it is dropped and counted.
    Nowhere,
}

impl From<i32> for Placement {
    fn from(partition: i32) -> Self {
        Self::One(partition)
    }
}

impl From<Vec<i32>> for Placement {
    fn from(partitions: Vec<i32>) -> Self {
        Self::Several(partitions)
    }
}

/// From key, value and the count of partitions.
type Choose<K, V> = dyn Fn(&K, &V, i32) -> Placement + Send + Sync;

/// A user's partitioner and the name by which the plan knows it.
pub(crate) struct Partitioner<K, V> {
    pub(crate) name: String,
    pub(crate) choose: Arc<Choose<K, V>>,
}

impl<K, V> Clone for Partitioner<K, V> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), choose: self.choose.clone() }
    }
}

impl<K, V> Partitioner<K, V> {
    pub(crate) fn new<P: Into<Placement>>(
        name: &str,
        choose: impl Fn(&K, &V, i32) -> P + Send + Sync + 'static,
    ) -> Self {
        let choose = move |key: &K, value: &V, partitions| choose(key, value, partitions).into();
        Self { name: name.to_owned(), choose: Arc::new(choose) }
    }
}
