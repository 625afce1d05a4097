//! Ctrl-C and SIGTERM.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use headwater_core::{Error, ErrorKind, Result};
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a program that was interrupted twice: 128 and the number of SIGINT, as shells report it.
const INTERRUPTED_TWICE: i32 = 130;

/// A flag that the first Ctrl-C or SIGTERM sets, so that work can end in order. The second one ends the process at once,
/// which is safe too: what was not committed is done again.
///
/// # Errors
/// `HW0710` if signals cannot be listened to.
pub(super) fn listen() -> Result<Arc<AtomicBool>> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Internal, "HW0710", "signals cannot be listened to").caused_by(error)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    let body = move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if flag.swap(true, Ordering::SeqCst) {
                    std::process::exit(INTERRUPTED_TWICE);
                }
                eprintln!("stopping: finishing and committing what is in hand");
            }
        });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(body).map_err(failed)?;
    Ok(interrupted)
}
