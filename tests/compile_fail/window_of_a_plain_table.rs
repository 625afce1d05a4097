// error: no method named `windowed_by` found for struct `KTable<K, V>`
use headwater::prelude::*;

pub fn topology(app: &StreamsBuilder) {
    let counts = app.stream::<String, i64>("orders", Json).group_by_key("by-key").count("counts");
    counts.windowed_by(Tumbling::of(hours(1)).no_grace());
}
