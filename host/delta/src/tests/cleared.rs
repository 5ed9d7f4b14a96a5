//! What a vacuum deletes, and what it leaves.

use std::time::Duration;

use sluicegate_chain::record::Epoch;

use super::compacted::compacted;
use super::*;
use crate::vacuum::{Found, Kept, Wish, delete, find};

const WISH: Wish = Wish { retain: None, may_be_short: false, foreign: false };

/// Looks so many days from now.
fn look(lane: &Lane, days: u64, wish: Wish) -> Result<Found, LogError> {
    let now = Clock::system().wall_micros() / 1_000;
    let later = now + i64::try_from(days * 86_400_000).unwrap();
    lane.runtime.block_on(find(&lane.storage, "numbers", wish, later))
}

fn put(lane: &Lane, path: &str) {
    let put = async { lane.table().store.put(&lane.table().path(path), "1".into()).await };
    lane.runtime.block_on(put).unwrap();
}

/// Four epochs, of which three are in one file now, and the last is not in the log.
fn lane() -> Lane {
    let mut lane = Lane::new();
    (0..3).for_each(|n| lane.commit_rows(&[&[n]]));
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    assert_eq!(compacted(&lane).unwrap().files, 3);
    lane.commit_rows(&[&[3]]);
    lane
}

#[test]
fn what_the_chain_still_names_stays_and_what_nobody_needs_goes() {
    let lane = lane();
    let found = look(&lane, 8, WISH).unwrap();
    assert!(found.unneeded.is_empty(), "{found:?}");
    let kept = BTreeMap::from([(Kept::Live, 1), (Kept::Unpublished, 1), (Kept::Named, 3)]);
    assert_eq!(found.kept, kept);
    lane.let_go_below(Epoch(3));
    assert!(look(&lane, 6, WISH).unwrap().unneeded.is_empty(), "they are young");
    let found = look(&lane, 8, WISH).unwrap();
    let gone: Vec<&String> = found.unneeded.keys().collect();
    assert_eq!(gone, [&lane.records[1].files[0].path, &lane.records[2].files[0].path]);
    lane.runtime.block_on(delete(lane.table(), &found)).unwrap();
    let found = look(&lane, 8, WISH).unwrap();
    let kept = BTreeMap::from([(Kept::Live, 1), (Kept::Unpublished, 1), (Kept::Named, 1)]);
    assert_eq!((found.unneeded.len(), found.kept), (0, kept));
    let mut log = open(&lane, &["n"]).unwrap();
    catch_up(&lane, &mut log).unwrap();
}

#[test]
fn what_is_committed_and_not_in_the_log_stays_whatever_is_asked_for() {
    let lane = lane();
    // Of an epoch that is on its way.
    put(&lane, &lane.records[4].files[0].path.replace("00004-", "00005-"));
    lane.let_go_below(Epoch(4));
    let all = Wish { retain: Some(Duration::ZERO), may_be_short: true, foreign: true };
    let found = look(&lane, 400, all).unwrap();
    assert_eq!(found.unneeded.len(), 3);
    assert_eq!(found.kept, BTreeMap::from([(Kept::Live, 1), (Kept::Unpublished, 2)]));
}

#[test]
fn files_of_others_stay_unless_they_are_asked_for() {
    let lane = lane();
    put(&lane, "part-00000.parquet");
    put(&lane, "_hidden/part-00000.parquet");
    let own = lane.chain().to_owned();
    put(&lane, &lane.records[1].files[0].path.replace(&own, "000000000000"));
    let found = look(&lane, 8, WISH).unwrap();
    assert_eq!((found.unneeded.len(), found.kept[&Kept::Unproven]), (0, 2));
    let found = look(&lane, 8, Wish { foreign: true, ..WISH }).unwrap();
    assert_eq!(found.unneeded.keys().collect::<Vec<_>>(), ["part-00000.parquet"]);
    assert_eq!(found.kept[&Kept::Unproven], 1, "of another chain, which may be another pipeline's");
}

#[test]
fn a_compacted_file_that_is_on_its_way_stays_whatever_is_asked_for() {
    let lane = lane();
    let name = format!("compacted-{}.parquet", "0".repeat(32));
    put(&lane, &name);
    let all = Wish { retain: Some(Duration::ZERO), may_be_short: true, foreign: true };
    assert_eq!(look(&lane, 0, all).unwrap().kept[&Kept::Young], 1);
    let found = look(&lane, 2, all).unwrap();
    assert!(found.unneeded.contains_key(&name), "a process died on the way");
}

#[test]
fn what_cannot_be_proven_is_refused() {
    let mut lane = lane();
    let refusal = |lane: &Lane, wish| look(lane, 8, wish).unwrap_err().to_string();
    let said = refusal(&lane, Wish { retain: Some(Duration::from_secs(86_400)), ..WISH });
    assert!(said.contains("7d") && said.contains("say so with --force"), "{said}");
    let said = refusal(&lane, Wish { retain: Some(Duration::from_secs(864_000)), ..WISH });
    assert!(said.contains("forgets after 7d") && said.contains("change its property"), "{said}");
    lane.move_table("elsewhere");
    assert!(refusal(&lane, WISH).contains("has no log"));
    let other = Lane::new();
    lane.storage.tables.clone_from(&other.storage.tables);
    catch_up(&other, &mut open(&other, &["n"]).unwrap()).unwrap();
    let said = refusal(&lane, WISH);
    assert!(said.contains("has nothing of the chain of pipeline `toy`"), "{said}");
}
