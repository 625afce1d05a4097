//! The stores of a running application's tasks, while they are there.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use headwater_core::{Result, StoreCursor, StoreReader, StoredRow, TaskId};
use headwater_state::TaskStore;

use super::{Parts, errors};

/// Cursors handed out beyond this many are looked through for those that are gone.
const MANY_CURSORS: usize = 64;

/// The tasks of this process. A task's stores are read only while it is here: when it goes, what was handed out of them
/// is taken back, so that whoever runs the task next finds them closed.
#[derive(Default)]
pub(crate) struct Serving {
    tasks: RwLock<BTreeMap<TaskId, Served>>,
    /// How many tasks each sub-topology has, here and elsewhere.
    counts: RwLock<Vec<i32>>,
    /// Tells the stays of one task apart.
    stays: AtomicU64,
}

struct Served {
    stay: u64,
    /// `None` while it is being restored, or if it has no stores.
    store: Option<TaskStore>,
    cursors: Mutex<Vec<Weak<HandedOut>>>,
}

/// A cursor that can be taken back.
type HandedOut = Mutex<Option<Box<dyn StoreCursor>>>;

/// A task's stay in this process, up to its drop.
pub(crate) struct Lease {
    serving: Arc<Serving>,
    task: TaskId,
    stay: u64,
}

impl Serving {
    /// The sub-topologies have so many tasks each.
    pub(crate) fn set_task_counts(&self, counts: impl Iterator<Item = i32>) {
        *self.counts.write().unwrap_or_else(PoisonError::into_inner) = counts.collect();
    }

    /// `task` is here, and about to be restored.
    pub(crate) fn begin(self: &Arc<Self>, task: TaskId) -> Lease {
        let stay = self.stays.fetch_add(1, Ordering::Relaxed);
        let served = Served { stay, store: None, cursors: Mutex::default() };
        let before = self.tasks.write().unwrap_or_else(PoisonError::into_inner).insert(task, served);
        before.into_iter().for_each(Served::take_back);
        Lease { serving: self.clone(), task, stay }
    }

    /// Calls `read` with the task's stores. The task cannot go meanwhile.
    fn with<R>(&self, task: TaskId, store: &str, read: impl FnOnce(&Served, &TaskStore) -> Result<R>) -> Result<R> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        let served = tasks.get(&task).ok_or_else(|| errors::not_here(store, task))?;
        let stores = served.store.as_ref().ok_or_else(|| errors::restoring(store, task))?;
        read(served, stores).map_err(|error| error.in_task(task))
    }
}

impl Served {
    /// Closes the cursors that were handed out.
    fn take_back(self) {
        for cursor in self.cursors.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if let Some(cursor) = cursor.upgrade() {
                cursor.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
        }
    }
}

impl Lease {
    /// The task's stores are up to date.
    pub(crate) fn ready(&self, store: &TaskStore) {
        let mut tasks = self.serving.tasks.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(served) = tasks.get_mut(&self.task).filter(|served| served.stay == self.stay) {
            served.store = Some(store.clone());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut tasks = self.serving.tasks.write().unwrap_or_else(PoisonError::into_inner);
        let is_ours = tasks.get(&self.task).is_some_and(|served| served.stay == self.stay);
        let ended = if is_ours { tasks.remove(&self.task) } else { None };
        drop(tasks);
        ended.into_iter().for_each(Served::take_back);
    }
}

impl Parts for Serving {
    fn tasks(&self, subtopology: u32) -> i32 {
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        counts.get(subtopology as usize).copied().unwrap_or_default()
    }

    fn has(&self, task: TaskId) -> bool {
        self.tasks.read().unwrap_or_else(PoisonError::into_inner).contains_key(&task)
    }

    fn get(&self, task: TaskId, store: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with(task, store, |_, stores| stores.reader(store)?.get(key))
    }

    fn cursor(&self, task: TaskId, store: &str, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>> {
        self.with(task, store, |served, stores| {
            let cursor = Arc::new(Mutex::new(Some(stores.reader(store)?.cursor(from, to)?)));
            let mut cursors = served.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            if cursors.len() >= MANY_CURSORS && cursors.len() == cursors.capacity() {
                cursors.retain(|cursor| cursor.strong_count() > 0);
            }
            cursors.push(Arc::downgrade(&cursor));
            Ok(Box::new(Lent { cursor, store: store.into(), task }) as Box<dyn StoreCursor>)
        })
    }
}

/// A cursor that ends with its task's stay.
struct Lent {
    cursor: Arc<HandedOut>,
    store: Box<str>,
    task: TaskId,
}

impl StoreCursor for Lent {
    fn seek(&mut self, from: &[u8]) {
        if let Some(cursor) = self.cursor.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            cursor.seek(from);
        }
    }

    fn next(&mut self) -> Result<Option<StoredRow>> {
        match self.cursor.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(cursor) => cursor.next().map_err(|error| error.in_task(self.task)),
            None => Err(errors::not_here(&self.store, self.task)),
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_state::{StoreChanges, StoreMemory};

    use super::*;

    const TASK: TaskId = TaskId { subtopology: 0, partition: 3 };

    fn put(store: &TaskStore, keys: &[&str]) {
        let mut changes = StoreChanges::new();
        keys.iter().for_each(|key| changes.put("rows", key.as_bytes(), b"v"));
        store.apply(&changes).unwrap();
    }

    #[test]
    fn a_task_that_leaves_takes_its_cursors_back_so_that_its_files_can_be_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let open = || TaskStore::open(dir.path(), &["rows".to_owned()], &StoreMemory::default()).unwrap();
        let serving = Arc::new(Serving::default());
        assert_eq!(serving.get(TASK, "rows", b"a").unwrap_err().code(), "HW0651");
        let lease = serving.begin(TASK);
        assert_eq!(serving.get(TASK, "rows", b"a").unwrap_err().code(), "HW0650");
        let store = open();
        put(&store, &["a", "b"]);
        lease.ready(&store);
        let mut cursor = serving.cursor(TASK, "rows", &[], None).unwrap();
        assert_eq!(cursor.next().unwrap().unwrap().0, b"a");
        drop((lease, store));
        assert_eq!(cursor.next().unwrap_err().code(), "HW0651");
        let reopened = open();
        assert_eq!(reopened.reader("rows").unwrap().get(b"b").unwrap().as_deref(), Some(&b"v"[..]));
    }

    #[test]
    fn a_stay_that_was_overtaken_does_not_end_the_next_one() {
        let serving = Arc::new(Serving::default());
        let store = TaskStore::in_memory(&["rows".to_owned()]);
        put(&store, &["a"]);
        let first = serving.begin(TASK);
        let second = serving.begin(TASK);
        second.ready(&store);
        drop(first);
        assert!(serving.get(TASK, "rows", b"a").unwrap().is_some());
        drop(second);
        assert!(!serving.has(TASK));
    }

    #[test]
    fn cursors_that_are_gone_are_forgotten() {
        let serving = Arc::new(Serving::default());
        let store = TaskStore::in_memory(&["rows".to_owned()]);
        let lease = serving.begin(TASK);
        lease.ready(&store);
        for _ in 0..10 * MANY_CURSORS {
            serving.cursor(TASK, "rows", &[], None).unwrap();
        }
        let tasks = serving.tasks.read().unwrap();
        assert!(tasks[&TASK].cursors.lock().unwrap().len() <= 2 * MANY_CURSORS);
    }
}
