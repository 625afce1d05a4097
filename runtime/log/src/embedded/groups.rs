//! Consumer groups inside the process. A partition changes hands only after its owner released it, closed or was
//! dropped; until then the owner may commit for it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
};

use headwater_core::{Result, TopicPartition};

use super::{
    append::GroupCommit,
    catalog::Catalog,
    locks::lock,
    range::{self, Candidate, Rank},
};
use crate::errors;

/// All groups that have or had members since the log was opened.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<String, Group>>);

#[derive(Default)]
struct Group {
    generation: u64,
    last_member: u64,
    members: BTreeMap<u64, Member>,
}

struct Member {
    instance: Option<String>,
    topics: Vec<String>,
    /// What it may read and commit.
    owned: BTreeSet<TopicPartition>,
    /// What it should own.
    target: BTreeSet<TopicPartition>,
    /// What it was told to give up and has not yet released.
    leaving: BTreeSet<TopicPartition>,
    /// Whether it has been told of its first assignment.
    welcomed: bool,
}

/// What a member has to be told.
pub(super) enum Step {
    Nothing,
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
}

impl Groups {
    /// Adds a member; one that is there under the same instance name loses its place to it.
    pub fn join(&self, catalog: &Catalog, group: &str, instance: Option<&str>, topics: &[String]) -> u64 {
        let mut groups = lock(&self.0);
        let group = groups.entry(group.to_owned()).or_default();
        if instance.is_some() {
            group.members.retain(|_, member| member.instance.as_deref() != instance);
        }
        group.last_member += 1;
        let id = group.last_member;
        let member = Member {
            instance: instance.map(str::to_owned),
            topics: topics.to_vec(),
            owned: BTreeSet::new(),
            target: BTreeSet::new(),
            leaving: BTreeSet::new(),
            welcomed: false,
        };
        group.members.insert(id, member);
        group.rebalance(catalog);
        id
    }

    /// Removes a member; what it owned is free at once.
    pub fn leave(&self, catalog: &Catalog, group: &str, member: u64) {
        let mut groups = lock(&self.0);
        let Some(group) = groups.get_mut(group) else { return };
        if group.members.remove(&member).is_some() {
            group.rebalance(catalog);
        }
    }

    /// Assigns anew after topics came or went.
    pub fn rebalance_all(&self, catalog: &Catalog) {
        lock(&self.0).values_mut().for_each(|group| group.rebalance(catalog));
    }

    /// What the member has to be told now. From then on partitions it was told of are its own. `None` if it is no
    /// member any more.
    pub fn step(&self, group: &str, member: u64) -> Option<Step> {
        let mut groups = lock(&self.0);
        let group = groups.get_mut(group)?;
        let me = group.members.get(&member)?;
        let taken = |partition: &&TopicPartition| {
            !group.members.iter().any(|(id, other)| *id != member && other.owned.contains(*partition))
        };
        let revoked: Vec<_> = me.owned.difference(&me.target).filter(|p| !me.leaving.contains(*p)).cloned().collect();
        let assigned: Vec<_> = me.target.difference(&me.owned).filter(taken).cloned().collect();
        let settled = me.leaving.is_empty() && (!assigned.is_empty() || (!me.welcomed && me.target.is_empty()));
        let me = group.members.get_mut(&member)?;
        if !revoked.is_empty() {
            me.leaving.extend(revoked.iter().cloned());
            Some(Step::Revoked(revoked))
        } else if settled {
            me.welcomed = true;
            me.owned.extend(assigned.iter().cloned());
            Some(Step::Assigned(assigned))
        } else {
            Some(Step::Nothing)
        }
    }

    /// Frees partitions.
    pub fn release(&self, group: &str, member: u64, partitions: &[TopicPartition]) {
        let mut groups = lock(&self.0);
        let Some(me) = groups.get_mut(group).and_then(|group| group.members.get_mut(&member)) else { return };
        for partition in partitions {
            me.owned.remove(partition);
            me.leaving.remove(partition);
        }
    }

    /// The group's generation, if the member still is one.
    pub fn generation(&self, group: &str, member: u64) -> Option<u64> {
        let groups = lock(&self.0);
        let group = groups.get(group)?;
        group.members.contains_key(&member).then_some(group.generation)
    }

    /// Whether the group has members.
    pub fn is_active(&self, group: &str) -> bool {
        lock(&self.0).get(group).is_some_and(|group| !group.members.is_empty())
    }

    /// Whether the member may commit these offsets: it is one, and it owns every partition.
    ///
    /// # Errors
    /// `HW0310` otherwise.
    pub fn check_owned(&self, commit: &GroupCommit) -> Result<()> {
        let groups = lock(&self.0);
        let member = groups.get(&commit.group).and_then(|group| group.members.get(&commit.member));
        let Some(member) = member else {
            return Err(errors::outdated_membership(&commit.group, "the consumer is no member of it any more"));
        };
        match commit.offsets.iter().find(|(_, offset)| !member.owned.contains(&offset.partition)) {
            None => Ok(()),
            Some((_, offset)) => {
                let why = format!("{} is not assigned to this member any more", offset.partition);
                Err(errors::outdated_membership(&commit.group, why))
            }
        }
    }
}

impl Group {
    fn rebalance(&mut self, catalog: &Catalog) {
        self.generation += 1;
        let candidates = self
            .members
            .iter()
            .map(|(id, member)| Candidate {
                member: *id,
                rank: member.instance.clone().map_or(Rank::Joined(*id), Rank::Named),
                topics: &member.topics,
            })
            .collect();
        let mut targets = range::assign(candidates, |topic| {
            let topic = catalog.topic(topic);
            topic.map_or_else(Vec::new, |topic| topic.partitions.iter().map(|p| p.name.clone()).collect())
        });
        for (id, member) in &mut self.members {
            member.target = targets.remove(id).unwrap_or_default();
        }
    }
}
