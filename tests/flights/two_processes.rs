//! Two processes of one program that share its work on Apache Kafka.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use headwater::log::{KafkaConfig, KafkaLog, Log, ProducerConfig, TopicSpec, testkit::KafkaServer};
use headwater_core::{BatchBuilder, Headers, TopicPartition};

use super::program::{example, text};

const PARTITIONS: i32 = 4;
const LINES: i64 = 8_000;
const WORDS: i64 = 50;
/// Lines a second and process, so that both are at work for some seconds.
const RATE: &str = "500";

fn lines() -> Vec<TopicPartition> {
    (0..PARTITIONS).map(|partition| TopicPartition::new("lines", partition)).collect()
}

/// Each line has two words, one of them the same in all lines.
fn feed(log: &dyn Log) -> BTreeMap<String, i64> {
    let spec = |name: &str| TopicSpec { name: name.into(), partitions: PARTITIONS, config: BTreeMap::new() };
    log.create_topics(&[spec("lines"), spec("word-counts")]).unwrap();
    let mut producer = log.producer(&ProducerConfig::default()).unwrap();
    let mut counts = BTreeMap::new();
    for (partition, place) in lines().into_iter().zip(0..) {
        let mut batch = BatchBuilder::new();
        for n in (0..LINES).filter(|n| n % i64::from(PARTITIONS) == place) {
            let word = format!("w{}", n % WORDS);
            batch.push(n, Some(n.to_string().as_bytes()), Some(format!("{word} every").as_bytes()), &Headers::new());
            *counts.entry(word).or_default() += 1;
            *counts.entry("every".to_owned()).or_default() += 1;
        }
        producer.send(&partition, batch.take().unwrap()).unwrap();
    }
    producer.flush().unwrap();
    counts
}

struct Program<'a> {
    dir: &'a Path,
    brokers: &'a str,
}

impl Program<'_> {
    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(example("word_count"));
        command.args(verb).args(["--brokers", self.brokers]).arg("--dir").arg(self.dir);
        command
    }

    fn start(&self, instance: &str) -> Child {
        let mut command = self.command(&["run", "--instance", instance, "--rate", RATE]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// How many tasks' state the process holds.
    fn tasks_of(&self, instance: &str) -> usize {
        let dir = self.dir.join(format!("state/word-count~{instance}/tasks"));
        std::fs::read_dir(dir).map_or(0, Iterator::count)
    }

    /// Every count that was committed, by word in the order written.
    fn counts(&self) -> BTreeMap<String, Vec<i64>> {
        let output = self.command(&["topic", "cat", "word-counts", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut counts: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for line in text(&output.stdout).lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = record.get("key").and_then(serde_json::Value::as_str).unwrap().trim_matches('"').to_owned();
            counts.entry(word).or_default().push(record.get("value").and_then(serde_json::Value::as_i64).unwrap());
        }
        counts
    }
}

/// How many lines the group has committed.
fn taken(log: &dyn Log) -> i64 {
    log.committed("word-count", &lines()).unwrap().values().map(|committed| committed.offset).sum()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_there() {
        assert!(Instant::now() < deadline, "no sign of {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ends a process as Ctrl-C does; how many records it has processed.
fn interrupt(process: Child) -> i64 {
    assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
    let output = process.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let words: Vec<&str> = said.split_whitespace().collect();
    let place = words.iter().position(|word| *word == "processed").unwrap();
    words.get(place + 1).unwrap().replace(',', "").parse().unwrap()
}

#[test]
fn two_processes_share_the_work_and_when_one_is_killed_the_other_does_the_rest_exactly_once() {
    let kafka = KafkaServer::start().unwrap();
    let log: Arc<dyn Log> = KafkaLog::connect(kafka.brokers(), KafkaConfig::default()).unwrap();
    let expected = feed(&*log);
    let dir = tempfile::tempdir().unwrap();
    let program = Program { dir: dir.path(), brokers: kafka.brokers() };

    let survivor = program.start("zero");
    wait_for("the first process at work", || taken(&*log) > 0);
    let mut killed = program.start("one");
    wait_for("tasks of both processes", || program.tasks_of("zero") > 0 && program.tasks_of("one") > 0);
    let shared_from = taken(&*log);
    wait_for("work of both", || taken(&*log) > shared_from + 1_000);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(taken(&*log) < LINES, "all was done before the kill");

    let last = |counts: &BTreeMap<String, Vec<i64>>| -> BTreeMap<String, i64> {
        counts.iter().filter_map(|(word, counts)| Some((word.clone(), *counts.last()?))).collect()
    };
    wait_for("all counts", || taken(&*log) == LINES && last(&program.counts()) == expected);
    let processed = interrupt(survivor);
    assert!(processed > 0 && processed < LINES, "the survivor processed {processed} of {LINES} lines");
    let counts = program.counts();
    assert_eq!(last(&counts), expected);
    for (word, counts) in &counts {
        assert!(counts.is_sorted_by(|a, b| a < b), "{word} was counted twice: {counts:?}");
    }
}
