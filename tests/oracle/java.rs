//! The JVM: started once, asked line by line.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::case::{Answer, Case};

/// Longer than any answer takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Jvm {
    process: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

impl Jvm {
    fn start() -> Self {
        let classes = classes();
        let mut process = Command::new("java")
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx1g", "-cp", &classes, "headwater.oracle.Main"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("java cannot be started ({error}); `./dev test` installs it"));
        let (requests, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        // Read by a thread of its own: neither side ever waits for the other to empty a pipe.
        let (send, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, requests, answers }
    }

    fn send(&mut self, request: &Value) {
        writeln!(self.requests, "{request}").unwrap();
    }

    fn receive<T: DeserializeOwned>(&mut self) -> T {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")),
            Err(error) => panic!("the oracle says nothing ({error}); its process: {:?}", self.process.try_wait()),
        }
    }
}

/// The class path that `tests/java/build` prints.
fn classes() -> String {
    if let Ok(classes) = std::env::var("HEADWATER_ORACLE_CLASSES") {
        return classes;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/java/build");
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/java");
    let built = Command::new(script).arg(sources).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "{script} failed");
    String::from_utf8(built.stdout).unwrap().trim().to_owned()
}

fn with_jvm<R>(work: impl FnOnce(&mut Jvm) -> R) -> R {
    // The process ends with ours: its input closes.
    static JVM: OnceLock<Mutex<Jvm>> = OnceLock::new();
    let mut jvm = JVM.get_or_init(|| Mutex::new(Jvm::start())).lock().unwrap_or_else(PoisonError::into_inner);
    work(&mut jvm)
}

/// What Java makes of the cases; `meanwhile` runs while it works.
pub fn answers<R>(cases: &[Case], meanwhile: impl FnOnce() -> R) -> (Vec<Answer>, R) {
    with_jvm(|jvm| {
        for case in cases {
            jvm.send(&json!({ "case": case }));
        }
        let other = meanwhile();
        (cases.iter().map(|_| jvm.receive()).collect(), other)
    })
}

/// What Java makes of one case.
pub fn answer(case: &Case) -> Answer {
    answers(std::slice::from_ref(case), || ()).0.remove(0)
}

/// The forms Java's own classes give something; `request` as in `ByteForms.java`.
pub fn forms(request: &Value) -> Vec<Value> {
    let answer: Value = with_jvm(|jvm| {
        jvm.send(&json!({ "bytes": request }));
        jvm.receive()
    });
    answer["forms"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}
