// error: borrowed data escapes outside of function
use headwater::prelude::*;

pub fn topology<'a>(app: &StreamsBuilder, name: &'a str) {
    app.stream::<String, i64>("orders", Json).map_values(move |_| name).for_each(|_, _| ());
}
