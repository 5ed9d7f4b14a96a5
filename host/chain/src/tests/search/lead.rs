//! Leadership: every order of steps of instances that start, look, claim, beat, hang, crash and release, with clocks that
//! run differently, answers that are lost and claims that land late. It drives [`Follower`] and [`Hold`] themselves.
//!
//! In every state must hold: at most one instance believes that it leads; nobody has claimed the term after one whose
//! leader still believes in it; nobody stands by for a leader that has released, unless a sign of it was never
//! answered. The chain needs none of it: its searches let any writer open at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::FixedState;

use super::{Found, Push, State, search};
use crate::lead::Timing;
use crate::lead::claim::{Claim, LeadTerm, Sign};
use crate::lead::follow::{Advice, Follower, Look, Seen};
use crate::lead::hold::{Hold, Kept};
use sluicegate_model::time::EventTime;

const TICK: Duration = Duration::from_secs(1);
const TTL: u32 = 3;
const MARGIN: u32 = 1;
/// Terms beyond it are not claimed.
const TERM_MAX: LeadTerm = LeadTerm(3);

/// The rules that are left out, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Without {
    Nothing,
    /// Neither side leaves anything for clocks that differ.
    Margin,
    /// A leader counts from the answer to its claim or sign, not from its beginning.
    Beginning,
    /// A sign that is answered when validity has lapsed makes the leader valid again.
    Lapsing,
    /// A look without answer counts as one that has found no change.
    Seeing,
    /// Terms are put with overwriting puts.
    CreateOnly,
    /// A term that is taken counts as won.
    Comparing,
    /// What was won counts at once: no look for later terms.
    Confirming,
    /// The leader does not look for the next term before it beats.
    LookingBefore,
    /// The leader's clock stands while it is suspended.
    CountingSuspend,
    /// Nobody reads that a leader has released.
    Releasing,
    /// A leader that is asked to stop drops the sign that is under way, and releases.
    Settling,
    /// Who is about to end counts as one that has.
    Ending,
}

