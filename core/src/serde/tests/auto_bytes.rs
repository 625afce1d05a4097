use serde::{Deserialize, Serialize};

use super::samples::{State, encode, round_trip};
use crate::serde::{Auto, Serde, to_ordered_vec};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Carrier(String);

#[test]
fn single_values_have_the_bytes_of_javas_serializers() {
    assert_eq!(encode(&Auto, &"é".to_owned()).unwrap(), [0xC3, 0xA9]);
    assert_eq!(encode(&Auto, &-2_i64).unwrap(), [255, 255, 255, 255, 255, 255, 255, 254]);
    assert_eq!(encode(&Auto, &258_i32).unwrap(), [0, 0, 1, 2]);
    assert_eq!(encode(&Auto, &-2_i16).unwrap(), [255, 254]);
    assert_eq!(encode(&Auto, &1.5_f64).unwrap(), [0x3F, 0xF8, 0, 0, 0, 0, 0, 0]);
    assert_eq!(encode(&Auto, &-1.5_f32).unwrap(), [0xBF, 0xC0, 0, 0]);
    assert_eq!(encode(&Auto, &true).unwrap(), [1]);
    assert_eq!(encode(&Auto, &u64::MAX).unwrap(), [255; 8]);
    assert_eq!(encode(&Auto, &'é').unwrap(), [0xC3, 0xA9]);
}

#[test]
fn wrappers_do_not_change_the_bytes() {
    let plain = encode(&Auto, &"UA".to_owned());
    assert_eq!(encode(&Auto, &Some("UA".to_owned())), plain);
    assert_eq!(encode(&Auto, &Carrier("UA".into())), plain);
    assert_eq!(encode(&Auto, &Some(Carrier("UA".into()))), plain);
    round_trip(&Auto, &Some(Carrier("UA".into())));
}

#[test]
fn unit_is_null_and_comes_back() {
    assert_eq!(encode(&Auto, &()), None);
    round_trip(&Auto, &());
    assert!(Serde::<()>::decode(&Auto, Some(&[])).is_err());
}

#[test]
fn composed_values_are_ordered_bytes() {
    let key = ("EWR".to_owned(), 7_i32);
    assert_eq!(encode(&Auto, &key).unwrap(), to_ordered_vec(&key).unwrap());
    assert_eq!(encode(&Auto, &State::Gone(1)).unwrap(), [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    round_trip(&Auto, &key);
    round_trip(&Auto, &State::Planned);
}

#[test]
fn numbers_need_exactly_their_bytes() {
    assert!(Serde::<i64>::decode(&Auto, Some(&[0; 7])).is_err());
    assert!(Serde::<i64>::decode(&Auto, Some(&[0; 9])).is_err());
    assert!(Serde::<bool>::decode(&Auto, Some(&[2])).is_err());
    assert!(Serde::<char>::decode(&Auto, Some(b"ab")).is_err());
    assert!(Serde::<(u8, u8)>::decode(&Auto, Some(&[1, 2, 3])).is_err());
}
