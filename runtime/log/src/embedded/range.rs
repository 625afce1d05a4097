//! Kafka's range assignment: for each topic by itself, the partitions in order are cut into one run per member.

use std::collections::{BTreeMap, BTreeSet};

use headwater_core::TopicPartition;

/// Who takes part: ordered as Kafka orders them, members with an instance name first, by that name, then the others
/// in the order in which they joined.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Named(String),
    Joined(u64),
}

/// A member as the assignor sees it.
pub(super) struct Candidate<'a> {
    pub member: u64,
    pub rank: Rank,
    pub topics: &'a [String],
}

/// Gives each member its partitions. Topics with equal partition counts and the same subscribers are cut alike, so
/// partitions of the same number stay together.
pub(super) fn assign(
    mut candidates: Vec<Candidate<'_>>,
    partitions_of: impl Fn(&str) -> Vec<TopicPartition>,
) -> BTreeMap<u64, BTreeSet<TopicPartition>> {
    candidates.sort_by(|a, b| a.rank.cmp(&b.rank));
    let mut assigned: BTreeMap<u64, BTreeSet<TopicPartition>> =
        candidates.iter().map(|candidate| (candidate.member, BTreeSet::new())).collect();
    let topics: BTreeSet<&String> = candidates.iter().flat_map(|candidate| candidate.topics).collect();
    for topic in topics {
        let members: Vec<u64> =
            candidates.iter().filter(|candidate| candidate.topics.contains(topic)).map(|c| c.member).collect();
        let partitions = partitions_of(topic);
        let (each, extra) = (partitions.len() / members.len(), partitions.len() % members.len());
        let mut partitions = partitions.into_iter();
        for (index, member) in members.iter().enumerate() {
            let count = each + usize::from(index < extra);
            assigned.entry(*member).or_default().extend(partitions.by_ref().take(count));
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(topic: &str, count: i32) -> Vec<TopicPartition> {
        (0..count).map(|p| TopicPartition::new(topic, p)).collect()
    }

    fn shown(assigned: &BTreeMap<u64, BTreeSet<TopicPartition>>) -> Vec<String> {
        let line = |set: &BTreeSet<TopicPartition>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assigned.values().map(line).collect()
    }

    #[test]
    fn runs_are_cut_as_kafka_cuts_them() {
        // The example of Kafka's RangeAssignor: two topics of three partitions, two members.
        let topics = ["t0".to_owned(), "t1".to_owned()];
        let candidate = |member| Candidate { member, rank: Rank::Joined(member), topics: &topics };
        let assigned = assign(vec![candidate(2), candidate(1)], |topic| partitions(topic, 3));
        assert_eq!(shown(&assigned), ["t0-0 t0-1 t1-0 t1-1", "t0-2 t1-2"]);
        let assigned = assign((1..=4).map(candidate).collect(), |topic| partitions(topic, 3));
        assert_eq!(shown(&assigned), ["t0-0 t1-0", "t0-1 t1-1", "t0-2 t1-2", ""]);
    }

    #[test]
    fn named_members_come_first_in_the_order_of_their_names() {
        let topics = ["t".to_owned()];
        let candidates = vec![
            Candidate { member: 1, rank: Rank::Joined(1), topics: &topics },
            Candidate { member: 2, rank: Rank::Named("b".to_owned()), topics: &topics },
            Candidate { member: 3, rank: Rank::Named("a".to_owned()), topics: &topics },
        ];
        assert_eq!(shown(&assign(candidates, |topic| partitions(topic, 3))), ["t-2", "t-1", "t-0"]);
    }

    #[test]
    fn only_subscribers_get_a_topics_partitions() {
        let (one, both) = (["a".to_owned()], ["a".to_owned(), "b".to_owned()]);
        let candidates = vec![
            Candidate { member: 1, rank: Rank::Joined(1), topics: &one },
            Candidate { member: 2, rank: Rank::Joined(2), topics: &both },
        ];
        assert_eq!(shown(&assign(candidates, |topic| partitions(topic, 2))), ["a-0", "a-1 b-0 b-1"]);
    }
}
