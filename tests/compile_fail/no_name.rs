// error: this method takes 1 argument but 0 arguments were supplied
// error: /* name */
use headwater::prelude::*;

pub fn topology(app: &StreamsBuilder) {
    app.stream::<String, i64>("orders", Json).group_by_key("by-key").count();
}
