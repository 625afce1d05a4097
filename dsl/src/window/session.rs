use super::{Windows, closing_windows, sealed, spec::windowed_kind};
use crate::{
    kgrouped::{Cogrouped, KGroupedStream, SessionCogrouped, SessionStream},
    plan::{EmitStrategy, NodeKind},
};

/// Sessions: the records of a key that follow each other without a pause of more than `gap`.
///
/// A session reaches from its first record to its last; both belong to it. A record that lies no further than the gap from
/// a session extends it, and one between two sessions makes them one: the old ones are deleted from the table, and the
/// merged one is added.
///
/// A record is late if the session it would belong to ended more than gap and *grace* before the time of the stream: a
/// late record that joins a session which is still alive is not. It joins no session that a record in time could not reach,
/// which is one that ended more than two gaps and grace before the time of the stream. A session that was emitted as final
/// is never changed: a record near it begins another one. Behind a repartition topic with several upstream tasks a record is late by itself,
/// whatever sessions there are, and a session closes one gap later, so that the results do not depend on which task was
/// faster.
///
/// ```
/// use headwater::prelude::*;
///
/// let app = StreamsBuilder::new("demo");
/// app.stream::<String, String>("clicks", Text)
///     .group_by_key("by-user")
///     .windowed_by(Session::with_gap(minutes(30)).grace(minutes(5)).emit_on_close())
///     .count("clicks-per-session")
///     .updates()
///     .map(|session, n| (session.key, (session.start, session.end, n)))
///     .to("sessions", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut clicks = driver.input::<String, String>("clicks", Text);
/// for minute in [0, 10, 40, 75, 200] {
///     clicks.pipe(&mut driver, "ann".into(), "click".into(), minutes(minute)).unwrap();
/// }
/// let sessions = driver.output::<String, (i64, i64, i64)>("sessions", Json).read_values(&mut driver).unwrap();
/// assert_eq!(sessions, [(0, minutes(40), 3), (minutes(75), minutes(75), 1)]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub(crate) gap_ms: i64,
    pub(crate) grace_ms: Option<i64>,
    pub(crate) emit: EmitStrategy,
}

impl Session {
    /// Sessions that a pause of more than `gap_ms` milliseconds ends. A grace must be stated too: `build()` asks for it.
    pub const fn with_gap(gap_ms: i64) -> Self {
        Self { gap_ms, grace_ms: None, emit: EmitStrategy::OnWindowUpdate }
    }

    /// A step `op` that folds into sessions.
    pub(crate) fn node_kind(self, op: &str, store: &str) -> NodeKind {
        let settings = [("gap_ms", Some(self.gap_ms)), ("grace_ms", self.grace_ms)];
        windowed_kind(&format!("session_{op}"), store, &settings, self.emit, 0)
    }
}

closing_windows!(
    Session,
    "Takes records up to `grace_ms` milliseconds after the session's end and gap.",
    "A session closes with its gap; later records are dropped.",
    "session"
);

impl sealed::Sealed for Session {}

impl Windows for Session {
    type Stream<K, V> = SessionStream<K, V>;
    type Cogrouped<K, A> = SessionCogrouped<K, A>;

    fn divide<K, V>(self, stream: KGroupedStream<K, V>) -> SessionStream<K, V> {
        SessionStream::new(stream, self)
    }

    fn divide_cogrouped<K, A>(self, streams: Cogrouped<K, A>) -> SessionCogrouped<K, A> {
        SessionCogrouped::new(streams, self)
    }
}
