//! Chains that follow each other in one place (docs/design/commit.md#chains-that-follow-each-other): owners commit, let go of old records
//! and of old states, sleep for as long as they like and crash; what they have sent may land when they are gone; somebody resets the lane in
//! the middle of it, once or twice, sleeps as well, and the next opening begins another chain. Names are those of the real [`crate::home`], which
//! also says what a reset deletes.
//!
//! In every state, as long as the genesis of a chain is there, an opening finds all that was told as committed on it and was not let go, with the
//! state of the newest. Nobody tells an epoch as committed while another chain is there, and no reset forgets a chain that it has not seen.
//!
//! It assumes of the first chain of a lane, which does not lie apart, that its genesis lands before the lane is reset; and of a reset, that it does not
//! sleep between its look at the genesis and the deletion of that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Push, State, search};
use crate::home::{Forgets, below_lane};
use crate::paths;
use crate::record::{Epoch, Term};

/// Puts and deletions that are under way without anybody who waits for them.
const LATE_MAX: usize = 1;

/// The rules that are left out, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Without {
    Nothing,
    /// C20: the look at the genesis after a put.
    Genesis,
    /// C21: a chain that begins after a reset has its records where those of the first were.
    RecordsApart,
    /// C21: the same of its states.
    StatesApart,
    /// C22: a reset deletes the genesis last.
    GenesisFirst,
    /// C23: a reset deletes the genesis that is there.
    LookAtGenesis,
    /// C23: a reset deletes all that it finds in the end.
    Seen,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Chain {
    id: u8,
    is_apart: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Object {
    Record { chain: Chain, epoch: u8 },
    State,
    Mark,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum At {
    /// Reads the genesis and the newest record.
    Look,
    Begin(Chain),
    Run,
    /// Its head was there.
    Put(u8),
    Confirm(u8),
    /// Its head was there: deletes what it then listed, or has listed.
    Delete(Vec<String>),
    /// Its head was there: lists states up to an epoch.
    List(u8),
    Dead,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Owner {
    at: At,
    chain: Option<Chain>,
    head: u8,
    restarts: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Reset {
    NotYet,
    Listed(Listing),
    Marked(Listing),
    /// It has looked at the genesis: these records, and what goes.
    Deletes(Vec<String>, Forgets),
    /// Lists again.
    Again(Forgets),
    Ends(Vec<String>),
    Done,
}

/// What a reset has found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Listing {
    /// Behind the genesis.
    records: Vec<String>,
    /// Chains.
    seen: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Late {
    Put(String, Object),
    Deletion(String),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Lane {
    without: Without,
    store: BTreeMap<String, Object>,
    owners: [Owner; 2],
    resets: Vec<Reset>,
    /// Each chain may have as many records behind its genesis.
    epochs: u8,
    late: Vec<Late>,
    /// What was told as committed.
    told: BTreeSet<(Chain, u8)>,
    /// From where on the records of each chain are kept.
    floors: BTreeMap<Chain, u8>,
    begun: u8,
    /// Somebody has told what he should not.
    wrong: Option<&'static str>,
}

fn start(without: Without, resets: usize, epochs: u8) -> Lane {
    // Where two resets sleep no owner dies: there would be too many states.
    let again = u8::from(resets == 1);
    let owner = |restarts| Owner { at: At::Look, chain: None, head: 0, restarts };
    Lane {
        without,
        store: BTreeMap::new(),
        owners: [owner(again), owner(0)],
        resets: vec![Reset::NotYet; resets],
        epochs,
        late: Vec::new(),
        told: BTreeSet::new(),
        floors: BTreeMap::new(),
        begun: 0,
        wrong: None,
    }
}

fn genesis() -> String {
    paths::slot(Epoch::GENESIS)
}

fn id_of(chain: Chain) -> String {
    format!("{:012}", chain.id)
}

impl Lane {
    /// Where something of a chain lies.
    fn path(&self, chain: Chain, below: &str) -> String {
        let is_shared = match self.without {
            Without::RecordsApart => below.starts_with(paths::CHAIN_FOLDER),
            Without::StatesApart => below.starts_with(paths::STATE_FOLDER),
            _ => false,
        };
        let id = id_of(chain);
        below_lane(Some(&*id).filter(|_| chain.is_apart && !is_shared), below)
    }

    fn slot(&self, chain: Chain, epoch: u8) -> String {
        self.path(chain, &paths::slot(Epoch(epoch.into())))
    }

    fn state(&self, chain: Chain, epoch: u8) -> String {
        let nonce = chain.id.to_string();
        self.path(chain, &paths::state(Epoch(epoch.into()), Term(1), &nonce, 0))
    }

    fn standing(&self) -> Option<Chain> {
        match self.store.get(&genesis()) {
            Some(Object::Record { chain, .. }) => Some(*chain),
            _ => None,
        }
    }

    fn has(&self, chain: Chain, epoch: u8) -> bool {
        self.store.get(&self.slot(chain, epoch)) == Some(&Object::Record { chain, epoch })
    }

    /// The newest record of a chain as a listing of its folder shows it.
    fn newest(&self, chain: Chain) -> u8 {
        let newest =
            (1..=self.epochs).rev().find(|e| self.store.contains_key(&self.slot(chain, *e)));
        newest.unwrap_or(0)
    }

    fn floor(&self, chain: Chain) -> u8 {
        self.floors.get(&chain).copied().unwrap_or(1)
    }

    /// What an opening has against a chain whose genesis is there.
    fn flaw(&self, chain: Chain) -> Option<String> {
        let newest = self.newest(chain);
        let missing = (self.floor(chain)..=newest).find(|epoch| !self.has(chain, *epoch));
        if let Some(epoch) = missing {
            return Some(format!("an opening finds no record of epoch {epoch}"));
        }
        let told = self.told.iter().filter(|(of, _)| *of == chain).map(|(_, epoch)| *epoch).max();
        if told > Some(newest) {
            return Some("an opening goes on from an old record".to_owned());
        }
        let has_state = newest == 0 || self.store.contains_key(&self.state(chain, newest));
        (!has_state).then(|| "the state of the newest record is gone".to_owned())
    }

    fn with(&self, i: usize, at: At) -> Self {
        let mut next = self.clone();
        next.owners[i].at = at;
        next
    }

    fn step_open(&self, i: usize, push: Push<'_, Self>) {
        if let Some(chain) = self.standing() {
            let mut next = self.with(i, At::Run);
            (next.owners[i].chain, next.owners[i].head) = (Some(chain), self.newest(chain));
            push(format_args!("o{i} opens {chain:?}"), next);
        } else if self.store.values().all(|object| !matches!(object, Object::Record { .. })) {
            let is_apart = self.store.contains_key(paths::MARK_FOLDER);
            let chain = Chain { id: self.begun + 1, is_apart };
            let mut next = self.with(i, At::Begin(chain));
            next.begun += 1;
            push(format_args!("o{i} is to begin {chain:?}"), next);
        }
    }

    fn step_begin(&self, i: usize, chain: Chain, push: Push<'_, Self>) {
        let is_late = !chain.is_apart && self.store.contains_key(paths::MARK_FOLDER);
        if is_late || self.store.contains_key(&genesis()) {
            push(format_args!("o{i} does not begin"), self.with(i, At::Look));
            return;
        }
        let mut next = self.with(i, At::Confirm(0));
        next.owners[i].chain = Some(chain);
        next.store.insert(genesis(), Object::Record { chain, epoch: 0 });
        push(format_args!("o{i} begins {chain:?}"), next);
    }

    fn step_run(&self, i: usize, chain: Chain, push: Push<'_, Self>) {
        let head = self.owners[i].head;
        if !self.has(chain, head) {
            push(format_args!("o{i} finds its head gone"), self.with(i, At::Dead));
            return;
        }
        if head < self.epochs {
            let mut next = self.with(i, At::Put(head + 1));
            next.store.insert(self.state(chain, head + 1), Object::State);
            push(format_args!("o{i} sees its head, has a state"), next);
        }
        if head > 1 {
            push(format_args!("o{i} sees its head, retires"), self.with(i, At::List(head - 1)));
        }
        if head > self.floor(chain) {
            let old = (1..head).map(|epoch| self.slot(chain, epoch)).collect();
            let mut next = self.with(i, At::Delete(old));
            next.floors.insert(chain, head);
            push(format_args!("o{i} sees its head, puts a floor at {head}"), next);
        }
    }

    fn step_put(&self, i: usize, chain: Chain, epoch: u8, push: Push<'_, Self>) {
        let (slot, record) = (self.slot(chain, epoch), Object::Record { chain, epoch });
        match self.store.get(&slot) {
            Some(found) if *found != record => {
                push(format_args!("o{i} has lost slot {epoch}"), self.with(i, At::Dead));
            }
            _ => {
                let mut next = self.with(i, At::Confirm(epoch));
                next.store.insert(slot.clone(), record);
                push(format_args!("o{i} puts slot {epoch}"), next);
                self.linger(i, Late::Put(slot, record), push);
            }
        }
    }

    /// Its owner crashes while a request is under way.
    fn linger(&self, i: usize, late: Late, push: Push<'_, Self>) {
        if self.late.len() < LATE_MAX {
            let mut next = self.with(i, At::Dead);
            next.late.push(late.clone());
            push(format_args!("o{i} crashes, {late:?} is under way"), next);
        }
    }

    fn step_confirm(&self, i: usize, chain: Chain, epoch: u8, push: Push<'_, Self>) {
        let is_there = self.standing() == Some(chain) || self.without == Without::Genesis;
        if !is_there || epoch < self.floor(chain) && epoch > 0 {
            push(format_args!("o{i} finds its chain gone"), self.with(i, At::Dead));
            return;
        }
        let mut next = self.with(i, At::Run);
        next.owners[i].head = epoch;
        if self.standing().is_some_and(|standing| standing != chain) {
            next.wrong = Some("an epoch is told of a chain that was forgotten");
        }
        next.told.insert((chain, epoch));
        push(format_args!("o{i} tells {epoch}"), next);
    }

    fn step_delete(&self, i: usize, paths: &[String], push: Push<'_, Self>) {
        let Some((first, rest)) = paths.split_first() else {
            push(format_args!("o{i} has deleted"), self.with(i, At::Run));
            return;
        };
        let mut next = self.with(i, At::Delete(rest.to_vec()));
        next.store.remove(first);
        push(format_args!("o{i} deletes {first}"), next);
        self.linger(i, Late::Deletion(first.clone()), push);
    }

    fn step_list(&self, i: usize, chain: Chain, last: u8, push: Push<'_, Self>) {
        let folder = format!("{}/", self.path(chain, paths::STATE_FOLDER));
        let is_old = |path: &&String| {
            let name = path.strip_prefix(&folder);
            name.and_then(paths::parse_blob).is_some_and(|epoch| epoch <= Epoch(last.into()))
        };
        let old = self.store.keys().filter(is_old).cloned().collect();
        push(format_args!("o{i} lists states"), self.with(i, At::Delete(old)));
    }

    /// What a reset finds.
    fn listing(&self) -> Listing {
        let is_record = |path: &&String| {
            **path != genesis() && matches!(self.store[*path], Object::Record { .. })
        };
        let records = self.store.keys().filter(is_record).cloned().collect();
        let apart = |path: &String| paths::parse_of_chain(path).map(|(chain, _)| chain.to_owned());
        let standing = self.standing().map(id_of);
        let mut seen: Vec<_> = self.store.keys().filter_map(apart).chain(standing).collect();
        seen.sort();
        seen.dedup();
        Listing { records, seen }
    }

    /// What a reset finds when the chain is gone that it has seen: what its owner has committed meanwhile, and its states.
    fn leftovers(&self, forgets: &Forgets) -> Vec<String> {
        let is_to_go = |path: &&String| match self.store[*path] {
            Object::Mark => false,
            _ => self.without == Without::Seen || forgets.takes(path),
        };
        self.store.keys().filter(is_to_go).cloned().collect()
    }

    fn step_reset(&self, r: usize, push: Push<'_, Self>) {
        let mut next = self.clone();
        let label = match &self.resets[r] {
            // Of one alone nothing is to be seen there.
            Reset::NotYet if self.resets.len() == 1 && self.standing().is_none() => return,
            Reset::NotYet => {
                next.resets[r] = Reset::Listed(self.listing());
                "lists".to_owned()
            }
            Reset::Listed(listing) => {
                next.store.insert(paths::MARK_FOLDER.to_owned(), Object::Mark);
                next.resets[r] = Reset::Marked(listing.clone());
                "puts a mark".to_owned()
            }
            Reset::Marked(Listing { records, seen }) => {
                let mut records = records.clone();
                let forgets = self.forgets(seen);
                if self.without == Without::GenesisFirst {
                    records.reverse();
                    records.push(genesis());
                } else if forgets.genesis || self.without == Without::LookAtGenesis {
                    next.forget_genesis(&forgets);
                }
                next.resets[r] = Reset::Deletes(records, forgets);
                "looks at the genesis".to_owned()
            }
            Reset::Deletes(records, forgets) => match records.split_first() {
                None => {
                    next.resets[r] = Reset::Again(forgets.clone());
                    "has deleted what it saw".to_owned()
                }
                Some((first, rest)) => {
                    next.store.remove(first);
                    next.resets[r] = Reset::Deletes(rest.to_vec(), forgets.clone());
                    format!("deletes {first}")
                }
            },
            Reset::Again(forgets) => {
                next.resets[r] = Reset::Ends(self.leftovers(forgets));
                "lists again".to_owned()
            }
            Reset::Ends(left) => match left.split_first() {
                None => {
                    next.resets[r] = Reset::Done;
                    "has ended".to_owned()
                }
                Some((first, rest)) => {
                    if *first == genesis() {
                        next.forget_genesis(&self.forgets(&[]));
                    } else {
                        next.store.remove(first);
                    }
                    next.resets[r] = Reset::Ends(rest.to_vec());
                    format!("deletes {first}")
                }
            },
            Reset::Done => return,
        };
        push(format_args!("reset {r} {label}"), next);
    }

    /// What a reset forgets that saw these chains, as it looks at the genesis.
    fn forgets(&self, seen: &[String]) -> Forgets {
        let there = self.standing().map(|chain| (id_of(chain), chain.is_apart));
        Forgets::of(seen.to_vec(), there.as_ref().map(|(id, is_apart)| (&**id, *is_apart)))
    }

    fn forget_genesis(&mut self, forgets: &Forgets) {
        if !forgets.genesis {
            self.wrong = Some("a reset forgets a chain that it has not seen");
        }
        self.store.remove(&genesis());
    }
}

impl State for Lane {
    type Kept = Self;

    fn kept(&self) -> Self {
        self.clone()
    }

    fn next(&self, push: Push<'_, Self>) {
        for (index, late) in self.late.iter().enumerate() {
            let mut next = self.clone();
            next.late.remove(index);
            match late {
                Late::Put(path, _) if self.store.contains_key(path) => {}
                Late::Put(path, object) => drop(next.store.insert(path.clone(), *object)),
                Late::Deletion(path) => drop(next.store.remove(path)),
            }
            push(format_args!("{late:?} lands"), next);
        }
        (0..self.resets.len()).for_each(|r| self.step_reset(r, push));
        for (i, owner) in self.owners.iter().enumerate() {
            match (&owner.at, owner.chain) {
                (At::Dead, _) if owner.restarts > 0 => {
                    let mut next = self.with(i, At::Look);
                    (next.owners[i].restarts, next.owners[i].chain) = (owner.restarts - 1, None);
                    push(format_args!("o{i} restarts"), next);
                }
                (At::Look, _) => self.step_open(i, push),
                (At::Begin(chain), _) => self.step_begin(i, *chain, push),
                (At::Run, Some(chain)) => self.step_run(i, chain, push),
                (At::Put(epoch), Some(chain)) => self.step_put(i, chain, *epoch, push),
                (At::Confirm(epoch), Some(chain)) => self.step_confirm(i, chain, *epoch, push),
                (At::Delete(paths), _) => self.step_delete(i, paths, push),
                (At::List(last), Some(chain)) => self.step_list(i, chain, *last, push),
                _ => {}
            }
        }
    }

    fn wrong(&self) -> Option<String> {
        let flaw = self.standing().and_then(|chain| self.flaw(chain));
        self.wrong.map(str::to_owned).or(flaw)
    }
}

fn check(without: Without) -> Found {
    search(start(without, 1, 2))
}

#[test]
fn chains_that_follow_each_other_in_one_place_do_each_other_no_harm() {
    check(Without::Nothing).assert_safe(1_500_000);
}

#[test]
fn a_reset_that_sleeps_through_another_and_the_beginning_of_a_chain_does_it_no_harm() {
    search(start(Without::Nothing, 2, 1)).assert_safe(150_000);
}

#[test]
fn a_reset_that_deletes_all_that_it_finds_in_the_end_forgets_the_next_chain() {
    check(Without::Seen).assert_violation("a chain that it has not seen");
}

#[test]
fn a_reset_that_deletes_the_genesis_that_is_there_forgets_the_next_chain() {
    let found = search(start(Without::LookAtGenesis, 2, 1));
    found.assert_violation("a chain that it has not seen");
}

#[test]
fn without_the_look_at_the_genesis_a_chain_goes_on_beside_another() {
    check(Without::Genesis).assert_violation("told of a chain that was forgotten");
}

#[test]
fn without_records_apart_one_chain_ends_the_other() {
    check(Without::RecordsApart).assert_violation("an opening");
}

#[test]
fn without_states_apart_one_chain_takes_the_state_of_the_other() {
    check(Without::StatesApart).assert_violation("the state of the newest record is gone");
}

#[test]
fn a_reset_that_begins_with_the_newest_record_is_gone_on_from() {
    check(Without::GenesisFirst).assert_violation("an opening");
}
