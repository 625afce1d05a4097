//! Writing a top-level value: scalars as Java does, the rest in order-preserving form.

use serde::{Serialize, Serializer};

use crate::serde::{
    Payload, SerdeError,
    ordered::{Entries, Fields, OrderedSerializer, Sequence},
};

/// Appends one top-level value.
pub(super) struct AutoSerializer<'a>(pub(super) &'a mut Vec<u8>);

macro_rules! big_endian {
    ($($method:ident($ty:ty))*) => {
        $(#[inline]
        fn $method(self, value: $ty) -> Result<Payload, SerdeError> {
            self.serialize_bytes(&value.to_be_bytes())
        })*
    };
}

macro_rules! composed {
    ($($method:ident($($name:ident: $ty:ty),*) -> $compound:ident;)*) => {
        $(#[inline]
        fn $method(self, $($name: $ty),*) -> Result<Self::$compound, SerdeError> {
            OrderedSerializer(self.0).$method($($name),*)
        })*
    };
}

impl<'a> Serializer for AutoSerializer<'a> {
    type Ok = Payload;
    type Error = SerdeError;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Fields<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    big_endian! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64)
    }

    composed! {
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> Ok;
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant;
    }

    fn serialize_bool(self, value: bool) -> Result<Payload, SerdeError> {
        self.serialize_u8(u8::from(value))
    }

    fn serialize_char(self, value: char) -> Result<Payload, SerdeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Payload, SerdeError> {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<Payload, SerdeError> {
        self.0.extend_from_slice(value);
        Ok(Payload::Bytes)
    }

    fn serialize_none(self) -> Result<Payload, SerdeError> {
        Ok(Payload::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Payload, SerdeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Payload, SerdeError> {
        Ok(Payload::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Payload, SerdeError> {
        Ok(Payload::Null)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Payload, SerdeError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Payload, SerdeError> {
        OrderedSerializer(self.0).serialize_newtype_variant(name, index, variant, value)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
