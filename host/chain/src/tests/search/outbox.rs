//! Messages for topics: two writers open, commit and send in every order, crash and start again; answers are lost, and puts
//! and messages land when their senders are long gone. Openings do what [`resolve`] says.
//!
//! In every state must hold: no message is sent that is not committed; none is new behind one of a later place; and no
//! record is followed by another one of data before its messages are sent. Who has seen a message knows a repeat by its
//! epoch and sequence, so repeats may come at any time.

use std::cell::RefCell;
use std::collections::HashMap;

use super::directory::chain_record_at;
use super::{Found, Push, State, search};
use crate::body::SlotBody;
use crate::record::{ChainRecord, Epoch, OutboxRef, Parent, RecordKind};
use crate::resolve::{LOOK_BACK, Observed, Opening, resolve};

/// Records behind the genesis.
const SLOTS: usize = 3;
/// Of each epoch of data.
const MESSAGES: u8 = 2;

/// The rules that are left out, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Without {
    Nothing,
    /// O1: messages are sent before their record is there.
    Committing,
    /// C8, O3: the next epoch does not wait for the messages of the one before.
    Waiting,
    /// C8: a fence does not name the outbox of its head.
    Naming,
    /// O4: an opening does not send what its head names.
    Sending,
    /// O4: an opening sends what its head names from where it likes.
    Beginning,
    /// C6: who has lost a slot goes on.
    Stopping,
    /// No rule: an opening that finds messages puts no fence before it sends them.
    Fencing,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Record {
    term: u64,
    nonce: u8,
    is_fence: bool,
    /// The epoch whose messages may not be sent yet.
    outbox: Option<usize>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum At {
    Dead,
    Look,
    /// Has seen the chain, and decides.
    Decide(Vec<Record>),
    Fence(usize, Record),
    /// Sends the messages of an epoch from this one on.
    Send(usize, u8),
    Run,
    Put(usize, Record),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Writer {
    at: At,
    nonce: u8,
    term: u64,
    /// The slot that it takes next.
    next: usize,
    /// The slot of the fence that it has put.
    fence: Option<usize>,
    restarts: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Late {
    Slot(usize, Record),
    Message(usize, u8),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Lane {
    without: Without,
    chain: Vec<Record>,
    /// How many messages of each epoch are in the topic.
    sent: [u8; SLOTS + 1],
    late: Option<Late>,
    late_left: u8,
    writers: [Writer; 2],
    wrong: Option<&'static str>,
}

fn check(without: Without) -> Found {
    let writer =
        |nonce, restarts| Writer { at: At::Dead, nonce, term: 0, next: 0, fence: None, restarts };
    search(Lane {
        without,
        chain: vec![Record { term: 1, nonce: 0, is_fence: false, outbox: None }],
        sent: [0; SLOTS + 1],
        late: None,
        late_left: 1,
        writers: [writer(10, 2), writer(20, 1)],
        wrong: None,
    })
}

impl Lane {
    fn with(&self, i: usize, at: At) -> Self {
        let mut next = self.clone();
        next.writers[i].at = at;
        next
    }

    /// A slot is put. None if it is taken.
    fn with_slot(&self, slot: usize, record: Record) -> Option<Self> {
        (slot == self.chain.len()).then(|| {
            let mut next = self.clone();
            next.chain.push(record);
            let head = self.chain[slot - 1];
            let unsent = head.outbox.filter(|epoch| self.sent[*epoch] < MESSAGES);
            if unsent.is_some() && record.outbox != unsent {
                next.wrong = Some("a record follows one whose messages are not sent");
            }
            next
        })
    }

    /// A message lands in the topic.
    fn with_message(&self, epoch: usize, message: u8) -> Self {
        let mut next = self.clone();
        let there = self.sent[epoch];
        let committed = |record: &Record| !record.is_fence && record.outbox == Some(epoch);
        if !self.chain.get(epoch).is_some_and(committed) {
            next.wrong = Some("a message is sent that is not committed");
        } else if message > there
            || (message == there && self.sent[epoch + 1..].iter().any(|n| *n > 0))
        {
            next.wrong = Some("a message comes out of order");
        }
        next.sent[epoch] = there.max(message + 1);
        next
    }

    fn late(&self, late: Late) -> Option<Self> {
        let mut next = self.clone();
        next.late_left = self.late_left.checked_sub(1)?;
        next.late = Some(late);
        Some(next)
    }

    fn decide(&self, i: usize, slots: &[Record], push: Push<'_, Self>) {
        let head = *slots.last().unwrap();
        let opening = decided(slots, self.writers[i].fence).expect("nobody damages it");
        let (term, must_fence) = match opening {
            Opening::Begin { .. } | Opening::Beside => unreachable!("there is a genesis"),
            Opening::Fence { term } => (term.0, self.without != Without::Fencing),
            Opening::Ready { term, .. } => (term.0, false),
        };
        let nonce = self.writers[i].nonce;
        // Any opening may put a fence; once in a life is enough.
        if (must_fence || self.writers[i].fence.is_none()) && slots.len() <= SLOTS {
            let outbox = head.outbox.filter(|_| self.without != Without::Naming);
            let fence = Record { term, nonce, is_fence: true, outbox };
            push(
                format_args!("w{i} is going to fence"),
                self.with(i, At::Fence(slots.len(), fence)),
            );
        }
        if must_fence {
            return;
        }
        let mut open = |at, message: u8| {
            let mut next = self.with(i, at);
            next.writers[i].term = term;
            next.writers[i].next = slots.len();
            push(format_args!("w{i} is open, {message} sent"), next);
        };
        match head.outbox {
            Some(epoch) if self.without != Without::Sending => {
                open(At::Send(epoch, 0), 0);
                if self.without == Without::Beginning {
                    open(At::Send(epoch, 1), 1);
                }
            }
            _ => open(At::Run, 0),
        }
    }

    fn put(&self, i: usize, slot: usize, record: Record, push: Push<'_, Self>) {
        let won = |state: &Self| {
            let mut next = state.with(i, At::Send(slot, 0));
            next.writers[i].next = slot + 1;
            if record.is_fence {
                next.writers[i].at = At::Look;
                next.writers[i].fence = Some(slot);
            }
            next
        };
        if let Some(next) = self.with_slot(slot, record) {
            push(format_args!("w{i} PUT {slot} ok"), won(&next));
            push(format_args!("w{i} PUT {slot} ok, answer lost"), next);
            if let Some(next) = self.late(Late::Slot(slot, record)) {
                push(format_args!("w{i} PUT {slot} is delayed"), next);
            }
        } else if self.chain[slot] == record {
            push(format_args!("w{i} finds its own write in {slot}"), won(self));
        } else if record.is_fence {
            push(format_args!("w{i} finds {slot} decided"), self.with(i, At::Look));
        } else if self.without == Without::Stopping {
            let mut next = self.with(i, At::Run);
            next.writers[i].next = self.chain.len();
            push(format_args!("w{i} goes on without {slot}"), next);
        } else {
            push(format_args!("w{i} lost {slot}"), self.with(i, At::Dead));
        }
    }

    fn send(&self, i: usize, epoch: usize, message: u8, push: Push<'_, Self>) {
        if message == MESSAGES {
            push(format_args!("w{i} has sent epoch {epoch}"), self.with(i, At::Run));
            return;
        }
        let sent = self.with_message(epoch, message);
        let on = At::Send(epoch, message + 1);
        push(format_args!("w{i} sends {epoch}/{message}"), sent.with(i, on));
        push(format_args!("w{i} sends {epoch}/{message}, answer lost"), sent);
        if let Some(next) = self.late(Late::Message(epoch, message)) {
            push(format_args!("w{i}'s {epoch}/{message} is delayed"), next);
        }
        if self.without == Without::Waiting {
            push(format_args!("w{i} does not wait for {epoch}"), self.with(i, At::Run));
        }
    }

    fn step(&self, i: usize, push: Push<'_, Self>) {
        let Writer { nonce, term, next, .. } = self.writers[i];
        match &self.writers[i].at {
            At::Dead => unreachable!("handled by the caller"),
            At::Look => {
                push(format_args!("w{i} looks"), self.with(i, At::Decide(self.chain.clone())))
            }
            At::Decide(slots) => self.decide(i, slots, push),
            At::Fence(slot, record) => self.put(i, *slot, *record, push),
            At::Send(epoch, message) => self.send(i, *epoch, *message, push),
            At::Run if next <= SLOTS => {
                let record = Record { term, nonce, is_fence: false, outbox: Some(next) };
                push(format_args!("w{i} freezes {next}"), self.with(i, At::Put(next, record)));
            }
            At::Run => {}
            At::Put(slot, record) => {
                self.put(i, *slot, *record, push);
                if self.without == Without::Committing {
                    let sent = self.with_message(*slot, 0);
                    push(format_args!("w{i} sends {slot}/0 before its record"), sent);
                }
            }
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
            let mut landed = match late {
                Late::Slot(slot, record) => {
                    self.with_slot(slot, record).unwrap_or_else(|| self.clone())
                }
                Late::Message(epoch, message) => self.with_message(epoch, message),
            };
            landed.late = None;
            push(format_args!("what was delayed lands"), landed);
        }
        for (i, writer) in self.writers.iter().enumerate() {
            if writer.at != At::Dead {
                push(format_args!("w{i} crashes"), self.with(i, At::Dead));
                self.step(i, push);
            } else if writer.restarts > 0 {
                let mut next = self.with(i, At::Look);
                next.writers[i].nonce += 1;
                next.writers[i].fence = None;
                next.writers[i].restarts -= 1;
                push(format_args!("w{i} starts"), next);
            }
        }
    }

    fn wrong(&self) -> Option<String> {
        self.wrong.map(str::to_owned)
    }
}

type Seen = (Vec<Record>, Option<usize>);

thread_local! {
    /// What was decided, by what was seen: most states see the same.
    static DECIDED: RefCell<HashMap<Seen, Result<Opening, String>>> = RefCell::default();
}

fn decided(slots: &[Record], fence: Option<usize>) -> Result<Opening, String> {
    DECIDED.with_borrow_mut(|known| {
        let seen = (slots.to_vec(), fence);
        known.entry(seen).or_insert_with(|| resolve(&observed(slots, fence))).clone()
    })
}

/// As [`resolve`] takes it. Nobody says that it owns the lane, and there are no data files: both only add fences.
fn observed(slots: &[Record], fence: Option<usize>) -> Observed {
    let mut parent: Option<Parent> = None;
    let mut bodies: Vec<SlotBody> = Vec::new();
    for (slot, record) in slots.iter().enumerate() {
        let body = SlotBody::freeze(chain_record(slot, record, parent.take())).unwrap();
        parent = Some(crate::parent_of(&body));
        bodies.insert(0, body);
    }
    let of_fence = |slot: usize| bodies[slots.len() - 1 - slot].sha256().to_owned();
    Observed {
        look_back: LOOK_BACK,
        job: "j".to_owned(),
        lane: "l".to_owned(),
        may_begin: false,
        has_genesis: true,
        chain: bodies[0].record.chain.clone(),
        fence: fence.map(of_fence),
        latest: Some(bodies[0].record.epoch),
        is_owned: false,
        slots: bodies,
        files: Vec::new(),
    }
}

fn chain_record(slot: usize, record: &Record, parent: Option<Parent>) -> ChainRecord {
    let kind = match (slot, record.is_fence) {
        (0, _) => RecordKind::Genesis,
        (_, true) => RecordKind::Fence,
        (_, false) => RecordKind::Data,
    };
    let outbox = record.outbox.map(|epoch| OutboxRef {
        epoch: Epoch(epoch as u64),
        key: format!("outbox/{epoch}"),
        bytes: 1,
        sha256: String::new(),
        messages: MESSAGES.into(),
    });
    let owner = (record.term, record.nonce);
    ChainRecord { outbox, ..chain_record_at(0, slot as u64, kind, parent, owner) }
}

#[test]
fn with_all_rules_every_message_is_sent_and_in_order() {
    let found = check(Without::Nothing);
    println!("messages: {found:?}");
    found.assert_safe(10_000);
}

/// What a fence keeps apart is work: of two that send the same, one will have done so in vain.
#[test]
fn no_opening_needs_a_fence_to_lose_no_message() {
    check(Without::Fencing).assert_safe(10_000);
}

#[test]
fn a_message_that_is_sent_early_may_never_be_committed() {
    check(Without::Committing).assert_violation("not committed");
}

#[test]
fn an_epoch_that_does_not_wait_for_messages_forgets_them() {
    check(Without::Waiting).assert_violation("not sent");
}

#[test]
fn a_fence_that_names_no_outbox_forgets_messages() {
    check(Without::Naming).assert_violation("not sent");
}

#[test]
fn an_opening_that_sends_nothing_forgets_messages() {
    check(Without::Sending).assert_violation("not sent");
}

#[test]
fn an_opening_that_begins_in_the_middle_leaves_a_gap() {
    check(Without::Beginning).assert_violation("out of order");
}

#[test]
fn a_writer_that_goes_on_after_a_lost_slot_forgets_what_others_sent() {
    check(Without::Stopping).assert_violation("not sent");
}
