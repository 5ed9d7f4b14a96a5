//! Two chains that want one table: it takes one of them, whoever tries how often and whatever fails.

use proptest::prelude::*;

use super::faulty::{Fault, FaultyStore};
use super::*;
use crate::claim::{CHAIN_KEY, find, release};

/// Two lanes of one pipeline, whose chains lie in two places, over one table.
struct Rivals {
    lanes: [Lane; 2],
    logs: [Option<TableLog>; 2],
    store: FaultyStore,
}

impl Rivals {
    fn new() -> Self {
        let store = FaultyStore::new();
        let lanes = [Lane::at(&store, "here"), Lane::at(&store, "there")];
        Self { lanes, logs: [None, None], store }
    }

    fn chain(&self, who: usize) -> &str {
        self.lanes[who].chain()
    }

    /// As an opening does: reads the log, and takes the table or does not get it.
    fn open(&mut self, who: usize) -> Result<(), LogError> {
        let lane = &self.lanes[who];
        let mut log = open(lane, &["n"])?;
        self.logs[who] = None;
        let taken = lane.runtime.block_on(async {
            log.check_writer(&[])?;
            log.take(&[]).await
        });
        taken.map(|()| self.logs[who] = Some(log))
    }

    /// An epoch with a file, and a try to add it. Only a lane that is open does so.
    fn publish(&mut self, who: usize) {
        if self.logs[who].is_some() {
            self.lanes[who].commit(1, &["n"]);
            self.add(who);
        }
    }

    /// Another try, with no epoch more.
    fn add(&mut self, who: usize) {
        let log = self.logs[who].as_mut().unwrap();
        let _ = catch_up(&self.lanes[who], log);
    }

    /// As `reset` of one of them does.
    fn release(&self, who: usize) -> Result<(), LogError> {
        let lane = &self.lanes[who];
        lane.runtime.block_on(release(
            &lane.storage,
            "numbers",
            |_| true,
            &Clock::manual(5_000_000),
        ))
    }

    fn writer(&self) -> Option<String> {
        let lane = &self.lanes[0];
        let found = lane.runtime.block_on(find(&lane.storage, "numbers")).unwrap();
        found.map(|writer| writer.chain)
    }

    /// Whoever adds has the table at that version.
    fn check(&self) {
        let mut writer = None;
        for lines in commits(&self.lanes[0]) {
            for line in &lines {
                let named = line.meta_data.as_ref().map(|it| it.configuration.get(CHAIN_KEY));
                writer = named.map_or(writer, Option::<&String>::cloned);
            }
            let adds = lines.iter().filter_map(|line| line.txn.as_ref());
            for txn in adds.filter(|txn| txn.app_id != "somebody") {
                let chain = txn.app_id.rsplit('/').next().map(str::to_owned);
                assert_eq!(chain, writer, "who adds has the table");
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize),
    Publish(usize),
    Release(usize),
    Foreign,
    Fail(Fault),
    Land,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::After), Just(Fault::Late)];
    prop_oneof![
        4 => (0..2_usize).prop_map(Step::Open),
        4 => (0..2_usize).prop_map(Step::Publish),
        1 => (0..2_usize).prop_map(Step::Release),
        1 => Just(Step::Foreign),
        3 => fault.prop_map(Step::Fail),
        2 => Just(Step::Land),
    ]
}

fn run(steps: &[Step]) {
    let mut rivals = Rivals::new();
    let mut was_released = false;
    for step in steps {
        match step {
            Step::Open(who) => {
                let before = rivals.writer();
                let opened = rivals.open(*who);
                let is_own = before.as_deref() == Some(rivals.chain(*who));
                if before.is_some() && !is_own {
                    assert!(opened.is_err(), "the table is another's");
                }
                if opened.is_ok() {
                    let now = rivals.writer();
                    assert_eq!(now.as_deref(), Some(rivals.chain(*who)));
                }
            }
            Step::Publish(who) => rivals.publish(*who),
            Step::Release(who) => {
                was_released = true;
                let _ = rivals.release(*who);
            }
            Step::Foreign => drop(put_foreign(&rivals.lanes[0], vec![foreign_txn(1)])),
            Step::Fail(fault) => rivals.store.fail(*fault),
            Step::Land => rivals.lanes[0].runtime.block_on(rivals.store.land()),
        }
        rivals.check();
    }
    if !was_released {
        assert!(rivals.logs.iter().flatten().count() <= 1, "one of them is open");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn only_the_chain_that_has_the_table_adds_to_it(
        steps in proptest::collection::vec(step(), 1..24)
    ) {
        run(&steps);
    }
}

/// Both have read that there is no table.
#[test]
fn of_two_chains_that_begin_at_the_same_time_one_gets_the_table() {
    let mut rivals = Rivals::new();
    let mut logs = [0, 1].map(|who| open(&rivals.lanes[who], &["n"]).unwrap());
    let runtime = rivals.lanes[0].runtime.handle().clone();
    runtime.block_on(logs[1].take(&[])).unwrap();
    let refused = runtime.block_on(logs[0].take(&[])).unwrap_err();
    assert!(!refused.may_pass());
    let (said, other) = (refused.to_string(), rivals.chain(1));
    assert!(
        said.contains(&format!("is written by another chain of `toy/numbers`, {other}")),
        "{said}"
    );
    assert!(said.contains("there when it took the table: correct `checkpoint.path`"), "{said}");
    let error = rivals.open(0).unwrap_err();
    assert_eq!(error.to_string(), said, "and at every opening");
}

#[test]
fn a_chain_takes_the_table_of_one_that_was_forgotten_for_it() {
    let mut rivals = Rivals::new();
    rivals.open(0).unwrap();
    let mut log = open(&rivals.lanes[1], &["n"]).unwrap();
    let own = [rivals.chain(0).to_owned()];
    log.check_writer(&own).unwrap();
    rivals.lanes[1].runtime.block_on(log.take(&own)).unwrap();
    rivals.publish(0);
    rivals.check();
    assert_eq!(rivals.writer().as_deref(), Some(rivals.chain(1)));
}

/// As a table of an earlier version.
#[test]
fn a_table_that_names_no_chain_is_taken_by_the_first_that_wants_it() {
    let mut rivals = Rivals::new();
    rivals.open(0).unwrap();
    rivals.release(1).unwrap();
    assert_eq!(rivals.writer(), None);
    rivals.open(1).unwrap();
    assert!(rivals.open(0).is_err());
    rivals.release(0).unwrap();
    // One that runs takes it again with what it adds.
    rivals.publish(1);
    assert_eq!(rivals.writer().as_deref(), Some(rivals.chain(1)));
    rivals.check();
}

#[test]
fn a_chain_that_found_another_name_adds_what_it_has_when_the_table_was_released() {
    let mut rivals = Rivals::new();
    rivals.open(0).unwrap();
    rivals.publish(0);
    rivals.release(1).unwrap();
    rivals.open(1).unwrap();
    rivals.publish(0);
    assert_eq!(rivals.writer().as_deref(), Some(rivals.chain(1)));
    rivals.release(1).unwrap();
    rivals.add(0);
    assert_eq!(rivals.writer().as_deref(), Some(rivals.chain(0)), "without an epoch more");
    rivals.check();
}
