//! Makes a differing case small.

use super::{
    case::{Case, Input, Node, Op, Step},
    compare::{Difference, difference},
    drive::ours,
    intended, java,
    shape::{Shape, lineages, shapes},
};

/// Tries no more than this many smaller cases.
const TRIES: usize = 3_000;

/// The smallest case found that differs in the same way, and how.
pub fn smallest(case: &Case, first: Difference) -> (Case, Difference) {
    let mut search = Search { best: case.clone(), how: first, tries: 0 };
    loop {
        let before = search.best.clone();
        search.fewer_steps();
        search.fewer_nodes();
        search.simpler_steps();
        search.simpler_nodes();
        if search.best == before || search.tries > TRIES {
            return (search.best, search.how);
        }
    }
}

struct Search {
    best: Case,
    how: Difference,
    tries: usize,
}

impl Search {
    /// Takes the candidate if it still differs in the same way.
    fn accept(&mut self, candidate: Case) -> bool {
        self.tries += 1;
        if self.tries > TRIES || candidate == self.best || !is_sound(&candidate) {
            return false;
        }
        let (mut java, ours) = java::answers(std::slice::from_ref(&candidate), || ours(&candidate));
        match difference(&candidate, &java.remove(0), &ours) {
            Some(how) if how.sort == self.how.sort && code(&how) == code(&self.how) => {
                (self.best, self.how) = (candidate, how);
                true
            }
            _ => false,
        }
    }

    fn fewer_steps(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            while from < self.best.steps.len() {
                let mut candidate = self.best.clone();
                candidate.steps.drain(from..(from + size).min(self.best.steps.len()));
                if !self.accept(candidate) {
                    from += size;
                }
            }
            if size == 1 {
                return;
            }
            size = size.div_ceil(2);
        }
    }

    fn fewer_nodes(&mut self) {
        let mut id = self.best.nodes.len();
        while id > 0 {
            id -= 1;
            if id >= self.best.nodes.len() {
                continue;
            }
            // Leave it out: what used it takes its first input, or else goes too.
            let bypassed = without(&self.best, id, true);
            if bypassed.is_none_or(|candidate| !self.accept(candidate))
                && let Some(candidate) = without(&self.best, id, false)
            {
                self.accept(candidate);
            }
        }
    }

    fn simpler_steps(&mut self) {
        let least = self.best.steps.iter().filter_map(record).map(|record| record.ts).min().unwrap_or(0);
        let mut earlier = self.best.clone();
        earlier.steps.iter_mut().filter_map(record_mut).for_each(|record| record.ts -= least.max(0));
        self.accept(earlier);
        for at in 0..self.best.steps.len() {
            for simpler in SIMPLER_RECORDS {
                let mut candidate = self.best.clone();
                if let Some(record) = candidate.steps.get_mut(at).and_then(record_mut) {
                    simpler(record);
                    self.accept(candidate);
                }
            }
        }
    }

    fn simpler_nodes(&mut self) {
        for id in 0..self.best.nodes.len() {
            let mut quiet = self.best.clone();
            quiet.nodes[id].out = false;
            self.accept(quiet);
            for op in simpler(&self.best.nodes[id].op) {
                let mut candidate = self.best.clone();
                candidate.nodes[id].op = op;
                self.accept(candidate);
            }
        }
        let mut plain = self.best.clone();
        plain.rocksdb = false;
        self.accept(plain.clone());
        plain.cached = false;
        self.accept(plain);
    }
}

/// The error's code, where one side fails.
fn code(how: &Difference) -> Option<&str> {
    let at = how.text.find("[HW")?;
    how.text.get(at..at + 8)
}

type Simplify = fn(&mut Input);
const SIMPLER_RECORDS: [Simplify; 7] = [
    |record| record.headers.clear(),
    |record| record.key = Some("a".to_owned()),
    |record| record.value = Some("a1".to_owned()),
    |record| record.ts = 0,
    |record| record.ts /= 2,
    |record| record.ts -= record.ts % 10,
    |record| record.ts -= 1,
];

fn record(step: &Step) -> Option<&Input> {
    match step {
        Step::Record(record) => Some(record),
        Step::Advance { .. } => None,
    }
}

