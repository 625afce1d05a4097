use std::{
    any::Any,
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use headwater_core::{Error, ErrorKind, Headers, Result, Timestamp};

use super::KStream;
use crate::{
    bounds::{Data, Shared, UserResult},
    plan::{NodeId, NodeKind},
    task::{Blame, Border, CommitStep, Standing, TaskContext, panicked},
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Turns each value into another by asking something slow, such as a service: up to `in_flight` records of a task at
    /// once. Their order is kept; key, time and headers stay. Every answer is awaited before the task commits, at the end
    /// of each batch of records, and before windows close or timers fire, so a replay gives the same results.
    ///
    /// The future is polled on the task's thread, which sleeps while nothing is ready. What needs a runtime of its own,
    /// such as tokio's IO, is spawned there, and its join handle awaited here. Give it a time limit: the task waits for
    /// as long as the future does. After a crash or an aborted transaction a record is asked about again.
    ///
    /// `build()` reports an `in_flight` of 0 (`HW0163`).
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json)
    ///     .map_async("doubled", 4, |_key, n| async move { n * 2 })
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [14]);
    /// ```
    #[track_caller]
    pub fn map_async<V2: Data, F>(
        &self,
        name: &str,
        in_flight: usize,
        map: impl Fn(K, V) -> F + Shared,
    ) -> KStream<K, V2>
    where
        F: Future<Output = V2> + Send + 'static,
    {
        self.asynchronous(name, "map_async", in_flight, move |key, value| {
            let answer = map(key, value);
            async move { Ok(answer.await) }
        })
    }

    /// As [`KStream::map_async`], with a future that may fail: an error stops the program and names the record.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, String>("in", Text)
    ///     .try_map_async("parsed", 4, |_key, text| async move { Ok(text.parse::<i64>()?) })
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, String>("in", Text);
    /// input.pipe(&mut driver, "k".into(), "12".into(), 0).unwrap();
    /// let error = input.pipe(&mut driver, "k".into(), "twelve".into(), 0).unwrap_err();
    /// assert!(error.to_string().contains("in-0@1"), "{error}");
    /// ```
    #[track_caller]
    pub fn try_map_async<V2: Data, F>(
        &self,
        name: &str,
        in_flight: usize,
        map: impl Fn(K, V) -> F + Shared,
    ) -> KStream<K, V2>
    where
        F: Future<Output = UserResult<V2>> + Send + 'static,
    {
        self.asynchronous(name, "try_map_async", in_flight, map)
    }

    #[track_caller]
    fn asynchronous<V2: Data, F>(
        &self,
        name: &str,
        op: &str,
        in_flight: usize,
        map: impl Fn(K, V) -> F + Shared,
    ) -> KStream<K, V2>
    where
        F: Future<Output = UserResult<V2>> + Send + 'static,
    {
        let map = Arc::new(map);
        let kind = NodeKind::Stateless { op: op.to_owned(), changes_key: false };
        let id = self.graph.add(Some(name), op, kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let next = builder.next::<K, V2>(id)?;
                let waiting = Rc::new(Waiting {
                    id,
                    node: builder.node(id)?.name.clone(),
                    in_flight: in_flight.max(1),
                    next,
                    context: builder.context.clone(),
                    questions: RefCell::default(),
                });
                builder.context.at_border(id, waiting.clone());
                builder.context.at_commit(id, waiting.clone());
                Ok(Rc::new(MapAsync { waiting, map: map.clone() }))
            });
        });
        if in_flight == 0 {
            let reason = "no record may be in flight".to_owned();
            self.graph.mistake(id, "HW0163", reason, "let at least 1 be in flight");
        }
        KStream::new(self.graph.clone(), id)
    }
}

type Answer<V> = Pin<Box<dyn Future<Output = UserResult<V>> + Send>>;

