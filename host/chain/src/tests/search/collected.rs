//! The protocol with slots that are let go: owners collect, look for late files, and sleep in between; names of slots are
//! created again. It keeps and raises the real [`Floor`].
//!
//! Beside the store the search keeps the truth: the records in the order in which each took the slot behind the newest. In
//! every state each of them must continue the one before, every file that one names must be there, and what a writer told
//! as committed must be among them. After a look for late files by somebody who is alone no other file may be there.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Found, Push, State, search};
use crate::floor::{Floor, Name, Run};
use crate::record::{Epoch, Term};

const CHAIN: &str = "0123456789ab";

/// The rules that are left out, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Without {
    Nothing,
    /// C15: the newest slot is let go as well.
    KeepingTheHead,
    /// C16: slots are deleted before the floor is put.
    FloorFirst,
    /// C16: the floor does not tell who wrote what is below it.
    Runs,
    /// C17: who reads slots for a floor does not look at the floor again.
    LookingAgain,
    /// C17: who looks for late files does not look at the floor again.
    LookingAgainForFiles,
    /// C17: slots below the floor are asked, if they hold something.
    Passing,
    /// C18.
    Confirming,
    /// C18: after a look at the floor a writer withdraws its file.
    LeavingFiles,
    /// C19: after a slot that is taken a writer withdraws its file, whatever the floor.
    AskingTheFloor,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct File {
    epoch: u8,
    term: u8,
    nonce: u8,
}

/// A life puts at most one body into a slot, so slot and nonce are a record's identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Record {
    slot: u8,
    term: u8,
    nonce: u8,
    from: u8,
    to: u8,
    /// It names the file of its epoch and writer.
    has_file: bool,
    /// The nonce of the record before.
    parent: u8,
}

impl Record {
    fn file(&self) -> Option<File> {
        let Self { slot: epoch, term, nonce, .. } = *self;
        self.has_file.then_some(File { epoch, term, nonce })
    }

