//! Reading order-preserving bytes.

use std::borrow::Cow;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::U32Deserializer,
};

use crate::serde::SerdeError;

/// Reads one value from the front of `input`.
pub(in crate::serde) struct OrderedDeserializer<'a, 'de> {
    pub(in crate::serde) input: &'a mut &'de [u8],
}

impl<'de> OrderedDeserializer<'_, 'de> {
    fn again(&mut self) -> OrderedDeserializer<'_, 'de> {
        OrderedDeserializer { input: self.input }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], SerdeError> {
        let (head, rest) = self.input.split_first_chunk::<N>().ok_or_else(cut_off)?;
        *self.input = rest;
        Ok(*head)
    }

    /// A byte that must be 0 or 1.
    fn tag(&mut self, what: &str) -> Result<bool, SerdeError> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(SerdeError::new(format!("{what} begins with byte {other}, not 0 or 1"))),
        }
    }

    /// Escaped bytes up to their end; borrowed if nothing was escaped.
    fn bytes(&mut self) -> Result<Cow<'de, [u8]>, SerdeError> {
        let mut whole: Option<Vec<u8>> = None;
        loop {
            let input: &'de [u8] = self.input;
            let end = input.iter().position(|byte| *byte == 0).ok_or_else(cut_off)?;
            let (run, rest) = input.split_at(end);
            let Some(([_, mark], rest)) = rest.split_first_chunk::<2>() else { return Err(cut_off()) };
            *self.input = rest;
            match mark {
                0x00 => {
                    return Ok(match whole {
                        None => Cow::Borrowed(run),
                        Some(mut whole) => {
                            whole.extend_from_slice(run);
                            Cow::Owned(whole)
                        }
                    });
                }
                0xFF => {
                    let whole = whole.get_or_insert_with(Vec::new);
                    whole.extend_from_slice(run);
                    whole.push(0);
                }
                other => return Err(SerdeError::new(format!("byte {other} after a zero inside text or bytes"))),
            }
        }
    }
}

fn cut_off() -> SerdeError {
    SerdeError::new("the bytes end in the middle of a value")
}

fn not_self_describing() -> SerdeError {
    SerdeError::new(
        "this format does not describe itself; the type must say what it is (no untagged or flattened parts)",
    )
}

macro_rules! numbers {
    ($($method:ident => $visit:ident($ty:ty) flipped $flip:expr;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
            visitor.$visit(<$ty>::from_be_bytes(self.array()?) ^ $flip)
        })*
    };
}

macro_rules! undescribed {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, SerdeError> {
            Err(not_self_describing())
        })*
    };
}

impl<'de> Deserializer<'de> for OrderedDeserializer<'_, 'de> {
    type Error = SerdeError;

    numbers! {
        deserialize_u8 => visit_u8(u8) flipped 0;
        deserialize_u16 => visit_u16(u16) flipped 0;
        deserialize_u32 => visit_u32(u32) flipped 0;
        deserialize_u64 => visit_u64(u64) flipped 0;
        deserialize_u128 => visit_u128(u128) flipped 0;
        deserialize_i8 => visit_i8(i8) flipped i8::MIN;
        deserialize_i16 => visit_i16(i16) flipped i16::MIN;
        deserialize_i32 => visit_i32(i32) flipped i32::MIN;
        deserialize_i64 => visit_i64(i64) flipped i64::MIN;
        deserialize_i128 => visit_i128(i128) flipped i128::MIN;
    }

    undescribed! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_bool(self.tag("a bool")?)
    }

    fn deserialize_f32<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        let bits = u32::from_be_bytes(self.array()?);
        visitor.visit_f32(f32::from_bits(if bits >> 31 == 0 { !bits } else { bits ^ (1 << 31) }))
    }

    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        let bits = u64::from_be_bytes(self.array()?);
        visitor.visit_f64(f64::from_bits(if bits >> 63 == 0 { !bits } else { bits ^ (1 << 63) }))
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        let code = u32::from_be_bytes(self.array()?);
        visitor.visit_char(char::from_u32(code).ok_or_else(|| SerdeError::new(format!("{code} is no character")))?)
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.bytes()? {
            Cow::Borrowed(bytes) => visitor.visit_borrowed_str(std::str::from_utf8(bytes).map_err(SerdeError::new)?),
            Cow::Owned(bytes) => visitor.visit_string(String::from_utf8(bytes).map_err(SerdeError::new)?),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.bytes()? {
            Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
            Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, SerdeError> {
        if self.tag("an option")? { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_seq(Tagged(self))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_map(Tagged(self))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_seq(Counted { of: self, left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Fields whose number the type knows.
struct Counted<'a, 'de> {
    of: OrderedDeserializer<'a, 'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Counted<'_, 'de> {
    type Error = SerdeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, SerdeError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.of.again()).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// Elements or entries with a tag before each.
struct Tagged<'a, 'de>(OrderedDeserializer<'a, 'de>);

impl<'de> SeqAccess<'de> for Tagged<'_, 'de> {
    type Error = SerdeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, SerdeError> {
        if self.0.tag("an element")? { seed.deserialize(self.0.again()).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Tagged<'_, 'de> {
    type Error = SerdeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, SerdeError> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, SerdeError> {
        seed.deserialize(self.0.again())
    }
}

impl<'de> EnumAccess<'de> for OrderedDeserializer<'_, 'de> {
    type Error = SerdeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<(S::Value, Self), SerdeError> {
        let index: U32Deserializer<SerdeError> = u32::from_be_bytes(self.array()?).into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for OrderedDeserializer<'_, 'de> {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, SerdeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
