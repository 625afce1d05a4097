// error: `f64` cannot be a key here
// error: not a `Key`
// error: their encoding is not deterministic
use headwater::prelude::*;

pub fn topology(app: &StreamsBuilder) {
    app.stream::<String, f64>("orders", Json).group_by(|_, price| *price, "by-price").count("counts");
}