    fn name(&self) -> Name {
        (Term(self.term.into()), self.nonce.to_string())
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum At {
    Dead,
    /// Looks for the newest slot.
    Look,
    Fence(Record),
    /// Looks again whether the fence is the newest.
    Fenced(u8),
    Run,
    Put(Record),
    Confirm(Record),
    /// Has read the floor, and is going to read slots up to there.
    Collect {
        floor: u8,
        to: u8,
    },
    /// Has read slots, and looks at the floor again.
    Raise {
        floor: u8,
        to: u8,
        runs: Vec<Run>,
    },
    /// Puts the floor.
    PutFloor {
        floor: u8,
        to: u8,
        raised: Arc<Floor>,
    },
    /// Deletes the slots below, one by one.
    Delete {
        next: u8,
        to: u8,
    },
    /// Has read the newest slot and the floor, and is going to read the slots from there.
    Sweep {
        floor: u8,
        latest: u8,
    },
    /// Knows who wrote each epoch up to the newest, and looks at the floor again.
    Judge {
        floor: u8,
        names: Vec<Option<Name>>,
    },
    /// Deletes files.
    Withdraw(Vec<Option<Name>>),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Writer {
    at: At,
    nonce: u8,
    term: u8,
    /// Its head; none before it has opened.
    head: Option<Record>,
    restarts: u8,
    /// Commits that it may still make, data or not: bounds the search.
    looks: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Lane {
    without: Without,
    bounds: Bounds,
    slots: Vec<Option<Record>>,
    /// Ascending by epoch, created once each.
    floors: Vec<Arc<Floor>>,
    truth: Vec<Record>,
    files: BTreeSet<File>,
    late: Option<Record>,
    late_left: u8,
    writers: [Writer; 2],
    flaw: Option<&'static str>,
}

/// How far the search goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Bounds {
    slots: u8,
    input: u8,
    restarts: [u8; 2],
    late: u8,
    /// Collections and looks for late files of a life.
    looks: u8,
    /// Whether they look for late files, too.
    sweeps: bool,
}

/// Two looks of each life.
const BOUNDS: Bounds =
    Bounds { slots: 2, input: 2, restarts: [0, 1], late: 1, looks: 2, sweeps: true };
/// A slot more, and a look of each life; fences and collections only.
const FENCES: Bounds = Bounds { slots: 3, looks: 1, input: 0, sweeps: false, ..BOUNDS };

fn start(without: Without, bounds: Bounds) -> Lane {
    let genesis = Record { slot: 0, term: 1, nonce: 0, from: 0, to: 0, has_file: false, parent: 0 };
    let mut slots = vec![None; usize::from(bounds.slots) + 1];
    slots[0] = Some(genesis);
    let writer = |nonce, restarts| Writer {
        at: At::Look,
        nonce,
        term: 0,
        head: None,
        restarts,
        looks: bounds.looks,
    };
    Lane {
        without,
        bounds,
        slots,
        floors: vec![Arc::new(Floor::ground(CHAIN))],
        truth: vec![genesis],
        files: BTreeSet::new(),
        late: None,
        late_left: bounds.late,
        writers: [writer(1, bounds.restarts[0]), writer(11, bounds.restarts[1])],
        flaw: None,
    }
}

fn epoch(number: u8) -> Epoch {
    Epoch(number.into())
}

impl Lane {
    /// What the dead and those who look knew is forgotten, so that fewer states differ.
    fn with(&self, i: usize, at: At) -> Self {
        let mut next = self.clone();
        let writer = &mut next.writers[i];
        if matches!(at, At::Dead | At::Look) {
            (writer.term, writer.head) = (0, None);
        }
        if at == At::Dead {
            writer.looks = 0;
        }
        writer.at = at;
        next
    }

    fn latest(&self) -> Option<Record> {
        self.slots.iter().rev().flatten().next().copied()
    }

    fn floor(&self) -> &Floor {
        self.floors.last().unwrap()
    }

    fn floor_number(&self) -> u8 {
        u8::try_from(self.floor().epoch.0).unwrap()
    }

    /// None if the slot is taken.
    fn with_slot(&self, record: Record) -> Option<Self> {
        let slot = usize::from(record.slot);
        if self.slots[slot].is_some() {
            return None;
        }
        let mut next = self.clone();
        next.slots[slot] = Some(record);
        if slot == next.truth.len() {
            next.truth.push(record);
        }
        Some(next)
    }

    fn step_look(&self, i: usize, push: Push<'_, Self>) {
        let Some(head) = self.latest() else {
            let mut next = self.clone();
            next.flaw = Some("an opening finds no chain");
            push(format_args!("w{i} looks"), next);
            return;
        };
        let Writer { nonce, .. } = self.writers[i];
        let term = head.term + 1;
        let mut next = self.with(i, At::Run);
        (next.writers[i].term, next.writers[i].head) = (term, Some(head));
        push(format_args!("w{i} opens at {}", head.slot), next);
        let slot = head.slot + 1;
        if slot <= self.bounds.slots {
            let (from, to, parent) = (head.to, head.to, head.nonce);
            let fence = Record { slot, term, nonce, from, to, has_file: false, parent };
            push(
                format_args!("w{i} opens at {}, and fences", head.slot),
                self.with(i, At::Fence(fence)),
            );
        }
    }

    fn step_put(&self, i: usize, record: Record, push: Push<'_, Self>) {
        let (slot, is_fence) = (record.slot, matches!(self.writers[i].at, At::Fence(_)));
        let won = |state: &Self| {
            let at = if is_fence { At::Fenced(slot) } else { At::Confirm(record) };
            state.with(i, at)
        };
        if let Some(next) = self.with_slot(record) {
            push(format_args!("w{i} PUT {slot} ok"), won(&next));
            push(format_args!("w{i} PUT {slot} ok, answer lost"), next);
            if self.late_left > 0 {
                let mut next = self.clone();
                (next.late, next.late_left) = (Some(record), next.late_left - 1);
                push(format_args!("w{i} PUT {slot} is delayed"), next);
            }
        } else if self.slots[usize::from(slot)] == Some(record) {
            push(format_args!("w{i} finds its own write in {slot}"), won(self));
        } else if is_fence {
            push(format_args!("w{i} finds {slot} decided"), self.with(i, At::Look));
        } else {
            let is_let_go = self.floor().has_let_go(epoch(slot));
            let mut next = self.with(i, At::Dead);
            if !is_let_go || self.without == Without::AskingTheFloor {
                record.file().map(|file| next.files.remove(&file));
            }
            push(format_args!("w{i} lost {slot}"), next);
        }
    }

    fn step_confirm(&self, i: usize, record: Record, push: Push<'_, Self>) {
        let slot = record.slot;
        let is_let_go = self.floor().has_let_go(epoch(slot));
        if is_let_go && self.without != Without::Confirming {
            let mut next = self.with(i, At::Dead);
            if self.without == Without::LeavingFiles {
                record.file().map(|file| next.files.remove(&file));
            }
            push(format_args!("w{i} sees that {slot} was let go, stops"), next);
            return;
        }
        let mut next = self.with(i, At::Run);
        next.writers[i].head = Some(record);
        if self.truth.get(usize::from(slot)) != Some(&record) {
            next.flaw = Some("an epoch is told as committed that no chain has");
        }
        push(format_args!("w{i} tells {slot} as committed"), next);
    }

    fn step_run(&self, i: usize, push: Push<'_, Self>) {
        let Writer { nonce, term, looks, .. } = self.writers[i];
        let head = self.writers[i].head.unwrap();
        let slot = head.slot + 1;
        if slot <= self.bounds.slots && head.to < self.bounds.input {
            let (from, to, parent) = (head.to, head.to + 1, head.nonce);
            let record = Record { slot, term, nonce, from, to, has_file: true, parent };
            let mut next = self.with(i, At::Put(record));
            next.files.extend(record.file());
            push(format_args!("w{i} uploads the file of {slot}"), next);
        }
        if looks == 0 {
            return;
        }
        let floor = self.floor_number();
        let last = if self.without == Without::KeepingTheHead { slot } else { head.slot };
        for to in floor + 1..=last {
            let at = match self.without {
                Without::FloorFirst => At::Delete { next: floor, to },
                _ => At::Collect { floor, to },
            };
            let mut next = self.with(i, at);
            next.writers[i].looks -= 1;
            push(format_args!("w{i} is going to collect to {to}"), next);
        }
        if let Some(latest) = self.latest().filter(|_| self.bounds.sweeps) {
            let mut next = self.with(i, At::Sweep { floor, latest: latest.slot });
            next.writers[i].looks -= 1;
            push(format_args!("w{i} is going to look for late files"), next);
        }
    }

    /// Who wrote an epoch, to a reader that knows this floor; none if nothing lies there.
    fn name(&self, floor: &Floor, of: u8) -> Option<Name> {
        let slot = self.slots[usize::from(of)].map(|record| record.name());
        match floor.has_let_go(epoch(of)) {
            true if self.without == Without::Passing && slot.is_some() => slot,
            true => floor.writer(epoch(of)),
            false => slot,
        }
    }

    fn floor_at(&self, number: u8) -> &Floor {
        self.floors.iter().find(|floor| floor.epoch == epoch(number)).unwrap()
    }

    fn raised(&self, floor: u8, to: u8, runs: &[Run]) -> Arc<Floor> {
        let runs = if self.without == Without::Runs { &[][..] } else { runs };
        Arc::new(self.floor_at(floor).raised(epoch(to), runs.to_vec()))
    }

    fn step_collect(&self, i: usize, push: Push<'_, Self>) {
        match &self.writers[i].at {
            At::Collect { floor, to } => {
                let floor_now = self.floor_at(*floor);
                let names: Vec<_> = (*floor..*to).map(|of| self.name(floor_now, of)).collect();
                let runs = (*floor..).zip(names).map(|(first, name)| {
                    let (term, nonce) = name?;
                    Some(Run { first: epoch(first), term, nonce })
                });
                let at = match runs.collect::<Option<Vec<_>>>() {
                    Some(runs) => At::Raise { floor: *floor, to: *to, runs },
                    // Somebody else collects.
                    None => At::Run,
                };
                push(format_args!("w{i} reads the slots below {to}"), self.with(i, at));
            }
            At::Raise { floor, to, runs } => {
                let stands = self.floor_number() == *floor;
                let at = match stands || self.without == Without::LookingAgain {
                    true => {
                        let raised = self.raised(*floor, *to, runs);
                        At::PutFloor { floor: *floor, to: *to, raised }
                    }
                    false => At::Run,
                };
                push(format_args!("w{i} looks at the floor again"), self.with(i, at));
            }
            At::PutFloor { floor, to, raised } => {
                let mut next = self.with(i, At::Delete { next: *floor, to: *to });
                if next.floors.iter().all(|floor| floor.epoch != raised.epoch) {
                    next.floors.push(Arc::clone(raised));
                    next.floors.sort_by_key(|floor| floor.epoch);
                }
                push(format_args!("w{i} puts the floor {to}"), next);
            }
            At::Delete { next: slot, to } if slot < to => {
                let mut next = self.with(i, At::Delete { next: slot + 1, to: *to });
                next.slots[usize::from(*slot)] = None;
                push(format_args!("w{i} deletes slot {slot}"), next);
            }
            At::Delete { .. } => push(format_args!("w{i} has collected"), self.with(i, At::Run)),
            _ => unreachable!("these are the steps of a collection"),
        }
    }

    fn step_sweep(&self, i: usize, push: Push<'_, Self>) {
        match &self.writers[i].at {
            At::Sweep { floor, latest } => {
                let floor_now = self.floor_at(*floor);
                let names: Vec<_> = (0..=*latest).map(|of| self.name(floor_now, of)).collect();
                // What is not known because it was let go meanwhile is settled by the look that follows.
                let is_known =
                    |of: usize| names[of].is_some() || floor_now.has_let_go(Epoch(of as u64));
                if self.without == Without::FloorFirst && !(0..names.len()).all(is_known) {
                    let mut next = self.clone();
                    next.flaw = Some("a record is missing, and nothing says that it was let go");
                    push(format_args!("w{i} reads the slots"), next);
                    return;
                }
                let at = At::Judge { floor: *floor, names };
                push(format_args!("w{i} reads the slots"), self.with(i, at));
            }
            At::Judge { floor, names } => {
                let stands = self.floor_number() == *floor;
                let is_careless = self.without == Without::LookingAgainForFiles;
                let at = match stands || is_careless {
                    true => At::Withdraw(names.clone()),
                    false => At::Run,
                };
                push(format_args!("w{i} looks at the floor again"), self.with(i, at));
            }
            At::Withdraw(names) => {
                let mut next = self.with(i, At::Run);
                next.files.retain(|file| {
                    let is_of = (Term(file.term.into()), file.nonce.to_string());
                    let known = names.get(usize::from(file.epoch));
                    // Behind the newest nothing is decided; of what is not known nothing follows.
                    known.is_none_or(|name| name.as_ref().is_none_or(|name| *name == is_of))
                });
                let is_alone = self.writers[1 - i].at == At::Dead && self.late.is_none();
                let decided = |file: &&File| usize::from(file.epoch) < names.len();
                let named: BTreeSet<File> = self.truth.iter().filter_map(Record::file).collect();
                if is_alone && next.files.iter().filter(decided).any(|file| !named.contains(file)) {
                    next.flaw = Some("a file stays that no record names");
                }
                push(format_args!("w{i} deletes late files"), next);
            }
            _ => unreachable!("these are the steps of a look for late files"),
        }
    }

    fn step(&self, i: usize, push: Push<'_, Self>) {
        match self.writers[i].at {
            At::Dead => unreachable!("handled by the caller"),
            At::Look => self.step_look(i, push),
            At::Fence(record) | At::Put(record) => self.step_put(i, record, push),
            At::Fenced(slot) => {
                let latest = self.latest().unwrap();
                let mut next = self.with(i, At::Look);
                if latest.slot == slot {
                    next.writers[i].at = At::Run;
                    (next.writers[i].term, next.writers[i].head) = (latest.term, Some(latest));
                }
                push(format_args!("w{i} looks behind its fence"), next);
            }
            At::Run => self.step_run(i, push),
            At::Confirm(record) => self.step_confirm(i, record, push),
            At::Sweep { .. } | At::Judge { .. } | At::Withdraw(_) => self.step_sweep(i, push),
            _ => self.step_collect(i, push),
        }
    }
}

impl State for Lane {
    type Kept = Self;

    fn kept(&self) -> Self {
        self.clone()
    }

    fn next(&self, push: Push<'_, Self>) {
        if let Some(late) = self.late {
            let mut landed = self.with_slot(late).unwrap_or_else(|| self.clone());
            landed.late = None;
            push(format_args!("the delayed PUT of {} lands", late.slot), landed);
        }
        for (i, writer) in self.writers.iter().enumerate() {
            if writer.at != At::Dead {
                if writer.restarts > 0 {
                    push(format_args!("w{i} crashes"), self.with(i, At::Dead));
                }
                self.step(i, push);
            } else if writer.restarts > 0 {
                let mut next = self.with(i, At::Look);
                let looks = self.bounds.looks;
                let (nonce, restarts) = (writer.nonce + 1, writer.restarts - 1);
                next.writers[i] =
                    Writer { nonce, restarts, looks, term: 0, head: None, at: At::Look };
                push(format_args!("w{i} starts"), next);
            }
        }
    }

    fn wrong(&self) -> Option<String> {
        if let Some(flaw) = self.flaw {
            return Some(flaw.to_owned());
        }
        for pair in self.truth.windows(2) {
            if pair[1].from != pair[0].to || pair[1].parent != pair[0].nonce {
                return Some(format!("slot {} does not continue the one before", pair[1].slot));
            }
        }
        for floor in &self.floors {
            let lies = |record: &&Record| {
                floor.writer(epoch(record.slot)).is_some_and(|name| name != record.name())
            };
            if let Some(record) = self.truth.iter().find(lies) {
                return Some(format!("a floor names another writer of epoch {}", record.slot));
            }
        }
        let mut named = self.truth.iter().filter_map(Record::file);
        let gone = named.find(|file| !self.files.contains(file))?;
        Some(format!("epoch {} names a file that is not there any more", gone.epoch))
    }
}

fn check(without: Without) -> Found {
    search(start(without, BOUNDS))
}

#[test]
fn with_all_rules_nothing_is_lost_doubled_or_told_in_vain() {
    check(Without::Nothing).assert_safe(700_000);
}

#[test]
fn a_head_that_is_let_go_ends_the_chain() {
    check(Without::KeepingTheHead).assert_violation("");
}

#[test]
fn slots_deleted_before_their_floor_look_like_damage() {
    check(Without::FloorFirst).assert_violation("a record is missing");
}

#[test]
fn a_floor_that_forgets_writers_keeps_late_files_for_ever() {
    let found = search(start(Without::Runs, Bounds { late: 0, ..BOUNDS }));
    found.assert_violation("a file stays");
}

#[test]
fn slots_below_the_floor_that_are_asked_condemn_what_was_committed() {
    let found = search(start(Without::Passing, Bounds { restarts: [0, 0], ..BOUNDS }));
    found.assert_violation("names a file that is not there any more");
}

#[test]
fn a_put_that_is_not_confirmed_is_told_in_vain() {
    check(Without::Confirming).assert_violation("an epoch is told as committed");
}

#[test]
fn a_file_withdrawn_after_a_look_at_the_floor_may_be_committed() {
    check(Without::LeavingFiles).assert_violation("names a file that is not there any more");
}

#[test]
fn a_file_withdrawn_from_a_slot_that_was_let_go_may_be_committed() {
    check(Without::AskingTheFloor).assert_violation("names a file that is not there any more");
}

#[test]
fn slots_that_were_let_go_while_they_were_read_condemn_what_was_committed() {
    let found = search(start(Without::LookingAgainForFiles, Bounds { looks: 1, ..BOUNDS }));
    found.assert_violation("names a file that is not there any more");
}

#[test]
fn slots_that_were_let_go_while_they_were_read_make_a_floor_lie() {
    let found = search(start(Without::LookingAgain, FENCES));
    found.assert_violation("a floor names another writer");
}
