//! Asynchronous steps: order, bounds, failures, and that nothing can tell them from synchronous ones.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
};

use headwater::prelude::*;

/// Answers questions from a thread of its own: the ones that wait together in reverse order.
#[derive(Clone, Default)]
struct Service {
    asked: Arc<Mutex<Option<mpsc::Sender<Arc<Slot>>>>>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Slot {
    question: i64,
    state: Mutex<(Option<i64>, Option<Waker>)>,
}

struct Answer {
    slot: Arc<Slot>,
    service: Service,
}

impl Future for Answer {
    type Output = i64;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<i64> {
        let mut state = self.slot.state.lock().unwrap();
        state.1 = Some(cx.waker().clone());
        match state.0 {
            Some(answer) => {
                self.service.in_flight.fetch_sub(1, Ordering::SeqCst);
                Poll::Ready(answer)
            }
            None => Poll::Pending,
        }
    }
}

impl Service {
    /// A service that answers when `batch` questions wait, or when the last one was asked.
    fn answering(batch: usize, last: i64) -> Self {
        let (send, receive) = mpsc::channel::<Arc<Slot>>();
        std::thread::spawn(move || {
            let mut waiting: Vec<Arc<Slot>> = Vec::new();
            for slot in receive {
                let is_last = slot.question == last;
                waiting.push(slot);
                if waiting.len() >= batch || is_last {
                    for slot in waiting.drain(..).rev() {
                        let mut state = slot.state.lock().unwrap();
                        state.0 = Some(slot.question * 10);
                        if let Some(waker) = state.1.take() {
                            waker.wake();
                        }
                    }
                }
            }
        });
        let service = Self::default();
        *service.asked.lock().unwrap() = Some(send);
        service
    }

    fn ask(&self, question: i64) -> Answer {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        let slot = Arc::new(Slot { question, ..Slot::default() });
        self.asked.lock().unwrap().as_ref().unwrap().send(slot.clone()).unwrap();
        Answer { slot, service: self.clone() }
    }
}

fn numbers(driver: &mut TopologyTestDriver, topic: &str) -> Vec<i64> {
    driver.output::<String, i64>(topic, Json).read_values(driver).unwrap()
}

/// What a batch of the runtime does with the driver: many records before one commit. The driver ends a batch after each
/// record, so several records of one batch are made by a step before.
fn several(in_flight: usize, service: &Service) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let service = service.clone();
    app.stream::<String, i64>("in", Json)
        .flat_map_values(|n| 1..=n)
        .map_async("ask", in_flight, move |_, n| service.ask(n))
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

#[test]
fn answers_keep_the_order_of_their_records_whatever_order_they_come_in() {
    let service = Service::answering(4, 10);
    let mut driver = several(4, &service);
    driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 10, 77).unwrap();
    let out = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    assert_eq!(out.iter().map(|r| r.value).collect::<Vec<_>>(), (1..=10).map(|n| n * 10).collect::<Vec<_>>());
    assert!(out.iter().all(|r| r.timestamp == 77 && r.key == "k"));
}

#[test]
fn no_more_records_are_in_flight_than_allowed_and_as_many_as_are() {
    let service = Service::answering(3, 10);
    let mut driver = several(3, &service);
    driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 10, 0).unwrap();
    assert_eq!(numbers(&mut driver, "out").len(), 10);
    assert_eq!(service.most_in_flight.load(Ordering::SeqCst), 3);
}

#[test]
fn headers_and_the_place_of_the_record_are_those_it_came_with() {
    struct Place;
    impl FixedKeyProcessor<String, i64> for Place {
        type ValueOut = String;
        fn process(
            &mut self,
            cx: &mut FixedKeyContext<'_, String, String>,
            record: FixedKeyRecord<'_, String, i64>,
        ) -> UserResult<()> {
            let at = cx.record_metadata().ok_or("no record")?;
            let text = format!("{}@{} {:?}", record.value, at.offset, cx.stream_time());
            Ok(cx.forward(record.with_value(text))?)
        }
    }
    // The first record's answer comes with the second's, when that one is the current record.
    let service = Service::answering(2, -1);
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .flat_map_values(|n| [n, n + 1])
        .map_async("ask", 2, move |_, n| service.ask(n))
        .process_values("place", (), |()| Place)
        .to("out", Text);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut headers = Headers::new();
    headers.push_text("from", "here");
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe_with_headers(&mut driver, "k".into(), 1, 50, headers.clone()).unwrap();
    input.pipe(&mut driver, "k".into(), 5, 40).unwrap();
    let out = driver.output::<String, String>("out", Text).read(&mut driver).unwrap();
    let values: Vec<_> = out.iter().map(|r| r.value.as_str()).collect();
    assert_eq!(values, ["10@0 Some(50)", "20@0 Some(50)", "50@1 Some(50)", "60@1 Some(50)"]);
    assert_eq!((&out[0].headers, &out[2].headers), (&headers, &Headers::new()));
}

