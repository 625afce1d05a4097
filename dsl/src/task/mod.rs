//! A task's operators, built and driven without IO: the runtime feeds records and time in, and takes outputs, store
//! changes and the memo out at commit.

mod blame;
mod border;
mod clock;
mod context;
mod env;
mod failures;
mod memo;
mod order;
mod passing;
mod processor;
mod skew;
mod timers;

pub(crate) use blame::Blame;
pub(crate) use border::{Border, Standing};
pub(crate) use clock::{
    Emitter, Lineage, OperatorTime, Queue, closed_end, emitters_of, hears_several, held_above, is_below_a_wait,
    lineage, minimum, queues_of, upstream_queue,
};
pub use context::TaskContext;
pub(crate) use context::{CommitStep, ProcessorStep, Tie, TimeStep};
pub use env::{GlobalReader, StoreChangeVisitor, TaskEnv, TopicWriter};
pub(crate) use failures::Failures;
pub use memo::Memo;
pub(crate) use memo::Slot;
pub use order::Order;
use passing::Passing;
pub(crate) use processor::panicked;
pub use processor::{PanicGuard, ProcessorTask, SourceHandle, TaskSource};
pub use skew::TimeSkew;
pub(crate) use timers::{Punctuated, next_tick};
pub use timers::{Punctuation, Timer};
