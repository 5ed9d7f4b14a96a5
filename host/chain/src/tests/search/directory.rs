//! The protocol as it is today: one input record an epoch, one data file a record, a plain directory. Openings read the
//! chain and the files and do what [`resolve`] says.
//!
//! Two things must hold in every state: records of the chain are a run of inputs without gap or repetition, and every
//! file that a record names is there. And to a writer that was alone since it started, the directory holds no other
//! file whenever it is between two epochs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Found, Push, State, search};
use crate::body::SlotBody;
use crate::fates::Fates;
use crate::paths::{DataFileName, LaneTag};
use crate::record::{
    self, ChainRecord, DataFile, Epoch, Parent, PartitionState, RecordKind, SourceKind,
    SourceState, Term,
};
use crate::resolve::{FoundFile, LOOK_BACK, Observed, Opening, resolve};
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_model::time::Watermark;

const CHAIN: &str = "0123456789ab";
const SLOTS: u64 = 4;
const INPUT: u8 = 2;

/// The rules that are left out, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Without {
    Nothing,
    /// C5: orphans of an undecided epoch are deleted at once.
    FenceBeforeDeleting,
    /// Orphans stay.
    Deleting,
    /// C1: slots are put with overwriting puts.
    CreateOnly,
    /// C2: a slot that holds something counts as won.
    Comparing,
    /// C6: a writer whose slot was lost goes on.
    Stopping,
    /// C9, C1: file names without term and nonce, put with overwriting puts.
    OwnNames,
    /// C9, C1: the lives of a process share its nonce, files are put with overwriting puts.
    NewWriters,
    /// No rule: files replace what lies under their name, as an upload in parts does. Names are one writer's.
    CreateOnlyFiles,
}

/// A data file: the epoch, and the nonce and term of its writer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct File {
    epoch: u64,
    term: u64,
    nonce: u8,
}

/// What a file holds: an input, as a life encoded it (two lives cut their batches differently).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Content {
    input: u8,
    encoded_by: u8,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Record {
    term: u64,
    nonce: u8,
    from: u8,
    to: u8,
    /// Holds the input `from`, as the life `encoded_by` encoded it: its hash.
    file: Option<File>,
    encoded_by: u8,
    parent: Option<Arc<Record>>,
}

