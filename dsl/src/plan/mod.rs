//! The plan: what a program's topology *is*, as plain data. No closures, clocks or IO; the same program gives the
//! same plan, byte for byte.

mod check;
mod check_stores;
mod check_suppress;
mod check_windows;
mod closing;
mod cut;
mod describe;
mod diff;
mod ends;
mod kafka;
mod lineage;
mod mermaid;
mod node;
mod partitions;
mod patterns;
mod routing;
mod stateful;
mod version;
mod windows;

pub(crate) use check::check;
pub(crate) use cut::cut;
pub use diff::PlanDiff;
pub(crate) use lineage::{insert_repartitions, merge_repartitions};
pub use node::{
    EmitStrategy, GlobalStore, Node, NodeId, NodeKind, OffsetReset, OldValues, Plan, RuleSpec, StoreKind, StoreOptions,
    StoreSpec, Subtopology,
};
