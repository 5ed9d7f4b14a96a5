//! Standing by until this instance leads.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::fallen::Fallen;
use super::following::{Following, Head, follow_on};
use super::{LaneParts, OpenError};
use crate::lane::Outside;
use crate::lead::{
    Applicant, Done, Elder, Keeper, Lead, SETTLE_LIMIT, TakeOver, TakeOverKind, Work,
};
use crate::status::Followed;
use sluicegate_chain::beat::look;
use sluicegate_chain::lead::Timing;
use sluicegate_chain::lead::claim::{Claim, FileMark, LeadTerm};
use sluicegate_chain::lead::follow::{Advice, Follower, Look, Seen, Vacancy};
use sluicegate_chain::lead::hold::Hold;
use sluicegate_chain::lead::store::{Attempt, LeadStore};
use sluicegate_chain::{ChainError, Opener};
use sluicegate_delta::TableLog;
use sluicegate_pipeline::Pipeline;
use sluicegate_pipeline::fingerprint::sections::{differing, sections};

/// Between two attempts to send a claim whose fate is unknown.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// How often a leader is looked at that is about to end: two small reads each time.
const LOOK_CLOSELY: Duration = Duration::from_millis(100);

/// A leader that was asked to end has, or its process is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A term that was won by an instance that had to wait for it.
pub(super) struct Won {
    /// None if nobody had led before.
    pub(super) take_over: Option<TakeOver>,
}

/// Returns when this instance leads. Until then it stands by, says for whom, and keeps fresh what `opener` and `logs` have read.
/// None if it had not to wait.
///
/// # Errors
///
/// [`OpenError::Stopped`].
pub(super) fn win(
    parts: &LaneParts,
    outside: &Outside,
    opener: &mut Opener<'_>,
    logs: &mut [TableLog],
) -> Result<Option<Won>, OpenError> {
    if outside.lead.has_term() {
        return Ok(None);
    }
    outside.lead.release(&parts.runtime);
    let config = parts.config.leadership;
    let timing = Timing { ttl: config.ttl, beat: config.beat, margin: config.margin };
    let seed = xxhash_rust::xxh3::xxh3_64(parts.instance.as_bytes());
    let head = Head::new(opener.head().map(Followed::of));
    let reads = pin!(follow_on(opener, logs, timing.beat, &head));
    Candidate {
        parts,
        outside,
        timing,
        store: LeadStore::new(&parts.storage),
        follower: Follower::new(&timing, seed),
        elder: Elder::default(),
        known: None,
        said: None,
        compared: None,
        led: None,
        ending: None,
        fallen: None,
        following: Following { parts, outside, reads, head: &head, has_begun: false },
    }
    .win()
}

/// Why a term is not claimed that nobody leads.
enum Hindrance {
    None,
    /// An instance of an earlier version lives.
    Elder(String),
    /// The last leaders have died in a row: a sentence.
    Fallen(String),
}

struct Candidate<'c> {
    parts: &'c LaneParts,
    outside: &'c Outside,
    timing: Timing,
    store: LeadStore,
    follower: Follower,
    elder: Elder,
    /// The newest term that was seen.
    known: Option<Claim>,
    /// For whom it said that it stands by.
    said: Option<String>,
    /// Whose pipeline file was compared, and what to say of it.
    compared: Option<(LeadTerm, Option<String>)>,
    /// When somebody else was last seen to lead. Of one that is silent its last sign counts.
    led: Option<Duration>,
    /// Since when the leader is seen to be about to end.
    ending: Option<Duration>,
    /// Leaders that died in a row before this one is to lead.
    fallen: Option<Fallen>,
    /// Of the chain and of the logs.
    following: Following<'c>,
}

