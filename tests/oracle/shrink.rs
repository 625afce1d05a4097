//! Makes a differing case small.

use super::{
    case::{Case, Input, Node, Op, Step},
    shape::{Shape, shapes},
};

/// The smallest case found that still differs, as `differs` says, after at most so many tries.
pub fn smallest(case: &Case, tries: usize, differs: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut search = Search { best: case.clone(), differs, tries };
    loop {
        let before = search.best.clone();
        search.fewer_steps();
        search.fewer_nodes();
        search.simpler_steps();
        search.simpler_nodes();
        if search.best == before || search.tries == 0 {
            return search.best;
        }
    }
}

struct Search<'a> {
    best: Case,
    differs: &'a mut dyn FnMut(&Case) -> bool,
    /// How many are left.
    tries: usize,
}

impl Search<'_> {
    /// Takes the candidate if it still differs.
    fn accept(&mut self, candidate: Case) -> bool {
        if self.tries == 0 || candidate == self.best || !is_sound(&candidate) {
            return false;
        }
        self.tries -= 1;
        let differs = (self.differs)(&candidate);
        if differs {
            self.best = candidate;
        }
        differs
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

/// Whether it can be built, as far as shapes tell.
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
}
