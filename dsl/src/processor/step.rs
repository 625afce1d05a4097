//! The operator that runs a processor.

use std::{
    cell::{RefCell, RefMut},
    marker::PhantomData,
    rc::{Rc, Weak},
};

use headwater_core::{Error, ErrorKind, Result, Timestamp};

use super::{
    FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Processor, ProcessorContext, ProcessorScope, Record,
    context::Phase, output::Ports,
};
use crate::{
    bounds::{Data, UserResult},
    plan::NodeId,
    task::{Blame, ProcessorStep, Punctuated, TaskContext, Timer},
    wire::{Flow, Meta, Push, Target},
};

/// What a processor's context refers to.
pub(crate) struct Step {
    pub(super) id: NodeId,
    pub(super) name: String,
    pub(super) task: Rc<TaskContext>,
    pub(super) ports: Ports,
    /// What a timer calls. Weak, as the task's timers would otherwise keep the task alive.
    pub(super) me: Weak<dyn Punctuated>,
}

/// Runs a processor: one instance per task.
pub(crate) struct Process<K, V, P: Processor<K, V>> {
    /// Borrowed for the whole of a call; a graph without cycles never re-enters.
    processor: RefCell<P>,
    next: Target<P::KeyOut, P::ValueOut>,
    step: Step,
    types: PhantomData<fn(K, V)>,
}

impl<K: Data, V: Data, P: Processor<K, V>> Process<K, V, P> {
    /// The operator of `processor`, which takes part in its task's start, timers and end.
    pub(crate) fn start(
        id: NodeId,
        name: &str,
        task: &Rc<TaskContext>,
        ports: Ports,
        next: Target<P::KeyOut, P::ValueOut>,
        processor: P,
    ) -> Rc<Self> {
        let process = Rc::new_cyclic(|me: &Weak<Self>| {
            let me: Weak<dyn Punctuated> = me.clone();
            let step = Step { id, name: name.to_owned(), task: task.clone(), ports, me };
            Self { processor: RefCell::new(processor), next, step, types: PhantomData }
        });
        task.runs(id, process.clone());
        process
    }

    /// Calls the processor as user code.
    fn call(
        &self,
        phase: Phase,
        work: impl FnOnce(&mut P, &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>) -> UserResult<()>,
    ) -> Flow {
        let mut processor = self.processor()?;
        let mut context = ProcessorContext { scope: ProcessorScope::new(&self.step, phase), next: &*self.next };
        let blame = Blame::new(self.step.id);
        let result = work(&mut processor, &mut context);
        blame.clear();
        result.map_err(|cause| self.failed(cause))
    }

    fn processor(&self) -> Result<RefMut<'_, P>> {
        self.processor.try_borrow_mut().map_err(|_| {
            Error::new(ErrorKind::Internal, "HW0100", format!("the processor {} called itself", self.step.name))
        })
    }

    /// An error of ours comes back as it is; another one is the user's.
    fn failed(&self, cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
        let error = match cause.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(cause) => Error::new(ErrorKind::User, "HW0221", "the program's processor failed")
                .caused_by(cause)
                .help("mend the processor or the record; nothing was skipped"),
        };
        error.at_node(&self.step.name)
    }
}

impl<K: Data, V: Data, P: Processor<K, V>> Push<K, V> for Process<K, V, P> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        self.step.task.time_now.set(meta.timestamp);
        let record = Record { key, value, timestamp: meta.timestamp, headers: meta.headers };
        self.call(Phase::Record, |processor, context| processor.process(context, record))
    }
}

impl<K: Data, V: Data, P: Processor<K, V>> Punctuated for Process<K, V, P> {
    fn punctuate(&self, timer: Timer, now: Timestamp) -> Flow {
        self.step.task.time_now.set(now);
        self.call(Phase::Timer, |processor, context| processor.punctuate(context, timer, now))
    }
}

impl<K: Data, V: Data, P: Processor<K, V>> ProcessorStep for Process<K, V, P> {
    fn init(&self) -> Flow {
        self.call(Phase::Init, P::init)
    }

    fn close(&self) {
        // It is in use only if a panic in it is what closes the task.
        if let Ok(mut processor) = self.processor.try_borrow_mut() {
            processor.close();
        }
    }
}

/// Runs a [`FixedKeyProcessor`] as a [`Processor`] whose keys are those of its input.
pub(crate) struct FixedKey<P>(pub(crate) P);

impl<K: Data, V: Data, P: FixedKeyProcessor<K, V>> Processor<K, V> for FixedKey<P> {
    type KeyOut = K;
    type ValueOut = P::ValueOut;

    fn init(&mut self, cx: &mut ProcessorContext<'_, K, P::ValueOut>) -> UserResult<()> {
        self.0.init(&mut FixedKeyContext { scope: cx.scope, next: cx.next })
    }

    fn process(&mut self, cx: &mut ProcessorContext<'_, K, P::ValueOut>, record: Record<'_, K, V>) -> UserResult<()> {
        let Record { key, value, timestamp, headers } = record;
        let record = FixedKeyRecord { key, value, timestamp, headers };
        self.0.process(&mut FixedKeyContext { scope: cx.scope, next: cx.next }, record)
    }

    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, K, P::ValueOut>,
        timer: Timer,
        now: Timestamp,
    ) -> UserResult<()> {
        self.0.punctuate(&mut FixedKeyContext { scope: cx.scope, next: cx.next }, timer, now)
    }

    fn close(&mut self) {
        self.0.close();
    }
}
