//! Random topologies out of everything the DSL has.

use super::{
    case::{Case, Fold, Kind, Node, Op, Windows},
    intended,
    random::Random,
    shape::{Shape, shapes},
    steps::steps,
};

/// A grace in which nothing closes.
const LONG_GRACE: i64 = 100_000;
const STREAMS: [&str; 3] = ["a", "b", "c"];
const TABLES: [&str; 3] = ["t", "u", "v"];

/// The case of this seed.
pub fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let mut case = topology(&mut random, intended::can_be_compared);
    let ordered = intended::needs_order(&case);
    case.steps = steps(&mut random, &topics(&case), ordered, !intended::without_headers(&case));
    while let Some(at) = intended::d16_deletion_at_its_rows_time(&case) {
        case.steps.remove(at);
    }
    case
}

/// The topics that its sources read.
pub fn topics(case: &Case) -> Vec<String> {
    case.nodes.iter().filter_map(|node| node.op.topic().map(str::to_owned)).collect()
}

/// A topology that is allowed at every step of its making; nothing happens to it yet.
pub fn topology(random: &mut Random, allowed: impl Fn(&Case) -> bool) -> Case {
    let cached = random.percent(30);
    let rocksdb = random.percent(6);
    let mut case = Case { cached, rocksdb, default_retention: false, nodes: Vec::new(), steps: Vec::new() };
    source(&mut case, Shape::Stream);
    let wanted = random.between(1, 6);
    let mut tries = 0;
    let mut made = 0;
    while made < wanted && tries < 60 {
        tries += 1;
        let before = case.clone();
        let added = extend(random, &mut case);
        if added && makes_few_records(&case) && allowed(&case) {
            made += 1;
        } else {
            case = before;
        }
    }
    for id in 0..case.nodes.len() {
        let shown = !matches!(shapes(&case)[id], Shape::Global | Shape::Split);
        case.nodes[id].out = shown && random.percent(20);
    }
    case
}

/// Each join of streams multiplies its records by those of its window; a third one in a row makes millions.
fn makes_few_records(case: &Case) -> bool {
    case.nodes.iter().filter(|node| matches!(node.op, Op::JoinStreams { .. })).count() <= 2
}

/// Adds a source of this shape; false if all topics are taken.
fn source(case: &mut Case, shape: Shape) -> bool {
    let topics: &[&str] = match shape {
        Shape::Stream => &STREAMS,
        Shape::Global => &["g"],
        _ => &TABLES,
    };
    let taken = |topic: &&&str| case.nodes.iter().any(|node| node.op.topic() == Some(**topic));
    let Some(topic) = topics.iter().find(|topic| !taken(topic)).map(|topic| (*topic).to_owned()) else { return false };
    let op = match shape {
        Shape::Stream => Op::Stream { topic },
        Shape::Table => Op::Table { topic },
        Shape::Versioned => Op::VersionedTable { topic, history: 200 },
        Shape::Global => Op::GlobalTable { topic },
        _ => return false,
    };
    case.nodes.push(Node { op, of: Vec::new(), out: false });
    true
}

/// A node of this shape, a young one rather than an old one; a new source if there is none, and sometimes anyhow.
fn pick(random: &mut Random, case: &mut Case, shape: Shape) -> Option<usize> {
    let shapes = shapes(case);
    let fitting: Vec<usize> = (0..shapes.len()).filter(|id| shapes[*id] == shape).collect();
    if fitting.is_empty() || random.percent(15) {
        if source(case, shape) {
            return Some(case.nodes.len() - 1);
        }
        case.nodes.truncate(shapes.len());
    }
    if random.percent(50) { fitting.last().copied() } else { (!fitting.is_empty()).then(|| *random.choose(&fitting)) }
}

/// Adds one operator, with new sources where it needs them.
fn extend(random: &mut Random, case: &mut Case) -> bool {
    let op = operator(random);
    let needs: &[Shape] = match &op {
        Op::Branch { .. } => &[Shape::Split],
        Op::SuppressUntilClosed => &[Shape::Windowed],
        Op::SuppressUntilTimeLimit { .. }
        | Op::TableFilter { .. }
        | Op::TableFilterNot { .. }
        | Op::TableMapValues { .. }
        | Op::TableTransformValues
        | Op::TableGroupBy { .. } => &[Shape::Table],
        Op::TableJoin { .. } | Op::ForeignKeyJoin { .. } => &[Shape::Table, Shape::Table],
        Op::JoinTable { grace: Some(_), .. } => &[Shape::Stream, Shape::Versioned],
        Op::JoinTable { .. } if random.percent(25) => &[Shape::Stream, Shape::Versioned],
        Op::JoinTable { .. } => &[Shape::Stream, Shape::Table],
        Op::JoinGlobal { .. } => &[Shape::Stream, Shape::Global],
        Op::Merge | Op::JoinStreams { .. } => &[Shape::Stream, Shape::Stream],
        Op::Cogroup { .. } if random.percent(70) => &[Shape::Stream, Shape::Stream],
        Op::ToStream => *random.choose(&[&[Shape::Table], &[Shape::Counts], &[Shape::Windowed]]),
        _ => &[Shape::Stream],
    };
    let mut of = Vec::new();
    for shape in needs {
        match pick(random, case, *shape) {
            Some(id) => of.push(id),
            None => return false,
        }
    }
    if let Op::JoinTable { kind: Kind::Left, grace: Some(_) } = op {
        // D8: Java fails on a null key here.
        case.nodes.push(Node { op: Op::Filter { f: 3 }, of: vec![of[0]], out: false });
        of[0] = case.nodes.len() - 1;
    }
    if let Op::Split { .. } = op {
        let split = case.nodes.len();
        case.nodes.push(Node { op, of, out: false });
        case.nodes.push(Node { op: Op::Branch { f: random.below(3) as u8 }, of: vec![split], out: false });
    } else {
        case.nodes.push(Node { op, of, out: false });
    }
    true
}

