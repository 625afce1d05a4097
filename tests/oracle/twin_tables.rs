//! The twin's operators on tables.

use headwater::prelude::*;

use super::{
    case::{Fold, Kind, Node, Op},
    functions as fns,
    twin::{Built, Nullable, Twin},
};

impl Twin<'_> {
    pub fn table_node(&self, id: usize, node: &Node) -> Built {
        let store = format!("s{id}");
        let table = || self.table(node.of[0]);
        match &node.op {
            Op::TableFilter { f, named } => {
                let f = *f;
                self.kept(table().filter(move |k, v| fns::test(f, k.as_deref(), Some(v))), *named, &store)
            }
            Op::TableFilterNot { f, named } => {
                let f = *f;
                self.kept(table().filter_not(move |k, v| fns::test(f, k.as_deref(), Some(v))), *named, &store)
            }
            Op::TableMapValues { f, named } => {
                let f = *f;
                self.kept(table().map_values(move |_, v| fns::row(f, v)), *named, &store)
            }
            Op::TableTransformValues => {
                let texts = self.app.store(Materialized::with(&format!("n{id}"), Text, Text));
                Built::Texts(table().transform_values(
                    self.rows(&store),
                    texts,
                    |texts: KeyValueStore<Nullable, String>| move |key: &Nullable, value| appended(&texts, key, value),
                ))
            }
            Op::TableGroupBy { f, fold } => self.table_fold(id, table(), *f, *fold),
            Op::SuppressUntilClosed => {
                let name = format!("p{id}");
                let suppressed = || Suppressed::with(&name, Text, Text).unbounded();
                match &self.built[node.of[0]] {
                    Built::WindowedTexts(table) => Built::WindowedTexts(table.suppress_until_closed(suppressed())),
                    Built::WindowedCounts(table) => Built::WindowedCounts(
                        table.suppress_until_closed(Suppressed::with(&name, Text, Auto).unbounded()),
                    ),
                    Built::WindowedReduced(table) => Built::WindowedReduced(
                        table.suppress_until_closed(Suppressed::with(&name, Text, Text).unbounded()),
                    ),
                    _ => panic!("only windows close"),
                }
            }
            Op::SuppressUntilTimeLimit { limit, records } => {
                let suppressed = Suppressed::with(&format!("p{id}"), Text, Text);
                let suppressed = match records {
                    0 => suppressed.unbounded(),
                    records => suppressed.max_records(u64::from(*records)).emit_early(),
                };
                Built::Texts(table().suppress_until_time_limit(*limit, suppressed))
            }
            Op::TableJoin { kind, named } => {
                let other = self.table(node.of[1]);
                let joined = match kind {
                    Kind::Inner => table().join(other, |l, r: String| fns::join(Some(&l), Some(&r))),
                    Kind::Left => table().left_join(other, |l, r: Nullable| fns::join(Some(&l), r.as_deref())),
                    Kind::Outer => {
                        table().outer_join(other, |l: Nullable, r: Nullable| fns::join(l.as_deref(), r.as_deref()))
                    }
                };
                self.kept(joined, *named, &store)
            }
            Op::ForeignKeyJoin { kind } => {
                let (other, rows) = (self.table(node.of[1]), self.rows(&store));
                let joined = TableJoined::with(&format!("fk{id}"), (Text, Text), (Text, Text));
                let key = |_: &Nullable, v: &String| fns::letter(Some(v)).map(Some);
                Built::Texts(match kind {
                    Kind::Inner => {
                        let join = |l: String, r: String| fns::join(Some(&l), Some(&r));
                        table().join_on_foreign_key(other, key, join, joined, rows)
                    }
                    _ => {
                        let join = |l: String, r: Nullable| fns::join(Some(&l), r.as_deref());
                        table().left_join_on_foreign_key(other, key, join, joined, rows)
                    }
                })
            }
            other => panic!("the DSL has no {}", other.name()),
        }
    }

    fn table_fold(&self, id: usize, table: &KTable<Nullable, String>, f: u8, fold: Fold) -> Built {
        let store = format!("s{id}");
        let select = move |k: &Nullable, v: String| (fns::key(f, k.as_deref(), Some(&v)), v);
        let grouped = table.group_by(select, Grouped::with(&format!("g{id}"), Text, Text));
        let add = |_: &Nullable, v: String, a: &mut String| *a = fns::add(a, Some(&v));
        let subtract = |_: &Nullable, v: String, a: &mut String| *a = fns::subtract(a, &v);
        let update = |_: &Nullable, v: String, a: &mut Nullable| *a = fns::update(a.as_deref().unwrap_or(""), Some(&v));
        let take = |_: &Nullable, v: String, a: &mut Nullable| *a = a.take().map(|a| fns::subtract(&a, &v));
        match fold {
            Fold::Count => Built::Counts(grouped.count(self.counts(&store))),
            Fold::Aggregate => Built::Texts(grouped.aggregate(self.rows(&store), String::new, add, subtract)),
            Fold::Update => Built::Texts(grouped.update(self.rows(&store), update, take)),
            Fold::Reduce | Fold::ReduceValues => Built::Texts(grouped.reduce(
                self.rows(&store),
                |a, b| fns::reduce(Some(&a), Some(&b)),
                |a, b| fns::unreduce(&a, &b),
            )),
        }
    }
}

/// Appends the value to the key's text; a deletion begins it anew.
fn appended(texts: &KeyValueStore<Nullable, String>, key: &Nullable, value: Nullable) -> UserResult<Nullable> {
    let Some(value) = value else {
        texts.delete(key)?;
        return Ok(None);
    };
    let now = fns::add(texts.get(key)?.as_deref().unwrap_or(""), Some(&value));
    texts.put(key.clone(), now.clone())?;
    Ok(Some(now))
}
