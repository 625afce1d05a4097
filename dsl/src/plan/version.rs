//! The plan of another version of the same pipeline.

use super::{NodeKind, Plan};
use crate::vocab::OnFailure;

impl Plan {
    /// The same plan with `mark` on everything that belongs to one version: the application id and with it internal
    /// topics, the output topics, and the dead-letter topics.
    pub(crate) fn marked(&self, mark: &str) -> Self {
        let mut plan = self.clone();
        let old = std::mem::take(&mut plan.app);
        plan.app = format!("{old}{mark}");
        let internal = |topic: &mut String| {
            if let Some(rest) = topic.strip_prefix(&old) {
                *topic = format!("{old}{mark}{rest}");
            }
        };
        if let OnFailure::DeadLetter(topic) = &mut plan.on_failure {
            topic.push_str(mark);
        }
        for store in plan.stores.values_mut() {
            internal(&mut store.changelog);
        }
        for node in &mut plan.nodes {
            match &mut node.kind {
                NodeKind::Repartition { topic: Some(topic), .. } => internal(topic),
                NodeKind::To { topic, .. } | NodeKind::Source { dead_letter: Some(topic), .. } => topic.push_str(mark),
                NodeKind::ToEach { topics, .. } => topics.iter_mut().for_each(|topic| topic.push_str(mark)),
                NodeKind::Validate { rules } => {
                    for rule in rules.iter_mut().filter(|rule| rule.route.starts_with("dead_letter ")) {
                        rule.route.push_str(mark);
                    }
                }
                _ => {}
            }
        }
        plan
    }
}
