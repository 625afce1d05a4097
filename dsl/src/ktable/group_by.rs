use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

use super::KTable;
use crate::{
    bounds::{Data, Key, Shared},
    kgrouped_table::{ChangeSerde, KGroupedTable},
    kstream::KStream,
    plan::{NodeId, NodeKind, OldValues},
    repartition::add_repartition,
    task::{Blame, Slot, TaskContext},
    vocab::Grouped,
    wire::{Change, Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KTable<K, V> {
    /// Brings the rows together by another key, for an aggregation that follows each row as it changes: what a row
    /// added is subtracted again when the row changes or is deleted. `select` makes key and value of a row's part in
    /// the aggregation; a row whose new key or value is null has no part in it, and is counted.
    ///
    /// The rows travel through `<app>-<name>-repartition` of `grouped`, the old value and the new one in one record if
    /// their keys are equal. Otherwise the old key's task and the new key's hear of it separately, so a reader may see
    /// a moment in which the row is in neither or in both.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, String>("teams", Text, "team-of")
    ///     .group_by(|person, team| (team, person.clone()), "by-team")
    ///     .count("team-sizes")
    ///     .to_stream()
    ///     .to("sizes", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut teams = driver.input::<String, String>("teams", Text);
    /// for team in ["red", "blue"] {
    ///     teams.pipe(&mut driver, "ann".into(), team.into(), 0).unwrap();
    /// }
    /// let sizes = driver.output::<String, i64>("sizes", Json).read_key_values(&mut driver).unwrap();
    /// assert_eq!(sizes, [("red".to_owned(), 1), ("red".to_owned(), 0), ("blue".to_owned(), 1)]);
    /// ```
    #[track_caller]
    pub fn group_by<K2: Key, V2: Data>(
        &self,
        select: impl Fn(&K, V) -> (K2, V2) + Shared,
        grouped: impl Into<Grouped<K2, V2>>,
    ) -> KGroupedTable<K2, V2> {
        let grouped = Arc::new(grouped.into());
        let (select, of_group) = (Arc::new(select), grouped.clone());
        let op = "table_group_by";
        let kind = NodeKind::view(op, OldValues::Needed).changing_key(true);
        let parent = self.id;
        let id = self.graph.add(None, op, kind, vec![parent], |wiring, id| {
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                let context = builder.context.clone();
                Ok(Rc::new(GroupBy {
                    id,
                    select: select.clone(),
                    nulls: context.memo.slot(&format!("null:{}", of_group.name), 0)?,
                    grouped: of_group.clone(),
                    versioned: builder.plan.is_versioned(parent),
                    context,
                    next: builder.next::<K2, Change<V2>>(id)?,
                }))
            });
        });
        let selected = KStream::<K2, Change<V2>>::new(self.graph.clone(), id);
        let changes = ChangeSerde::of(grouped.values.clone());
        let id = add_repartition(&selected, &grouped.name, &grouped.keys, &changes, None, false);
        KGroupedTable::new(self.graph.clone(), id)
    }
}

struct GroupBy<F, K2, V2> {
    id: NodeId,
    select: Arc<F>,
    grouped: Arc<Grouped<K2, V2>>,
    nulls: Slot,
    /// Whether changes of the past reach it, which say nothing of the rows as they are.
    versioned: bool,
    context: Rc<TaskContext>,
    next: Target<K2, Change<V2>>,
}

impl<F, K2, V2> GroupBy<F, K2, V2> {
    /// A row's part in the aggregation.
    fn part<K, V>(&self, key: &K, value: Option<V>) -> Option<(K2, V2)>
    where
        F: Fn(&K, V) -> (K2, V2),
    {
        let value = value?;
        let blame = Blame::new(self.id);
        let part = (self.select)(key, value);
        blame.clear();
        Some(part).filter(|(key, value)| !(self.grouped.null_key)(key) && !(self.grouped.null_value)(value))
    }
}

impl<K, V, K2: Key, V2: Data, F: Fn(&K, V) -> (K2, V2)> Push<K, Change<V>> for GroupBy<F, K2, V2> {
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        if self.versioned && self.context.of_the_past.get() {
            return Ok(());
        }
        let added = change.new.is_some();
        let old = self.part(&key, change.old);
        let new = self.part(&key, change.new);
        if added && new.is_none() {
            self.nulls.increment();
        }
        match (old, new) {
            (Some((old_key, old)), Some((key, new))) if old_key == key => {
                self.next.push(meta, key, Change { new: Some(new), old: Some(old) })
            }
            (old, new) => {
                // The old part goes first, as within one record.
                if let Some((key, old)) = old {
                    self.next.push(meta, key, Change { new: None, old: Some(old) })?;
                }
                new.map_or(Ok(()), |(key, new)| self.next.push(meta, key, Change { new: Some(new), old: None }))
            }
        }
    }
}
