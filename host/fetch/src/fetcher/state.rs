//! What the threads of a fetcher share: the partitions, who leads them, what has come.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::contact::{Contact, Odds};
use super::queue::Queue;
use super::slot::{PASSES_BY_ITSELF, Slot, Work, trouble_in};
use super::{Arrival, Fetched, Options, Trouble, Waiting, WhoReads};
use crate::link::{Breaker, LinkError};
use crate::wire::fetch::{Answer, Part, Wanted};
use crate::wire::metadata::{Broker, Metadata};

/// Shared by all threads of one fetcher and by who reads.
pub(super) struct Shared {
    pub(super) options: Options,
    state: Mutex<State>,
    /// There may be something to ask for, or it is over.
    changed: Condvar,
    /// Something has come.
    arrived: Condvar,
    pub(super) who_reads: WhoReads,
}

/// Of one fetcher.
#[derive(Default)]
pub(super) struct State {
    pub(super) is_over: bool,
    pub(super) slots: BTreeMap<i32, Slot>,
    pub(super) queue: Queue,
    /// How often a partition was added or removed.
    rounds: u64,
    /// Each of them has a thread.
    pub(super) brokers: BTreeMap<i32, Contact>,
    /// Somebody does not know who leads.
    pub(super) wants_leaders: bool,
    /// Another broker is to be asked for a partition than before.
    has_moved: bool,
    /// Why nobody can say who leads.
    pub(super) leaders_trouble: Option<String>,
    pub(super) too_large: Option<usize>,
    pub(super) lacking: Option<String>,
    /// With whoever was asked who leads.
    odds: Odds,
    pub(super) at_odds: Option<String>,
}

impl Shared {
    pub(super) fn new(options: Options, who_reads: WhoReads) -> Self {
        let (changed, arrived) = (Condvar::new(), Condvar::new());
        Self { options, state: Mutex::default(), changed, arrived, who_reads }
    }

