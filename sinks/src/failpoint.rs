//! Named points at which tests stop the process or lose a reply. Without a hook a point costs one atomic load.

use std::sync::OnceLock;

/// What a hook wants to happen at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Go on.
    None,
    /// The step was done but its reply is lost; only honoured where a reply can be lost.
    LostReply,
}

/// Called with the point's name.
pub type Hook = fn(&'static str) -> Fault;

static HOOK: OnceLock<Hook> = OnceLock::new();

/// Sets the process's hook; the first one stays.
pub fn set_hook(hook: Hook) {
    let _ = HOOK.set(hook);
}

/// Passes the point `name`.
pub(crate) fn reach(name: &'static str) -> Fault {
    HOOK.get().map_or(Fault::None, |hook| hook(name))
}
