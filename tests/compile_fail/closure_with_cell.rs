// error: this closure cannot be shared between tasks
// error: captures something that is not `Send + Sync + 'static`
use std::{cell::Cell, rc::Rc};

use headwater::prelude::*;

pub fn topology(app: &StreamsBuilder) {
    let seen = Rc::new(Cell::new(0));
    app.stream::<String, i64>("orders", Json).filter(move |_, _| {
        seen.set(seen.get() + 1);
        true
    });
}