    /// Has who reads look whether there is enough, and tells the news.
    pub(super) fn tell(&self) {
        self.arrived.notify_all();
        (self.who_reads.news)();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // What is known stays true if somebody has panicked over it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, partition: i32, offset: i64, epoch: i32) {
        let mut state = self.lock();
        state.queue.forget(partition);
        let known = state.slots.get(&partition).map(|slot| (slot.leader, slot.epoch));
        let (leader, leader_epoch) = known.unwrap_or((None, -1));
        state.rounds += 1;
        let slot = Slot {
            next: offset,
            fetched_epoch: epoch,
            leader,
            replica: None,
            epoch: leader_epoch,
            stands: false,
            round: state.rounds,
            at_work: None,
            doubted: None,
            in_vain: 0,
            ends: None,
        };
        state.wants_leaders |= leader.is_none();
        state.slots.insert(partition, slot);
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn remove(&self, partition: i32) {
        let mut state = self.lock();
        state.queue.forget(partition);
        state.rounds += 1;
        let round = state.rounds;
        if let Some(slot) = state.slots.get_mut(&partition) {
            // Its leader stays known, for it may come back soon.
            (slot.stands, slot.round, slot.at_work) = (true, round, None);
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.brokers.values().for_each(Contact::cut);
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn wait(&self, enough: Waiting, at_most: Duration) -> bool {
        let too_little = |state: &mut State| {
            state.queue.awaited = Some(enough);
            !state.queue.has_enough(self.has_room(state))
        };
        let waited = self.arrived.wait_timeout_while(self.lock(), at_most, too_little);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.queue.awaited = None;
        !state.queue.is_empty()
    }

    /// Something has come: it is news, and wakes who reads if that is enough. Ends the hold of the lock.
    fn came(&self, state: MutexGuard<'_, State>) {
        let is_enough = state.queue.has_enough(self.has_room(&state));
        drop(state);
        if is_enough {
            self.arrived.notify_all();
        }
        (self.who_reads.news)();
    }

    pub(super) fn take(&self) -> Option<Arrival> {
        let mut state = self.lock();
        let had_room = self.has_room(&state);
        let arrival = state.queue.pop()?;
        let has_room = self.has_room(&state);
        drop(state);
        if has_room && !had_room {
            self.changed.notify_all();
        }
        Some(arrival)
    }

    pub(super) fn has_room(&self, state: &State) -> bool {
        state.queue.bytes() <= self.options.queued_bytes / 2
    }

    /// Waits while `idle` says so, at most so long. None if it is over.
    pub(super) fn wait_while(
        &self,
        at_most: Option<Duration>,
        mut idle: impl FnMut(&State) -> bool,
    ) -> Option<MutexGuard<'_, State>> {
        let mut idle = |state: &mut State| !state.is_over && idle(state);
        let state = self.lock();
        let state = match at_most {
            None => self.changed.wait_while(state, &mut idle),
            Some(at_most) => match self.changed.wait_timeout_while(state, at_most, &mut idle) {
                Ok((state, _)) => Ok(state),
                Err(poisoned) => Ok(poisoned.into_inner().0),
            },
        };
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (!state.is_over).then_some(state)
    }

    /// An answer of this broker has come: what is to be opened and handed on, in this order.
    pub(super) fn bring(&self, broker: i32, wanted: &[Wanted], answer: Answer) -> Vec<Work> {
        let mut state = self.lock();
        if let Some(contact) = state.brokers.get_mut(&broker) {
            contact.answered();
        }
        let before = state.queue.len();
        let mut work = Vec::new();
        for part in answer.parts {
            let asked = wanted.iter().find(|one| one.partition == part.partition);
            work.extend(asked.and_then(|asked| state.bring(broker, asked, part)));
        }
        let has_come = state.queue.len() > before;
        let has_moved = std::mem::take(&mut state.has_moved) || state.wants_leaders;
        match has_come {
            true => self.came(state),
            false => drop(state),
        }
        // Others are not woken by every answer.
        if has_moved {
            self.changed.notify_all();
        }
        work
    }

    /// Waits until there is room for more. False if the work is not wanted any more; none if it is over.
    pub(super) fn wait_for_room(&self, work: &Work) -> Option<bool> {
        let waits = |state: &State| !self.has_room(state) && state.wants(work);
        self.wait_while(None, waits).map(|state| state.wants(work))
    }

    /// Hands on what was opened of a partition. `is_last`: that is all that came of it.
    pub(super) fn hand_on(&self, broker: i32, work: &Work, fetched: Fetched, is_last: bool) {
        let mut state = self.lock();
        if !state.wants(work) {
            return;
        }
        state.queue.push(work.partition, Ok(fetched));
        let mut has_moved = false;
        if is_last && let Some(slot) = state.slots.get_mut(&work.partition) {
            slot.at_work = None;
            has_moved = slot.source() != Some(broker);
        }
        self.came(state);
        if has_moved {
            self.changed.notify_all();
        }
    }

    /// How to break the connection to a broker.
    pub(super) fn keep_breaker(&self, broker: i32, breaker: Breaker) {
        let mut state = self.lock();
        if state.is_over {
            breaker.cut();
        } else if let Some(contact) = state.brokers.get_mut(&broker) {
            contact.keep(breaker);
        }
    }

    /// A broker gives no answer. How often in a row.
    pub(super) fn note_failure(&self, broker: i32, error: &LinkError) -> u32 {
        let mut state = self.lock();
        state.note(error);
        state.wants_leaders = true;
        for slot in state.slots.values_mut() {
            slot.replica.take_if(|(replica, _)| *replica == broker);
        }
        let contact = state.brokers.get_mut(&broker);
        let (failures, at_odds) = contact.map_or((1, None), |contact| contact.failed(error));
        state.at_odds = state.at_odds.take().or(at_odds);
        drop(state);
        self.changed.notify_all();
        self.tell();
        failures
    }

    /// Takes note of who leads. The brokers that have no thread yet.
    pub(super) fn learn(&self, metadata: &Metadata) -> Vec<i32> {
        let mut state = self.lock();
        state.leaders_trouble = None;
        state.odds = Odds::default();
        let fresh = state.learn_brokers(&metadata.brokers);
        let is_known = |broker: &i32| metadata.brokers.iter().any(|known| known.id == *broker);
        for leader in &metadata.leaders {
            let Some(slot) = state.slots.get_mut(&leader.partition) else { continue };
            slot.leader = slot.leader.filter(is_known);
            slot.replica.take_if(|(replica, _)| !is_known(replica));
            // Another broker may know it better already.
            if leader.epoch < 0 || leader.epoch >= slot.epoch {
                slot.epoch = slot.epoch.max(leader.epoch);
                slot.leader = leader.broker.filter(is_known);
            }
        }
        state.wants_leaders = state.slots.values().any(|slot| slot.leader.is_none());
        drop(state);
        self.changed.notify_all();
        fresh
    }
}

impl State {
    /// What this broker can be asked for.
    pub(super) fn wanted_of(&self, broker: i32) -> impl Iterator<Item = Wanted> {
        let ours = move |slot: &Slot| {
            let is_free = slot.at_work.is_none_or(|at_work| at_work == broker);
            !slot.stands && slot.source() == Some(broker) && is_free
        };
        self.slots.iter().filter(move |(_, slot)| ours(slot)).map(|(partition, slot)| Wanted {
            partition: *partition,
            offset: slot.next,
            leader_epoch: slot.epoch,
            fetched_epoch: slot.fetched_epoch,
        })
    }

    fn wants(&self, work: &Work) -> bool {
        self.slots.get(&work.partition).is_some_and(|slot| slot.round == work.round)
    }

    fn bring(&mut self, broker: i32, asked: &Wanted, part: Part) -> Option<Work> {
        let partition = asked.partition;
        let slot = self.slots.get_mut(&partition)?;
        // It was asked for from elsewhere, or by another leader's thread meanwhile.
        if slot.stands || slot.next != asked.offset || slot.source() != Some(broker) {
            return None;
        }
        if slot.replica.is_some() && slot.turns_away(&part) {
            // The leader knows better.
            slot.replica = None;
            self.has_moved = true;
            return None;
        }
        if let Some(replica) = part.preferred_replica.filter(|_| part.is_silent()) {
            let is_known = self.brokers.contains_key(&replica);
            slot.replica = is_known.then_some((replica, 0));
            (self.has_moved, self.wants_leaders) = (true, self.wants_leaders || !is_known);
            slot.leader = slot.leader.filter(|_| is_known);
            return None;
        }
        let trouble = match trouble_in(asked, &part) {
            None => match slot.go_on(broker, asked, part) {
                Ok(work) => return work,
                Err(trouble) => Some(trouble),
            },
            Some(Trouble::Refused(code)) => {
                slot.leader = None;
                let is_known = |leader: &(i32, i32)| self.brokers.contains_key(&leader.0);
                if let Some((leader, epoch)) = part.leader.filter(is_known)
                    && epoch > slot.epoch
                {
                    (slot.leader, slot.epoch) = (Some(leader), epoch);
                }
                self.wants_leaders = true;
                (!PASSES_BY_ITSELF.contains(&code)).then_some(Trouble::Refused(code))
            }
            Some(trouble) => {
                slot.stands = true;
                Some(trouble)
            }
        };
        if let Some(trouble) = trouble {
            self.queue.push(partition, Err(trouble));
        }
        None
    }

    fn learn_brokers(&mut self, brokers: &[Broker]) -> Vec<i32> {
        let mut fresh = Vec::new();
        for broker in brokers {
            match self.brokers.get_mut(&broker.id) {
                Some(contact) => contact.broker = broker.clone(),
                None => {
                    fresh.push(broker.id);
                    self.brokers.insert(broker.id, Contact::new(broker.clone()));
                }
            }
        }
        fresh
    }

    /// What who reads should know of a failure besides that it was one.
    fn note(&mut self, error: &LinkError) {
        match error {
            LinkError::TooLarge { size, .. } => self.too_large = Some(*size),
            LinkError::Lacks { .. } => self.lacking = Some(error.to_string()),
            _ => {}
        }
    }

    /// Somebody cannot be asked who leads. The sentence about it.
    pub(super) fn note_leaders(&mut self, error: &LinkError, host: &str, port: u16) -> String {
        self.note(error);
        let trouble = error.of_broker(host, port);
        if self.odds.grow(error) {
            self.at_odds.get_or_insert_with(|| trouble.clone());
        }
        trouble
    }

    pub(super) fn trouble(&self) -> Option<String> {
        let leads = |contact: &&Contact| self.wanted_of(contact.broker.id).next().is_some();
        let of_broker = self.brokers.values().filter(leads).find_map(Contact::trouble);
        of_broker.or(self.leaders_trouble.as_ref()).cloned()
    }
}
