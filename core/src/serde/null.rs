//! Null payloads: whether a value is one, and which value one is.

use std::fmt;

use serde::{
    Serialize, Serializer,
    de::{DeserializeOwned, Deserializer, Visitor},
    forward_to_deserialize_any,
    ser::Impossible,
};

use super::SerdeError;

/// Whether `value` is `None`, also inside `Some` and newtypes. Anything else is found out at its first call.
pub fn is_null<T: Serialize + ?Sized>(value: &T) -> bool {
    value.serialize(Probe).unwrap_or(false)
}

/// The value of a null payload: `None` for an `Option`.
pub(super) fn from_null<T: DeserializeOwned>() -> Result<T, SerdeError> {
    T::deserialize(NullDeserializer { unit: false })
}

/// As [`from_null`], and `()` is a null too.
pub(super) fn from_null_or_unit<T: DeserializeOwned>() -> Result<T, SerdeError> {
    T::deserialize(NullDeserializer { unit: true })
}

/// Answers "is this value null?" and stops at the first sign that it is not.
struct Probe;

/// The value has an inside, so it is not null.
#[derive(Debug)]
struct NotNull;

impl fmt::Display for NotNull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value is not null")
    }
}

impl std::error::Error for NotNull {}

impl serde::ser::Error for NotNull {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! not_null {
    ($($method:ident($ty:ty))*) => {
        $(#[inline]
        fn $method(self, _: $ty) -> Result<bool, NotNull> {
            Ok(false)
        })*
    };
}

macro_rules! has_inside {
    ($($method:ident($($arg:ty),*) -> $compound:ident;)*) => {
        $(#[inline]
        fn $method(self, $(_: $arg),*) -> Result<Self::$compound, NotNull> {
            Err(NotNull)
        })*
    };
}

impl Serializer for Probe {
    type Ok = bool;
    type Error = NotNull;
    type SerializeSeq = Impossible<bool, NotNull>;
    type SerializeTuple = Impossible<bool, NotNull>;
    type SerializeTupleStruct = Impossible<bool, NotNull>;
    type SerializeTupleVariant = Impossible<bool, NotNull>;
    type SerializeMap = Impossible<bool, NotNull>;
    type SerializeStruct = Impossible<bool, NotNull>;
    type SerializeStructVariant = Impossible<bool, NotNull>;

    not_null! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128) serialize_f32(f32) serialize_f64(f64) serialize_char(char) serialize_str(&str)
        serialize_bytes(&[u8]) serialize_unit_struct(&'static str)
    }

    has_inside! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }

    #[inline]
    fn serialize_none(self) -> Result<bool, NotNull> {
        Ok(true)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<bool, NotNull> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<bool, NotNull> {
        Ok(false)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<bool, NotNull> {
        Ok(false)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<bool, NotNull> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<bool, NotNull> {
        Ok(false)
    }

    // The default builds a String; the answer is known without it.
    #[inline]
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<bool, NotNull> {
        Ok(false)
    }
}

/// The null payload as a deserializer.
struct NullDeserializer {
    unit: bool,
}

impl<'de> Deserializer<'de> for NullDeserializer {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, SerdeError> {
        Err(SerdeError::Null)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        if self.unit { visitor.visit_unit() } else { Err(SerdeError::Null) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple tuple_struct
        map struct enum identifier ignored_any
    }
}
