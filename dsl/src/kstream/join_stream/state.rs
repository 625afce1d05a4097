//! What the two halves of a stream-stream join share.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Result, Timestamp};

use super::{Lists, Recipe, release::Waiting};
use crate::{
    bounds::{Data, Key},
    plan::NodeId,
    store::{News, StoreSerdes, TimedStore},
    task::{Blame, CommitStep, OperatorTime, Slot, TaskContext},
    vocab::Grouped,
    wire::{Flow, Meta, Target, TaskBuilder},
};

/// One stream's records.
pub(super) struct Rows<K, V> {
    pub(super) rows: Rc<TimedStore<K, V>>,
    /// Those that wait for a partner, if the join keeps records without one.
    pub(super) unmatched: Option<Rc<TimedStore<K, Vec<V>>>>,
    /// The time of the youngest.
    pub(super) newest: Slot,
    /// How much older a partner may be, and how much younger.
    pub(super) behind_ms: i64,
    pub(super) ahead_ms: i64,
}

/// A stream-stream join of one task.
pub(super) struct JoinState<J, K, V, V2, VO> {
    /// The step that the results come from.
    pub(super) id: NodeId,
    pub(super) join: Arc<J>,
    pub(super) grace_ms: i64,
    pub(super) retention_ms: i64,
    pub(super) left: Rows<K, V>,
    pub(super) right: Rows<K, V2>,
    pub(super) waiting: RefCell<Waiting>,
    /// What tells rows of equal key and time apart.
    pub(super) sequence: Slot,
    pub(super) nulls: Slot,
    pub(super) time: OperatorTime,
    pub(super) context: Rc<TaskContext>,
    pub(super) words: (Grouped<K, V>, Grouped<K, V2>),
    pub(super) next: Target<K, VO>,
}

/// What the halves of a join are built with.
type Opened<J, K, V, V2, VO> = Result<Rc<JoinState<J, K, V, V2, VO>>>;

/// The join's state, made by the half that is built first.
pub(super) fn open<J, K, V, V2, VO>(
    builder: &mut TaskBuilder<'_>,
    recipe: &Arc<Recipe<J, K, V, V2>>,
) -> Opened<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO> + Send + Sync + 'static,
    K: Key,
    V: Data,
    V2: Data,
    VO: Data,
{
    builder.shared(&recipe.joined.name, |builder| {
        let state = Rc::new(make(builder, recipe)?);
        builder.context.at_commit(state.id, state.clone());
        builder.context.on_time(state.id, state.clone());
        Ok(state)
    })
}

fn make<J, K: Key, V: Data, V2: Data, VO: Data>(
    builder: &mut TaskBuilder<'_>,
    recipe: &Arc<Recipe<J, K, V, V2>>,
) -> Result<JoinState<J, K, V, V2, VO>> {
    let unfinished = || Error::new(ErrorKind::Internal, "HW0100", "a stream-stream join has no step for its results");
    let id = recipe.merge.get().copied().ok_or_else(unfinished)?;
    let (joined, windows, stores) = (&recipe.joined, recipe.windows, recipe.stores());
    let context = builder.context.clone();
    let (before, after) = (windows.before_ms, windows.after_ms);
    let left = rows(builder, id, &joined.left, (&stores.left, stores.left_unmatched.as_deref()), (before, after))?;
    let right = rows(builder, id, &joined.right, (&stores.right, stores.right_unmatched.as_deref()), (after, before))?;
    let mut waiting = Waiting::new(&context.memo, &joined.name)?;
    let times = |rows: Option<Result<Vec<Timestamp>>>| rows.unwrap_or_else(|| Ok(Vec::new()));
    waiting.left.extend(times(left.unmatched.as_ref().map(|rows| rows.committed_times()))?);
    waiting.right.extend(times(right.unmatched.as_ref().map(|rows| rows.committed_times()))?);
    Ok(JoinState {
        id,
        join: recipe.join.clone(),
        grace_ms: windows.grace_ms.unwrap_or_default(),
        retention_ms: windows.retention_ms(),
        left,
        right,
        waiting: RefCell::new(waiting),
        sequence: context.memo.slot(&format!("sequence/{}", joined.name), 0)?,
        nulls: context.memo.slot(&format!("null:{}", joined.name), 0)?,
        time: OperatorTime::of(builder, id)?,
        context,
        words: (joined.left.clone(), joined.right.clone()),
        next: builder.next::<K, VO>(id)?,
    })
}

fn rows<K: Key, V: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    stream: &Grouped<K, V>,
    (store, unmatched): (&str, Option<&str>),
    (behind_ms, ahead_ms): (i64, i64),
) -> Result<Rows<K, V>> {
    let serdes = StoreSerdes { keys: stream.keys.clone(), values: stream.values.clone() };
    let rows = Rc::new(TimedStore::new(store, serdes, builder.env.store(store)?, News::None));
    builder.context.at_commit(id, rows.clone());
    let unmatched = match unmatched {
        None => None,
        Some(store) => {
            let serdes = StoreSerdes { keys: stream.keys.clone(), values: Arc::new(Lists(stream.values.clone())) };
            let rows = Rc::new(TimedStore::new(store, serdes, builder.env.store(store)?, News::None));
            builder.context.at_commit(id, rows.clone());
            Some(rows)
        }
    };
    let newest = builder.context.memo.slot(&format!("newest/{store}"), Timestamp::MIN)?;
    Ok(Rows { rows, unmatched, newest, behind_ms, ahead_ms })
}

impl<J, K: Key, V: Data, V2: Data, VO: Data> JoinState<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    /// Joins and sends on.
    pub(super) fn emit(&self, meta: Meta<'_>, key: K, left: Option<V>, right: Option<V2>) -> Flow {
        let blame = Blame::new(self.id);
        let joined = (self.join)(left, right);
        blame.clear();
        joined.map_or(Ok(()), |joined| self.next.push(meta, key, joined))
    }

    /// The time that an unmatched record or a row of this side lies before once its window has closed, by `time`.
    pub(super) fn open_from<R>(&self, rows: &Rows<K, R>, time: Timestamp) -> Timestamp {
        time.saturating_sub(rows.ahead_ms).saturating_sub(self.grace_ms)
    }

    /// The time before which no row of this side will be asked for any more.
    fn kept_from<R>(&self, rows: &Rows<K, R>) -> Option<Timestamp> {
        match &self.time {
            OperatorTime::Observed(_) => Some(rows.newest.get().saturating_sub(self.retention_ms)),
            OperatorTime::Upstream { .. } => Some(self.open_from(rows, self.time.closes_at(&self.context)?)),
        }
    }
}

impl<J, K: Key, V: Data, V2: Data, VO: Data> CommitStep for JoinState<J, K, V, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    fn before_commit(&self) -> Flow {
        if let Some(from) = self.kept_from(&self.left).filter(|from| *from > Timestamp::MIN) {
            self.left.rows.expire_until(from.saturating_sub(1))?;
        }
        if let Some(from) = self.kept_from(&self.right).filter(|from| *from > Timestamp::MIN) {
            self.right.rows.expire_until(from.saturating_sub(1))?;
        }
        Ok(())
    }
}
