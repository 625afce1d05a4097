//! What a processor is given: stores and outputs, declared once and opened once per task.

use std::any::TypeId;

use headwater_core::Result;

use super::{Output, Port, output::Ports};
use crate::{
    bounds::{Data, Key},
    global::GlobalTable,
    plan::NodeId,
    store::{
        GlobalTableReader, KeyValueStore, SessionStore, SessionStoreRef, StoreRef, TableReader, TableRef,
        VersionedKeyValueStore, VersionedStoreRef, WindowStore, WindowStoreRef,
    },
    wire::TaskBuilder,
};

/// What a processor needs beside records: stores ([`StoreRef`], [`WindowStoreRef`], [`SessionStoreRef`],
/// [`VersionedStoreRef`]), tables to read ([`TableRef`], [`GlobalTable`]), an [`Output`], `()` for nothing, or a tuple of
/// these. The
/// closure given to [`KStream::process`](crate::KStream::process) gets them opened, as typed values, once per task.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a processor can be given",
    label = "not `Resources`",
    note = "give it `()`, a store made with `StreamsBuilder::store`, a table's `reader()`, an `Output`, or a tuple of these"
)]
pub trait Resources: sealed::Resource + Send + Sync + 'static {
    /// The same, opened in a task.
    type Open: 'static;

    /// Opens them in a task.
    #[doc(hidden)]
    fn open(&self, opening: &mut Opening<'_, '_>) -> Result<Self::Open>;
}

mod sealed {
    use super::Declared;

    pub trait Resource {
        /// Says what the plan must know.
        fn declare(&self, declared: &mut Declared);
    }
}

pub(crate) use sealed::Resource;

/// What a processor is given, as the plan sees it.
#[derive(Debug, Default)]
pub struct Declared {
    pub(crate) stores: Vec<String>,
    /// The tables that it reads, with their builders.
    pub(crate) reads: Vec<(NodeId, usize)>,
    /// The global tables that it reads.
    pub(crate) globals: Vec<String>,
    /// With the type of the [`Output`].
    pub(crate) outputs: Vec<(&'static str, TypeId)>,
}

impl Declared {
    /// The tables that it reads of the builder known by `token`.
    pub(crate) fn reads_of(&self, token: usize) -> impl Iterator<Item = NodeId> {
        self.reads.iter().filter(move |(_, builder)| *builder == token).map(|(table, _)| *table)
    }
}

/// A task in which a processor's resources are being opened.
pub struct Opening<'a, 'b> {
    pub(crate) builder: &'a mut TaskBuilder<'b>,
    pub(crate) step: NodeId,
    /// The steps that read the outputs.
    pub(crate) readers: Vec<(&'static str, NodeId)>,
    pub(crate) ports: Ports,
}

impl std::fmt::Debug for Opening<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("readers", &self.readers).finish_non_exhaustive()
    }
}

impl Resource for () {
    fn declare(&self, _: &mut Declared) {}
}

impl Resources for () {
    type Open = ();

    fn open(&self, _: &mut Opening<'_, '_>) -> Result<()> {
        Ok(())
    }
}

impl<K: Data, V: Data> Resource for Output<K, V> {
    fn declare(&self, declared: &mut Declared) {
        declared.outputs.push((self.name(), TypeId::of::<Self>()));
    }
}

impl<K: Data, V: Data> Resources for Output<K, V> {
    type Open = Port<K, V>;

    fn open(&self, opening: &mut Opening<'_, '_>) -> Result<Port<K, V>> {
        let readers: Vec<NodeId> =
            opening.readers.iter().filter(|(name, _)| *name == self.name()).map(|(_, id)| *id).collect();
        let target = opening.builder.target_among::<K, V>(&readers)?;
        opening.ports.add(self.name(), target.clone());
        Ok(Port::new(self.name(), target))
    }
}

macro_rules! stores {
    ($($of:ident => $open:ident)+) => {$(
        impl<K: Key, V: Data> Resource for $of<K, V> {
            fn declare(&self, declared: &mut Declared) {
                declared.stores.push(self.name().to_owned());
            }
        }

        impl<K: Key, V: Data> Resources for $of<K, V> {
            type Open = $open<K, V>;

            fn open(&self, opening: &mut Opening<'_, '_>) -> Result<Self::Open> {
                self.open_in(opening.builder, opening.step)
            }
        }
    )+};
}

stores! {
    StoreRef => KeyValueStore
    WindowStoreRef => WindowStore
    SessionStoreRef => SessionStore
    VersionedStoreRef => VersionedKeyValueStore
}

impl<K: Data, V: Data> Resource for TableRef<K, V> {
    fn declare(&self, declared: &mut Declared) {
        declared.reads.push((self.id, self.builder));
    }
}

impl<K: Data, V: Data> Resources for TableRef<K, V> {
    type Open = TableReader<K, V>;

    fn open(&self, opening: &mut Opening<'_, '_>) -> Result<Self::Open> {
        Ok(TableReader::new(opening.builder.view_of::<K, V>(self.id)?))
    }
}

impl<K: Data, V: Data> Resource for GlobalTable<K, V> {
    fn declare(&self, declared: &mut Declared) {
        declared.globals.push(self.store.clone());
    }
}

impl<K: Data, V: Data> Resources for GlobalTable<K, V> {
    type Open = GlobalTableReader<K, V>;

    fn open(&self, opening: &mut Opening<'_, '_>) -> Result<Self::Open> {
        let rows = opening.builder.env.global(&self.store)?;
        Ok(GlobalTableReader::new(self.keys.clone(), self.values.clone(), rows))
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))+) => {$(
        impl<$($name: Resource),+> Resource for ($($name,)+) {
            #[expect(non_snake_case, reason = "the fields are called as their types")]
            fn declare(&self, declared: &mut Declared) {
                let ($($name,)+) = self;
                $($name.declare(declared);)+
            }
        }

        impl<$($name: Resources),+> Resources for ($($name,)+) {
            type Open = ($($name::Open,)+);

            #[expect(non_snake_case, reason = "the fields are called as their types")]
            fn open(&self, opening: &mut Opening<'_, '_>) -> Result<Self::Open> {
                let ($($name,)+) = self;
                Ok(($($name.open(opening)?,)+))
            }
        }
    )+};
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}
