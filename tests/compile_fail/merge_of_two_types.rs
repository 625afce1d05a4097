// error: mismatched types
// error: expected `&KStream<String, i64>`, found `&KStream<String, bool>`
use headwater::prelude::*;

pub fn topology(app: &StreamsBuilder) {
    let orders: KStream<String, i64> = app.stream("orders", Json);
    let flags: KStream<String, bool> = app.stream("flags", Json);
    orders.merge(&flags);
}
