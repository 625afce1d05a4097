// error: `Plain` cannot be stored or sent with a default serde
// error: not a `Value`
// error: `#[derive(Clone, Serialize, Deserialize)]` on it, or give an explicit serde
use headwater::prelude::*;

#[derive(Clone)]
pub struct Plain;

pub fn topology(app: &StreamsBuilder) {
    app.stream::<String, Plain>("orders", Json);
}
