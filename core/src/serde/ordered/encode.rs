//! Writing order-preserving bytes.

use serde::{Serialize, Serializer, ser};

use crate::serde::{Payload, SerdeError};

/// Appends one value.
pub(in crate::serde) struct OrderedSerializer<'a>(pub(in crate::serde) &'a mut Vec<u8>);

const WRITTEN: Result<Payload, SerdeError> = Ok(Payload::Bytes);

macro_rules! unsigned {
    ($($method:ident($ty:ty))*) => {
        $(#[inline]
        fn $method(self, value: $ty) -> Result<Payload, SerdeError> {
            self.0.extend_from_slice(&value.to_be_bytes());
            WRITTEN
        })*
    };
}

macro_rules! signed {
    ($($method:ident($ty:ty))*) => {
        $(#[inline]
        fn $method(self, value: $ty) -> Result<Payload, SerdeError> {
            self.0.extend_from_slice(&(value ^ <$ty>::MIN).to_be_bytes());
            WRITTEN
        })*
    };
}

impl<'a> Serializer for OrderedSerializer<'a> {
    type Ok = Payload;
    type Error = SerdeError;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Fields<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    unsigned! {
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
    }
    signed! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
    }

    fn serialize_bool(self, value: bool) -> Result<Payload, SerdeError> {
        self.serialize_u8(u8::from(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Payload, SerdeError> {
        let bits = value.to_bits();
        self.serialize_u32(if value.is_sign_negative() { !bits } else { bits ^ (1 << 31) })
    }

    fn serialize_f64(self, value: f64) -> Result<Payload, SerdeError> {
        let bits = value.to_bits();
        self.serialize_u64(if value.is_sign_negative() { !bits } else { bits ^ (1 << 63) })
    }

    fn serialize_char(self, value: char) -> Result<Payload, SerdeError> {
        self.serialize_u32(u32::from(value))
    }

    fn serialize_str(self, value: &str) -> Result<Payload, SerdeError> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Payload, SerdeError> {
        self.0.reserve(value.len() + 2);
        for (at, run) in value.split(|byte| *byte == 0).enumerate() {
            if at > 0 {
                self.0.extend_from_slice(&[0x00, 0xFF]);
            }
            self.0.extend_from_slice(run);
        }
        self.0.extend_from_slice(&[0x00, 0x00]);
        WRITTEN
    }

    fn serialize_none(self) -> Result<Payload, SerdeError> {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Payload, SerdeError> {
        self.0.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Payload, SerdeError> {
        WRITTEN
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Payload, SerdeError> {
        WRITTEN
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<Payload, SerdeError> {
        self.serialize_u32(index)
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
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Payload, SerdeError> {
        self.0.extend_from_slice(&index.to_be_bytes());
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'a>, SerdeError> {
        Ok(Sequence(self.0))
    }

    fn serialize_tuple(self, _: usize) -> Result<Fields<'a>, SerdeError> {
        Ok(Fields(self.0))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, SerdeError> {
        Ok(Fields(self.0))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, SerdeError> {
        self.0.extend_from_slice(&index.to_be_bytes());
        Ok(Fields(self.0))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, SerdeError> {
        Ok(Entries { out: self.0, entries: Vec::new(), key: None })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, SerdeError> {
        Ok(Fields(self.0))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Fields<'a>, SerdeError> {
        self.serialize_tuple_variant(name, index, variant, len)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A sequence under way.
pub(in crate::serde) struct Sequence<'a>(&'a mut Vec<u8>);

impl ser::SerializeSeq for Sequence<'_> {
    type Ok = Payload;
    type Error = SerdeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        self.0.push(1);
        value.serialize(OrderedSerializer(self.0)).map(drop)
    }

    fn end(self) -> Result<Payload, SerdeError> {
        self.0.push(0);
        WRITTEN
    }
}

/// A tuple or struct under way.
pub(in crate::serde) struct Fields<'a>(&'a mut Vec<u8>);

macro_rules! unnamed_fields {
    ($($compound:ident::$method:ident)*) => {
        $(impl ser::$compound for Fields<'_> {
            type Ok = Payload;
            type Error = SerdeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
                value.serialize(OrderedSerializer(self.0)).map(drop)
            }

            fn end(self) -> Result<Payload, SerdeError> {
                WRITTEN
            }
        })*
    };
}

unnamed_fields! {
    SerializeTuple::serialize_element SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field
}

macro_rules! named_fields {
    ($($compound:ident)*) => {
        $(impl ser::$compound for Fields<'_> {
            type Ok = Payload;
            type Error = SerdeError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), SerdeError> {
                value.serialize(OrderedSerializer(self.0)).map(drop)
            }

            // The reader cannot know that a field is missing, and would take the next one for it.
            fn skip_field(&mut self, field: &'static str) -> Result<(), SerdeError> {
                Err(SerdeError::new(format!("field {field} is left out, which this format cannot express")))
            }

            fn end(self) -> Result<Payload, SerdeError> {
                WRITTEN
            }
        })*
    };
}

named_fields! { SerializeStruct SerializeStructVariant }

/// A map under way: its entries wait to be sorted, because a hash map gives them in any order.
pub(in crate::serde) struct Entries<'a> {
    out: &'a mut Vec<u8>,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    key: Option<Vec<u8>>,
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = Payload;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        self.key = Some(super::to_ordered_vec(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let key = self.key.take().ok_or_else(|| SerdeError::new("a map gave a value without its key"))?;
        self.entries.push((key, super::to_ordered_vec(value)?));
        Ok(())
    }

    fn end(mut self) -> Result<Payload, SerdeError> {
        self.entries.sort();
        for (key, value) in &self.entries {
            self.out.push(1);
            self.out.extend_from_slice(key);
            self.out.extend_from_slice(value);
        }
        self.out.push(0);
        WRITTEN
    }
}
