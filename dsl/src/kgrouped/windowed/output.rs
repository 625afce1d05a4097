//! What goes downstream from windows that are rows of a timed store.

use headwater_core::{Headers, Result};

use crate::{
    bounds::Data,
    plan::{EmitStrategy, NodeId},
    store::{ChangedRow, Emission, News, When},
    task::TaskContext,
    window::Windowed,
    wire::{Change, Flow, Meta, Target, TaskBuilder},
};

/// Where results go, and when.
pub(super) struct Output<K, A> {
    /// `None` if results go downstream when windows close, or nobody listens.
    updates: Option<Emission<Windowed<K>, A>>,
    next: Target<Windowed<K>, Change<A>>,
}

impl<K: Data, A: Data> Output<K, A> {
    pub(super) fn of(builder: &mut TaskBuilder<'_>, id: NodeId, emit: EmitStrategy, cached: bool) -> Result<Self> {
        let on_update = emit == EmitStrategy::OnWindowUpdate;
        let updates = if on_update { Emission::of(builder, id, cached)? } else { None };
        Ok(Self { updates, next: builder.next::<Windowed<K>, Change<A>>(id)? })
    }

    /// What the store must keep until the commit.
    pub(super) fn news(&self) -> News {
        match self.updates.as_ref().filter(|updates| updates.when == When::AtCommit) {
            None => News::None,
            Some(updates) if updates.with_old => News::WithOld,
            Some(_) => News::New,
        }
    }

    /// Whether changes go downstream at once, and whether with their old values.
    pub(super) fn at_once(&self) -> Option<bool> {
        self.updates.as_ref().filter(|updates| updates.when == When::AtOnce).map(|updates| updates.with_old)
    }

    /// Sends a change downstream if changes go at once.
    pub(super) fn changed(&self, meta: Meta<'_>, window: Windowed<K>, change: Change<A>) -> Flow {
        if self.at_once().is_some() { self.next.push(meta, window, change) } else { Ok(()) }
    }

    /// Sends downstream at a commit what has changed since the last one.
    pub(super) fn send_changed(
        &self,
        rows: Vec<ChangedRow<K, A>>,
        window: impl Fn(&ChangedRow<K, A>) -> Windowed<K>,
    ) -> Flow {
        let none = Headers::new();
        for row in rows {
            let headers = row.headers.as_deref().unwrap_or(&none);
            self.next.push(Meta { timestamp: row.timestamp, headers }, window(&row), row.change.clone())?;
        }
        Ok(())
    }

    /// Sends final results downstream. They were caused by no record in particular.
    pub(super) fn closed(
        &self,
        context: &TaskContext,
        headers: &Headers,
        rows: impl Iterator<Item = (Windowed<K>, A, headwater_core::Timestamp)>,
    ) -> Flow {
        context.without_record(|| {
            for (window, value, timestamp) in rows {
                self.next.push(Meta { timestamp, headers }, window, Change { new: Some(value), old: None })?;
            }
            Ok(())
        })
    }
}
