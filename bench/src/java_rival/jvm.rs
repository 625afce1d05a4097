//! Kafka Streams' side: one JVM, asked line by line.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use super::workloads::Marks;
use crate::Outcome;

/// Whether there are a JDK and Maven.
pub fn is_possible() -> bool {
    let answers = |tool: &str| {
        let mut command = Command::new(tool);
        command.arg("-version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ["java", "javac", "mvn"].into_iter().all(answers)
}

/// A running JVM. It ends when its input closes, and so with this process.
pub struct Jvm {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Jvm {
    /// Builds `bench/java`, if that is not done, and starts it.
    ///
    /// # Errors
    /// If there is no JDK, or the jars cannot be fetched.
    pub fn start() -> Outcome<Self> {
        let mut process = Command::new("java")
            .args(["-Xmx1g", "-cp", &class_path()?, "DriverRival"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("java cannot be started: {error}"))?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("java has no pipes".into());
        };
        Ok(Self { process, requests, answers: BufReader::new(answers) })
    }

    /// Runs a workload in a new driver: the CPU time of its thread, and what came of it.
    ///
    /// # Errors
    /// If the process has failed.
    pub fn run(&mut self, workload: &str, store: &str, records: usize) -> Outcome<(Duration, Marks)> {
        writeln!(self.requests, "{workload} {store} {records}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers: Vec<i64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let &[time, rows, sum] = numbers.as_slice() else {
            return Err(format!("Kafka Streams failed at {workload}: {line:?}").into());
        };
        Ok((Duration::from_nanos(time.unsigned_abs()), Marks { rows, sum }))
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        // Ours alone, and it holds nothing that would have to be put away.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn class_path() -> Outcome<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/java/build");
    let built = Command::new(&script)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("java"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if !built.status.success() {
        return Err(format!("{} failed", script.display()).into());
    }
    Ok(String::from_utf8(built.stdout)?.trim().to_owned())
}