fn record_mut(step: &mut Step) -> Option<&mut Input> {
    match step {
        Step::Record(record) => Some(record),
        Step::Advance { .. } => None,
    }
}

/// The case without node `gone`; its users take its first input, or go too.
fn without(case: &Case, gone: usize, bypass: bool) -> Option<Case> {
    let mut place: Vec<Option<usize>> = Vec::new();
    let mut nodes: Vec<Node> = Vec::new();
    for (id, node) in case.nodes.iter().enumerate() {
        let of: Option<Vec<usize>> = node.of.iter().map(|of| place[*of]).collect();
        let kept = match of {
            Some(of) if id == gone => {
                place.push(if bypass { of.first().copied() } else { None });
                continue;
            }
            Some(of) => Some(Node { of, ..node.clone() }),
            None => None,
        };
        place.push(kept.is_some().then_some(nodes.len()));
        nodes.extend(kept);
    }
    let topics: Vec<&str> = nodes.iter().filter_map(|node| node.op.topic()).collect();
    let read = |step: &Step| record(step).is_none_or(|record| topics.contains(&record.topic.as_str()));
    let steps = case.steps.iter().filter(|step| read(step)).cloned().collect();
    let made = Case { nodes, steps, ..case.clone() };
    (!made.nodes.is_empty()).then_some(made)
}

/// The same operator with each of its numbers made smaller, one at a time.
fn simpler(op: &Op) -> Vec<Op> {
    let json = serde_json::to_value(op).unwrap();
    let mut made = Vec::new();
    let mut vary = |path: &[&str], value: serde_json::Value| {
        let mut changed = json.clone();
        let at = path.iter().fold(&mut changed, |at, name| &mut at[*name]);
        *at = value;
        made.extend(serde_json::from_value::<Op>(changed).ok());
    };
    for field in ["f", "key", "before", "after", "grace", "limit", "records", "every", "ticks"] {
        if let Some(number) = json.get(field).and_then(serde_json::Value::as_i64) {
            [0, 1, number / 2].iter().for_each(|simple| vary(&[field], (*simple).into()));
        }
    }
    for field in ["size", "grace", "start"] {
        if json.get("windows").is_some_and(|windows| windows.get(field).is_some()) {
            [0, 10].iter().for_each(|simple| vary(&["windows", field], (*simple).into()));
        }
    }
    vary(&["key"], serde_json::Value::Null);
    vary(&["on_close"], false.into());
    vary(&["named"], false.into());
    vary(&["fold"], "count".into());
    vary(&["kind"], "inner".into());
    made.retain(|made| made != op);
    made
}

/// Whether both halves can build it, as far as shapes tell, and it shows no intended difference.
fn is_sound(case: &Case) -> bool {
    let shapes = shapes(case);
    let streams = |shape: &Shape| !matches!(shape, Shape::Global | Shape::Split);
    let fits = |node: &Node| {
        let of: Vec<Shape> = node.of.iter().map(|of| shapes[*of]).collect();
        match &node.op {
            Op::Branch { .. } => of[0] == Shape::Split,
            Op::SuppressUntilClosed => of[0] == Shape::Windowed,
            Op::SuppressUntilTimeLimit { .. }
            | Op::TableFilter { .. }
            | Op::TableFilterNot { .. }
            | Op::TableMapValues { .. }
            | Op::TableTransformValues
            | Op::TableGroupBy { .. }
            | Op::TableJoin { .. }
            | Op::ForeignKeyJoin { .. } => of.iter().all(|shape| *shape == Shape::Table),
            Op::JoinTable { grace: Some(_), .. } => streams(&of[0]) && of[1] == Shape::Versioned,
            Op::JoinTable { .. } => streams(&of[0]) && matches!(of[1], Shape::Table | Shape::Versioned),
            Op::JoinGlobal { .. } => streams(&of[0]) && of[1] == Shape::Global,
            _ => of.iter().all(streams),
        }
    };
    case.nodes.iter().all(fits)
        && !case.steps.is_empty()
        && case.nodes.iter().any(|node| node.op.topic().is_some() && !matches!(node.op, Op::GlobalTable { .. }))
        && lineages(case).is_some()
        && intended::allowed(case)
        && (!intended::needs_order(case) || case.steps.iter().filter_map(record).is_sorted_by_key(|record| record.ts))
}
