use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    fmt::Debug,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::samples::{Numbers, State, Wrapped, flight};
use crate::serde::{decode_ordered_prefix, encode_ordered, from_ordered_slice, to_ordered_vec};

/// All pairs of `values` compare like their bytes, and every value comes back.
fn keeps_order<T>(values: &[T], compare: impl Fn(&T, &T) -> Ordering)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let encoded: Vec<Vec<u8>> = values.iter().map(|value| to_ordered_vec(value).unwrap()).collect();
    for (value, bytes) in values.iter().zip(&encoded) {
        assert_eq!(&from_ordered_slice::<T>(bytes).unwrap(), value);
    }
    for (a, a_bytes) in values.iter().zip(&encoded) {
        for (b, b_bytes) in values.iter().zip(&encoded) {
            assert_eq!(compare(a, b), a_bytes.cmp(b_bytes), "{a:?} {a_bytes:?} against {b:?} {b_bytes:?}");
        }
    }
}

/// Text with many zeros, prefixes and bytes around the escapes.
fn some_text(numbers: &mut Numbers) -> String {
    (0..numbers.below(5))
        .map(|_| ['\0', '\u{1}', 'a', 'b', '\u{FF}', '\u{10FFFF}'][numbers.below(6) as usize])
        .collect()
}

#[test]
fn numbers_sort_by_value() {
    let wide = [i64::MIN, i64::MIN + 1, -65_536, -256, -1, 0, 1, 255, 256, i64::MAX];
    keeps_order(&wide, Ord::cmp);
    keeps_order(&wide.map(|n| n as i32), Ord::cmp);
    keeps_order(&wide.map(|n| n as i16), Ord::cmp);
    keeps_order(&wide.map(|n| n as i8), Ord::cmp);
    keeps_order(&wide.map(|n| n as u64), Ord::cmp);
    keeps_order(&wide.map(|n| n as u16), Ord::cmp);
    keeps_order(&wide.map(|n| i128::from(n) << 60), Ord::cmp);
    keeps_order(&wide.map(|n| n as u128), Ord::cmp);
    let floats = [f64::NEG_INFINITY, -1e300, -1.0, -f64::MIN_POSITIVE, 0.0, 1e-300, 1.0, 2.0, f64::INFINITY];
    keeps_order(&floats, f64::total_cmp);
    keeps_order(&floats.map(|n| n as f32).map(|n| (n, 0_u8)), |a, b| a.0.total_cmp(&b.0));
    assert!(to_ordered_vec(&-0.0_f64).unwrap() < to_ordered_vec(&0.0_f64).unwrap());
}

#[test]
fn random_composed_keys_sort_like_their_values() {
    let mut numbers = Numbers(11);
    let text: Vec<String> = (0..120).map(|_| some_text(&mut numbers)).collect();
    keeps_order(&text, Ord::cmp);
    let keys: Vec<(String, Option<i64>, Vec<String>, Wrapped)> = (0..150)
        .map(|_| {
            let number = numbers.below(3).checked_sub(1).map(|n| (n as i64) - 1);
            let list = (0..numbers.below(3)).map(|_| some_text(&mut numbers)).collect();
            (some_text(&mut numbers), number, list, Wrapped(number))
        })
        .collect();
    keeps_order(&keys, Ord::cmp);
    let maps: Vec<BTreeMap<String, Option<u8>>> = (0..100)
        .map(|_| {
            (0..numbers.below(4))
                .map(|_| (some_text(&mut numbers), numbers.below(3).checked_sub(1).map(|n| n as u8)))
                .collect()
        })
        .collect();
    keeps_order(&maps, Ord::cmp);
}

#[test]
fn enums_sort_by_variant_then_fields() {
    let states = [
        State::Planned,
        State::Gone(0),
        State::Gone(u64::MAX),
        State::Moved(String::new(), 5),
        State::Moved("a".into(), -1),
        State::Moved("a".into(), 0),
        State::Lost { at: -1, seen: None },
        State::Lost { at: -1, seen: Some(false) },
    ];
    keeps_order(&states, Ord::cmp);
}

#[test]
fn a_hash_map_has_one_encoding() {
    let forward: HashMap<u32, u8> = (0..50).map(|n| (n, 1)).collect();
    let backward: HashMap<u32, u8> = (0..50).rev().map(|n| (n, 1)).collect();
    let sorted: BTreeMap<u32, u8> = (0..50).map(|n| (n, 1)).collect();
    assert_eq!(to_ordered_vec(&forward).unwrap(), to_ordered_vec(&sorted).unwrap());
    assert_eq!(to_ordered_vec(&backward).unwrap(), to_ordered_vec(&sorted).unwrap());
}

#[test]
fn parts_of_a_key_are_read_one_by_one() {
    let mut key = Vec::new();
    encode_ordered("a\0b", &mut key).unwrap();
    encode_ordered(&flight(), &mut key).unwrap();
    encode_ordered(&-9_i64, &mut key).unwrap();
    assert!(key.starts_with(&to_ordered_vec("a\0b").unwrap()));
    let mut rest = key.as_slice();
    assert_eq!(decode_ordered_prefix::<String>(&mut rest).unwrap(), "a\0b");
    assert_eq!(decode_ordered_prefix::<super::samples::Flight>(&mut rest).unwrap(), flight());
    assert_eq!(decode_ordered_prefix::<i64>(&mut rest).unwrap(), -9);
    assert!(rest.is_empty());
}

#[test]
fn the_form_is_what_the_table_says() {
    assert_eq!(to_ordered_vec(&(-1_i32, 1_u16)).unwrap(), [0x7F, 0xFF, 0xFF, 0xFF, 0, 1]);
    assert_eq!(to_ordered_vec("a\0").unwrap(), [b'a', 0, 0xFF, 0, 0]);
    assert_eq!(to_ordered_vec(&vec![5_u8]).unwrap(), [1, 5, 0]);
    assert_eq!(to_ordered_vec(&(None::<u8>, Some(3_u8))).unwrap(), [0, 1, 3]);
}

#[test]
fn a_left_out_field_is_refused() {
    #[derive(Serialize, Deserialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<u8>,
        b: u8,
    }
    let error = to_ordered_vec(&Sparse { a: None, b: 1 }).unwrap_err();
    assert!(error.to_string().contains("field a"), "{error}");
}
