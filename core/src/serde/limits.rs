//! Bounds for decoding hostile bytes in formats that have none of their own: nesting, and elements without bytes.

use std::cell::Cell;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as DeError, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// How deep a payload may nest, as in serde_json.
const MAX_DEPTH: u32 = 128;

/// How many elements a payload may claim beyond its own length in bytes. Elements of no bytes, such as `()`, would
/// otherwise let ten bytes keep a reader busy for years.
const FREE_ELEMENTS: usize = 65_536;

/// What is left of the bounds at one place of a payload.
#[derive(Clone, Copy)]
pub(super) struct Limits<'l> {
    elements: &'l Cell<usize>,
    depth: u32,
}

impl<'l> Limits<'l> {
    /// The elements that a payload of these bytes may have.
    #[inline]
    pub(super) fn budget(bytes: &[u8]) -> Cell<usize> {
        Cell::new(bytes.len().saturating_add(FREE_ELEMENTS))
    }

    /// The bounds at the top of a payload.
    #[inline]
    pub(super) fn on(elements: &'l Cell<usize>) -> Self {
        Self { elements, depth: MAX_DEPTH }
    }

    /// Wraps a deserializer so that it keeps these bounds.
    #[inline]
    pub(super) fn guard<T>(self, inner: T) -> Guarded<'l, T> {
        Guarded { inner, limits: self, counted: false }
    }

    /// The bounds one level further in.
    #[inline]
    pub(super) fn deeper<E: DeError>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels"))),
        }
    }

    fn count_element<E: DeError>(self) -> Result<(), E> {
        match self.elements.get().checked_sub(1) {
            Some(left) => {
                self.elements.set(left);
                Ok(())
            }
            None => Err(E::custom("more elements than its bytes can hold")),
        }
    }
}

/// A part of a format's deserializing machinery, kept within [`Limits`].
pub(super) struct Guarded<'l, T> {
    inner: T,
    limits: Limits<'l>,
    /// Whether elements count: those of sequences and maps do, whose length the bytes claim.
    counted: bool,
}

impl<'l, T> Guarded<'l, T> {
    /// The same one level further in, for wrappers that leave no trace in the bytes.
    pub(super) fn deeper<E: DeError>(self) -> Result<Self, E> {
        Ok(Self { limits: self.limits.deeper()?, ..self })
    }

    fn same<U>(&self, inner: U) -> Guarded<'l, U> {
        Guarded { inner, limits: self.limits, counted: false }
    }
}

macro_rules! pass_on {
    ($($method:ident)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        })*
    };
}

macro_rules! guard_visitor {
    ($($method:ident($($name:ident: $ty:ty),*) counted $counted:literal;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = Guarded { inner: visitor, limits: self.limits, counted: $counted };
            self.inner.$method($($name,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    pass_on! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_bytes deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    guard_visitor! {
        deserialize_option() counted false;
        deserialize_newtype_struct(name: &'static str) counted false;
        deserialize_seq() counted true;
        deserialize_tuple(len: usize) counted false;
        deserialize_tuple_struct(name: &'static str, len: usize) counted false;
        deserialize_map() counted true;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) counted false;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) counted false;
    }

    // Owned text and bytes have the form of borrowed ones in every format used here, and a borrowed read checks the
    // claimed length against the bytes before anything is allocated.
    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_bytes(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_none<E: DeError>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(self.limits.deeper::<D::Error>()?.guard(deserializer))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(self.limits.deeper::<D::Error>()?.guard(deserializer))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        let limits = self.limits.deeper::<A::Error>()?;
        self.inner.visit_seq(Guarded { inner: seq, limits, counted: self.counted })
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let limits = self.limits.deeper::<A::Error>()?;
        self.inner.visit_map(Guarded { inner: map, limits, counted: self.counted })
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(self.limits.deeper::<A::Error>()?.guard(data))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(self.limits.guard(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.same(seed);
        let element = self.inner.next_element_seed(seed)?;
        if self.counted && element.is_some() {
            self.limits.count_element()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.limits.elements.get()))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.same(seed);
        let key = self.inner.next_key_seed(seed)?;
        if self.counted && key.is_some() {
            self.limits.count_element()?;
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.same(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.limits.elements.get()))
    }
}

impl<'de, 'l, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'l, A> {
    type Error = A::Error;
    type Variant = Guarded<'l, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, self.limits.guard(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(self.limits.guard(seed))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.limits.guard(visitor))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, self.limits.guard(visitor))
    }
}
