//! The example's program as a child process, and the oracle that judges what it leaves.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The program on one directory and log.
pub struct Flights {
    pub dir: PathBuf,
    pub brokers: Option<String>,
}

impl Flights {
    pub fn in_dir(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), brokers: None }
    }

    /// A command for one of its verbs.
    pub fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(example("flights"));
        command.args(verb).arg("--dir").arg(&self.dir);
        if let Some(brokers) = &self.brokers {
            command.args(["--brokers", brokers]);
        }
        command
    }

    /// Runs a verb to its end.
    pub fn verb(&self, verb: &[&str]) -> Output {
        self.command(verb).output().unwrap()
    }

    /// Runs a verb to its end, in a process that cannot make a file larger than `kib` KiB.
    #[cfg(target_os = "linux")]
    pub fn verb_with_file_limit(&self, kib: u32, verb: &[&str]) -> Output {
        let plain = self.command(verb);
        let mut command = Command::new("bash");
        // Without the trap a write past the limit would kill the process instead of failing.
        command.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\""]).arg(kib.to_string());
        command.arg(plain.get_program()).args(plain.get_args()).output().unwrap()
    }

    /// Runs a verb to its end, which must be a good one; returns its standard output.
    pub fn succeed(&self, verb: &[&str]) -> String {
        let output = self.verb(verb);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{verb:?} failed with {}\n{out}\n{err}", output.status);
        out
    }

    /// Starts the demo, and kills it with SIGKILL after `after`, unless it has ended by then. Returns whether it was
    /// killed.
    pub fn kill_demo_after(&self, after: Duration, arguments: &[&str]) -> bool {
        let mut verb = vec!["demo"];
        verb.extend(arguments);
        let child = self.command(&verb).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        kill_after(child, after)
    }

    /// The oracle's verdict on the lake, the results' topic and the dead letters; panics unless all are equal.
    pub fn verify(&self, suffix: &str) {
        let topic_file = |topic: &str| {
            let path = self.dir.join(format!("{topic}.json"));
            std::fs::write(&path, self.succeed(&["topic", "cat", topic, "--json"])).unwrap();
            path
        };
        let delays = topic_file(&format!("daily-delays{suffix}"));
        let rejected = topic_file(&format!("flights.rejected{suffix}"));
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flights/data");
        let python = std::env::var("HEADWATER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut oracle = Command::new(python);
        oracle.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lake/verify.py"));
        oracle.arg("--lake").arg(self.dir.join("lake"));
        oracle.arg("--flights").arg(data.join("flights.csv.zst")).arg("--airlines").arg(data.join("airlines.csv"));
        oracle.arg("--topic-json").arg(delays).arg("--rejected-json").arg(rejected);
        oracle.args(["--expect", "flights=334264", "--expect", "daily_delays=11894", "--expect", "rejected=2512"]);
        if !suffix.is_empty() {
            oracle.args(["--suffix", suffix]);
        }
        let output = oracle.output().unwrap();
        assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An example's program, which Cargo builds beside the tests.
pub fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is missing: cargo build --example {name}", program.display());
    program
}

fn kill_after(mut child: Child, after: Duration) -> bool {
    let deadline = Instant::now() + after;
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// Random moments from a seed that a failing run prints.
pub struct Moments(u64);

impl Moments {
    pub fn new() -> Self {
        let clock = headwater_core::Clock::now_ms(&headwater_core::SystemClock).unsigned_abs();
        let seed = std::env::var("HEADWATER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(clock);
        eprintln!("HEADWATER_TEST_SEED={seed}");
        Self(seed)
    }

    /// A moment in `from..to` milliseconds.
    pub fn within(&mut self, from: u64, to: u64) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(from + (self.0 >> 33) % (to - from))
    }
}
