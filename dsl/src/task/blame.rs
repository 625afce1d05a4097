//! Names the node in which a user's closure panicked: a guard on the stack writes it down only while unwinding.

use std::cell::Cell;

use crate::plan::NodeId;

thread_local! {
    static LAST: Cell<Option<NodeId>> = const { Cell::new(None) };
}

/// Lives around a call of user code. Costs nothing on the way out without a panic.
pub(crate) struct Blame(NodeId);

impl Blame {
    #[inline]
    pub(crate) fn new(id: NodeId) -> Self {
        Self(id)
    }

    /// User code returned: nobody to blame.
    #[inline]
    pub(crate) fn clear(self) {
        std::mem::forget(self);
    }

    /// The innermost node of the last panic on this thread.
    pub(crate) fn take() -> Option<NodeId> {
        LAST.take()
    }
}

impl Drop for Blame {
    fn drop(&mut self) {
        // An error that returns through `?` drops the guard too, and blames nobody.
        if std::thread::panicking() && LAST.get().is_none() {
            LAST.set(Some(self.0));
        }
    }
}
