//! The protocol with a table log (docs/design/commit.md#the-table-log): two writers, each may crash
//! and start again once, answers may be lost, one put may land late, the owner may collect old
//! slots, as far as the real [`limit`] lets it. What readers are shown must be a run of input ranges without gap and without repetition.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use super::{Found, Push, State, search};
use crate::collect::limit;
use crate::record::Epoch;
use crate::{Keep, Published};

/// Bounds under which the original exhausts 2.5 million states; each mutation is found out far below them.
const SLOTS: usize = 5;
const INPUT: u8 = 2;
const LATE_MAX: usize = 1;

/// The rules, and one misdeed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Rules {
    /// Roll forward ancestors of the head only.
    walk: bool,
    /// LIST after a put; a successor means fenced.
    confirm: bool,
    /// Publish an epoch only if readers do not have it yet.
    txn: bool,
    /// Compare whole bodies after an ambiguous put, not only their writers.
    whole_body: bool,
    /// The misdeed: change the body of a slot that was sent already.
    edit: bool,
    /// An opening writes a fence.
    fence: bool,
    /// Old slots are deleted.
    gc: bool,
    /// Of them those stay that readers do not have yet.
    published: bool,
}

const ALL: Rules = Rules {
    walk: true,
    confirm: true,
    txn: true,
    whole_body: true,
    edit: false,
    fence: true,
    gc: true,
    published: true,
};

/// A record: small enough to be its own identity (parents are compared by it).
#[derive(Clone, PartialEq, Eq)]
struct Record {
    term: u8,
    nonce: u8,
    variant: u8,
    from: u8,
    to: u8,
    parent: Option<Rc<Record>>,
}