/// Wakes the task's thread for one future.
struct Bell {
    rung: AtomicBool,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// A record that waits for its answer.
struct Question<K, V> {
    key: K,
    timestamp: Timestamp,
    headers: Headers,
    standing: Standing,
    bell: Arc<Bell>,
    state: State<V>,
}

enum State<V> {
    Asked(Answer<V>),
    Answered(V),
}

/// The records in flight, in the order they came.
struct Waiting<K, V> {
    id: NodeId,
    node: String,
    in_flight: usize,
    next: Target<K, V>,
    context: Rc<TaskContext>,
    questions: RefCell<VecDeque<Question<K, V>>>,
}

impl<K: Data, V: Data> Waiting<K, V> {
    /// Polls a future whose bell has rung. The user's code may panic in it: that is caught here, where it is known which
    /// record it was about.
    fn ask(&self, question: &mut Question<K, V>) -> Flow {
        let State::Asked(answer) = &mut question.state else { return Ok(()) };
        if !question.bell.rung.swap(false, Ordering::Acquire) {
            return Ok(());
        }
        let waker = Waker::from(question.bell.clone());
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let blame = Blame::new(self.id);
            let polled = answer.as_mut().poll(&mut Context::from_waker(&waker));
            blame.clear();
            polled
        }));
        let failed = |error: Error| Err(question.standing.blame(&self.context, error.at_node(&self.node)));
        match polled {
            Ok(Poll::Pending) => Ok(()),
            Ok(Poll::Ready(Ok(value))) => {
                question.state = State::Answered(value);
                Ok(())
            }
            Ok(Poll::Ready(Err(cause))) => failed(
                Error::new(ErrorKind::User, "HW0221", "the program's future failed on a record")
                    .caused_by(cause)
                    .help("mend the future or the record; nothing was skipped"),
            ),
            Err(panic) => {
                Blame::take();
                failed(panicked(&*panic as &dyn Any))
            }
        }
    }

    /// Polls whatever has rung, and sends on the records at the head that have their answers. Returns how many wait yet.
    fn send_answered(&self) -> Result<usize> {
        for question in self.questions.borrow_mut().iter_mut() {
            self.ask(question)?;
        }
        loop {
            let answered = {
                let mut questions = self.questions.borrow_mut();
                let at_head = questions.front().is_some_and(|head| matches!(head.state, State::Answered(_)));
                if at_head { questions.pop_front() } else { None }
            };
            let Some(Question { key, timestamp, headers, standing, state: State::Answered(value), .. }) = answered
            else {
                return Ok(self.questions.borrow().len());
            };
            let meta = Meta { timestamp, headers: &headers };
            self.context.as_of(standing, || self.next.push(meta, key, value))?;
        }
    }

    /// Waits until at most `left` records are in flight.
    fn wait_until(&self, left: usize) -> Flow {
        while self.send_answered()? > left {
            let rung = self.questions.borrow().iter().any(|question| question.bell.rung.load(Ordering::Acquire));
            if !rung {
                // A bell that rings from here on ends the sleep at once.
                std::thread::park();
            }
        }
        Ok(())
    }
}

impl<K: Data, V: Data> CommitStep for Waiting<K, V> {
    /// What the commit sends on from above is answered within it.
    fn before_commit(&self) -> Flow {
        self.wait_until(0)
    }
}

impl<K: Data, V: Data> Border for Waiting<K, V> {
    fn drain(&self) -> Flow {
        self.wait_until(0)
    }
}

struct MapAsync<M, K, V> {
    waiting: Rc<Waiting<K, V>>,
    map: Arc<M>,
}

impl<K: Data, V: Data, V2: Data, F, M> Push<K, V> for MapAsync<M, K, V2>
where
    F: Future<Output = UserResult<V2>> + Send + 'static,
    M: Fn(K, V) -> F,
{
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let waiting = &self.waiting;
        waiting.wait_until(waiting.in_flight - 1)?;
        let blame = Blame::new(waiting.id);
        let answer = (self.map)(key.clone(), value);
        blame.clear();
        // It rings at once, so that the future is begun.
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), thread: std::thread::current() });
        waiting.questions.borrow_mut().push_back(Question {
            key,
            timestamp: meta.timestamp,
            headers: meta.headers.clone(),
            standing: waiting.context.stand_aside(),
            bell,
            state: State::Asked(Box::pin(answer)),
        });
        waiting.send_answered().map(drop)
    }
}
