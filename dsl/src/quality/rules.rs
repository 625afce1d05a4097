//! Rules and their words, after dbt and Great Expectations.

use std::{fmt::Debug, ops::RangeBounds, sync::Arc};

use regex::Regex;

use crate::{bounds::Shared, plan::RuleSpec};

/// How bad a broken rule is. Shown in the plan and in reports; the route decides what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// Worth knowing.
    Warn,
    /// The record is wrong. Default.
    #[default]
    Error,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Where a record that breaks a rule goes. Ordered: of several broken rules the gravest route wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Route {
    /// On, with the rule's name in the header `headwater.rules.broken`.
    Tag,
    /// Nowhere.
    Drop,
    /// To the dead-letter topic.
    DeadLetter,
    /// Nowhere: the program stops.
    Fail,
}

pub(crate) type Test<V> = Arc<dyn Fn(&V) -> bool + Send + Sync>;

/// A named test of a value. Made by [`not_null`], [`range`], [`one_of`], [`Rule::matches`] or [`Rule::custom`].
pub struct Rule<V> {
    pub(crate) name: String,
    pub(crate) test: String,
    pub(crate) holds: Test<V>,
    pub(crate) severity: Severity,
    pub(crate) route: Route,
    pub(crate) topic: Option<String>,
}

impl<V> Debug for Rule<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rule({}: {})", self.name, self.test)
    }
}

/// Holds if the field is there.
pub fn not_null<V, T>(name: &str, field: impl Fn(&V) -> Option<T> + Shared) -> Rule<V> {
    Rule::new(name, "not_null", move |value| field(value).is_some())
}

/// Holds if the field lies in `bounds`. An absent field is no matter of range: test it with [`not_null`].
pub fn range<V, T: PartialOrd + Debug + Send + Sync + 'static>(
    name: &str,
    field: impl Fn(&V) -> Option<T> + Shared,
    bounds: impl RangeBounds<T> + Debug + Shared,
) -> Rule<V> {
    let test = format!("range {bounds:?}");
    Rule::new(name, &test, move |value| field(value).is_none_or(|field| bounds.contains(&field)))
}

/// Holds if the field is one of `accepted`. An absent field is no matter of this rule.
pub fn one_of<V>(name: &str, field: impl Fn(&V) -> Option<&str> + Shared, accepted: &[&str]) -> Rule<V> {
    let accepted: Vec<String> = accepted.iter().map(|text| (*text).to_owned()).collect();
    let test = format!("one_of {}", accepted.join(","));
    Rule::new(name, &test, move |value| field(value).is_none_or(|field| accepted.iter().any(|a| a == field)))
}

impl<V> Rule<V> {
    fn new(name: &str, test: &str, holds: impl Fn(&V) -> bool + Shared) -> Self {
        Self {
            name: name.to_owned(),
            test: test.to_owned(),
            holds: Arc::new(holds),
            severity: Severity::default(),
            route: Route::Fail,
            topic: None,
        }
    }

    /// Holds if the regular expression matches the whole field. An absent field is no matter of this rule. A pattern
    /// that is not valid is found by `build()`.
    pub fn matches(name: &str, field: impl Fn(&V) -> Option<&str> + Shared, pattern: &str) -> Self {
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) => Self::new(name, &format!("matches {pattern}"), move |value| {
                field(value).is_none_or(|field| regex.is_match(field))
            }),
            Err(error) => Self::new(name, &format!("invalid pattern {pattern}: {error}"), |_| true),
        }
    }

    /// Holds if the closure says so.
    pub fn custom(name: &str, holds: impl Fn(&V) -> bool + Shared) -> Self {
        Self::new(name, "custom", holds)
    }

    /// How bad it is. Default: [`Severity::Error`].
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// A record that breaks the rule goes on, with the rule's name in its header `headwater.rules.broken`.
    #[must_use]
    pub fn tag(mut self) -> Self {
        self.route = Route::Tag;
        self
    }

    /// A record that breaks the rule is dropped and counted.
    #[must_use]
    pub fn drop(mut self) -> Self {
        self.route = Route::Drop;
        self
    }

    /// A record that breaks the rule goes to `topic`: raw key and value, original headers, KIP-1034's headers, and
    /// `headwater.rules.broken` with the names of all rules it broke.
    #[must_use]
    pub fn dead_letter(mut self, topic: &str) -> Self {
        self.route = Route::DeadLetter;
        self.topic = Some(topic.to_owned());
        self
    }

    /// A record that breaks the rule stops the program. Default.
    #[must_use]
    pub fn fail(mut self) -> Self {
        self.route = Route::Fail;
        self
    }

    pub(crate) fn spec(&self) -> RuleSpec {
        let route = match (&self.route, &self.topic) {
            (Route::Tag, _) => "tag".to_owned(),
            (Route::Drop, _) => "drop".to_owned(),
            (Route::DeadLetter, topic) => format!("dead_letter {}", topic.as_deref().unwrap_or_default()),
            (Route::Fail, _) => "fail".to_owned(),
        };
        RuleSpec { name: self.name.clone(), test: self.test.clone(), severity: self.severity.word().to_owned(), route }
    }
}

/// The rules of one `validate` step, in order.
///
/// ```
/// use headwater::prelude::*;
///
/// struct Order { cents: i64, country: Option<String> }
/// let rules: Rules<Order> = Rules::new()
///     .rule(range("plausible-amount", |o: &Order| Some(o.cents), 1..=10_000_000).dead_letter("orders.rejected"))
///     .rule(not_null("country-known", |o: &Order| o.country.clone()).severity(Severity::Warn).tag())
///     .rule(Rule::matches("country-code", |o: &Order| o.country.as_deref(), "[A-Z]{2}").drop());
/// assert_eq!(rules.len(), 3);
/// ```
#[derive(Debug)]
pub struct Rules<V>(pub(crate) Vec<Rule<V>>);

impl<V> Default for Rules<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Rules<V> {
    /// No rules yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule<V>) -> Self {
        self.0.push(rule);
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
