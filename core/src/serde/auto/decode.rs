//! Reading a top-level value: scalars as Java does, the rest in order-preserving form.

use serde::de::{Deserializer, Visitor};

use crate::serde::{SerdeError, limits::Limits, ordered::OrderedDeserializer};

/// Reads one top-level value; a single one takes all of `input`.
pub(super) struct AutoDeserializer<'a, 'l, 'de> {
    pub(super) input: &'a mut &'de [u8],
    pub(super) limits: Limits<'l>,
}

impl<'de> AutoDeserializer<'_, '_, 'de> {
    /// Behind a wrapper that leaves no trace in the bytes.
    fn deeper(self) -> Result<Self, SerdeError> {
        Ok(Self { limits: self.limits.deeper()?, ..self })
    }

    #[inline]
    fn all(&mut self) -> &'de [u8] {
        std::mem::take(self.input)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], SerdeError> {
        let bytes = self.all();
        bytes.try_into().map_err(|_| SerdeError::new(format!("{} bytes where {N} are needed", bytes.len())))
    }

    fn text(&mut self) -> Result<&'de str, SerdeError> {
        std::str::from_utf8(self.all()).map_err(SerdeError::new)
    }
}

macro_rules! big_endian {
    ($($method:ident => $visit:ident($ty:ty))*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
            visitor.$visit(<$ty>::from_be_bytes(self.array()?))
        })*
    };
}

macro_rules! composed {
    ($($method:ident($($name:ident: $ty:ty),*))*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $ty,)* visitor: V) -> Result<V::Value, SerdeError> {
            self.limits.guard(OrderedDeserializer { input: self.input }).$method($($name,)* visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for AutoDeserializer<'_, '_, 'de> {
    type Error = SerdeError;

    big_endian! {
        deserialize_i8 => visit_i8(i8)
        deserialize_i16 => visit_i16(i16)
        deserialize_i32 => visit_i32(i32)
        deserialize_i64 => visit_i64(i64)
        deserialize_i128 => visit_i128(i128)
        deserialize_u8 => visit_u8(u8)
        deserialize_u16 => visit_u16(u16)
        deserialize_u32 => visit_u32(u32)
        deserialize_u64 => visit_u64(u64)
        deserialize_u128 => visit_u128(u128)
        deserialize_f32 => visit_f32(f32)
        deserialize_f64 => visit_f64(f64)
    }

    composed! {
        deserialize_any()
        deserialize_seq()
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
        deserialize_ignored_any()
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.array()? {
            [0] => visitor.visit_bool(false),
            [1] => visitor.visit_bool(true),
            [other] => Err(SerdeError::new(format!("{other} is neither 0 nor 1"))),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        let mut chars = self.text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => visitor.visit_char(only),
            _ => Err(SerdeError::new("not exactly one character")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_borrowed_bytes(self.all())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_some(self.deeper()?)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, _: V) -> Result<V::Value, SerdeError> {
        Err(SerdeError::new("bytes where only a null can be"))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
