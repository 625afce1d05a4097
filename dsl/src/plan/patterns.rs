//! Sources that read by pattern: which topics match, once it is known which there are.

use regex::Regex;

use super::{NodeKind, Plan};

impl Plan {
    /// The same plan with every pattern resolved to those of the `existing` topics that match it. What the application
    /// writes or keeps for itself, and what it reads by name, is left out, and so is a topic that an earlier pattern
    /// has taken.
    pub(crate) fn with_topics<'a>(&self, existing: impl IntoIterator<Item = &'a str>) -> Self {
        let own = format!("{}-", self.app);
        let mut taken: Vec<String> = self.output_topics().into_iter().map(str::to_owned).collect();
        taken.extend(self.global_stores.values().map(|global| global.topic.clone()));
        for node in &self.nodes {
            if let NodeKind::Source { topics, pattern: None, .. } = &node.kind {
                taken.extend(topics.iter().cloned());
            }
        }
        let mut existing: Vec<&str> = existing.into_iter().filter(|topic| !topic.starts_with(&own)).collect();
        existing.sort_unstable();
        let mut plan = self.clone();
        for node in &mut plan.nodes {
            let NodeKind::Source { topics, pattern: Some(pattern), .. } = &mut node.kind else { continue };
            let Ok(regex) = Regex::new(&format!("^(?:{pattern})$")) else { continue };
            let matching = existing.iter().filter(|topic| regex.is_match(topic) && !taken.iter().any(|t| t == *topic));
            *topics = matching.map(|topic| (*topic).to_owned()).collect();
            taken.extend(topics.iter().cloned());
        }
        plan
    }

    /// The patterns of its sources.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Source { pattern, .. } => pattern.as_deref(),
            _ => None,
        })
    }

    /// The patterns to which no topic is known, with their steps' names.
    pub fn patterns_without_topic(&self) -> impl Iterator<Item = (&str, &str)> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Source { topics, pattern: Some(pattern), .. } if topics.is_empty() => {
                Some((node.name.as_str(), pattern.as_str()))
            }
            _ => None,
        })
    }
}
