//! Joins of two tables by their keys: a view of both, changed by either.

mod half;
mod itself;
mod view;

use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

use self::{half::Half, itself::Itself, view::View};
use super::{KTable, Past};
use crate::{
    bounds::{Data, Shared},
    plan::{NodeId, NodeKind, OldValues},
    wire::{Change, TableView, Target},
};

/// Which rows a join keeps that have no partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// None.
    Both,
    /// Those of the left table.
    Left,
    /// All.
    Either,
}

impl<K: Data, V: Data> KTable<K, V> {
    /// The rows that both tables have, joined, as a view: it has no store of its own ([`KTable::materialize`] gives it
    /// one). Each change of either table is joined with the other's row of that moment; its time is the later of the
    /// two rows', its headers are the change's. A deletion on either side deletes the row.
    ///
    /// The tables must be co-partitioned: topics of equal partition counts, written with the same partitioner. Two
    /// tables that hold back changes until the commit send theirs one after the other, in the order written. A table
    /// joined with itself sends each change once.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.table::<String, String>("names", Text, "latest-names");
    /// let cities = app.table::<String, String>("cities", Text, "latest-cities");
    /// names.join(&cities, |name, city| format!("{name} of {city}")).to_stream().to("out", Text);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, String>("names", Text).pipe(&mut driver, "k".into(), "Ann".into(), 0).unwrap();
    /// let mut cities = driver.input::<String, Option<String>>("cities", Text);
    /// cities.pipe(&mut driver, "k".into(), Some("Rome".into()), 1).unwrap();
    /// cities.pipe(&mut driver, "k".into(), None, 2).unwrap();
    /// let joined = driver.output::<String, Option<String>>("out", Text).read_values(&mut driver).unwrap();
    /// assert_eq!(joined, [Some("Ann of Rome".to_owned()), None]);
    /// ```
    #[track_caller]
    pub fn join<V2: Data, VO: Data>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(V, V2) -> VO + Shared,
    ) -> KTable<K, VO> {
        self.joined("table_join", other, Keep::Both, move |left, right| Some(join(left?, right?)))
    }

    /// As [`KTable::join`], but every row of this table stays, joined with `None` where the other has no row.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.table::<String, String>("names", Text, "latest-names");
    /// let cities = app.table::<String, String>("cities", Text, "latest-cities");
    /// names.left_join(&cities, |name, city| (name, city)).updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, String>("names", Text).pipe(&mut driver, "k".into(), "Ann".into(), 0).unwrap();
    /// let joined = driver.output::<String, (String, Option<String>)>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(joined, [("Ann".to_owned(), None)]);
    /// ```
    #[track_caller]
    pub fn left_join<V2: Data, VO: Data>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(V, Option<V2>) -> VO + Shared,
    ) -> KTable<K, VO> {
        self.joined("table_left_join", other, Keep::Left, move |left, right| Some(join(left?, right)))
    }

    /// As [`KTable::join`], but a row of either table stays, joined with `None` where the other has no row.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.table::<String, String>("names", Text, "latest-names");
    /// let cities = app.table::<String, String>("cities", Text, "latest-cities");
    /// names.outer_join(&cities, |name, city| (name, city)).updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, String>("cities", Text).pipe(&mut driver, "k".into(), "Rome".into(), 0).unwrap();
    /// let joined = driver.output::<String, (Option<String>, Option<String>)>("out", Json);
    /// assert_eq!(joined.read_values(&mut driver).unwrap(), [(None, Some("Rome".to_owned()))]);
    /// ```
    #[track_caller]
    pub fn outer_join<V2: Data, VO: Data>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(Option<V>, Option<V2>) -> VO + Shared,
    ) -> KTable<K, VO> {
        self.joined("table_outer_join", other, Keep::Either, move |left, right| {
            (left.is_some() || right.is_some()).then(|| join(left, right))
        })
    }

    #[track_caller]
    fn joined<V2: Data, VO: Data>(
        &self,
        op: &str,
        other: &KTable<K, V2>,
        keep: Keep,
        join: impl Fn(Option<V>, Option<V2>) -> Option<VO> + Shared,
    ) -> KTable<K, VO> {
        let join = Arc::new(join);
        if !self.graph.is_same(&other.graph) {
            let id = self.graph.add(None, op, NodeKind::view(op, OldValues::Ignored), vec![self.id], |_, _| {});
            self.graph.lock().strangers.push(id);
            return KTable::new(self.graph.clone(), id);
        }
        let sides = (self.id, other.id);
        let parents = if self.id == other.id {
            vec![self.id]
        } else {
            let reverse = join.clone();
            let this = self.half(&format!("{op}_this"), other, keep != Keep::Both, keep == Keep::Both, join.clone());
            let (needs_old, pairs_only) = (keep == Keep::Either, keep != Keep::Either);
            let reverse = Arc::new(move |right, left| reverse(left, right));
            let that = other.half(&format!("{op}_other"), self, needs_old, pairs_only, reverse);
            vec![this, that]
        };
        let old_values = if parents.len() == 1 { OldValues::Needed } else { OldValues::PassedOn };
        let id = self.graph.add(None, op, NodeKind::view(op, old_values), parents, |wiring, id| {
            let look = join.clone();
            wiring.view::<K, VO>(id, move |builder, _| -> Result<Rc<dyn TableView<K, VO>>> {
                let (left, right) = (builder.view_of::<K, V>(sides.0)?, builder.view_of::<K, V2>(sides.1)?);
                Ok(Rc::new(View { id, left, right, join: look.clone() }))
            });
            if sides.0 == sides.1 {
                wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                    Ok(Rc::new(Itself::new(id, join.clone(), builder.next::<K, Change<VO>>(id)?)))
                });
            } else {
                wiring.pass_on::<K, Change<VO>>(id);
            }
        });
        KTable::new(self.graph.clone(), id)
    }

    /// One half of a join: changes of this table with the rows of `other`. `pairs_only`: a row without partner is
    /// nothing to this half.
    #[track_caller]
    fn half<V2: Data, VO: Data>(
        &self,
        op: &str,
        other: &KTable<K, V2>,
        needs_old: bool,
        pairs_only: bool,
        join: Arc<impl Fn(Option<V>, Option<V2>) -> Option<VO> + Shared>,
    ) -> NodeId {
        let (other, table) = (other.id, self.id);
        let old_values = if needs_old { OldValues::Needed } else { OldValues::PassedOn };
        let kind = NodeKind::view(op, old_values).reading([other]);
        self.graph.add(None, op, kind, vec![self.id], |wiring, id| {
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                Ok(Rc::new(Half {
                    id,
                    past: Past::of(builder, table),
                    other: builder.view_of::<K, V2>(other)?,
                    join: join.clone(),
                    pairs_only,
                    with_old: builder.plan.sends_old_values(id),
                    next: builder.next::<K, Change<VO>>(id)?,
                }))
            });
        })
    }
}
