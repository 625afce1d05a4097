//! A real Apache Kafka for tests: one broker on loopback, started from Kafka's own jars.
//!
//! The jars come from `tests/java/build`; Java 17 must be on the path.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Result};

use crate::{KafkaConfig, KafkaLog};

/// A broker of its own, with a directory of its own. Ends when dropped, and also when this process ends in any way.
#[derive(Debug)]
pub struct KafkaServer {
    dir: PathBuf,
    libs: PathBuf,
    brokers: String,
    running: Option<Child>,
    /// The shell that runs the broker watches the other end: when this process is gone, it ends the broker.
    lifelines: Vec<ChildStdin>,
}

/// Runs Java until it ends or the standard input closes; then nothing of it is left.
const KEEPER: &str = r#"
exec 3<&0
"$@" <&- 3<&- &
java=$!
echo $java > "$DIR/pid"
touch "$DIR/running-$java"
( cat <&3 >/dev/null; [ -e "$DIR/running-$java" ] && kill -9 $java; rm -rf "$DIR" ) 2>/dev/null &
exec 3<&-
wait $java
rm -f "$DIR/running-$java"
"#;

impl KafkaServer {
    /// Starts a broker and waits until it answers (about 4 s).
    ///
    /// # Errors
    /// `HW0323` if the jars or Java are missing or the broker does not come up.
    pub fn start() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let libs = libs()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("headwater-kafka-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| cannot("create its directory", error))?;
        let (client, controller) = free_ports()?;
        fs::write(dir.join("server.properties"), properties(&dir, client, controller))
            .map_err(|error| cannot("write its settings", error))?;
        let brokers = format!("127.0.0.1:{client}");
        let mut server = Self { dir, libs, brokers, running: None, lifelines: Vec::new() };
        server.format()?;
        server.restart()?;
        Ok(server)
    }

    /// The one broker that the tests of a program share; started by the first that asks.
    ///
    /// # Panics
    /// If it cannot be started.
    #[expect(clippy::panic, reason = "tests cannot go on without it")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<KafkaServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{error}")))
    }

    /// `127.0.0.1:PORT`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Stops the broker in an orderly way.
    pub fn stop(&mut self) {
        self.end("-TERM");
    }

    /// Ends the broker as a crash would (kill -9).
    pub fn kill(&mut self) {
        self.end("-KILL");
    }

    /// Starts a stopped or killed broker again, with its data and on its port.
    ///
    /// # Errors
    /// `HW0323` if it does not come up.
    pub fn restart(&mut self) -> Result<()> {
        let mut child = Command::new("sh")
            .args(["-c", KEEPER, "sh", "java"])
            .args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(self.class_path())
            .args(["kafka.Kafka".as_ref(), self.dir.join("server.properties").as_os_str()])
            .env("DIR", &self.dir)
            .stdin(Stdio::piped())
            .stdout(self.output()?)
            .stderr(self.output()?)
            .spawn()
            .map_err(|error| cannot("run a shell", error))?;
        self.lifelines.extend(child.stdin.take());
        self.running = Some(child);
        self.wait_until_it_answers()
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if std::net::TcpStream::connect(&self.brokers).is_ok() {
                let config = KafkaConfig { connect_timeout: Duration::from_secs(60), ..KafkaConfig::default() };
                return KafkaLog::connect(&self.brokers, config).map(|_| ());
            }
            let ended = self.running.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || Instant::now() > deadline {
                let output = fs::read_to_string(self.dir.join("output")).unwrap_or_default();
                return Err(cannot("start", output));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&mut self, signal: &str) {
        let Some(mut child) = self.running.take() else { return };
        if let Ok(pid) = fs::read_to_string(self.dir.join("pid")) {
            let _ = Command::new("kill").args([signal, pid.trim()]).status();
        }
        let _ = child.wait();
    }

    fn format(&self) -> Result<()> {
        let status = Command::new("java")
            .args(["-XX:TieredStopAtLevel=1", "-cp"])
            .arg(self.class_path())
            .args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
            .arg(self.dir.join("server.properties"))
            .stdin(Stdio::null())
            .stdout(self.output()?)
            .stderr(self.output()?)
            .status()
            .map_err(|error| cannot("run java", error))?;
        if status.success() {
            return Ok(());
        }
        Err(cannot("format its directory", fs::read_to_string(self.dir.join("output")).unwrap_or_default()))
    }

    fn class_path(&self) -> String {
        format!("{}/*", self.libs.display())
    }

    fn output(&self) -> Result<fs::File> {
        let options = fs::OpenOptions::new().append(true).create(true).open(self.dir.join("output"));
        options.map_err(|error| cannot("write its output", error))
    }
}

impl Drop for KafkaServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn libs() -> Result<PathBuf> {
    let libs = std::env::var_os("HEADWATER_KAFKA_LIBS").map(PathBuf::from).or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        Some(home.join(".cache/headwater/kafka-4.3.1/libs"))
    });
    match libs {
        Some(libs) if libs.join(".complete").exists() => Ok(libs),
        _ => Err(cannot("find Kafka's jars", "run tests/java/build first")),
    }
}

fn free_ports() -> Result<(u16, u16)> {
    let bind = || TcpListener::bind("127.0.0.1:0").and_then(|socket| Ok((socket.local_addr()?.port(), socket)));
    // Both are held at once, so that they differ.
    let (first, second) = bind().and_then(|first| Ok((first, bind()?))).map_err(|e| cannot("find a port", e))?;
    Ok((first.0, second.0))
}

fn properties(dir: &Path, client: u16, controller: u16) -> String {
    let data = dir.join("data").display().to_string();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=100
log.cleaner.dedupe.buffer.size=4194304
log.initial.task.delay.ms=1000
log.retention.check.interval.ms=1000
num.network.threads=2
num.io.threads=2
group.coordinator.threads=1
auto.create.topics.enable=false
"
    )
}

fn cannot(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, "HW0323", format!("the Kafka broker for tests cannot {what}: {why}"))
        .help("it needs Java 17 on the path and the jars of tests/java/build")
}
