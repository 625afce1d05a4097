//! A process of either side, as its parent sees it.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    arguments::{Engine, Feeding, Row, TWIN},
};

/// How long a process may take to end once it was told to.
const FAREWELL: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// A running process. It ends when its input closes, and so also when this process dies in any way.
#[derive(Debug)]
pub struct Twin {
    child: Child,
    words: Arc<Words>,
    listener: Option<JoinHandle<()>>,
}

/// What the process has said.
#[derive(Debug, Default)]
struct Words {
    processed: AtomicU64,
    dropped: Mutex<Option<u64>>,
}

/// What a process has done.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Input records it took.
    pub processed: u64,
    /// Records that its engine counted as late.
    pub dropped: u64,
}

/// Where a process works.
#[derive(Debug)]
pub struct Place<'a> {
    pub brokers: &'a str,
    pub app: &'a str,
    pub input: &'a str,
    pub output: &'a str,
    /// A directory of its own.
    pub dir: &'a Path,
    /// Its number among the processes of the application.
    pub number: u32,
}

/// Builds Java's side and returns its class path.
pub fn java_class_path() -> Outcome<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let script = tests.join("java/build");
    let built = Command::new(&script)
        .arg(tests.join("parity"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{}: {e}", script.display()))?;
    if !built.status.success() {
        return Err(format!("{} failed", script.display()).into());
    }
    Ok(String::from_utf8(built.stdout)?.trim().to_owned())
}

impl Twin {
    pub fn start(engine: Engine, row: &Row, place: &Place<'_>, java: &str) -> Outcome<Self> {
        let mut command = match engine {
            Engine::Java => {
                let mut command = Command::new("java");
                command.args(["-Xmx512m", "-cp", java, "ReplayTwin"]);
                command
            }
            Engine::Headwater => {
                let mut command = Command::new(env::current_exe()?);
                command.arg(TWIN);
                command
            }
        };
        command.args([place.brokers, place.app, place.input, place.output, &row.threads.to_string()]).arg(place.dir);
        if engine == Engine::Headwater {
            let mode = if row.feeding == Feeding::Replay { "bounded" } else { "live" };
            command.args([&place.number.to_string(), mode]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let words = Arc::new(Words::default());
        let listener = child.stdout.take().map(|stdout| {
            let words = words.clone();
            thread::spawn(move || listen(BufReader::new(stdout), &words))
        });
        Ok(Self { child, words, listener })
    }

    /// Input records it has taken so far.
    pub fn processed(&self) -> u64 {
        self.words.processed.load(Ordering::Relaxed)
    }

    /// An error if it has ended by itself.
    pub fn check(&mut self) -> Outcome<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("a process ended by itself, with {status}").into()),
        }
    }

    /// Waits until it has ended by itself.
    pub fn finish(mut self, deadline: Instant) -> Outcome<Work> {
        self.end_by(deadline)
    }

    /// Tells it to end, and waits for that.
    pub fn stop(mut self) -> Outcome<Work> {
        drop(self.child.stdin.take());
        self.end_by(Instant::now() + FAREWELL)
    }

    fn end_by(&mut self, deadline: Instant) -> Outcome<Work> {
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err("a process did not end in time".into()),
                None => thread::sleep(LOOK),
            }
        };
        if let Some(listener) = self.listener.take() {
            listener.join().map_err(|_| "the listener of a process panicked")?;
        }
        let dropped = *self.words.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        match dropped {
            Some(dropped) if status.success() => Ok(Work { processed: self.processed(), dropped }),
            _ => Err(format!("a process failed, with {status}").into()),
        }
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        // After an error elsewhere: this process, by its handle, and no other.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(output: impl BufRead, words: &Words) {
    for line in output.lines().map_while(Result::ok) {
        match line.split_once(' ').map(|(word, number)| (word, number.parse())) {
            Some(("processed", Ok(number))) => words.processed.store(number, Ordering::Relaxed),
            Some(("dropped", Ok(number))) => {
                *words.dropped.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
            }
            _ => eprintln!("{line}"),
        }
    }
}