impl Candidate<'_> {
    fn win(mut self) -> Result<Option<Won>, OpenError> {
        let mut has_waited = false;
        loop {
            let problem = match self.look_once()? {
                Ok(Advice::Claim(term, why)) => match self.hindered(why)? {
                    Ok(Hindrance::None) => {
                        if self.claim(term, why)? {
                            let won = Won { take_over: self.take_over(why) };
                            return Ok(has_waited.then_some(won));
                        }
                        continue;
                    }
                    Ok(Hindrance::Elder(instance)) => {
                        self.stands_by(&instance);
                        None
                    }
                    Ok(Hindrance::Fallen(why)) => Some(why),
                    Err(error) => Some(nobody_knows(&error)),
                },
                Ok(Advice::StandBy(_)) => {
                    let leader = self.known.as_ref().map(|claim| claim.instance.clone());
                    self.stands_by(&leader.unwrap_or_default());
                    None
                }
                Err(error) => Some(nobody_knows(&error)),
            };
            has_waited = true;
            self.compare_files();
            self.publish(problem);
            self.following.wait(self.pace())?;
        }
    }

    /// What a look says, or why there was none.
    fn look_once(&mut self) -> Result<Result<Advice, ChainError>, OpenError> {
        let clock = &self.parts.clock;
        let began = clock.with_suspend();
        let looked = self.following.ask(self.store.look(self.known.as_ref()))?;
        let ended = clock.with_suspend();
        Ok(match looked {
            Ok(seen) => {
                self.known = seen.as_ref().map(|seen| seen.claim.clone());
                let is_ending = seen.as_ref().is_some_and(Seen::is_ending);
                self.ending = is_ending.then(|| self.ending.unwrap_or(ended));
                let process = |seen: &Seen| {
                    let is_gone = |process| self.parts.processes.is_gone(process);
                    seen.claim.process.as_ref().is_some_and(is_gone)
                };
                let is_gone = seen.as_ref().is_some_and(process);
                let advice = self.follower.look(Look { seen, began, ended, is_gone });
                match advice {
                    Advice::StandBy(_) => self.led = Some(ended),
                    Advice::Claim(_, Vacancy::Silent(silent)) => {
                        self.led = Some(began.saturating_sub(silent));
                    }
                    Advice::Claim(..) => {}
                }
                Ok(advice)
            }
            Err(error) => {
                self.follower.saw_nothing();
                Err(error)
            }
        })
    }

    /// Until the next look. One that is about to end is watched closely, for as long as it may take.
    fn pace(&self) -> Duration {
        let LaneParts { clock, pace, .. } = self.parts;
        let is_close = |since| clock.with_suspend().saturating_sub(since) < ENDS_WITHIN;
        match self.ending.is_some_and(is_close) {
            true => pace.look.min(LOOK_CLOSELY),
            false => pace.look,
        }
    }

    /// What keeps this instance from claiming a term that nobody leads.
    fn hindered(&mut self, why: Vacancy) -> Result<Result<Hindrance, ChainError>, OpenError> {
        let elder = match self.elder_lives()? {
            Ok(elder) => elder,
            Err(error) => return Ok(Err(error)),
        };
        let died = matches!(why, Vacancy::Gone | Vacancy::Silent(_));
        Ok(match (elder, self.known.clone().filter(|_| died)) {
            (Some(instance), _) => Ok(Hindrance::Elder(instance)),
            (None, None) => Ok(Hindrance::None),
            (None, Some(known)) => self.falls(&known)?,
        })
    }

    /// Whether to wait because the last leaders have died in a row.
    fn falls(&mut self, known: &Claim) -> Result<Result<Hindrance, ChainError>, OpenError> {
        let now = self.parts.clock.with_suspend();
        if self.fallen.as_ref().is_none_or(|fallen| fallen.term != known.term) {
            let leaders = match self.following.ask(self.store.fallen(known))? {
                Ok(leaders) => leaders,
                Err(error) => return Ok(Err(error)),
            };
            let fallen = Fallen::new(known.term, &leaders, now);
            if let Some(why) = fallen.holds_back(now) {
                tracing::error!(pipeline = %self.parts.config.name, "{why}");
            }
            self.fallen = Some(fallen);
        }
        let why = self.fallen.as_ref().and_then(|fallen| fallen.holds_back(now));
        Ok(Ok(why.map_or(Hindrance::None, Hindrance::Fallen)))
    }

    /// Who of an earlier version has the lane, if somebody has.
    fn elder_lives(&mut self) -> Result<Result<Option<String>, ChainError>, OpenError> {
        let signs = self.following.ask(look(&self.parts.storage))?;
        let (interval, now) =
            (self.parts.config.checkpoint.interval, self.parts.clock.with_suspend());
        Ok(match signs {
            Ok(signs) => Ok(self.elder.lives(signs, interval, now)),
            Err(error) => {
                self.elder.saw_nothing();
                Err(error)
            }
        })
    }

    /// Whether the term was won.
    fn claim(&mut self, term: LeadTerm, why: Vacancy) -> Result<bool, OpenError> {
        let LaneParts { clock, runtime, .. } = self.parts;
        let applicant = applicant(self.parts);
        let claim = applicant.claim(term);
        let began = clock.with_suspend();
        match self.settle(&claim) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(stopped) => {
                runtime.block_on(self.store.withdraw(&claim, SETTLE_LIMIT));
                return Err(stopped);
            }
        }
        let hold = Hold::begin(&self.timing, began);
        self.say_won(&claim, why);
        let lead: &Lead = &self.outside.lead;
        lead.extend(hold.until());
        let work = Work {
            store: self.store.clone(),
            timing: self.timing,
            clock: clock.clone(),
            lead: lead.clone(),
            pulse: self.outside.pulse.clone(),
            call_deadline: self.parts.config.limits.call_deadline,
            asked: self.outside.stop.clone(),
            metrics: Arc::clone(&self.outside.metrics),
            before: Done::of(&self.outside.metrics),
            shown: None,
            applicant,
            claim: claim.clone(),
            hold,
        };
        lead.won(&claim, Keeper::spawn(runtime, work));
        Ok(true)
    }

    /// Looks once a term in what the pipeline file differs from that of the leader, and logs it.
    fn compare_files(&mut self) {
        let Some(known) = &self.known else { return };
        if self.compared.as_ref().is_some_and(|(term, _)| *term == known.term) {
            return;
        }
        let differs = differing_from(known, &self.parts.config);
        if let Some(differs) = &differs {
            tracing::warn!(pipeline = %self.parts.config.name, "{differs}");
        }
        self.compared = Some((known.term, differs));
    }

    /// Whether a claim has won. It is sent until that is known.
    fn settle(&mut self, claim: &Claim) -> Result<bool, OpenError> {
        loop {
            match self.following.ask(self.store.try_win(claim))? {
                Attempt::Won => return Ok(true),
                Attempt::Lost => return Ok(false),
                Attempt::Unknown(error) => {
                    self.publish(Some(error.to_string()));
                    self.following.wait(AGAIN_AFTER)?;
                }
            }
        }
    }

    /// What a term that was won so ends. None if nobody was seen to lead.
    fn take_over(&self, why: Vacancy) -> Option<TakeOver> {
        let kind = match why {
            Vacancy::New => return None,
            Vacancy::Released => TakeOverKind::HandOver,
            Vacancy::Gone | Vacancy::Silent(_) => TakeOverKind::FailOver,
        };
        self.led.map(|since| TakeOver { kind, since })
    }

    fn say_won(&self, claim: &Claim, why: Vacancy) {
        let (pipeline, term) = (&self.parts.config.name, claim.term);
        let before = self.known.as_ref().map_or("nobody", |claim| &claim.instance);
        match why {
            Vacancy::New => tracing::info!(%pipeline, %term, "leads: nobody has before"),
            Vacancy::Released => {
                tracing::info!(%pipeline, %term, before, "leads: the leader before has ended")
            }
            Vacancy::Gone => tracing::warn!(
                %pipeline, %term, before, "leads: the process of the leader before is gone from this machine"
            ),
            Vacancy::Silent(silent) => tracing::warn!(
                %pipeline, %term, before, ?silent, "leads: the leader before shows no sign of life"
            ),
        }
    }

    fn stands_by(&mut self, instance: &str) {
        if self.said.as_deref() != Some(instance) {
            tracing::info!(pipeline = %self.parts.config.name, leader = instance, "stands by");
            self.said = Some(instance.to_owned());
        }
    }

    fn publish(&self, problem: Option<String>) {
        let lead = &self.outside.lead;
        match &self.known {
            Some(claim) if self.said.as_ref() == Some(&claim.instance) => lead.follow(claim),
            _ => lead.show_elder(self.said.clone()),
        }
        // It is no problem: a host with a changed file is to stand by until the old ones end.
        let differs = self.compared.as_ref().and_then(|(_, differs)| differs.clone());
        let head = self.following.head();
        self.outside.stand_by(&self.parts.config.name, problem, differs, head);
    }
}

