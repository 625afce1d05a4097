//! The rows of a table-table join, looked up in both tables.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Result, Timestamp};

use crate::{plan::NodeId, task::Blame, wire::TableView};

pub(super) struct View<J, K, V, V2> {
    pub(super) id: NodeId,
    pub(super) left: Rc<dyn TableView<K, V>>,
    pub(super) right: Rc<dyn TableView<K, V2>>,
    pub(super) join: Arc<J>,
}

impl<J, K, V, V2, VO> TableView<K, VO> for View<J, K, V, V2>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    fn get(&self, key: &K) -> Result<Option<(VO, Timestamp)>> {
        let (left, right) = (self.left.get(key)?, self.right.get(key)?);
        let time_of = |time: Option<Timestamp>| time.unwrap_or(Timestamp::MIN);
        let timestamp = time_of(left.as_ref().map(|row| row.1)).max(time_of(right.as_ref().map(|row| row.1)));
        let blame = Blame::new(self.id);
        let joined = (self.join)(left.map(|row| row.0), right.map(|row| row.0));
        blame.clear();
        Ok(joined.map(|joined| (joined, timestamp)))
    }
}