#[test]
fn two_asynchronous_steps_in_a_row_keep_the_order_too() {
    let (first, second) = (Service::answering(1, -1), Service::answering(1, -1));
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .flat_map_values(|n| 1..=n)
        .map_async("first", 3, move |_, n| first.ask(n))
        .map_async("second", 2, move |_, n| second.ask(n))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    assert_eq!(numbers(&mut driver, "out"), [100, 200, 300, 400, 500, 600, 700]);
}

#[test]
fn a_failing_or_panicking_future_names_its_step_and_its_own_record() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .try_map_async("ask", 4, |_, n| async move {
            assert!(n != 13, "unlucky");
            if n > 100 { Err(format!("{n} is too much").into()) } else { Ok(n) }
        })
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe(&mut driver, "k".into(), 1, 0).unwrap();
    let error = input.pipe(&mut driver, "k".into(), 101, 0).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0221", Some("ask")));
    assert!(error.to_string().contains("in-0@1"), "{error}");

    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .map_async("ask", 4, |_, n| async move { if n == 13 { panic!("unlucky {n}") } else { n } })
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 13, 0).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0220", Some("ask")));
    assert!(error.to_string().contains("unlucky 13") && error.to_string().contains("in-0@0"), "{error}");
}

#[test]
fn a_step_without_anything_in_flight_is_a_build_error() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).map_async("ask", 0, |_, n| async move { n }).to("out", Json);
    assert_eq!(app.build().unwrap_err().0[0].code, "HW0163");
}

#[test]
fn windows_behind_a_repartition_lose_nothing_to_records_that_waited() {
    // A fast and a slow branch over one input: what waits must not become late by what overtook it.
    let count = |in_flight: Option<usize>| {
        let app = StreamsBuilder::new("demo");
        let input = app.stream::<String, i64>("in", Json).flat_map_values(|n| [n, -n]);
        let split = input.split();
        let slow = split.branch(|_, n| *n > 0);
        let quick = split.default_branch();
        let service = Service::answering(1, -1);
        let slow = match in_flight {
            Some(in_flight) => slow.map_async("ask", in_flight, move |_, n| service.ask(n)),
            None => slow.map_values(|n| n * 10),
        };
        slow.merge(&quick)
            .group_by(|key, _| key.clone(), "by-key")
            .windowed_by(Tumbling::of(10).no_grace().emit_on_close())
            .count("counts")
            .updates()
            .map(|key, n| (key.start, n))
            .to("out", Json);
        let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(2).unwrap();
        for time in 0..60 {
            let mut input = driver.input::<String, i64>("in", Json).to_partition((time % 2) as i32);
            input.pipe(&mut driver, "k".into(), time + 1, time * 3).unwrap();
        }
        driver.end_of_input().unwrap();
        (driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap(), driver.counters())
    };
    let synchronous = count(None);
    assert_eq!(synchronous.0.iter().map(|(_, n)| n).sum::<i64>(), 120);
    assert_eq!(count(Some(8)), synchronous);
}

#[test]
fn what_a_commit_or_the_end_sends_on_is_answered_within_it() {
    let service = Service::answering(1, -1);
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(10).no_grace().emit_on_close())
        .count("inner")
        .updates()
        .map_async("ask", 4, move |_, n| service.ask(n))
        .map(|window, n| (window.key, n))
        .group_by_key("again")
        .aggregate("outer", || 0, |_, n, sum: &mut i64| *sum += n)
        .updates()
        .map_async("ask-again", 4, |_, n| async move { -n })
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for time in [1, 2, 11, 21] {
        driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, time).unwrap();
    }
    assert_eq!(numbers(&mut driver, "out"), [-20, -30]);
    driver.end_of_input().unwrap();
    assert_eq!(numbers(&mut driver, "out"), [-40]);
}
