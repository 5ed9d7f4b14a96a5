//! Each epoch is in the log once and whole, whatever fails and whoever writes.

use proptest::prelude::*;

use super::faulty::Fault;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// An epoch with so many files.
    Commit(usize),
    /// One of two writers tries to publish; the other is a zombie, or the opening after it.
    Publish(usize),
    /// A writer is gone, and comes again.
    Reopen(usize),
    /// Somebody else commits.
    Foreign,
    /// The next commit of the log fails so.
    Fail(Fault),
    /// Late puts land.
    Land,
    /// A writer's lane lets go of the records that no log needs.
    Collect(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::After), Just(Fault::Late)];
    prop_oneof![
        3 => (0..3_usize).prop_map(Step::Commit),
        4 => (0..2_usize).prop_map(Step::Publish),
        1 => (0..2_usize).prop_map(Step::Reopen),
        2 => Just(Step::Foreign),
        3 => fault.prop_map(Step::Fail),
        2 => Just(Step::Land),
        2 => (0..2_usize).prop_map(Step::Collect),
    ]
}

/// What readers of every version see: whole epochs, in order, without a gap.
fn check_versions(lane: &Lane) {
    let of_chain = of_chain(lane);
    let mut shown: Vec<u64> = Vec::new();
    for lines in commits(lane) {
        let adds = lines.iter().filter_map(|line| line.add.as_ref());
        let mut epochs: Vec<u64> = adds.map(|add| of_chain[&add.path]).collect();
        assert!(epochs.is_sorted(), "epochs of a commit in order: {epochs:?}");
        shown.append(&mut epochs);
        let through =
            lines.iter().filter_map(|line| line.txn.as_ref()).find(|txn| txn.app_id != "somebody");
        let Some(through) = through else { continue };
        let through = u64::try_from(through.version).unwrap();
        let decided: Vec<u64> = {
            let mut all: Vec<u64> =
                of_chain.values().copied().filter(|epoch| *epoch <= through).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(shown, decided, "up to epoch {through}");
    }
}

fn run(steps: &[Step]) {
    let mut lane = Lane::new();
    let mut writers: [Option<TableLog>; 2] = [None, None];
    let mut foreign = 0;
    for step in steps {
        match step {
            Step::Commit(files) => lane.commit(*files, &["n"]),
            Step::Reopen(writer) => writers[*writer] = None,
            Step::Foreign => {
                foreign += 1;
                put_foreign(&lane, vec![foreign_txn(foreign)]);
            }
            Step::Fail(fault) => lane.store.fail(*fault),
            Step::Collect(writer) => {
                if let Some(log) = &writers[*writer] {
                    lane.let_go_below(log.published().needed_from);
                }
            }
            Step::Land => lane.runtime.block_on(lane.store.land()),
            Step::Publish(writer) => {
                let mut log = match writers[*writer].take() {
                    Some(log) => log,
                    None => open(&lane, &["n"]).unwrap(),
                };
                // It may fail, and that must do no harm.
                let _ = catch_up(&lane, &mut log);
                writers[*writer] = Some(log);
            }
        }
        check_versions(&lane);
    }
    lane.store.mend();
    for writer in &mut writers {
        let mut log = writer.take().unwrap_or_else(|| open(&lane, &["n"]).unwrap());
        catch_up(&lane, &mut log).unwrap();
        lane.runtime.block_on(lane.store.land());
        check_versions(&lane);
    }
    let table = lane.runtime.block_on(contents(lane.table())).unwrap();
    let paths: Vec<&String> = table.files.keys().collect();
    let of_chain = of_chain(&lane);
    assert_eq!(paths, of_chain.keys().collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn every_epoch_is_in_the_log_once_whatever_fails(
        steps in proptest::collection::vec(step(), 1..24)
    ) {
        run(&steps);
    }
}

#[test]
fn a_commit_whose_answer_was_lost_is_not_repeated() {
    run(&[
        Step::Publish(0),
        Step::Commit(2),
        Step::Fail(Fault::After),
        Step::Publish(0),
        Step::Publish(1),
        Step::Commit(1),
        Step::Fail(Fault::Late),
        Step::Publish(0),
        Step::Foreign,
        Step::Commit(1),
        Step::Publish(0),
        Step::Land,
        Step::Publish(1),
    ]);
}

#[test]
fn one_commit_carries_the_epochs_that_are_missing() {
    let mut lane = Lane::new();
    (0..5).for_each(|_| lane.commit(1, &["n"]));
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    let commits = commits(&lane);
    assert_eq!(commits.len(), 2, "the table, and five epochs");
    assert_eq!(commits[1].iter().filter(|line| line.add.is_some()).count(), 5);
    let stats = commits[1].iter().find_map(|line| line.add.as_ref()?.stats.clone());
    assert_eq!(
        stats.as_deref(),
        Some(
            r#"{"numRecords":3,"minValues":{"n":-1},"maxValues":{"n":12345678901234567890123},"nullCount":{"n":2}}"#
        )
    );
}

#[test]
fn a_table_without_rows_says_now_and_then_how_far_it_is() {
    let mut lane = Lane::new();
    let mut log = open(&lane, &["n"]).unwrap();
    let silent = usize::try_from(decide::SILENT_EPOCHS_MAX).unwrap();
    (0..=silent).for_each(|_| lane.commit(0, &["n"]));
    catch_up(&lane, &mut log).unwrap();
    let txns = commits(&lane).into_iter().flatten().filter_map(|line| line.txn);
    assert_eq!(txns.map(|txn| txn.version).collect::<Vec<_>>(), [256]);
    assert_eq!(log.published().through, lane.head.as_ref().map(|head| head.epoch));
    assert_eq!(log.published().needed_from.0, 257, "the log says so itself");
    lane.commit(0, &["n"]);
    catch_up(&lane, &mut log).unwrap();
    let published = log.published();
    let through = published.through.map(|epoch| epoch.0);
    assert_eq!((through, published.needed_from.0), (Some(258), 257), "it does not say that yet");
}

#[test]
fn checkpoints_are_read_and_the_log_is_cleaned_before_them() {
    let mut lane = Lane::new();
    let mut log = open(&lane, &["n"]).unwrap();
    for _ in 0..230 {
        lane.commit(1, &["n"]);
        catch_up(&lane, &mut log).unwrap();
    }
    let before = lane.runtime.block_on(contents(lane.table())).unwrap();
    assert_eq!(before.files.len(), 230);
    assert_eq!(before.state.checkpoint, Some(199));
    let raw = Log { table: lane.table().clone() };
    let kept = {
        let mut state = before.state.clone();
        let settings = &mut state.metadata.as_mut().unwrap().configuration;
        settings.insert("delta.enableExpiredLogCleanup".to_owned(), "false".to_owned());
        state
    };
    assert_eq!(lane.runtime.block_on(cleanup::clean(&raw, &kept, i64::MAX)).unwrap(), 0);
    // As if everything had been written long ago.
    let listing = lane.runtime.block_on(raw.list(None)).unwrap();
    let (_, newest) = listing.commits.last().unwrap();
    let much_later = newest.last_modified.timestamp_millis() + 40 * 24 * 3_600 * 1_000;
    let removed = lane.runtime.block_on(cleanup::clean(&raw, &before.state, much_later)).unwrap();
    assert_eq!(removed, 200, "commits 0 to 198 and checkpoint 99");
    let listing = lane.runtime.block_on(raw.list(None)).unwrap();
    let first = listing.commits.first().map(|(version, _)| *version);
    assert_eq!(first, Some(199), "the checkpoint's own commit stays");
    let after = lane.runtime.block_on(contents(lane.table())).unwrap();
    assert_eq!(after.files.keys().collect::<Vec<_>>(), before.files.keys().collect::<Vec<_>>());
    assert_eq!(after.state, before.state);
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    let table = lane.runtime.block_on(contents(lane.table())).unwrap();
    assert_eq!(table.files.len(), 231);
}

#[test]
fn a_writer_who_finds_that_another_was_faster_has_nothing_left_to_do() {
    let mut lane = Lane::new();
    lane.commit(1, &["n"]);
    let (mut first, mut second) = (open(&lane, &["n"]).unwrap(), open(&lane, &["n"]).unwrap());
    catch_up(&lane, &mut first).unwrap();
    lane.runtime.block_on(second.create()).unwrap();
    assert_eq!(second.published(), first.published());
    assert_eq!(second.published().through.map(|epoch| epoch.0), Some(1));
}

#[test]
fn a_checkpoint_that_another_writer_has_cut_is_read() {
    let mut lane = Lane::new();
    (0..3).for_each(|_| lane.commit(1, &["n"]));
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    let raw = Log { table: lane.table().clone() };
    let before = lane.runtime.block_on(contents(lane.table())).unwrap();
    let version = before.state.version.unwrap();
    let lines = before.clone().into_lines(0);
    let (first, second) = lines.split_at(lines.len() / 2);
    let store = lane.store.untroubled();
    let (table, runtime) = (lane.table().clone(), lane.runtime.handle().clone());
    let put = |name: &str, bytes: Bytes| {
        let path = table.path(&format!("_delta_log/{name}"));
        runtime.block_on(store.put(&path, bytes.into())).unwrap();
    };
    let name = |part: u64| format!("{version:020}.checkpoint.{part:010}.{:010}.parquet", 2);
    put(&name(1), checkpoint::write(first).unwrap());
    let commits = 0..=version;
    let delete = || {
        commits.clone().for_each(|commit| {
            let _ = lane.runtime.block_on(store.delete(&raw.commit_path(commit)));
        });
    };
    let kept: Vec<_> = (0..=version)
        .map(|commit| {
            let path = raw.commit_path(commit);
            let bytes = async { store.get(&path).await.unwrap().bytes().await.unwrap() };
            (path.clone(), lane.runtime.block_on(bytes))
        })
        .collect();
    delete();
    assert!(
        lane.runtime.block_on(contents(lane.table())).is_ok_and(|it| it.files.is_empty()),
        "half of it is none"
    );
    put(&name(2), checkpoint::write(second).unwrap());
    let names = |table: &contents::Contents| table.files.keys().cloned().collect::<Vec<_>>();
    let read = |why: &str| {
        let table = lane.runtime.block_on(contents(lane.table())).unwrap();
        assert_eq!(
            (names(&table), table.state.txns),
            (names(&before), before.state.txns.clone()),
            "{why}"
        );
    };
    read("found by its names");
    put("_last_checkpoint", Bytes::from(format!(r#"{{"version":{version},"size":9,"parts":2}}"#)));
    read("named");
    let (path, bytes) = kept.into_iter().next_back().unwrap();
    lane.runtime.block_on(store.put(&path, bytes.into())).unwrap();
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    assert_eq!(names(&lane.runtime.block_on(contents(lane.table())).unwrap()).len(), 4);
    put("_last_checkpoint", Bytes::from(format!(r#"{{"version":{version},"size":9,"parts":3}}"#)));
    let said = lane.runtime.block_on(contents(lane.table())).unwrap_err().to_string();
    assert!(said.contains("one of the kind V2 is not read here"), "{said}");
}
