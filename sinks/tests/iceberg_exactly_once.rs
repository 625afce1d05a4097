//! What keeps a row from being appended twice, or not at all, when nothing crashes but much goes wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

mod common;
#[path = "common/table.rs"]
mod table;

use std::path::Path;

use common::{LOSE_REPLIES, Trip, context, hook, iceberg, ids, transaction};
use headwater_sinks::{Descriptor, Sink, SinkContext};

fn opened(lake: &Path) -> SinkContext {
    let context = context(lake);
    iceberg().open(&context).unwrap();
    context
}

/// `count` transactions of two trips each, at the offsets 0, 2, 4, ...: logs have gaps.
fn descriptors(context: &SinkContext, count: i64) -> Vec<(i64, Descriptor)> {
    let mut writer = iceberg().writer(context).unwrap();
    (0..count).map(|n| (n * 2, transaction(writer.as_mut(), n * 2..n * 2 + 2))).collect()
}

#[test]
fn a_descriptor_given_twice_is_applied_once() {
    let dir = tempfile::tempdir().unwrap();
    let context = opened(dir.path());
    let log = descriptors(&context, 4);
    let mut committer = iceberg().committer(&context).unwrap();
    committer.commit(&log[..2]).unwrap();
    committer.commit(&log[..2]).unwrap();
    committer.commit(&log[1..3]).unwrap();
    let mut next = iceberg().committer(&context).unwrap();
    next.commit(&log).unwrap();
    assert_eq!(next.recover().unwrap(), Some(7));
    assert_eq!(ids(&iceberg(), &context), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_lost_reply_is_resolved_by_looking() {
    headwater_sinks::set_failpoint_hook(hook);
    let dir = tempfile::tempdir().unwrap();
    let context = opened(dir.path());
    let log = descriptors(&context, 3);
    let mut committer = iceberg().committer(&context).unwrap();
    LOSE_REPLIES.set(true);
    for entry in &log {
        committer.commit(std::slice::from_ref(entry)).unwrap();
    }
    LOSE_REPLIES.set(false);
    assert_eq!(committer.recover().unwrap(), Some(5));
    assert_eq!(ids(&iceberg(), &context), (0..6).collect::<Vec<_>>());
}

#[test]
fn two_committers_at_work_at_once_append_every_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let context = opened(dir.path());
    let log = descriptors(&context, 30);
    std::thread::scope(|scope| {
        for coalesced in [1, 3] {
            let (log, context) = (&log, &context);
            scope.spawn(move || {
                let mut committer = iceberg().committer(context).unwrap();
                for some in log.chunks(coalesced) {
                    committer.commit(some).unwrap();
                }
            });
        }
    });
    assert_eq!(ids(&iceberg(), &context), (0..60).collect::<Vec<_>>());
}

#[test]
fn commits_of_another_program_neither_hide_nor_disturb_ours() {
    let dir = tempfile::tempdir().unwrap();
    let ours = opened(dir.path());
    let log = descriptors(&ours, 3);
    let other = SinkContext { app: "other".into(), ..ours.clone() };
    let mut writer = iceberg().writer(&other).unwrap();
    let foreign: Vec<_> = (0..3).map(|n| (n, transaction(writer.as_mut(), 100 + n..101 + n))).collect();

    let mut committer = iceberg().committer(&ours).unwrap();
    let mut foreigner = iceberg().committer(&other).unwrap();
    for (entry, foreign) in log.iter().zip(&foreign) {
        committer.commit(std::slice::from_ref(entry)).unwrap();
        foreigner.commit(std::slice::from_ref(foreign)).unwrap();
    }
    let mut next = iceberg().committer(&ours).unwrap();
    assert_eq!(next.recover().unwrap(), Some(5));
    assert_eq!(foreigner.recover().unwrap(), Some(3));
    next.commit(&log).unwrap();
    assert_eq!(ids(&iceberg(), &ours), [0, 1, 2, 3, 4, 5, 100, 101, 102]);
}

#[test]
fn many_commits_keep_the_number_of_manifests_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let context = opened(dir.path());
    let log = descriptors(&context, 80);
    let mut committer = iceberg().committer(&context).unwrap();
    for entry in &log {
        committer.commit(std::slice::from_ref(entry)).unwrap();
    }
    assert_eq!(ids(&iceberg(), &context), (0..160).collect::<Vec<_>>());
    let loaded = table::load(dir.path());
    let (listed, files) = table::manifests(&loaded);
    assert!(listed <= 33, "{listed} manifests");
    let summary = &loaded.1.current_snapshot().unwrap().summary().additional_properties;
    assert_eq!(summary["total-records"], "160");
    assert_eq!(summary["total-data-files"], files.to_string());
    assert_eq!(summary["headwater.ctl.from"], "157");
    assert_eq!(summary["headwater.ctl.to"], "159");
    assert_eq!(summary["headwater.src"], r#"{"trips-0":160}"#);
    assert_eq!(summary["headwater.watermark"], common::trip(159).at.to_string());
    let metadata = common::files(&dir.path().join("air/trips/metadata"));
    let kept = metadata.iter().filter(|file| file.to_string_lossy().ends_with("metadata.json")).count();
    assert!(kept <= 21, "{kept} metadata files are kept");
}

#[test]
fn nothing_is_written_by_a_transaction_without_rows() {
    let dir = tempfile::tempdir().unwrap();
    let context = opened(dir.path());
    let mut writer = Sink::<String, Trip>::writer(&iceberg(), &context).unwrap();
    assert_eq!(writer.prepare(&[]).unwrap(), None);
    assert!(ids(&iceberg(), &context).is_empty());
}

/// A committer under everything that may happen between two commits, in an order drawn from `seed`.
fn storm(seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let ours = opened(dir.path());
    let other = SinkContext { app: "other".into(), ..ours.clone() };
    let log = descriptors(&ours, 24);
    let mut writer = iceberg().writer(&other).unwrap();
    let mut state = seed * 2 + 1;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut committers = [iceberg().committer(&ours).unwrap(), iceberg().committer(&ours).unwrap()];
    let mut foreign = 0;
    let mut done = 0;
    while done < log.len() {
        let who = draw(2) as usize;
        match draw(6) {
            0 => committers[who] = iceberg().committer(&ours).unwrap(),
            1 => {
                let described = transaction(writer.as_mut(), [1_000 + foreign]);
                iceberg().committer(&other).unwrap().commit(&[(foreign, described)]).unwrap();
                foreign += 1;
            }
            // Somebody who has fallen behind offers what is applied already, and something new.
            2 => {
                let back = done.saturating_sub(draw(4) as usize);
                committers[who].commit(&log[back..=done]).unwrap();
                done += 1;
            }
            lost => {
                LOSE_REPLIES.set(lost == 3);
                let next = (done + 1 + draw(3) as usize).min(log.len());
                committers[who].commit(&log[done..next]).unwrap();
                LOSE_REPLIES.set(false);
                done = next;
            }
        }
    }
    let expected: Vec<i64> = (0..48).chain(1_000..1_000 + foreign).collect();
    assert_eq!(ids(&iceberg(), &ours), expected, "seed {seed}");
}

#[test]
fn any_order_of_commits_restarts_lost_replies_and_strangers_gives_every_row_once() {
    headwater_sinks::set_failpoint_hook(hook);
    (0..8).for_each(storm);
}
