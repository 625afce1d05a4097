//! Which types the rows of a store have, for those who read it by its name.

use std::{
    any::{TypeId, type_name},
    fmt,
};

use crate::plan::StoreSpec;

/// The types of a store's keys and values, of a windowed store the types without the window. Equal if both are the same.
#[derive(Clone, Copy)]
pub struct StoreTypes {
    ids: (TypeId, TypeId),
    names: (&'static str, &'static str),
}

impl StoreTypes {
    /// Keys of type `K` and values of type `V`.
    pub fn of<K: 'static, V: 'static>() -> Self {
        Self { ids: (TypeId::of::<K>(), TypeId::of::<V>()), names: (type_name::<K>(), type_name::<V>()) }
    }
}

impl PartialEq for StoreTypes {
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids
    }
}

impl Eq for StoreTypes {}

impl fmt::Display for StoreTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}, {}>", self.names.0, self.names.1)
    }
}

impl fmt::Debug for StoreTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A store as a step declares it.
pub(crate) struct DeclaredStore {
    pub(crate) spec: StoreSpec,
    /// `None` if the step keeps it for itself.
    pub(crate) types: Option<StoreTypes>,
}

impl From<StoreSpec> for DeclaredStore {
    fn from(spec: StoreSpec) -> Self {
        Self { spec, types: None }
    }
}
