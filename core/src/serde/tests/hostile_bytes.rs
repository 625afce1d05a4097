use serde::{Deserialize, Serialize};

use super::samples::{Flight, General, Numbers, State, encode, flight, for_each_format};
use crate::serde::{Auto, Json, Postcard, Serde, from_ordered_slice};

#[derive(Debug, Serialize, Deserialize)]
enum Chain {
    End,
    Link(Box<Chain>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Endless(Option<Box<Endless>>);

#[test]
fn every_changed_or_cut_byte_is_an_error_or_a_value_and_never_a_panic() {
    fn check(serde: &impl General) {
        let good = encode(serde, &flight()).unwrap();
        for end in 0..good.len() {
            assert!(Serde::<Flight>::decode(serde, Some(&good[..end])).is_err(), "cut at {end}");
        }
        for at in 0..good.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF, good[at] ^ 1] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = Serde::<Flight>::decode(serde, Some(&bad));
            }
        }
        let mut longer = good;
        longer.push(7);
        assert!(Serde::<Flight>::decode(serde, Some(&longer)).is_err(), "trailing byte");
    }
    for_each_format!(check);
}

#[test]
fn random_bytes_never_panic() {
    fn check(serde: &impl General) {
        let mut numbers = Numbers(5);
        for _ in 0..4_000 {
            let bytes: Vec<u8> = (0..numbers.below(40)).map(|_| numbers.next() as u8).collect();
            let _ = Serde::<Flight>::decode(serde, Some(&bytes));
            let _ = Serde::<Vec<State>>::decode(serde, Some(&bytes));
            let _ = Serde::<Option<String>>::decode(serde, Some(&bytes));
        }
    }
    for_each_format!(check);
}

#[test]
fn nesting_without_end_is_refused() {
    // A variant's number, again and again: a link in every byte (Postcard, bincode) or every four (ordered).
    assert!(Serde::<Chain>::decode(&Postcard, Some(&vec![1; 1_000_000])).is_err());
    assert!(Serde::<Chain>::decode(&Auto, Some(&[0, 0, 0, 1].repeat(1_000_000))).is_err());
    assert!(from_ordered_slice::<Chain>(&[0, 0, 0, 1].repeat(1_000_000)).is_err());
    #[cfg(feature = "bincode")]
    assert!(Serde::<Chain>::decode(&crate::serde::Bincode, Some(&vec![1; 1_000_000])).is_err());
    let text = format!("{}\"End\"{}", "{\"Link\":".repeat(100_000), "}".repeat(100_000));
    assert!(Serde::<Chain>::decode(&Json, Some(text.as_bytes())).is_err());
    // A depth that people use is fine.
    let mut chain = vec![1; 60];
    chain.push(0);
    assert!(Serde::<Chain>::decode(&Postcard, Some(&chain)).is_ok());
}

#[test]
fn a_type_made_of_wrappers_only_does_not_recurse_for_ever() {
    assert!(Serde::<Endless>::decode(&Postcard, Some(&[1])).is_err());
    assert!(Serde::<Endless>::decode(&Auto, Some(&[1])).is_err());
}

#[test]
fn a_claimed_length_costs_nothing_before_its_bytes_are_there() {
    // 2^62 elements or characters, in four bytes to come.
    let claim = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 1, 2, 3, 4];
    assert!(Serde::<String>::decode(&Postcard, Some(&claim)).is_err());
    assert!(Serde::<Vec<u64>>::decode(&Postcard, Some(&claim)).is_err());
    assert!(Serde::<Vec<()>>::decode(&Postcard, Some(&claim)).is_err(), "elements without bytes");
    #[cfg(feature = "bincode")]
    {
        let claim = [253, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 2, 3, 4];
        assert!(Serde::<String>::decode(&crate::serde::Bincode, Some(&claim)).is_err());
        assert!(Serde::<Vec<u64>>::decode(&crate::serde::Bincode, Some(&claim)).is_err());
        assert!(Serde::<Vec<()>>::decode(&crate::serde::Bincode, Some(&claim)).is_err());
    }
    assert_eq!(Serde::<Vec<()>>::decode(&Postcard, Some(&[0x90, 0x4E])).unwrap().len(), 10_000);
}
