//! Types and values that the tests share.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::serde::{Payload, Serde};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Flight {
    pub carrier: String,
    pub number: u16,
    pub delay: Option<i32>,
    pub legs: Vec<(String, f64)>,
    pub state: State,
    pub notes: BTreeMap<String, Option<i64>>,
    pub crew: HashMap<u8, char>,
    pub unit: (),
    pub wide: (i128, u128, i8, bool, f32),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum State {
    Planned,
    Gone(u64),
    Moved(String, i16),
    Lost { at: i64, seen: Option<bool> },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Wrapped(pub Option<i64>);

pub(super) fn flight() -> Flight {
    Flight {
        carrier: "UA\0é".into(),
        number: 1545,
        delay: Some(-2),
        legs: vec![("EWR".into(), 1.5), (String::new(), -0.0)],
        state: State::Lost { at: i64::MIN, seen: Some(true) },
        notes: [("b".into(), None), ("a".into(), Some(7))].into(),
        crew: [(200, 'x'), (3, '∞')].into(),
        unit: (),
        wide: (i128::MIN, u128::MAX, -1, true, f32::MIN_POSITIVE),
    }
}

/// The payload of `value`, `None` for a null.
pub(super) fn encode<T>(serde: &impl Serde<T>, value: &T) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let payload = serde.encode(value, &mut out).expect("encodes");
    assert!(out.starts_with(b"before"), "encode appends");
    match payload {
        Payload::Null => {
            assert_eq!(out.len(), 6, "a null appends nothing");
            None
        }
        Payload::Bytes => Some(out.split_off(6)),
    }
}

/// Calls a macro with every general format.
macro_rules! for_each_format {
    ($check:ident) => {
        $check(&crate::serde::Json);
        $check(&crate::serde::Postcard);
        $check(&crate::serde::Auto);
        #[cfg(feature = "bincode")]
        $check(&crate::serde::Bincode);
    };
}
pub(super) use for_each_format;

/// A format that carries every type these tests use.
pub(super) trait General:
    Serde<Flight>
    + Serde<Vec<State>>
    + Serde<State>
    + Serde<i64>
    + Serde<Option<i64>>
    + Serde<String>
    + Serde<Option<String>>
    + Serde<Wrapped>
    + Serde<Option<Option<i64>>>
    + Serde<(String, Option<i64>)>
    + Serde<Option<Flight>>
    + Serde<Vec<Option<i64>>>
    + Serde<bool>
{
}
impl<S> General for S where
    S: Serde<Flight>
        + Serde<Vec<State>>
        + Serde<State>
        + Serde<i64>
        + Serde<Option<i64>>
        + Serde<String>
        + Serde<Option<String>>
        + Serde<Wrapped>
        + Serde<Option<Option<i64>>>
        + Serde<(String, Option<i64>)>
        + Serde<Option<Flight>>
        + Serde<Vec<Option<i64>>>
        + Serde<bool>
{
}

/// `value` comes back, whatever its type.
pub(super) fn round_trip<T, S>(serde: &S, value: &T)
where
    T: PartialEq + std::fmt::Debug + Serialize + DeserializeOwned,
    S: Serde<T> + ?Sized,
{
    let mut out = Vec::new();
    let payload = serde.encode(value, &mut out).expect("encodes");
    let bytes = (payload == Payload::Bytes).then_some(out.as_slice());
    assert_eq!(&serde.decode(bytes).expect("decodes"), value, "{}", serde.format());
}

/// A small generator of numbers that look random, the same in every run.
pub(super) struct Numbers(pub u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        mixed ^ (mixed >> 29)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
