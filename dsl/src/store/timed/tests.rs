//! The timed store against a plain model, with commits, evictions and new tasks in between.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    rc::Rc,
    sync::Arc,
};

use headwater_core::{
    Headers, MemoryStore, RangeVisitor, Result, StoreReader,
    serde::{Auto, Postcard},
};
use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Base(RefCell<MemoryStore>);

impl StoreReader for Base {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.borrow().get(key)
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        self.0.borrow().range(from, to, visit)
    }
}

type Store = TimedStore<String, i64>;

fn open(base: &Rc<Base>, news: News, kept: usize) -> Store {
    let serdes = StoreSerdes { keys: Arc::new(Auto), values: Arc::new(Postcard) };
    Store { kept, ..Store::new("rows", serdes, base.clone(), news) }
}

fn commit(store: &Store, base: &Base) {
    store
        .changes(&mut |name, key, value| {
            assert_eq!(name, "rows");
            base.0.borrow_mut().write(key, value);
            Ok(())
        })
        .unwrap();
    store.committed();
    assert_eq!(store.dirty_rows(), 0);
    assert!(store.changed().is_empty());
}

fn meta(headers: &Headers, timestamp: Timestamp) -> Meta<'_> {
    Meta { timestamp, headers }
}

/// Entries by kind: rows and the index must always name the same places.
fn stored(base: &Base) -> (usize, usize) {
    let (mut rows, mut entries) = (BTreeSet::new(), BTreeSet::new());
    base.range(&[], None, &mut |key, _| {
        match (decode_timed_key(key), decode_time_entry(key)) {
            (Some(row), None) => rows.insert((row.key, row.time, row.sub)),
            (None, Some(entry)) => entries.insert((entry.key.to_vec(), entry.time, entry.sub)),
            _ => panic!("an entry is neither a row nor of the index: {key:?}"),
        };
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(rows, entries);
    (rows.len(), entries.len())
}

#[derive(Debug, Clone)]
enum Step {
    Put { key: u8, time: i64, sub: i64, value: i64 },
    Add { key: u8, time: i64, sub: i64 },
    Remove { key: u8, time: i64, sub: i64 },
    Fetch { key: u8, times: RangeInclusive<i64> },
    FetchAll(RangeInclusive<i64>),
    TakeUntil(i64),
    ExpireUntil(i64),
    Commit,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0_u8..6, -3_i64..12, 0_i64..2);
    prop_oneof![
        4 => (place(), any::<i64>()).prop_map(|((key, time, sub), value)| Step::Put { key, time, sub, value }),
        2 => place().prop_map(|(key, time, sub)| Step::Add { key, time, sub }),
        2 => place().prop_map(|(key, time, sub)| Step::Remove { key, time, sub }),
        3 => (0_u8..6, -5_i64..14, -5_i64..14).prop_map(|(key, a, b)| Step::Fetch { key, times: a..=b }),
        2 => (-5_i64..14, -5_i64..14).prop_map(|(a, b)| Step::FetchAll(a..=b)),
        1 => (-5_i64..14).prop_map(Step::TakeUntil),
        1 => (-5_i64..14).prop_map(Step::ExpireUntil),
        2 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// Keys whose bytes begin with each other, with zeros among them.
fn key(number: u8) -> String {
    ["", "\0", "\0\u{1}", "a", "a\0", "b"][usize::from(number)].to_owned()
}

type Model = BTreeMap<(String, i64, i64), (i64, i64)>;

fn row_of(((_, time, sub), (value, timestamp)): (&(String, i64, i64), &(i64, i64))) -> TimedRow<i64> {
    TimedRow { time: *time, sub: *sub, value: *value, timestamp: *timestamp }
}

struct Run {
    base: Rc<Base>,
    store: Store,
    model: Model,
    kept: usize,
    clock: i64,
}

impl Run {
    fn due(&self, times: RangeInclusive<i64>) -> Vec<(String, i64, i64)> {
        let mut due: Vec<_> = self.model.keys().filter(|place| times.contains(&place.1)).cloned().collect();
        due.sort_unstable_by(|a, b| (a.1, a.2, &a.0).cmp(&(b.1, b.2, &b.0)));
        due
    }

    fn take(&mut self, step: Step) {
        let headers = Headers::new();
        self.clock += 1;
        let meta = meta(&headers, self.clock);
        match step {
            Step::Put { key: k, time, sub, value } => {
                assert!(self.store.put(&key(k), time, sub, meta, value).unwrap());
                self.model.insert((key(k), time, sub), (value, self.clock));
            }
            Step::Add { key: k, time, sub } => {
                let add = |row: &mut Option<i64>| *row = Some(row.map_or(1, |n| n.wrapping_add(1)));
                self.store.update(&key(k), time, sub, meta, add).unwrap().unwrap();
                let row = self.model.entry((key(k), time, sub)).or_insert((0, 0));
                *row = (row.0.wrapping_add(1), self.clock);
            }
            Step::Remove { key: k, time, sub } => {
                let removed = self.store.remove(&key(k), time, sub).unwrap();
                assert_eq!(removed, self.model.remove(&(key(k), time, sub)));
            }
            Step::Fetch { key: k, times } => {
                let found = self.store.fetch(&key(k), times.clone()).unwrap();
                let expected = self.model.iter().filter(|(place, _)| place.0 == key(k) && times.contains(&place.1));
                assert_eq!(found, expected.map(row_of).collect::<Vec<_>>());
            }
            Step::TakeUntil(time) => {
                let expected: Vec<_> = self
                    .due(i64::MIN..=time)
                    .into_iter()
                    .map(|place| {
                        let row = self.model.remove(&place).unwrap();
                        TakenRow { row: row_of((&place, &row)), key: place.0 }
                    })
                    .collect();
                assert_eq!(self.store.take_until(time).unwrap(), expected);
            }
            Step::FetchAll(times) => {
                let expected = self.due(times.clone()).into_iter().map(|place| {
                    let row = row_of((&place, &self.model[&place]));
                    TakenRow { row, key: place.0 }
                });
                assert_eq!(self.store.fetch_all(times).unwrap(), expected.collect::<Vec<_>>());
            }
            Step::ExpireUntil(time) => {
                self.store.expire_until(time).unwrap();
                self.model.retain(|place, _| place.1 > time);
            }
            Step::Commit => self.commit(),
            Step::Reopen => {
                self.commit();
                self.store = open(&self.base, self.store.news, self.kept);
            }
        }
        for from in [i64::MIN, 4] {
            let first = self.model.keys().map(|place| place.1).filter(|time| *time >= from).min();
            assert!(first.is_none_or(|first| self.store.first_time_from(from).is_some_and(|bound| bound <= first)));
        }
    }

    fn commit(&mut self) {
        commit(&self.store, &self.base);
        let count = self.model.len();
        assert_eq!(stored(&self.base), (count, count));
    }
}

proptest! {
    #[test]
    fn it_does_what_a_map_would(
        steps in prop::collection::vec(step(), 1..120),
        kept in prop_oneof![Just(0_usize), Just(4), Just(1_000)],
        news in prop_oneof![Just(News::None), Just(News::New), Just(News::WithOld)],
    ) {
        let base = Rc::new(Base::default());
        let store = open(&base, news, kept);
        let mut run = Run { base, store, model: Model::new(), kept, clock: 0 };
        for step in steps {
            run.take(step);
        }
        run.take(Step::Reopen);
        run.take(Step::TakeUntil(i64::MAX));
        run.take(Step::Commit);
    }
}

fn news(store: &Store) -> Vec<(String, i64, Option<i64>, Option<i64>)> {
    store.changed().into_iter().map(|row| (row.key, row.time, row.change.new, row.change.old)).collect()
}

#[test]
fn changes_come_in_the_order_of_the_last_one_with_the_value_at_the_last_commit() {
    let base = Rc::new(Base::default());
    let (store, none) = (open(&base, News::WithOld, 100), Headers::new());
    let put = |k: &str, time, value| assert!(store.put(&k.to_owned(), time, 0, meta(&none, 0), value).unwrap());
    put("a", 1, 10);
    put("b", 1, 20);
    commit(&store, &base);
    put("a", 1, 11);
    put("c", 1, 30);
    put("b", 1, 21);
    put("a", 1, 12);
    put("d", 1, 1);
    store.remove(&"d".to_owned(), 1, 0).unwrap();
    store.remove(&"b".to_owned(), 1, 0).unwrap();
    let (a, b, c) = ("a".to_owned(), "b".to_owned(), "c".to_owned());
    assert_eq!(news(&store), [(c, 1, Some(30), None), (a, 1, Some(12), Some(10)), (b, 1, None, Some(20))]);
}

#[test]
fn a_row_that_expires_unchanged_is_no_news_and_one_that_changed_goes_out_first() {
    let base = Rc::new(Base::default());
    let (store, none) = (open(&base, News::New, 100), Headers::new());
    for (k, time) in [("a", 1), ("b", 2), ("c", 9)] {
        store.put(&k.to_owned(), time, 0, meta(&none, 0), time).unwrap();
    }
    commit(&store, &base);
    store.put(&"b".to_owned(), 2, 0, meta(&none, 0), 5).unwrap();
    store.expire_until(5).unwrap();
    assert_eq!(store.get(&"b".to_owned(), 2, 0).unwrap(), None);
    assert_eq!(news(&store), [("b".to_owned(), 2, Some(5), None)]);
    commit(&store, &base);
    assert_eq!(stored(&base), (1, 1));
}

#[test]
fn rows_that_come_and_go_between_two_commits_leave_nothing_behind() {
    let base = Rc::new(Base::default());
    let (store, none) = (open(&base, News::New, 100), Headers::new());
    for time in 0..10_000 {
        store.put(&"k".to_owned(), time, 0, meta(&none, 0), time).unwrap();
        store.remove(&"k".to_owned(), time - 1, 0).unwrap();
    }
    assert_eq!(store.dirty_rows(), 1);
    assert_eq!(news(&store), [("k".to_owned(), 9_999, Some(9_999), None)]);
    commit(&store, &base);
    assert_eq!(stored(&base), (1, 1));
}

#[test]
fn a_null_key_has_no_rows() {
    let serdes = StoreSerdes { keys: Arc::new(Auto), values: Arc::new(Postcard) };
    let store: TimedStore<Option<String>, i64> = TimedStore::new("rows", serdes, Rc::<Base>::default(), News::None);
    assert!(!store.put(&None, 0, 0, meta(&Headers::new(), 0), 1).unwrap());
    assert_eq!(store.fetch(&None, i64::MIN..=i64::MAX).unwrap(), []);
    assert_eq!(store.take_until(i64::MAX).unwrap(), []);
}
