//! `snapshot create|list|restore`.

use std::process::ExitCode;

use headwater_core::format_timestamp;
use headwater_state::Manifest;

use super::{
    args::{SnapshotArgs, SnapshotVerb},
    failure::Failure,
    output::{Output, grouped},
    program::Program,
    run::named,
};
use crate::snapshot::{create_snapshots, list_snapshots, restore_snapshots};

pub(super) fn snapshot(program: &dyn Program, verb: &SnapshotVerb) -> Result<ExitCode, Failure> {
    let topology = program.topology()?;
    let settings = |args: &SnapshotArgs| named(args.place.settings(args.version.number), &args.instance);
    let manifests = match verb {
        SnapshotVerb::Create(args) => {
            let log = args.place.existing_log()?;
            args.place.require("state")?;
            create_snapshots(&topology, &log, &settings(args))?
        }
        SnapshotVerb::List(args) => list_snapshots(&topology, &settings(args))?,
        SnapshotVerb::Restore(args) => {
            args.place.require("snapshots")?;
            restore_snapshots(&topology, &settings(args))?
        }
    };
    let mut out = Output::stdout();
    for manifest in &manifests {
        out.line(line(manifest))?;
    }
    out.finish()?;
    if manifests.is_empty() {
        eprintln!("there are no snapshots");
    }
    Ok(ExitCode::SUCCESS)
}

/// `1_0 <id> 2013-01-01T10:00:00Z 3 files, 12,345 bytes, stores daily-delays`.
fn line(manifest: &Manifest) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    format!(
        "{} {} {} {} files, {} bytes, stores {}",
        manifest.task,
        manifest.id,
        format_timestamp(manifest.created_ms),
        manifest.files.len(),
        grouped(bytes),
        manifest.stores.join(", ")
    )
}
