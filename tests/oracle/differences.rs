//! The intended differences, one by one: what Java makes of a case, what we make of it.

use std::{collections::BTreeSet, fs};

use serde::Deserialize;

use super::{
    case::{Answer, Case},
    drive::ours,
    java,
};

/// A record in short: step, topic, key, value, time.
type Short = (usize, String, Option<String>, Option<String>, i64);

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Records(Vec<Short>),
    /// An error whose text contains this.
    Fails(String),
}

#[derive(Deserialize)]
struct Difference {
    case: Case,
    java: Outcome,
    headwater: Outcome,
}

fn outcome(answer: Answer, expected: &Outcome) -> Outcome {
    let Some(error) = answer.error else {
        let short = answer.out.into_iter().map(|o| (o.at, o.topic, o.key, o.value, o.ts));
        return Outcome::Records(short.collect());
    };
    match expected {
        Outcome::Fails(text) if error.contains(text) => Outcome::Fails(text.clone()),
        _ => Outcome::Fails(error),
    }
}

#[test]
fn intended_differences_are_as_documented() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let documented = fs::read_to_string(format!("{root}docs/differences.md")).unwrap();
    let mut shown = BTreeSet::new();
    for entry in fs::read_dir(format!("{root}tests/oracle/differences")).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let name = name.split('-').next().unwrap().to_owned();
        let difference: Difference = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let theirs = outcome(java::answer(&difference.case), &difference.java);
        assert_eq!(theirs, difference.java, "{path:?}: Java has changed");
        assert_eq!(outcome(ours(&difference.case), &difference.headwater), difference.headwater, "{path:?}");
        assert_ne!(difference.java, difference.headwater, "{path:?} is no difference");
        shown.insert(name);
    }
    for name in &shown {
        assert!(documented.contains(&format!("\n| {name} |")), "docs/differences.md says nothing of {name}");
    }
}
