use std::{
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::{NodeId, NodeKind},
    task::Blame,
    wire::{Flow, Meta, Push, Target},
};

type Predicate<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;
type Arms<K, V> = Arc<Mutex<Vec<(NodeId, Option<Predicate<K, V>>)>>>;

impl<K: Data, V: Data> KStream<K, V> {
    /// Divides the stream: each record goes to the first branch whose predicate is true, else to the default branch,
    /// else nowhere. Key and partition stay.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let numbers = app.stream::<String, i64>("in", Json).split();
    /// numbers.branch(|_, n| *n < 0).to("negative", Json);
    /// numbers.branch(|_, n| *n == 0).to("zero", Json);
    /// numbers.default_branch().to("positive", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [-1, 0, 1] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("negative", Json).read_values(&mut driver).unwrap(), [-1]);
    /// assert_eq!(driver.output::<String, i64>("zero", Json).read_values(&mut driver).unwrap(), [0]);
    /// assert_eq!(driver.output::<String, i64>("positive", Json).read_values(&mut driver).unwrap(), [1]);
    /// ```
    #[track_caller]
    pub fn split(&self) -> Split<K, V> {
        let arms: Arms<K, V> = Arc::default();
        let wired = arms.clone();
        let kind = NodeKind::Stateless { op: "split".to_owned(), changes_key: false };
        let id = self.graph.add(None, "split", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| {
                let arms = wired.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let mut tested = Vec::new();
                let mut default = None;
                for (branch, predicate) in arms {
                    let target = builder.target_of::<K, V>(branch)?;
                    match predicate {
                        Some(predicate) => tested.push((predicate, target)),
                        None => default = Some(target),
                    }
                }
                Ok(Rc::new(SplitPush { id, tested, default }))
            });
        });
        Split { stream: KStream::new(self.graph.clone(), id), arms }
    }
}

/// A stream that is being divided; see [`KStream::split`].
pub struct Split<K, V> {
    stream: KStream<K, V>,
    arms: Arms<K, V>,
}

impl<K, V> std::fmt::Debug for Split<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Split({:?})", self.stream)
    }
}

impl<K: Data, V: Data> Split<K, V> {
    /// The records for which `predicate` is true and that no earlier branch took.
    #[track_caller]
    pub fn branch(&self, predicate: impl Fn(&K, &V) -> bool + Shared) -> KStream<K, V> {
        self.arm("branch", Some(Arc::new(predicate)))
    }

    /// The records that no branch took, wherever it is written.
    #[track_caller]
    pub fn default_branch(&self) -> KStream<K, V> {
        self.arm("default_branch", None)
    }

    #[track_caller]
    fn arm(&self, op: &str, predicate: Option<Predicate<K, V>>) -> KStream<K, V> {
        let kind = NodeKind::Stateless { op: op.to_owned(), changes_key: false };
        let graph = &self.stream.graph;
        let id = graph.add(None, op, kind, vec![self.stream.id], |wiring, id| {
            wiring.pass_on::<K, V>(id);
        });
        self.arms.lock().unwrap_or_else(PoisonError::into_inner).push((id, predicate));
        KStream::new(graph.clone(), id)
    }
}

struct SplitPush<K, V> {
    id: NodeId,
    tested: Vec<(Predicate<K, V>, Target<K, V>)>,
    default: Option<Target<K, V>>,
}

impl<K, V> Push<K, V> for SplitPush<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        for (predicate, target) in &self.tested {
            let blame = Blame::new(self.id);
            let takes = predicate(&key, &value);
            blame.clear();
            if takes {
                return target.push(meta, key, value);
            }
        }
        self.default.as_ref().map_or(Ok(()), |target| target.push(meta, key, value))
    }
}
