//! What records tell of modules that took the place of others: over commits, fences and openings, and from records that
//! are older than it.

use super::body::SlotBody;
use super::record::{Activation, ChainRecord, PinnedModule, RecordKind};
use super::*;
use crate::activations::ACTIVATIONS_MAX;
use crate::shape::TableShape;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::EventTime;

/// Of an older program: epoch 2 of a pipeline that counts, with one module.
const OLDER: &[u8] = include_bytes!("older/layout_3.json");

fn pinned(stage: &str, name: &str, digest: u8) -> PinnedModule {
    PinnedModule {
        stage: stage.to_owned(),
        name: name.to_owned(),
        digest: ModuleDigest([digest; 32]),
        generation: 1,
        state_version: 0,
    }
}

/// Opens the lane, commits an epoch with each of these lists of modules, at 1 s after another, and answers with the
/// newest record.
fn commit(
    runtime: &Runtime,
    storage: &LaneStorage,
    clock: &Clock,
    epochs: &[Vec<PinnedModule>],
) -> ChainRecord {
    let opened = runtime.block_on(open(storage, INSTANCE)).unwrap();
    let mut number = next_number(&opened);
    let handle = runtime.handle().clone();
    let failures = Arc::default();
    let mut committer =
        Committer::spawn(handle, opened.chain, storage.clone(), clock.clone(), failures);
    let mut newest = opened.head;
    for modules in epochs {
        clock.advance(Duration::from_secs(1));
        let frozen = number.map_or_else(genesis, epoch_of);
        number = Some(number.map_or(0, |number| number + 1));
        committer.submit(FrozenEpoch { modules: modules.clone(), ..frozen });
        let Some(CommitOutcome::Committed(record)) = committer.wait(LONG) else { panic!() };
        newest = Some(ChainRecord::clone(&record));
    }
    newest.unwrap()
}

/// `3 at 00:00:04Z: valid b(02) after a(01)`
fn lines(record: &ChainRecord) -> Vec<String> {
    let line = |activation: &Activation| {
        let Activation { epoch, at, stage, name, digest, previous_name, previous } = activation;
        let (at, digest, previous) = (at.to_string(), digest.short(), previous.short());
        format!(
            "{epoch} at {}: {stage} {name}({}) after {previous_name}({})",
            &at[11..],
            &digest[..2],
            &previous[..2]
        )
    };
    record.activations.iter().map(line).collect()
}

#[test]
fn a_record_tells_which_modules_have_taken_the_place_of_others() {
    let (runtime, storage) = new_lane();
    let clock = Clock::manual(0);
    let (a, b) = (pinned("valid", "a", 1), pinned("valid", "b", 2));
    let sum = pinned("sum", "s", 7);
    let first = commit(
        &runtime,
        &storage,
        &clock,
        &[
            vec![a.clone()],
            vec![a.clone()],
            vec![b.clone()],
            // A stage that is new has taken nobody's place.
            vec![b.clone(), sum.clone()],
        ],
    );
    assert_eq!(lines(&first), ["2 at 00:00:03Z: valid b(02) after a(01)"]);

    // Another owner, whose pipeline file names other modules.
    let later = commit(&runtime, &storage, &clock, &[vec![a.clone(), pinned("sum", "s", 8)]]);
    assert_eq!(later.epoch, Epoch(4));
    let told = [
        "2 at 00:00:03Z: valid b(02) after a(01)",
        "4 at 00:00:05Z: valid a(01) after b(02)",
        "4 at 00:00:05Z: sum s(08) after s(07)",
    ];
    assert_eq!(lines(&later), told);
    let later = ChainRecord { state: None, ..later };
    let body = SlotBody::freeze(later.clone()).unwrap();
    assert_eq!(body.record.v, 4, "an older program refuses it by its layout");
    let fence = open::fence_of(&body, later.term, &later.writer).unwrap();
    assert_eq!(fence.record.activations, later.activations, "a fence changes nothing");
}

#[test]
fn a_record_tells_of_the_newest_only() {
    let (runtime, storage) = new_lane();
    let epochs: Vec<_> = (0..40).map(|digest| vec![pinned("valid", "a", digest)]).collect();
    let head = commit(&runtime, &storage, &Clock::manual(0), &epochs);
    assert_eq!(head.activations.len(), ACTIVATIONS_MAX);
    assert_eq!(head.activations[0].epoch, Epoch(24));
    assert_eq!(head.activations[ACTIVATIONS_MAX - 1].previous, ModuleDigest([38; 32]));
}

/// Without activations a record is the same bytes as before, so that an older program reads it, too.
#[test]
fn a_record_that_is_older_than_activations_is_read_and_written_as_it_was() {
    let older = SlotBody::thaw(Epoch(2), OLDER.into()).unwrap();
    let record = &older.record;
    assert_eq!((record.v, record.kind), (3, RecordKind::Data));
    assert_eq!((record.activations.len(), &*record.modules[0].name), (0, "nexmark-count"));
    let again = SlotBody::freeze(record.clone()).unwrap();
    assert_eq!(again.object().bytes(), OLDER);
    let at = EventTime(0);
    let history =
        History { modules: record.modules.clone(), activations: record.activations.clone() };
    let next = history.followed_by(&[pinned("count", "other", 1)], Epoch(3), at);
    assert_eq!(next.activations[0].previous, record.modules[0].digest);
}

/// Only tables with a log need the newest layout.
#[test]
fn a_record_of_a_table_with_a_log_is_refused_by_an_older_program() {
    let shape = TableShape::default();
    let older = SlotBody::thaw(Epoch(2), OLDER.into()).unwrap().record;
    let tables = BTreeMap::from([("revenue".to_owned(), shape)]);
    let logged = SlotBody::freeze(ChainRecord { tables, ..older }).unwrap();
    assert_eq!(logged.record.v, 5);
    let again = SlotBody::thaw(Epoch(2), logged.object().bytes().clone()).unwrap();
    assert_eq!(again.record, logged.record);
    let fence = open::fence_of(&logged, logged.record.term, &logged.record.writer).unwrap();
    assert_eq!((fence.record.tables.len(), fence.record.v), (0, 3), "a fence has no files");
}
