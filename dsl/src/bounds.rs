//! The four words the DSL asks of user types. All are blanket-implemented; what they cost is only good messages.

use std::hash::Hash;

use serde::{Serialize, de::DeserializeOwned};

/// A value that may flow through a topology.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot flow through a topology",
    label = "not `Clone + Send + 'static`",
    note = "`#[derive(Clone)]` on it; own its data instead of borrowing; put large values in an `Arc`"
)]
pub trait Data: Clone + Send + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + 'static> Data for T {}

/// A key: hashed, stored, sent. `Hash + Eq` is also the determinism check, as it excludes floats and hash maps.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key here",
    label = "not a `Key`",
    note = "a key is hashed, stored and sent: `#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]`",
    note = "`HashMap`, `HashSet`, `f32` and `f64` are not allowed inside keys: their encoding is not deterministic"
)]
pub trait Key: Data + Hash + Eq + Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Data + Hash + Eq + Serialize + DeserializeOwned> Key for T {}

/// A value that may be stored or sent with a default serde.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored or sent with a default serde",
    label = "not a `Value`",
    note = "`#[derive(Clone, Serialize, Deserialize)]` on it, or give an explicit serde in Consumed/Produced/Grouped/Materialized"
)]
pub trait Value: Data + Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Data + Serialize + DeserializeOwned> Value for T {}

/// A user's closure: one instance serves all tasks on all threads.
#[diagnostic::on_unimplemented(
    message = "this closure cannot be shared between tasks",
    label = "captures something that is not `Send + Sync + 'static`",
    note = "the same closure runs in many tasks on many threads; capture `Arc`s and owned values (`move`), keep state in a store"
)]
pub trait Shared: Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Shared for T {}

/// What a user's fallible closure returns: any error, so that `?` works.
pub type UserResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
