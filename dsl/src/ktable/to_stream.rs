use std::rc::Rc;

use headwater_core::Result;

use super::KTable;
use crate::{
    bounds::{Data, Shared},
    kstream::KStream,
    plan::NodeKind,
    wire::{Change, Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KTable<K, V> {
    /// The table's changes as a stream: a row's new value, or `None` for a deletion. One record per changed row and
    /// commit. Key and partition stay.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest").to_stream().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap(), [Some(7)]);
    /// ```
    #[track_caller]
    pub fn to_stream(&self) -> KStream<K, Option<V>> {
        let kind = NodeKind::Stateless { op: "to_stream".to_owned(), changes_key: false };
        let id = self.graph.add(None, "to_stream", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, Change<V>>(id, |builder, id| -> Result<Target<K, Change<V>>> {
                Ok(Rc::new(ToStream(builder.next::<K, Option<V>>(id)?)))
            });
        });
        KStream::new(self.graph.clone(), id)
    }

    /// As [`KTable::to_stream`], each change under a new key. The key counts as changed, so a grouping or join below
    /// gets a repartition topic.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest").to_stream_by(|key, n| format!("{key}-{n:?}")).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// let changes = driver.output::<String, Option<i64>>("out", Json).read_key_values(&mut driver).unwrap();
    /// assert_eq!(changes, [("k-Some(7)".to_owned(), Some(7))]);
    /// ```
    #[track_caller]
    pub fn to_stream_by<K2: Data>(&self, select: impl Fn(&K, &Option<V>) -> K2 + Shared) -> KStream<K2, Option<V>> {
        self.to_stream().select_key(select)
    }

    /// As [`KTable::to_stream`] without deletions: the new values.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).group_by_key("by-key").count("counts").updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1]);
    /// ```
    #[track_caller]
    pub fn updates(&self) -> KStream<K, V> {
        let kind = NodeKind::Stateless { op: "updates".to_owned(), changes_key: false };
        let id = self.graph.add(None, "updates", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, Change<V>>(id, |builder, id| -> Result<Target<K, Change<V>>> {
                Ok(Rc::new(Updates(builder.next::<K, V>(id)?)))
            });
        });
        KStream::new(self.graph.clone(), id)
    }
}

struct ToStream<K, V>(Target<K, Option<V>>);

impl<K, V> Push<K, Change<V>> for ToStream<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        self.0.push(meta, key, change.new)
    }
}

struct Updates<K, V>(Target<K, V>);

impl<K, V> Push<K, Change<V>> for Updates<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        change.new.map_or(Ok(()), |value| self.0.push(meta, key, value))
    }
}
