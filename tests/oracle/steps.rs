//! Random input: few keys, jitter, nulls, duplicates, late and negative times.

use super::{
    case::{Input, Step},
    random::Random,
};

/// Records for these topics; `ordered` keeps event time from going back.
pub fn steps(random: &mut Random, topics: &[String], ordered: bool, headers: bool) -> Vec<Step> {
    let count = if random.percent(70) { random.between(50, 120) } else { random.between(120, 300) };
    let keys = &["a", "b", "c", "d"][..random.between(1, 4) as usize];
    let pace = *random.choose(&[2, 5, 10, 25]);
    let mut now = random.between(0, 40);
    let mut steps: Vec<Step> = Vec::new();
    while steps.len() < count as usize {
        if random.percent(3) {
            steps.push(Step::Advance { advance: *random.choose(&[1, 10, 50, 500, 1_000, 5_000]) });
            continue;
        }
        if random.percent(4)
            && let Some(Step::Record(last)) = steps.iter().rev().find(|step| matches!(step, Step::Record(_)))
        {
            let last = last.clone();
            steps.push(Step::Record(last));
            continue;
        }
        now += random.between(0, pace);
        if random.percent(2) {
            now += random.between(100, 500);
        }
        let ts = if ordered { now } else { jittered(random, now) };
        let mut record = record(random, topics, keys, ts);
        if !headers {
            record.headers.clear();
        }
        steps.push(Step::Record(record));
    }
    steps
}

fn jittered(random: &mut Random, now: i64) -> i64 {
    match random.below(100) {
        0 => -random.between(1, 20),
        1 => now + random.between(20, 200),
        2..5 => (now - random.between(100, 600)).max(0),
        5..25 => (now - random.between(0, 60)).max(0),
        _ => now,
    }
}

fn record(random: &mut Random, topics: &[String], keys: &[&str], ts: i64) -> Input {
    let topic = random.choose(topics).clone();
    let key = if random.percent(4) { None } else { Some((*random.choose(keys)).to_owned()) };
    let value = format!("{}{}", random.choose(&["a", "b", "c", "d"]), random.below(10));
    let value = if random.percent(12) { None } else { Some(value) };
    let headers = if random.percent(20) { vec![("h".to_owned(), random.below(10).to_string())] } else { Vec::new() };
    Input { topic, key, value, ts, headers }
}