/// Parents are compared, not hashed: a chain of them at every look is too slow.
impl Hash for Record {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.term, self.nonce, self.from, self.to, self.file, self.encoded_by).hash(hasher);
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum At {
    Dead,
    /// Looks at the chain.
    ReadChain,
    /// Looks at the files, and decides.
    ReadFiles {
        slots: Vec<Arc<Record>>,
    },
    /// Puts a fence, then looks again.
    Fence {
        slot: u64,
        record: Arc<Record>,
    },
    /// Deletes the files that it decided to delete, one by one.
    Delete {
        files: Vec<File>,
        term: u64,
    },
    /// The opening is through.
    Run,
    Upload,
    Put {
        record: Arc<Record>,
    },
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Writer {
    at: At,
    /// Differs from that of any other start of any process.
    life: u8,
    nonce: u8,
    term: u64,
    head: Option<Arc<Record>>,
    /// Number of the head plus one.
    next: u64,
    restarts: u8,
    /// Although nothing was undecided. Once a start is enough: it knows its own fence.
    has_fenced: bool,
    /// Since it started nobody else did anything, nor did a late put land or may one still.
    is_alone: bool,
}

/// A put under way whose sender may be dead.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Late {
    Slot(u64, Arc<Record>),
    File(File, Content),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Lane {
    without: Without,
    chain: Vec<Arc<Record>>,
    /// With what each holds.
    files: BTreeMap<File, Content>,
    late: Option<Late>,
    /// Late puts that may still happen.
    late_left: u8,
    writers: [Writer; 2],
    /// What an opening said that could not trust the chain.
    damage: Option<String>,
}

fn dead(life: u8, nonce: u8, restarts: u8) -> Writer {
    Writer {
        at: At::Dead,
        life,
        nonce,
        term: 0,
        head: None,
        next: 0,
        restarts,
        has_fenced: false,
        is_alone: false,
    }
}

fn check(without: Without) -> Found {
    // The genesis is there: it names no files and its race is that of any slot.
    let genesis =
        Record { term: 1, nonce: 0, from: 0, to: 0, file: None, encoded_by: 0, parent: None };
    search(Lane {
        without,
        chain: vec![Arc::new(genesis)],
        files: BTreeMap::new(),
        late: None,
        late_left: 1,
        writers: [dead(1, 1, 2), dead(11, 11, 1)],
        damage: None,
    })
}

impl Lane {
    fn with(&self, i: usize, at: At) -> Self {
        let mut next = self.clone();
        next.writers[i].at = at;
        next
    }

    /// A slot is put. None if it is taken, or beyond the search.
    fn with_slot(&self, slot: u64, record: &Arc<Record>) -> Option<Self> {
        let mut next = self.clone();
        let slot = usize::try_from(slot).unwrap();
        if slot == next.chain.len() {
            next.chain.push(Arc::clone(record));
        } else if self.without == Without::CreateOnly {
            next.chain[slot] = Arc::clone(record);
        } else {
            return None;
        }
        Some(next)
    }

    /// A file is put. None if its name holds other content.
    fn with_file(&self, file: File, content: Content) -> Option<Self> {
        let mut next = self.clone();
        let replaces = [Without::OwnNames, Without::NewWriters, Without::CreateOnlyFiles];
        if replaces.contains(&self.without) {
            next.files.insert(file, content);
        }
        let there = *next.files.entry(file).or_insert(content);
        (there == content).then_some(next)
    }

    fn file_of(&self, writer: &Writer) -> File {
        let (term, nonce) = match self.without {
            Without::OwnNames => (1, 1),
            _ => (writer.term, writer.nonce),
        };
        File { epoch: writer.next, term, nonce }
    }

    fn step_read_files(&self, i: usize, slots: &[Arc<Record>], push: Push<'_, Self>) {
        let all: Vec<File> = self.files.keys().copied().collect();
        let decided = match decided(slots, &self.files) {
            Ok(opening) => opening,
            Err(damage) => {
                let mut next = self.with(i, At::Dead);
                next.damage = Some(damage);
                push(format_args!("w{i} finds the chain damaged"), next);
                return;
            }
        };
        let (term, files): (Term, Vec<File>) = match decided {
            Opening::Begin { .. } | Opening::Beside => unreachable!("there is a genesis"),
            Opening::Fence { term } if self.without == Without::FenceBeforeDeleting => {
                let named: BTreeSet<File> = slots.iter().filter_map(|slot| slot.file).collect();
                (term, all.into_iter().filter(|file| !named.contains(file)).collect())
            }
            Opening::Fence { term } => {
                self.push_fence(i, slots, term.0, push);
                return;
            }
            Opening::Ready { term, orphans, .. } => {
                // Or somebody says that he owns the lane, or it is held while it is prepared: any opening may put a fence.
                if !self.writers[i].has_fenced {
                    self.push_fence(i, slots, term.0, &mut |label, mut next| {
                        next.writers[i].has_fenced = true;
                        push(label, next);
                    });
                }
                let deletes = self.without != Without::Deleting;
                let orphans = orphans.into_iter().filter(|_| deletes);
                (term, orphans.map(|index| all[index]).collect())
            }
        };
        let mut next = self.with(i, At::Delete { files: files.clone(), term: term.0 });
        next.writers[i].head = slots.last().cloned();
        next.writers[i].next = slots.len() as u64;
        push(format_args!("w{i} is going to delete {files:?}"), next);
    }

    fn push_fence(&self, i: usize, slots: &[Arc<Record>], term: u64, push: Push<'_, Self>) {
        let (slot, nonce) = (slots.len() as u64, self.writers[i].nonce);
        let head = slots.last().unwrap();
        let (from, to, parent) = (head.to, head.to, Some(Arc::clone(head)));
        let (file, encoded_by) = (None, 0);
        let record = Arc::new(Record { term, nonce, from, to, file, encoded_by, parent });
        if slot <= SLOTS {
            push(format_args!("w{i} fences"), self.with(i, At::Fence { slot, record }));
        }
    }

    fn step_put(&self, i: usize, slot: u64, record: &Arc<Record>, push: Push<'_, Self>) {
        let is_fence = matches!(self.writers[i].at, At::Fence { .. });
        let won = |state: &Self| {
            if is_fence {
                return state.with(i, At::ReadChain);
            }
            let mut next = state.with(i, At::Run);
            next.writers[i].head = Some(Arc::clone(record));
            next.writers[i].next = slot + 1;
            next
        };
        if let Some(next) = self.with_slot(slot, record) {
            push(format_args!("w{i} PUT {slot} ok"), won(&next));
            push(format_args!("w{i} PUT {slot} ok, answer lost"), next);
            self.push_late(i, Late::Slot(slot, Arc::clone(record)), push);
            return;
        }
        let is_mine = self.chain[usize::try_from(slot).unwrap()] == *record;
        if is_mine || self.without == Without::Comparing {
            push(format_args!("w{i} finds its own write in {slot}"), won(self));
        } else if is_fence {
            push(format_args!("w{i} finds {slot} decided"), self.with(i, At::ReadChain));
        } else if self.without == Without::Stopping {
            let mut next = self.with(i, At::Run);
            next.writers[i].next = self.chain.len() as u64;
            push(format_args!("w{i} goes on without {slot}"), next);
        } else {
            let mut next = self.with(i, At::Dead);
            if let Some(file) = record.file {
                next.files.remove(&file);
            }
            push(format_args!("w{i} lost {slot}, and withdraws its file"), next);
        }
    }

    fn push_late(&self, i: usize, late: Late, push: Push<'_, Self>) {
        if self.late_left > 0 {
            let mut next = self.clone();
            next.late_left -= 1;
            next.late = Some(late);
            push(format_args!("w{i}'s PUT is delayed"), next);
        }
    }

    /// The number that the writer takes next.
    fn input(writer: &Writer) -> u8 {
        writer.head.as_ref().map_or(0, |head| head.to)
    }

    fn step(&self, i: usize, push: Push<'_, Self>) {
        let writer = &self.writers[i];
        match &writer.at {
            At::Dead => unreachable!("handled by the caller"),
            At::ReadChain => {
                let at = At::ReadFiles { slots: self.chain.clone() };
                push(format_args!("w{i} reads the chain"), self.with(i, at));
            }
            At::ReadFiles { slots } => self.step_read_files(i, slots, push),
            At::Fence { slot, record } => self.step_put(i, *slot, record, push),
            At::Delete { files, term } => {
                let mut files = files.clone();
                let mut next = self.clone();
                let Some(file) = files.pop() else {
                    next.writers[i].term = *term;
                    next.writers[i].at = At::Run;
                    push(format_args!("w{i} is open"), next);
                    return;
                };
                next.files.remove(&file);
                next.writers[i].at = At::Delete { files, term: *term };
                push(format_args!("w{i} deletes {file:?}"), next);
            }
            At::Run if Self::input(writer) < INPUT && writer.next <= SLOTS => {
                push(format_args!("w{i} freezes epoch {}", writer.next), self.with(i, At::Upload));
            }
            At::Run => {}
            At::Upload => {
                let (file, input) = (self.file_of(writer), Self::input(writer));
                let Writer { term, nonce, life: encoded_by, .. } = *writer;
                let (from, to, parent) = (input, input + 1, writer.head.clone());
                let record = Record { term, nonce, from, to, file: Some(file), encoded_by, parent };
                let content = Content { input, encoded_by };
                match self.with_file(file, content) {
                    Some(next) => {
                        let next = next.with(i, At::Put { record: Arc::new(record) });
                        push(format_args!("w{i} uploads {file:?}"), next);
                    }
                    None => push(format_args!("w{i} finds {file:?} taken"), self.with(i, At::Dead)),
                }
                self.push_late(i, Late::File(file, content), push);
            }
            At::Put { record } => self.step_put(i, writer.next, record, push),
        }
    }
}

impl State for Lane {
    type Kept = Self;

    fn kept(&self) -> Self {
        self.clone()
    }

    fn next(&self, push: Push<'_, Self>) {
        if let Some(late) = &self.late {
            let mut landed = match late {
                Late::File(file, content) => {
                    self.with_file(*file, *content).unwrap_or_else(|| self.clone())
                }
                Late::Slot(slot, record) => {
                    self.with_slot(*slot, record).unwrap_or_else(|| self.clone())
                }
            };
            landed.late = None;
            landed.writers.iter_mut().for_each(|writer| writer.is_alone = false);
            push(format_args!("the delayed PUT lands"), landed);
        }
        for (i, writer) in self.writers.iter().enumerate() {
            if writer.at != At::Dead {
                push(format_args!("w{i} crashes"), self.with(i, At::Dead));
                self.step(i, &mut |label, mut next| {
                    next.writers[1 - i].is_alone = false;
                    next.writers[i].is_alone &= next.late.is_none();
                    push(label, next);
                });
            } else if writer.restarts > 0 {
                let mut next = self.clone();
                let is_alone = self.writers[1 - i].at == At::Dead && self.late.is_none();
                let life = writer.life + 1;
                let nonce = match self.without {
                    Without::NewWriters => writer.nonce,
                    _ => life,
                };
                let writer = dead(life, nonce, writer.restarts - 1);
                next.writers[i] = Writer { at: At::ReadChain, is_alone, ..writer };
                next.writers[1 - i].is_alone = false;
                push(format_args!("w{i} starts"), next);
            }
        }
    }

    fn wrong(&self) -> Option<String> {
        if let Some(damage) = &self.damage {
            return Some(format!("an opening says: {damage}"));
        }
        let mut end = 0;
        for (slot, record) in self.chain.iter().enumerate() {
            if record.from != end {
                let Record { from, to, .. } = **record;
                return Some(format!("slot {slot} takes [{from},{to}) after {end}"));
            }
            end = record.to;
            if let Some(file) = record.file
                && self.files.get(&file)
                    != Some(&Content { input: record.from, encoded_by: record.encoded_by })
            {
                return Some(format!(
                    "slot {slot} names a file that is not there any more: {file:?}"
                ));
            }
        }
        if self.writers.iter().any(|writer| writer.at == At::Run && writer.is_alone) {
            let named: BTreeSet<File> =
                self.chain.iter().filter_map(|record| record.file).collect();
            let seen: BTreeSet<File> = self.files.keys().copied().collect();
            if named != seen {
                return Some(format!("readers see {seen:?}, the chain names {named:?}"));
            }
        }
        None
    }
}

thread_local! {
    /// What was decided, by what was seen: hundreds of states see the same, and hashing records takes most of the time.
    static DECIDED: RefCell<HashMap<Seen, Result<Opening, String>>> = RefCell::default();
}

type Seen = (Vec<Arc<Record>>, Vec<File>);

fn decided(slots: &[Arc<Record>], files: &BTreeMap<File, Content>) -> Result<Opening, String> {
    let seen = (slots.to_vec(), files.keys().copied().collect());
    DECIDED.with_borrow_mut(|known| {
        let decide = |(_, _): &Seen| resolve(&observed(slots, files));
        known.entry(seen).or_insert_with_key(decide).clone()
    })
}

/// The model's chain and files as [`resolve`] takes them.
fn observed(slots: &[Arc<Record>], files: &BTreeMap<File, Content>) -> Observed {
    let tag = LaneTag::new("j", "l");
    let name = |file: &File| DataFileName {
        tag: tag.clone(),
        chain: Some(CHAIN.to_owned()),
        epoch: Epoch(file.epoch),
        term: Term(file.term),
        nonce: file.nonce.to_string(),
        index: 0,
    };
    let mut parent: Option<Parent> = None;
    let mut bodies: Vec<SlotBody> = Vec::new();
    for (slot, record) in (0..).zip(slots) {
        let body = chain_record(slot, record, parent.take(), record.file.as_ref().map(name));
        let body = SlotBody::freeze(body).unwrap();
        parent = Some(crate::parent_of(&body));
        bodies.insert(0, body);
    }
    let found = files.keys().map(|file| FoundFile {
        table: Arc::from("t"),
        path: object_store::path::Path::default(),
        name: name(file),
        bytes: 0,
    });
    Observed {
        look_back: LOOK_BACK,
        job: "j".to_owned(),
        lane: "l".to_owned(),
        may_begin: false,
        has_genesis: true,
        chain: CHAIN.to_owned(),
        fence: None,
        latest: bodies.first().map(|body| body.record.epoch),
        is_owned: false,
        slots: bodies,
        files: found.collect(),
    }
}

/// Without files and messages. `owner` is the term and the nonce of its writer.
pub(super) fn chain_record_at(
    position: i64,
    slot: u64,
    kind: RecordKind,
    parent: Option<Parent>,
    (term, nonce): (u64, u8),
) -> ChainRecord {
    let partition = PartitionState {
        partition: Partition { stream: Arc::from("s"), number: 0 },
        position: Position::at(NextOffset::at(position)),
        max_event_time: None,
        doubted: None,
        fates: Fates::default(),
    };
    let source = SourceState {
        kind: SourceKind::Files,
        ended: false,
        identity: SourceIdentity::default(),
        partitions: vec![partition],
        jumps: Vec::new(),
        finished: None,
    };
    ChainRecord {
        v: 1,
        job: "j".to_owned(),
        lane: "l".to_owned(),
        epoch: Epoch(slot),
        chain: CHAIN.to_owned(),
        earlier: Vec::new(),
        apart: false,
        kind,
        held: false,
        parent,
        term: Term(term),
        writer: record::Writer { instance: String::new(), nonce: nonce.to_string() },
        source,
        watermark: Watermark::None,
        state: None,
        files: Vec::new(),
        outbox: None,
        modules: Vec::new(),
        activations: Vec::new(),
        tables: BTreeMap::new(),
        config: BTreeMap::new(),
    }
}

fn chain_record(
    slot: u64,
    record: &Record,
    parent: Option<Parent>,
    file: Option<DataFileName>,
) -> ChainRecord {
    let kind = match (slot, record.file) {
        (0, _) => RecordKind::Genesis,
        (_, None) => RecordKind::Fence,
        (_, Some(_)) => RecordKind::Data,
    };
    let file = file.map(|name| DataFile {
        null_partitions: Vec::new(),
        table: "t".to_owned(),
        path: name.to_string(),
        bytes: 0,
        sha256: String::new(),
        rows: 1,
        event_time_range: None,
        partition_values: BTreeMap::new(),
        statistics: BTreeMap::new(),
    });
    ChainRecord {
        files: file.into_iter().collect(),
        ..chain_record_at(record.to.into(), slot, kind, parent, (record.term, record.nonce))
    }
}

#[test]
fn with_all_rules_no_order_of_steps_loses_or_doubles_anything() {
    check(Without::Nothing).assert_safe(10_000);
}

#[test]
fn files_that_go_up_in_parts_need_no_condition_where_names_are_one_writers() {
    check(Without::CreateOnlyFiles).assert_safe(10_000);
}

#[test]
fn orphans_deleted_before_their_slot_is_decided_may_be_named_afterwards() {
    check(Without::FenceBeforeDeleting).assert_violation("names a file that is not there any more");
}

#[test]
fn orphans_that_stay_are_seen_by_readers() {
    check(Without::Deleting).assert_violation("readers see");
}

#[test]
fn slots_that_can_be_overwritten_lose_what_was_committed() {
    check(Without::CreateOnly).assert_violation("names a file that is not there any more");
}

#[test]
fn a_slot_that_is_not_compared_is_taken_for_ones_own() {
    check(Without::Comparing).assert_violation("takes");
}

#[test]
fn a_writer_that_goes_on_after_a_lost_slot_repeats_input() {
    check(Without::Stopping).assert_violation("takes");
}

#[test]
fn writers_that_share_names_lose_or_mix_files() {
    check(Without::OwnNames).assert_violation("names a file that is not there any more");
}

#[test]
fn lives_of_a_process_that_share_a_nonce_replace_what_was_committed() {
    check(Without::NewWriters).assert_violation("names a file that is not there any more");
}
