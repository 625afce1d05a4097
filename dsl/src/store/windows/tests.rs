//! The window store against a plain model, with commits, evictions and new tasks in between.

use std::{collections::BTreeMap, sync::Arc};

use headwater_core::{
    MemoryStore, RangeVisitor,
    serde::{Auto, Postcard},
};
use proptest::prelude::*;

use super::*;
use crate::{plan::EmitStrategy, window::Aligned};

const SIZE: i64 = 4;

#[derive(Default)]
struct Base {
    rows: RefCell<MemoryStore>,
    gets: Cell<usize>,
}

impl StoreReader for Base {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.gets.set(self.gets.get() + 1);
        self.rows.borrow().get(key)
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        self.rows.borrow().range(from, to, visit)
    }
}

type Store = WindowRows<String, i64>;

fn open(base: &Rc<Base>, closed: Timestamp, last_start: Timestamp, kept: usize) -> Store {
    let serdes = StoreSerdes { keys: Arc::new(Auto), values: Arc::new(Postcard) };
    let store = Store::open("rows", serdes, base.clone(), None, SIZE, (closed, last_start)).unwrap();
    Store { kept, ..store }
}

/// The rows written, in order.
fn commit(store: &Store, base: &Base) -> usize {
    let mut written = 0;
    store
        .changes(&mut |name, key, value| {
            assert_eq!(name, "rows");
            assert!(value.is_some() || base.rows.borrow().get(key)?.is_some(), "a row that is not there is deleted");
            base.rows.borrow_mut().write(key, value);
            written += 1;
            Ok(())
        })
        .unwrap();
    store.committed();
    assert_eq!(store.dirty_rows(), 0);
    written
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Adds to windows that follow each other; a sum of 3 deletes its row.
    Add {
        key: u8,
        start: i64,
        windows: i64,
    },
    Get {
        key: u8,
        start: i64,
    },
    Take(i64),
    Expire(i64),
    Commit,
    Reopen {
        knows_last: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u8..5, 0_i64..14, 1_i64..4).prop_map(|(key, start, windows)| Step::Add { key, start, windows }),
        4 => (0_u8..5, 0_i64..16).prop_map(|(key, start)| Step::Get { key, start }),
        1 => (0_i64..14).prop_map(Step::Take),
        1 => (0_i64..14).prop_map(Step::Expire),
        2 => Just(Step::Commit),
        1 => any::<bool>().prop_map(|knows_last| Step::Reopen { knows_last }),
    ]
}

fn key(number: u8) -> String {
    ["", "\0", "a", "a\0", "b"][usize::from(number)].to_owned()
}

struct Run {
    base: Rc<Base>,
    store: Store,
    /// By start and key: value and time.
    rows: BTreeMap<(i64, String), (i64, i64)>,
    /// Expired rows are seen until the commit.
    expired: BTreeMap<(i64, String), (i64, i64)>,
    closed: i64,
    last: i64,
    kept: usize,
    clock: i64,
}

impl Run {
    fn add(&mut self, key: &str, starts: Vec<i64>) {
        self.clock += 1;
        let headers = Headers::new();
        let meta = Meta { timestamp: self.clock, headers: &headers };
        let sum = |row: Option<i64>| Some(row.unwrap_or(0) + 1).filter(|sum| *sum != 3);
        let Some((first, last)) = starts.first().zip(starts.last()) else { return };
        // Windows that begin each millisecond.
        let windows = Aligned {
            size_ms: last - first + 1,
            advance_ms: Some(1),
            first: 0,
            grace_ms: None,
            emit: EmitStrategy::OnWindowUpdate,
        };
        let all = windows.starts(*last);
        self.store.update(&key.to_owned(), all, meta, |_, _, row| *row = sum(*row)).unwrap();
        for start in starts {
            self.last = self.last.max(start);
            let place = (start, key.to_owned());
            match sum(self.rows.get(&place).map(|(value, _)| *value)) {
                Some(value) => self.rows.insert(place, (value, self.clock)),
                None => self.rows.remove(&place),
            };
        }
    }

    fn close(&mut self, bound: i64) -> BTreeMap<(i64, String), (i64, i64)> {
        self.closed = self.closed.max(bound);
        let open = self.rows.split_off(&(bound, String::new()));
        std::mem::replace(&mut self.rows, open)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Add { key: number, start, windows } => {
                let starts = (start..start + windows).filter(|start| *start >= self.closed).collect();
                self.add(&key(number), starts);
            }
            Step::Get { key: number, start } => {
                let place = (start, key(number));
                let expected = self.rows.get(&place).or_else(|| self.expired.get(&place));
                assert_eq!(self.store.get(&place.1, start).unwrap(), expected.copied());
            }
            Step::Take(bound) => {
                let expected = self.close(bound);
                assert!(self.store.may_close_before(bound) || expected.is_empty());
                let taken = self.store.take_before(bound).unwrap();
                let rows = taken.into_iter().map(|row| {
                    assert_eq!(row.window.end, row.window.start + SIZE);
                    ((row.window.start, row.window.key), (row.value, row.timestamp))
                });
                assert_eq!(rows.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
            }
            Step::Expire(bound) => {
                let mut expected = self.close(bound);
                self.store.expire_before(bound).unwrap();
                self.expired.append(&mut expected);
            }
            Step::Commit => self.commit(),
            Step::Reopen { knows_last } => {
                self.commit();
                let last = if knows_last { self.last } else { self.last - 3 };
                self.store = open(&self.base, self.closed, last, self.kept);
            }
        }
    }

    fn commit(&mut self) {
        commit(&self.store, &self.base);
        self.expired.clear();
        let mut stored = Vec::new();
        let visit: &mut RangeVisitor<'_> = &mut |stored_key, value| {
            let (start, key) = decode_window_key(stored_key).unwrap();
            let serdes = &self.store.serdes;
            let (timestamp, value) = serdes.decode_row("rows", value).unwrap();
            stored.push(((start, serdes.decode_key("rows", key).unwrap()), (value, timestamp)));
            ControlFlow::Continue(())
        };
        self.base.range(&[], None, visit).unwrap();
        assert_eq!(stored, self.rows.clone().into_iter().collect::<Vec<_>>());
    }
}

proptest! {
    #[test]
    fn it_does_what_a_sorted_map_does(steps in prop::collection::vec(step(), 0..80), kept in 0_usize..12) {
        let base = Rc::new(Base::default());
        let store = open(&base, i64::MIN, i64::MIN, kept);
        let (rows, expired) = (BTreeMap::new(), BTreeMap::new());
        let mut run = Run { base, store, rows, expired, closed: 0, last: i64::MIN + 3, kept, clock: 0 };
        for step in steps {
            run.take(step);
        }
        run.commit();
    }
}

#[test]
fn windows_that_are_in_memory_or_new_are_not_looked_up_in_the_committed_store() {
    let base = Rc::new(Base::default());
    let mut run = Run {
        store: open(&base, i64::MIN, i64::MIN, 100),
        base,
        rows: BTreeMap::new(),
        expired: BTreeMap::new(),
        closed: 0,
        last: 0,
        kept: 100,
        clock: 0,
    };
    for start in 0..10 {
        run.add("a", vec![start, start + 1]);
        run.commit();
    }
    assert_eq!(run.base.gets.get(), 0);
    run.take(Step::Reopen { knows_last: true });
    run.add("a", vec![10, 11]);
    assert_eq!(run.base.gets.get(), 1, "only window 10 was committed");
}