fn nobody_knows(error: &ChainError) -> String {
    format!("nobody knows whether the leader lives: {error}")
}

/// What a leader runs, as another program of its version compares it.
fn mark_of(config: &Pipeline) -> FileMark {
    FileMark { version: env!("CARGO_PKG_VERSION").to_owned(), sections: sections(config) }
}

/// In what a pipeline file differs from that of a leader whose marks are to be compared.
fn differing_from(leader: &Claim, config: &Pipeline) -> Option<String> {
    let theirs = leader.file.as_ref()?;
    if theirs.version != env!("CARGO_PKG_VERSION") {
        return None;
    }
    let differing = differing(&theirs.sections, config);
    (!differing.is_empty()).then(|| {
        format!(
            "the pipeline file here is not that of the leader, `{}`: {} {}; if this instance takes over, its own file rules",
            leader.instance,
            differing.join(", "),
            if differing.len() == 1 { "differs" } else { "differ" }
        )
    })
}

/// Whoever opens the lane, as somebody who wants to lead.
fn applicant(parts: &LaneParts) -> Applicant {
    Applicant {
        pipeline: Arc::clone(&parts.config.name),
        instance: parts.instance.clone(),
        url: parts.advertise.clone(),
        file: Some(mark_of(&parts.config)),
        ttl: parts.config.leadership.ttl,
        clock: parts.clock.clone(),
        names: parts.names.clone(),
        processes: parts.processes.clone(),
    }
}