fn windows(random: &mut Random) -> Windows {
    let size = *random.choose(&[5, 10, 20, 50, 100]);
    let grace = *random.choose(&[0, 0, 5, 20, 100]);
    match random.below(5) {
        0 | 1 => Windows::Tumbling { size, grace },
        2 => Windows::Hopping { size, advance: *random.choose(&[1, 2, 3, 5]) * (size / 5), grace },
        3 => Windows::Sliding { size, grace },
        _ if random.percent(12) => Windows::Unlimited { start: *random.choose(&[0, 50, 200]) },
        _ => Windows::Session { size, grace: if random.percent(20) { LONG_GRACE } else { grace } },
    }
}

fn operator(random: &mut Random) -> Op {
    let f = random.below(5) as u8;
    let (key, named) = (random.below(4) as u8, random.percent(50));
    let kind = *random.choose(&[Kind::Inner, Kind::Left, Kind::Outer]);
    let one_sided = *random.choose(&[Kind::Inner, Kind::Left]);
    let fold = *random.choose(&[Fold::Count, Fold::Reduce, Fold::ReduceValues, Fold::Aggregate, Fold::Update]);
    match random.below(40) {
        0 => Op::Filter { f },
        1 => Op::FilterNot { f },
        2 => Op::MapValues { f: f % 3 },
        3 => Op::FlatMapValues { f: f % 2 },
        4 => Op::SelectKey { f: key },
        5 => Op::Map { f: key },
        6 => Op::FlatMap { f: key },
        7 => Op::Peek,
        8 => Op::Merge,
        9 => Op::Split { f },
        10 => Op::Branch { f },
        11 => Op::Repartition,
        12 => Op::ToTable,
        13 => Op::ToStream,
        14..17 => {
            Op::Aggregate { fold, key: random.percent(40).then_some(key), windows: Windows::None, on_close: false }
        }
        17..22 => {
            let windows = windows(random);
            // Java's windows have no aggregator that deletes but through null; and endless windows never close.
            let fold = if fold == Fold::Update { Fold::Aggregate } else { fold };
            let on_close = random.percent(40) && !matches!(windows, Windows::Unlimited { .. });
            Op::Aggregate { fold, key: random.percent(30).then_some(key), windows, on_close }
        }
        22 => {
            let windows = if random.percent(50) { Windows::None } else { windows(random) };
            Op::Cogroup { key: random.percent(30).then_some(key), windows }
        }
        23..25 => Op::SuppressUntilClosed,
        25 => Op::SuppressUntilTimeLimit {
            limit: *random.choose(&[5, 20, 100]),
            records: if random.percent(50) { 0 } else { random.between(1, 3) as u32 },
        },
        26 => Op::TableFilter { f, named },
        27 => Op::TableFilterNot { f, named },
        28 => Op::TableMapValues { f: f % 2, named },
        29 => Op::TableTransformValues,
        30 | 31 => Op::TableGroupBy { f: key, fold },
        32 | 33 => Op::TableJoin { kind, named },
        34 => Op::ForeignKeyJoin { kind: one_sided },
        35 => Op::JoinTable { kind: one_sided, grace: random.percent(30).then(|| *random.choose(&[0, 10, 50])) },
        36 => Op::JoinGlobal { kind: one_sided, f: key },
        37 | 38 => {
            let (before, after) = (random.between(-5, 40), random.between(0, 40));
            let before = before.max(-after);
            Op::JoinStreams { kind, before, after, grace: *random.choose(&[0, 5, 30]) }
        }
        _ if random.percent(50) => Op::ProcessValues,
        _ => Op::Process {
            every: *random.choose(&[0, 0, 20, 100]),
            wall: random.percent(50),
            ticks: random.below(4) as u32,
        },
    }
}