/// Parents are compared, not hashed: a chain of them at every look is too slow.
impl Hash for Record {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.term, self.nonce, self.variant, self.from, self.to).hash(hasher);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Open,
    Fence,
    Run,
    Put,
    Confirm,
    Show,
    Dead,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Writer {
    at: At,
    nonce: u8,
    term: u8,
    head: Option<(usize, Rc<Record>)>,
    offset: u8,
    pending: Option<(usize, Rc<Record>)>,
    /// Committed, and not shown yet: readers are fed beside the commits.
    behind: Option<(usize, Rc<Record>)>,
    restarts: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Lane {
    rules: Rules,
    chain: [Option<Rc<Record>>; SLOTS + 1],
    late: Vec<(usize, Rc<Record>)>,
    writers: [Writer; 2],
    /// What readers were shown: epoch and input range, in order.
    shown: Vec<(usize, u8, u8)>,
}

fn opening(nonce: u8, restarts: u8) -> Writer {
    let at = At::Open;
    Writer { at, nonce, term: 0, head: None, offset: 0, pending: None, behind: None, restarts }
}

fn start(rules: Rules) -> Lane {
    Lane {
        rules,
        chain: Default::default(),
        late: Vec::new(),
        writers: [opening(0, 1), opening(10, 1)],
        shown: Vec::new(),
    }
}

impl Lane {
    fn top(&self) -> Option<usize> {
        self.shown.iter().map(|(epoch, ..)| *epoch).max()
    }

    fn head(&self) -> Option<usize> {
        (0..=SLOTS).rev().find(|slot| self.chain[*slot].is_some())
    }

    fn with(&self, writer: usize, change: impl FnOnce(&mut Writer)) -> Self {
        let mut next = self.clone();
        change(&mut next.writers[writer]);
        next
    }

    fn with_slot(mut self, slot: usize, record: &Rc<Record>) -> Self {
        self.chain[slot] = Some(Rc::clone(record));
        self
    }

    /// Roll-forward of an opening: what it shows readers.
    fn rolled_forward(&self, head: usize) -> Vec<(usize, u8, u8)> {
        let mut epochs: Vec<usize> = (0..=SLOTS).filter(|e| self.chain[*e].is_some()).collect();
        if self.rules.walk {
            epochs = vec![head];
            let mut child = self.chain[head].as_ref();
            for epoch in (0..head).rev() {
                let ancestor = self.chain[epoch].as_ref();
                if ancestor.is_none() || child.and_then(|child| child.parent.as_ref()) != ancestor {
                    break;
                }
                epochs.insert(0, epoch);
                child = ancestor;
            }
        }
        let mut shown = self.shown.clone();
        for epoch in epochs {
            let record = self.chain[epoch].as_ref().unwrap();
            let top = shown.iter().map(|(epoch, ..)| *epoch).max();
            let is_due = if self.rules.txn { top < Some(epoch) } else { epoch == head };
            if record.to > record.from && is_due {
                shown.push((epoch, record.from, record.to));
            }
        }
        shown
    }

    fn step_open(&self, i: usize, push: Push<'_, Self>) {
        let head = self.head();
        let record = head.and_then(|head| self.chain[head].clone());
        let shown = head.map_or_else(Vec::new, |head| self.rolled_forward(head));
        let (term, offset) = record.as_ref().map_or((0, 0), |head| (head.term, head.to));
        let next_slot = head.map_or(0, |head| head + 1);
        let head = head.zip(record.clone());
        if !self.rules.fence {
            let mut next = self.with(i, |w| {
                (w.at, w.term, w.offset, w.head) = (At::Run, term, offset, head);
            });
            next.shown = shown;
            push(format_args!("w{i} opens"), next);
        } else if next_slot <= SLOTS {
            let nonce = self.writers[i].nonce;
            let (term, from, to) = (term + 1, offset, offset);
            let fence = Record { term, nonce, variant: 0, from, to, parent: record };
            let mut next = self.with(i, |w| {
                (w.at, w.term, w.offset, w.head) = (At::Fence, term, offset, head);
                w.pending = Some((next_slot, Rc::new(fence)));
            });
            next.shown = shown;
            push(format_args!("w{i} opens, fence for {next_slot}"), next);
        }
    }

    fn step_put(&self, i: usize, push: Push<'_, Self>) {
        let writer = &self.writers[i];
        let is_fence = writer.at == At::Fence;
        let (slot, record) = writer.pending.clone().unwrap();
        let won = |state: &Self, record: &Rc<Record>| {
            state.with(i, |w| {
                w.at = if is_fence { At::Run } else { At::Confirm };
                w.head = Some((slot, Rc::clone(record)));
                w.offset = record.to;
                w.pending = Some((slot, Rc::clone(record)));
            })
        };
        if let Some(found) = &self.chain[slot] {
            let is_mine = *found == record;
            if is_mine || (!self.rules.whole_body && found.nonce == writer.nonce) {
                let body = if self.rules.whole_body { found } else { &record };
                push(format_args!("w{i} finds its own write in {slot}"), won(self, body));
            } else if is_fence
                && self.chain[self.head().unwrap()].as_ref().unwrap().term < writer.term
            {
                push(
                    format_args!("w{i} re-opens"),
                    self.with(i, |w| *w = opening(w.nonce, w.restarts)),
                );
            } else {
                push(format_args!("w{i} is fenced"), self.with(i, die));
            }
            return;
        }
        push(format_args!("w{i} PUT {slot} ok"), won(self, &record).with_slot(slot, &record));
        push(
            format_args!("w{i} PUT {slot} ok, answer lost"),
            self.clone().with_slot(slot, &record),
        );
        if self.late.len() < LATE_MAX {
            let mut next = self.clone();
            next.late.push((slot, Rc::clone(&record)));
            push(format_args!("w{i} PUT {slot} delayed"), next);
        }
        if self.rules.edit && !is_fence && record.to < INPUT && record.variant == 0 {
            let edited = Record { variant: 1, to: record.to + 1, ..Record::clone(&record) };
            let edit = |w: &mut Writer| w.pending = Some((slot, Rc::new(edited)));
            push(format_args!("w{i} edits the body"), self.with(i, edit));
        }
    }

    fn step_run(&self, i: usize, push: Push<'_, Self>) {
        let Writer { nonce, term, head, offset, .. } = &self.writers[i];
        let slot = head.as_ref().map_or(0, |(head, _)| head + 1);
        if *offset < INPUT && slot <= SLOTS {
            let parent = head.as_ref().map(|(_, record)| Rc::clone(record));
            let (from, to) = (*offset, *offset + 1);
            let record = Record { term: *term, nonce: *nonce, variant: 0, from, to, parent };
            let put = |w: &mut Writer| {
                w.at = At::Put;
                w.pending = Some((slot, Rc::new(record)));
            };
            push(format_args!("w{i} commits [{from},{to}) to {slot}"), self.with(i, put));
        }
        self.step_collect(i, push);
    }

    fn step_collect(&self, i: usize, push: Push<'_, Self>) {
        let head = self.writers[i].head.as_ref();
        let Some((head, _)) = head.filter(|_| self.rules.gc) else { return };
        let first_kept = limit(Epoch(*head as u64), &self.keep());
        for old in 0..*head {
            if self.chain[old].is_some() && Epoch(old as u64) < first_kept {
                let mut next = self.clone();
                next.chain[old] = None;
                push(format_args!("w{i} collects {old}"), next);
            }
        }
    }

    /// What stays of the chain: here no slot stays for its age or its number.
    fn keep(&self) -> Keep {
        let is_needed = |epoch: &usize| {
            let record = self.chain[*epoch].as_ref();
            record.is_some_and(|record| record.to > record.from) && self.top() < Some(*epoch)
        };
        let needed_from = (0..=SLOTS).find(is_needed).unwrap_or(SLOTS + 1);
        let published = match self.rules.published {
            true => Published::below(Epoch(needed_from as u64)),
            false => Published::everything(),
        };
        Keep { look_back: 0, published, ..Keep::default() }
    }

    fn step_after_put(&self, i: usize, push: Push<'_, Self>) {
        let (slot, record) = self.writers[i].pending.clone().unwrap();
        if self.writers[i].at == At::Confirm {
            if self.rules.confirm && self.head() > Some(slot) {
                push(format_args!("w{i} sees a successor, stops"), self.with(i, die));
            } else {
                push(format_args!("w{i} confirms"), self.with(i, |w| w.at = At::Show));
            }
            return;
        }
        self.step_collect(i, push);
        let behind = self.writers[i].behind.clone();
        let mut next = self.with(i, |w| (w.at, w.pending, w.behind) = (At::Run, None, None));
        for (slot, record) in behind.iter().chain([&(slot, Rc::clone(&record))]) {
            if !(self.rules.txn && next.top() >= Some(*slot)) {
                next.shown.push((*slot, record.from, record.to));
            }
        }
        push(format_args!("w{i} publishes up to {slot}"), next);
        if behind.is_none() && i == 0 {
            let later = |w: &mut Writer| {
                (w.at, w.pending, w.behind) = (At::Run, None, Some((slot, record)));
            };
            push(format_args!("w{i} is to publish {slot}"), self.with(i, later));
        }
    }
}

fn die(writer: &mut Writer) {
    *writer = Writer { at: At::Dead, ..opening(writer.nonce, writer.restarts) };
}

impl State for Lane {
    type Kept = Self;

    fn kept(&self) -> Self {
        self.clone()
    }

    fn next(&self, push: Push<'_, Self>) {
        for (index, (slot, record)) in self.late.iter().enumerate() {
            if self.chain[*slot].is_none() {
                let mut next = self.clone().with_slot(*slot, record);
                next.late.remove(index);
                push(format_args!("late PUT lands in {slot}"), next);
            }
        }
        for i in 0..self.writers.len() {
            if self.writers[i].at == At::Dead {
                if self.writers[i].restarts > 0 {
                    let again = |w: &mut Writer| *w = opening(w.nonce + 1, w.restarts - 1);
                    push(format_args!("w{i} restarts"), self.with(i, again));
                }
                continue;
            }
            push(format_args!("w{i} crashes"), self.with(i, die));
            match self.writers[i].at {
                At::Open => self.step_open(i, push),
                At::Fence | At::Put => self.step_put(i, push),
                At::Run => self.step_run(i, push),
                At::Confirm | At::Show => self.step_after_put(i, push),
                At::Dead => unreachable!("handled above"),
            }
        }
    }

    fn wrong(&self) -> Option<String> {
        let mut end = 0;
        for (epoch, from, to) in &self.shown {
            if *from != end {
                return Some(format!("epoch {epoch} shows [{from},{to}) after {end}"));
            }
            end = *to;
        }
        None
    }
}

fn check(rules: Rules) -> Found {
    search(start(rules))
}

#[test]
fn with_all_rules_readers_see_every_input_once() {
    check(ALL).assert_safe(2_500_000);
}

#[test]
fn without_garbage_collection_the_confirming_list_is_not_needed() {
    check(Rules { gc: false, confirm: false, ..ALL }).assert_safe(80_000);
}

#[test]
fn with_garbage_collection_a_put_without_the_confirming_list_publishes_twice() {
    check(Rules { confirm: false, ..ALL }).assert_violation("shows");
}

#[test]
fn slots_that_go_before_readers_have_them_leave_a_gap() {
    check(Rules { published: false, ..ALL }).assert_violation("shows");
}

#[test]
fn rolling_forward_more_than_ancestors_publishes_twice() {
    check(Rules { walk: false, ..ALL }).assert_violation("shows");
}

#[test]
fn publishing_without_asking_what_readers_have_publishes_twice() {
    check(Rules { txn: false, ..ALL }).assert_violation("shows");
}

#[test]
fn an_edited_body_is_found_out_by_its_hash_and_not_by_its_writer() {
    let edit = Rules { edit: true, gc: false, confirm: false, ..ALL };
    check(Rules { whole_body: false, ..edit }).assert_violation("shows");
    check(edit).assert_safe(80_000);
}
