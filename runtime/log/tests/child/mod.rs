//! The process that dies: it commits numbered transactions and says so on its output.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use headwater_core::{BatchBuilder, Error, Headers, SystemClock, TopicPartition};
use headwater_log::{
    ConsumerConfig, EmbeddedConfig, EmbeddedLog, Log, OffsetCommit, Polled, ProducerConfig, TopicSpec,
};

pub const INPUT: &str = "in";
pub const OUTPUTS: i32 = 3;
pub const GROUP: &str = "group";
/// Records of a transaction in each output partition.
pub const RECORDS: usize = 20;

/// What the process does.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// Commits until it is killed or cannot.
    Commit,
    /// Holds the directory open.
    Hold,
}

/// The started process.
pub struct Child {
    process: std::process::Child,
    output: BufReader<ChildStdout>,
    /// How many transactions it said are committed.
    pub acknowledged: u64,
    last_line: String,
}

impl Child {
    pub fn start(role: Role, dir: &Path) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), role, dir)
    }

    pub fn start_with_file_limit(role: Role, dir: &Path, bytes: u64) -> Self {
        let mut shell = Command::new("bash");
        let limit = bytes / 1024;
        // Ignored, the signal becomes an error of write().
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"")]);
        shell.arg(std::env::current_exe().unwrap());
        Self::spawn(shell, role, dir)
    }

    fn spawn(mut command: Command, role: Role, dir: &Path) -> Self {
        let mut process = command
            .args(["child_process", "--exact", "--ignored", "--nocapture"])
            .env("HEADWATER_CHILD_ROLE", format!("{role:?}"))
            .env("HEADWATER_CHILD_DIR", dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output, acknowledged: 0, last_line: String::new() }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Reads on. False when the process says no more.
    pub fn next_acknowledged(&mut self) -> bool {
        while let Some(line) = self.line() {
            if let Some(number) = line.strip_prefix("committed ") {
                self.acknowledged = number.parse().unwrap();
                return true;
            }
            if line.starts_with("error ") {
                return false;
            }
        }
        panic!("the process ended: {}", self.last_line);
    }

    pub fn wait_until_open(&mut self) {
        while self.line().expect("the process ended") != "open" {}
    }

    /// The error the process ended with.
    pub fn error(&self) -> String {
        self.last_line.strip_prefix("error ").unwrap().to_owned()
    }

    /// Kills it and gives the number of transactions it had said are committed.
    pub fn kill(mut self) -> u64 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        while let Some(line) = self.line() {
            if let Some(number) = line.strip_prefix("committed ") {
                self.acknowledged = number.parse().unwrap();
            }
        }
        self.acknowledged
    }

    /// The next line that is whole, which a full stop at its end says; the stop is not part of it.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(line) = line.strip_suffix(".\n") {
                self.last_line = line.to_owned();
                return Some(self.last_line.clone());
            }
        }
    }
}

/// The body of the process.
pub fn main() {
    let (Ok(role), Some(dir)) = (std::env::var("HEADWATER_CHILD_ROLE"), std::env::var_os("HEADWATER_CHILD_DIR")) else {
        return;
    };
    if let Err(error) = run(&role, &PathBuf::from(dir)) {
        let line = error.to_string().replace('\n', " ");
        say(&format!("error {:?} {line}", error.kind()));
    }
    // Whoever started this process ends it.
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}.");
    let _ = out.flush();
}

fn run(role: &str, dir: &Path) -> Result<(), Error> {
    // Small memory, so that kills hit flushes and compactions too.
    let config = EmbeddedConfig { memory_bytes: 3 << 20, ..EmbeddedConfig::default() };
    let log = EmbeddedLog::open(dir, config, Arc::new(SystemClock))?;
    say("\nopen");
    if role == "Hold" {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    let spec = |name: &str, partitions| TopicSpec { name: name.into(), partitions, config: Default::default() };
    log.create_topics(&[spec(INPUT, 1), spec("out", OUTPUTS)])?;
    let mut consumer = log.consumer(&ConsumerConfig { group: Some(GROUP.into()), ..Default::default() })?;
    consumer.subscribe(&[INPUT.to_owned()])?;
    while !matches!(consumer.poll(Duration::from_secs(1))?, Polled::Assigned(_)) {}
    let id = Some("commits".to_owned());
    let mut producer = log.producer(&ProducerConfig { transactional_id: id, ..Default::default() })?;
    let input = TopicPartition::new(INPUT, 0);
    let committed = log.committed(GROUP, std::slice::from_ref(&input))?;
    let mut number = committed.get(&input).map_or(0, |committed| committed.offset.unsigned_abs());
    loop {
        producer.begin()?;
        for partition in 0..OUTPUTS {
            let mut batch = BatchBuilder::new();
            let mut value = vec![b'x'; 200];
            value[..8].copy_from_slice(&number.to_be_bytes());
            for _ in 0..RECORDS {
                batch.push(number as i64, None, Some(&value), &Headers::new());
            }
            producer.send(&TopicPartition::new("out", partition), batch.take().unwrap())?;
        }
        number += 1;
        let offset = OffsetCommit { partition: input.clone(), offset: number as i64, metadata: String::new() };
        producer.send_offsets(&[offset], &consumer.group_metadata()?)?;
        producer.commit()?;
        say(&format!("committed {number}"));
    }
}