#[expect(clippy::large_enum_variant, reason = "a search holds most of them anyway")]
#[derive(Clone, PartialEq, Eq, Hash)]
enum At {
    Off,
    Following(Follower),
    /// A look is under way, with what it is going to find.
    Looking {
        follower: Follower,
        began: Duration,
        seen: Option<Seen>,
        /// The newest term was released before, and nothing of it was under way.
        is_over: bool,
    },
    /// A claim was sent at least once.
    Claiming {
        claim: Arc<Claim>,
        began: Duration,
    },
    /// The term is there; a look for later ones is to follow.
    Confirming {
        claim: Arc<Claim>,
        began: Duration,
    },
    Leading {
        claim: Arc<Claim>,
        hold: Hold,
    },
    /// A sign is under way, and perhaps there.
    Beating {
        claim: Arc<Claim>,
        hold: Hold,
        began: Duration,
        landed: bool,
    },
    /// Leads no more, and is about to say so.
    Releasing {
        claim: Arc<Claim>,
    },
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Instance {
    at: At,
    clock: Duration,
    /// Claims made.
    claims: u8,
    restarts: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Bounds {
    without: Without,
    /// Clocks are not bounded: what they are for is not looked at.
    clocks_lie: bool,
    /// Old terms are deleted by a leader.
    forgets: bool,
    /// Leaders say that they are about to end.
    ends: bool,
    ticks: u8,
    /// In one story, of any kind and in any order.
    misfortunes: u8,
    /// How often each instance is started.
    starts: &'static [u8],
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Job {
    bounds: Bounds,
    terms: BTreeMap<LeadTerm, Arc<Claim>>,
    signs: BTreeMap<LeadTerm, Sign>,
    late: Option<Arc<Claim>>,
    /// A sign that was not answered and may still land.
    late_sign: Option<(LeadTerm, Sign)>,
    /// Terms whose leader has released when nothing of it was under way.
    over: BTreeSet<LeadTerm>,
    ticks: u8,
    /// Crashes, lost answers, puts that are late, looks without answer and ticks by which a clock differs that may still
    /// come.
    misfortunes: u8,
    instances: Vec<Instance>,
    wrong: Option<&'static str>,
}

fn timing(without: Without) -> Timing {
    let margin = if without == Without::Margin { 0 } else { MARGIN };
    Timing { ttl: TICK * TTL, beat: TICK, margin: TICK * margin }
}

fn start(bounds: Bounds) -> Job {
    let off = |restarts: &u8| Instance {
        at: At::Off,
        clock: Duration::ZERO,
        claims: 0,
        restarts: *restarts,
    };
    Job {
        bounds,
        terms: BTreeMap::new(),
        signs: BTreeMap::new(),
        late: None,
        late_sign: None,
        over: BTreeSet::new(),
        ticks: bounds.ticks,
        misfortunes: bounds.misfortunes,
        instances: bounds.starts.iter().map(off).collect(),
        wrong: None,
    }
}

impl Job {
    fn with(&self, i: usize, at: At) -> Self {
        let mut next = self.clone();
        next.instances[i].at = at;
        next
    }

    /// The same after a misfortune; none if there were enough.
    fn unfortunate(&self) -> Option<Self> {
        let mut next = self.clone();
        next.misfortunes = self.misfortunes.checked_sub(1)?;
        Some(next)
    }

    fn following(&self) -> At {
        At::Following(Follower::new(&timing(self.bounds.without), 0))
    }

    fn newest(&self) -> Option<Seen> {
        let (term, claim) = self.terms.last_key_value()?;
        let sign = self.signs.get(term).filter(|sign| sign.nonce == claim.nonce);
        Some(Seen { claim: Claim::clone(claim), sign: sign.cloned() })
    }

    /// Who believes that it leads.
    fn believers(&self) -> impl Iterator<Item = &Arc<Claim>> {
        self.instances.iter().filter_map(|instance| match &instance.at {
            At::Leading { claim, hold } | At::Beating { claim, hold, .. } => {
                hold.is_valid(instance.clock).then_some(claim)
            }
            _ => None,
        })
    }

    /// A claim takes its term, unless somebody has it.
    fn landed(&self, claim: &Arc<Claim>) -> Option<Self> {
        let is_free = !self.terms.contains_key(&claim.term);
        if !is_free && self.bounds.without != Without::CreateOnly {
            return None;
        }
        let mut next = self.clone();
        let is_early = self.believers().any(|other| other.term.next() == claim.term);
        if is_early && !self.bounds.clocks_lie {
            next.wrong = Some("claimed the term after one that is led");
        }
        next.terms.insert(claim.term, Arc::clone(claim));
        Some(next)
    }

    fn claims(&self, i: usize, term: LeadTerm, why: fmt::Arguments<'_>, push: Push<'_, Self>) {
        if term > TERM_MAX {
            return;
        }
        let instance = &self.instances[i];
        let claim = Claim {
            term,
            instance: String::new(),
            nonce: format!("{i}-{}", instance.claims),
            ttl_ms: u64::from(TTL) * 1_000,
            url: None,
            process: None,
            file: None,
            at: EventTime(0),
        };
        let claim = Arc::new(claim);
        let mut next = self.with(i, At::Claiming { claim, began: instance.clock });
        next.instances[i].claims += 1;
        push(format_args!("i{i} is going to claim term {term}: {why}"), next);
    }

    fn decide(
        &self,
        i: usize,
        mut follower: Follower,
        look: Look,
        is_over: bool,
        push: Push<'_, Self>,
    ) {
        let is_released = is_over || look.seen.as_ref().is_some_and(Seen::is_released);
        let mut look = look;
        if let (Without::Releasing, Some(seen)) = (self.bounds.without, &mut look.seen)
            && let Some(sign) = &mut seen.sign
        {
            sign.released = false;
        }
        match follower.look(look) {
            Advice::Claim(term, why) => self.claims(i, term, format_args!("{why:?}"), push),
            Advice::StandBy(_) => {
                let mut next = self.with(i, At::Following(follower));
                if is_released {
                    next.wrong = Some("stands by for a leader that has released");
                }
                push(format_args!("i{i} stands by"), next);
            }
        }
    }

    fn step_claim(&self, i: usize, claim: &Arc<Claim>, began: Duration, push: Push<'_, Self>) {
        if let Some(next) = self.landed(claim) {
            push(format_args!("i{i} PUT term {} lands", claim.term), next);
        }
        if let (Some(mut next), None) = (self.unfortunate(), &self.late) {
            next.late = Some(Arc::clone(claim));
            push(format_args!("i{i} PUT term {} is delayed", claim.term), next);
        }
        match self.terms.get(&claim.term) {
            Some(found) if found == claim || self.bounds.without == Without::Comparing => {
                let at = At::Confirming { claim: Arc::clone(claim), began };
                push(format_args!("i{i} has term {}", claim.term), self.with(i, at));
            }
            Some(_) => {
                push(format_args!("i{i} lost term {}", claim.term), self.with(i, self.following()))
            }
            None => {}
        }
    }

    fn step_confirm(&self, i: usize, claim: &Arc<Claim>, began: Duration, push: Push<'_, Self>) {
        let newest = self.terms.last_key_value().map(|(term, _)| *term);
        if newest > Some(claim.term) && self.bounds.without != Without::Confirming {
            push(format_args!("i{i} sees a later term"), self.with(i, self.following()));
            return;
        }
        let is_from_answer = self.bounds.without == Without::Beginning;
        let from = if is_from_answer { self.instances[i].clock } else { began };
        let hold = Hold::begin(&timing(self.bounds.without), from);
        let mut next = self.with(i, At::Leading { claim: Arc::clone(claim), hold });
        if self.bounds.forgets {
            next.terms.retain(|term, _| *term >= claim.term);
            next.signs.retain(|term, _| *term >= claim.term);
        }
        push(format_args!("i{i} leads term {}", claim.term), next);
    }

    fn step_lead(&self, i: usize, claim: &Arc<Claim>, hold: &Hold, push: Push<'_, Self>) {
        let now = self.instances[i].clock;
        let release = At::Releasing { claim: Arc::clone(claim) };
        push(format_args!("i{i} is asked to stop"), self.with(i, release));
        if self.bounds.ends && !hold.is_ending() {
            let (claim, mut hold) = (Arc::clone(claim), hold.clone());
            hold.end();
            push(format_args!("i{i} is to stop soon"), self.with(i, At::Leading { claim, hold }));
        }
        if !hold.is_valid(now) && self.bounds.without != Without::Lapsing {
            self.claims(i, claim.term.next(), format_args!("its own has lapsed"), push);
        } else if now >= hold.next_beat() {
            let is_over = self.terms.contains_key(&claim.term.next());
            if is_over && self.bounds.without != Without::LookingBefore {
                push(format_args!("i{i} sees the next term"), self.with(i, self.following()));
                return;
            }
            let (claim, hold) = (Arc::clone(claim), hold.clone());
            let mut next = self.with(i, At::Beating { claim, hold, began: now, landed: false });
            if is_over && self.bounds.clocks_lie {
                next.wrong = Some("beats although the next term is there");
            }
            push(format_args!("i{i} beats"), next);
        }
    }

    fn step_beat(&self, i: usize, push: Push<'_, Self>) {
        let At::Beating { claim, hold, began, landed } = &self.instances[i].at else { return };
        let (now, hold) = (self.instances[i].clock, hold.clone());
        let leading = |hold| At::Leading { claim: Arc::clone(claim), hold };
        if !landed {
            let mut sent = hold.clone();
            let sign = sign_of(claim, &mut sent);
            let claim = Arc::clone(claim);
            let at = At::Beating { claim, hold: sent, began: *began, landed: true };
            let mut next = self.with(i, at);
            next.signs.insert(next_term(&self.instances[i].at), sign);
            push(format_args!("i{i}'s sign lands"), next);
            if let Some(next) = self.unfortunate() {
                push(format_args!("i{i}'s sign is lost"), next.with(i, leading(hold)));
            }
            self.step_late_sign(i, push);
            return;
        }
        if let Some(next) = self.unfortunate() {
            push(format_args!("i{i}'s answer is lost"), next.with(i, leading(hold.clone())));
        }
        let mut kept = hold;
        let began = if self.bounds.without == Without::Beginning { now } else { *began };
        if self.bounds.without == Without::Lapsing {
            kept = Hold::begin(&timing(self.bounds.without), began);
        }
        match kept.taken(began, now) {
            Kept::Extended => push(format_args!("i{i} leads on"), self.with(i, leading(kept))),
            Kept::Lapsed => {
                self.claims(i, claim.term.next(), format_args!("its own has lapsed"), push)
            }
        }
    }

    /// The sign that an instance has sent is late: nobody waits for it any more.
    fn step_late_sign(&self, i: usize, push: Push<'_, Self>) {
        let At::Beating { claim, hold, .. } = &self.instances[i].at else { return };
        let mut hold = hold.clone();
        let sign = sign_of(claim, &mut hold);
        let late = |mut next: Self, at| {
            next.late_sign = Some((claim.term, sign.clone()));
            next.with(i, at)
        };
        if self.late_sign.is_some() {
            return;
        }
        if let Some(next) = self.unfortunate() {
            let at = At::Leading { claim: Arc::clone(claim), hold };
            push(format_args!("i{i}'s sign is delayed"), late(next, at));
        }
        if self.bounds.without == Without::Settling {
            let at = At::Releasing { claim: Arc::clone(claim) };
            push(format_args!("i{i} is asked to stop, its sign under way"), late(self.clone(), at));
        }
    }

    fn step(&self, i: usize, push: Push<'_, Self>) {
        let now = self.instances[i].clock;
        match &self.instances[i].at {
            At::Off => {}
            At::Following(follower) => {
                let (follower, seen) = (follower.clone(), self.newest());
                let is_over =
                    seen.as_ref().is_some_and(|seen| self.over.contains(&seen.claim.term));
                let at = At::Looking { follower, began: now, seen, is_over };
                push(format_args!("i{i} looks"), self.with(i, at));
            }
            At::Looking { follower, began, seen, is_over } => {
                let mut seen = seen.clone();
                if let (Without::Ending, Some(sign)) =
                    (self.bounds.without, seen.as_mut().and_then(|seen| seen.sign.as_mut()))
                {
                    sign.released |= sign.ending;
                }
                let look = Look { seen, began: *began, ended: now, is_gone: false };
                self.decide(i, follower.clone(), look.clone(), *is_over, push);
                let Some(next) = self.unfortunate() else { return };
                let mut blind = follower.clone();
                match self.bounds.without {
                    // As it was when it was seen last.
                    Without::Seeing => drop(blind.look(look)),
                    _ => blind.saw_nothing(),
                }
                push(format_args!("i{i} sees nothing"), next.with(i, At::Following(blind)));
            }
            At::Claiming { claim, began } => self.step_claim(i, claim, *began, push),
            At::Confirming { claim, began } => self.step_confirm(i, claim, *began, push),
            At::Leading { claim, hold } => self.step_lead(i, claim, hold, push),
            At::Beating { .. } => self.step_beat(i, push),
            At::Releasing { claim } => {
                let mut next = self.with(i, At::Off);
                let sign = Sign { released: true, ..Sign::of_life(claim, 0) };
                next.signs.insert(claim.term, sign);
                let is_late = |(term, _): &(LeadTerm, Sign)| *term == claim.term;
                let is_settled = !self.late_sign.as_ref().is_some_and(is_late);
                if is_settled || self.bounds.without == Without::Settling {
                    next.over.insert(claim.term);
                }
                push(format_args!("i{i} releases term {}", claim.term), next);
            }
        }
    }

    /// Time passes: for all alike, or for one by a tick more or less.
    fn tick(&self, push: Push<'_, Self>) {
        if self.ticks == 0 {
            return;
        }
        let mut all = self.clone();
        all.ticks -= 1;
        all.instances.iter_mut().for_each(|instance| instance.clock += TICK);
        for i in 0..self.instances.len() {
            let may_stand =
                self.bounds.clocks_lie || self.bounds.without == Without::CountingSuspend;
            let stands = may_stand && i == 0;
            let drifts = if stands { Some(all.clone()) } else { all.unfortunate() };
            let Some(mut slow) = drifts else { continue };
            slow.instances[i].clock -= TICK;
            push(format_args!("a tick that i{i} does not count"), slow);
            if let (Some(mut fast), false) = (all.unfortunate(), stands) {
                fast.instances[i].clock += TICK;
                push(format_args!("a tick that i{i} counts twice"), fast);
            }
        }
        push(format_args!("a tick"), all);
    }
}

/// The next sign of a leader.
fn sign_of(claim: &Claim, hold: &mut Hold) -> Sign {
    let (count, ending) = (hold.count(), hold.is_ending());
    Sign { ending, ..Sign::of_life(claim, count) }
}

fn next_term(at: &At) -> LeadTerm {
    match at {
        At::Beating { claim, .. } => claim.term,
        _ => unreachable!("only who beats signs"),
    }
}

impl State for Job {
    /// 128 bits of it: the states hold texts, and half a million of them took gigabytes. That two of ten million states
    /// share all of these bits is less likely than 10^-24.
    type Kept = [u64; 2];

    fn kept(&self) -> [u64; 2] {
        [1, 2].map(|seed| FixedState::with_seed(seed).hash_one(self))
    }

    fn next(&self, push: Push<'_, Self>) {
        self.tick(push);
        if let Some(claim) = &self.late {
            let mut next = self.landed(claim).unwrap_or_else(|| self.clone());
            next.late = None;
            push(format_args!("the delayed PUT of term {} lands", claim.term), next);
        }
        if let Some((term, sign)) = &self.late_sign {
            let mut next = self.clone();
            next.late_sign = None;
            next.signs.insert(*term, sign.clone());
            push(format_args!("the delayed sign of term {term} lands"), next);
        }
        for (i, instance) in self.instances.iter().enumerate() {
            match &instance.at {
                At::Off if instance.restarts > 0 => {
                    let mut next = self.with(i, self.following());
                    next.instances[i].restarts -= 1;
                    push(format_args!("i{i} starts"), next);
                }
                At::Off => {}
                _ => {
                    if let Some(next) = self.unfortunate() {
                        push(format_args!("i{i} crashes"), next.with(i, At::Off));
                    }
                    self.step(i, push);
                }
            }
        }
    }

    fn wrong(&self) -> Option<String> {
        if !self.bounds.clocks_lie && self.believers().count() > 1 {
            return Some("two believe that they lead".to_owned());
        }
        self.wrong.map(str::to_owned)
    }
}

/// All rules, and nothing happens but what every leader does.
const PLAIN: Bounds = Bounds {
    without: Without::Nothing,
    clocks_lie: false,
    forgets: false,
    ends: false,
    ticks: 4,
    misfortunes: 0,
    starts: &[1, 1],
};

const ONE_MISFORTUNE: Bounds = Bounds { misfortunes: 1, ..PLAIN };
const TWO_MISFORTUNES: Bounds = Bounds { misfortunes: 2, ..PLAIN };
/// Old terms are deleted.
const FORGETTING: Bounds = Bounds { forgets: true, ticks: 0, starts: &[1, 3], ..TWO_MISFORTUNES };
/// Clocks may stand: no time tells the leader, so what it sees must.
const LYING: Bounds = Bounds { clocks_lie: true, ..PLAIN };
/// Leaders say that they are about to end.
const ENDING: Bounds = Bounds { ends: true, ticks: 2, ..ONE_MISFORTUNE };

fn check(bounds: Bounds, without: Without) -> Found {
    search(start(Bounds { without, ..bounds }))
}

#[test]
fn with_all_rules_at_most_one_believes_that_it_leads() {
    let found = check(ONE_MISFORTUNE, Without::Nothing);
    println!("two instances: {found:?}");
    found.assert_safe(10_000);
}

#[test]
fn without_a_margin_clocks_that_differ_make_two_leaders() {
    check(TWO_MISFORTUNES, Without::Margin).assert_violation("led");
}

#[test]
fn a_leader_that_counts_from_the_answer_leads_too_long() {
    check(TWO_MISFORTUNES, Without::Beginning).assert_violation("led");
}

#[test]
fn a_sign_that_comes_too_late_and_revives_its_leader_makes_two() {
    check(TWO_MISFORTUNES, Without::Lapsing).assert_violation("led");
}

#[test]
fn a_follower_that_takes_no_answer_for_silence_claims_too_early() {
    check(Bounds { misfortunes: 3, ..PLAIN }, Without::Seeing).assert_violation("led");
}

#[test]
fn terms_that_can_be_overwritten_have_two_leaders() {
    check(TWO_MISFORTUNES, Without::CreateOnly).assert_violation("two believe");
}

#[test]
fn a_term_that_is_not_compared_is_taken_for_ones_own() {
    check(TWO_MISFORTUNES, Without::Comparing).assert_violation("two believe");
}

#[test]
fn a_leader_whose_clock_stands_while_it_sleeps_leads_too_long() {
    check(TWO_MISFORTUNES, Without::CountingSuspend).assert_violation("led");
}

#[test]
fn a_release_that_nobody_reads_is_waited_for() {
    check(TWO_MISFORTUNES, Without::Releasing)
        .assert_violation("stands by for a leader that has released");
}

#[test]
fn a_sign_that_is_dropped_before_a_release_may_land_behind_it() {
    check(PLAIN, Without::Settling).assert_violation("stands by for a leader that has released");
}

#[test]
fn old_terms_can_be_deleted() {
    let found = check(FORGETTING, Without::Nothing);
    println!("with terms deleted: {found:?}");
    found.assert_safe(1_000);
}

#[test]
fn a_deleted_term_that_is_won_again_without_a_look_makes_two_leaders() {
    check(FORGETTING, Without::Confirming).assert_violation("two believe");
}

#[test]
fn a_leader_whose_clock_lies_sees_its_successor_before_it_beats() {
    let found = check(LYING, Without::Nothing);
    println!("with a clock that stands: {found:?}");
    found.assert_safe(1_000);
}

#[test]
fn a_leader_that_does_not_look_beats_on_beside_its_successor() {
    check(LYING, Without::LookingBefore).assert_violation("beats although");
}

#[test]
fn a_leader_may_say_that_it_is_about_to_end() {
    let found = check(ENDING, Without::Nothing);
    println!("with leaders that are about to end: {found:?}");
    found.assert_safe(1_000);
}

#[test]
fn a_leader_that_is_about_to_end_leads_yet() {
    check(ENDING, Without::Ending).assert_violation("led");
}
