//! The `validate` step.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Result};

use super::rules::{Route, Rule, Rules};
use crate::{
    bounds::Data,
    dead_letter::{BROKEN_RULES_HEADER, DeadLetters},
    kstream::KStream,
    plan::{NodeId, NodeKind},
    task::{Blame, Slot, TaskContext},
    wire::{Flow, Meta, Push, Target, TaskBuilder},
};

/// The records of a stream that passed its rules.
pub type Validated<K, V> = KStream<K, V>;

impl<K: Data, V: Data> KStream<K, V> {
    /// Tests every record against *all* rules and counts each broken one. Of the routes of the broken rules the gravest
    /// is taken: fail, dead letter, drop, tag. Records that broke no rule, or only tagging ones, go on. `name` is the
    /// step's; the counters are `rule:<name>/<rule>` and are committed with the input.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let rules = Rules::new()
    ///     .rule(range("not-negative", |n: &i64| Some(*n), 0..).dead_letter("rejected"))
    ///     .rule(Rule::custom("even", |n: &i64| n % 2 == 0).tag());
    /// app.stream::<String, i64>("in", Json).validate("numbers", rules).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [2, 3, -5] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [2, 3]);
    /// let rejected = driver.output::<String, i64>("rejected", Json).read(&mut driver).unwrap();
    /// let broken = rejected[0].headers.last("headwater.rules.broken").unwrap().value.clone().unwrap();
    /// assert_eq!((rejected[0].value, &broken[..]), (-5, &b"not-negative,even"[..]));
    /// assert_eq!(driver.counters()["rule:numbers/even"], 2);
    /// ```
    #[track_caller]
    pub fn validate(&self, name: &str, rules: Rules<V>) -> Validated<K, V> {
        let kind = NodeKind::Validate { rules: rules.0.iter().map(Rule::spec).collect() };
        let rules = Arc::new(rules);
        let id = self.graph.add(Some(name), "validate", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                Ok(Rc::new(Validate::<K, V>::new(builder, id, rules.clone())?))
            });
        });
        KStream::new(self.graph.clone(), id)
    }
}

struct Validate<K, V> {
    id: NodeId,
    name: String,
    rules: Arc<Rules<V>>,
    counters: Vec<Slot>,
    dead_letters: Vec<Option<DeadLetters>>,
    next: Target<K, V>,
    context: Rc<TaskContext>,
}

impl<K: Data, V: Data> Validate<K, V> {
    fn new(builder: &mut TaskBuilder<'_>, id: NodeId, rules: Arc<Rules<V>>) -> Result<Self> {
        let next = builder.next::<K, V>(id)?;
        let node = builder.node(id)?;
        let context = builder.context.clone();
        let NodeKind::Validate { rules: specs } = &node.kind else {
            return Err(Error::new(ErrorKind::Internal, "HW0100", "a validate's wiring stands under another step"));
        };
        let mut counters = Vec::new();
        let mut dead_letters = Vec::new();
        for spec in specs {
            counters.push(context.memo.slot(&format!("rule:{}/{}", node.name, spec.name), 0)?);
            dead_letters.push(match spec.route.strip_prefix("dead_letter ") {
                Some(topic) => {
                    context.want_raw();
                    Some(DeadLetters::new(builder.env.topic(topic)?))
                }
                None => None,
            });
        }
        Ok(Self { id, name: node.name.clone(), rules, counters, dead_letters, next, context })
    }

    /// The places of the rules that `value` breaks; counts them.
    fn broken(&self, value: &V) -> Vec<usize> {
        let mut broken = Vec::new();
        for (place, rule) in self.rules.0.iter().enumerate() {
            let blame = Blame::new(self.id);
            let holds = (rule.holds)(value);
            blame.clear();
            if !holds {
                broken.push(place);
            }
        }
        for counter in broken.iter().filter_map(|place| self.counters.get(*place)) {
            counter.increment();
        }
        broken
    }

    fn route(&self, meta: Meta<'_>, key: K, value: V, broken: &[usize]) -> Flow {
        let rules: Vec<&Rule<V>> = broken.iter().filter_map(|place| self.rules.0.get(*place)).collect();
        let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        let names = names.join(",");
        match rules.iter().map(|rule| &rule.route).max() {
            Some(Route::Drop) => Ok(()),
            Some(Route::DeadLetter) => {
                let letters = broken.iter().find_map(|place| self.dead_letters.get(*place).and_then(Option::as_ref));
                let Some(letters) = letters else { return Ok(()) };
                let message = format!("broke {names} of {}", self.name);
                if !self.context.has_record() {
                    let what =
                        format!("a record that a timer forwarded {message}, but only an input can be a dead letter");
                    return Err(Error::new(ErrorKind::User, "HW0246", what)
                        .at_node(&self.name)
                        .help("test it in the processor, or send such records elsewhere with .split()"));
                }
                self.context.with_raw(|raw| letters.send(raw, meta.headers, "RuleBroken", &message, Some(&names)))
            }
            Some(Route::Fail) => Err(Error::new(
                ErrorKind::User,
                "HW0222",
                format!("a record broke {names} of {}, and the rule says to stop", self.name),
            )
            .at_node(&self.name)
            .help("mend the record or the rule; to go on without it give the rule another route, such as dead_letter")),
            Some(Route::Tag) | None => {
                let mut headers = meta.headers.clone();
                headers.push_text(BROKEN_RULES_HEADER, &names);
                self.next.push(Meta { headers: &headers, ..meta }, key, value)
            }
        }
    }
}

impl<K: Data, V: Data> Push<K, V> for Validate<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let broken = self.broken(&value);
        if broken.is_empty() { self.next.push(meta, key, value) } else { self.route(meta, key, value, &broken) }
    }
}
