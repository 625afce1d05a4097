use super::samples::{Flight, General, State, Wrapped, encode, flight, for_each_format, round_trip};
use crate::serde::{Raw, Serde, SerdeError, Text};

#[test]
fn values_come_back_in_every_format() {
    fn check(serde: &impl General) {
        round_trip(serde, &flight());
        round_trip(serde, &Some(flight()));
        round_trip::<Option<Flight>, _>(serde, &None);
        round_trip(serde, &vec![State::Planned, State::Gone(7), State::Moved("x".into(), -1)]);
        round_trip(serde, &State::Planned);
        round_trip(serde, &i64::MIN);
        round_trip(serde, &String::new());
        round_trip(serde, &Wrapped(Some(-5)));
        round_trip(serde, &Wrapped(None));
        round_trip(serde, &vec![None, Some(3_i64)]);
        round_trip(serde, &("k".to_owned(), None::<i64>));
        round_trip(serde, &true);
    }
    for_each_format!(check);
}

#[test]
fn none_is_a_null_payload_in_every_format() {
    fn check(serde: &impl General) {
        assert_eq!(encode::<Option<i64>>(serde, &None), None);
        assert_eq!(encode::<Option<Option<i64>>>(serde, &Some(None)), None);
        assert_eq!(encode(serde, &Wrapped(None)), None);
        assert_eq!(Serde::<Option<String>>::decode(serde, None).unwrap(), None);
        assert_eq!(Serde::<Wrapped>::decode(serde, None).unwrap(), Wrapped(None));
        // Deeper inside, a None is the format's own and the payload is not null.
        assert!(encode(serde, &("k".to_owned(), None::<i64>)).is_some());
        assert!(encode(serde, &vec![None::<i64>]).is_some());
    }
    for_each_format!(check);
}

#[test]
fn a_value_and_its_option_read_each_others_bytes() {
    fn check(serde: &impl General) {
        let plain = encode(serde, &"ab".to_owned()).unwrap();
        assert_eq!(encode(serde, &Some("ab".to_owned())).unwrap(), plain, "{}", Serde::<i64>::format(serde));
        assert_eq!(Serde::<Option<String>>::decode(serde, Some(&plain)).unwrap().as_deref(), Some("ab"));
        let flight_bytes = encode(serde, &Some(flight())).unwrap();
        assert_eq!(Serde::<Flight>::decode(serde, Some(&flight_bytes)).unwrap(), flight());
        let number = encode(serde, &Wrapped(Some(9))).unwrap();
        assert_eq!(Serde::<i64>::decode(serde, Some(&number)).unwrap(), 9);
        assert_eq!(Serde::<Option<Option<i64>>>::decode(serde, Some(&number)).unwrap(), Some(Some(9)));
    }
    for_each_format!(check);
}

#[test]
fn a_null_for_a_type_without_null_is_an_error() {
    fn check(serde: &impl General) {
        assert!(matches!(Serde::<String>::decode(serde, None), Err(SerdeError::Null)));
        assert!(matches!(Serde::<Flight>::decode(serde, None), Err(SerdeError::Null)));
        assert!(matches!(Serde::<State>::decode(serde, None), Err(SerdeError::Null)));
    }
    for_each_format!(check);
    assert!(matches!(Serde::<String>::decode(&Text, None), Err(SerdeError::Null)));
    assert!(matches!(Serde::<Vec<u8>>::decode(&Raw, None), Err(SerdeError::Null)));
    assert!(matches!(Serde::<bytes::Bytes>::decode(&Raw, None), Err(SerdeError::Null)));
}

#[test]
fn text_and_raw_keep_null_and_empty_apart() {
    for value in [None, Some(String::new()), Some("é\0".to_owned())] {
        let bytes = encode(&Text, &value);
        assert_eq!(Serde::<Option<String>>::decode(&Text, bytes.as_deref()).unwrap(), value);
    }
    for value in [None, Some(Vec::new()), Some(vec![0, 255])] {
        let bytes = encode(&Raw, &value);
        assert_eq!(bytes, value);
        assert_eq!(Serde::<Option<Vec<u8>>>::decode(&Raw, bytes.as_deref()).unwrap(), value);
    }
    assert!(Serde::<String>::decode(&Text, Some(&[0xC3])).is_err(), "half a character");
}

#[test]
fn a_failed_encode_leaves_the_buffer_as_it_was() {
    let keyed_by_pairs: std::collections::BTreeMap<(u8, u8), u8> = [((1, 2), 3)].into();
    let mut out = b"kept".to_vec();
    let error = crate::serde::Json.encode(&keyed_by_pairs, &mut out).unwrap_err();
    assert_eq!(out, b"kept");
    let error = error.while_encoding("the value");
    assert_eq!(error.code(), "HW0204");
    assert!(error.to_string().contains("key must be a string"), "{error}");
}
