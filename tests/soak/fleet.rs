//! Three hosts of one pipeline, each with a middleman before the store and a wire to the broker of its own; what is done to them, and how long it takes
//! until one works again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::blocking::Client;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use serde_json::Value;
use sluicegate_model::time::Clock;

use super::crash;
use super::gap::{Gap, Open, Why, took_over};
use super::modules::Modules;
use super::plan::{TTL, Toxic, Whom};
use crate::harness::host::{self, Host};
use crate::harness::middleman::{Fate, Middleman, Request};
use crate::harness::pipeline::{Pipeline, kafka_at};
use crate::harness::place::Place;
use crate::harness::topic::Topic;
use crate::harness::wire::{Ill, Wire};

/// How many there are.
pub const HOSTS: usize = 3;
/// A connection to the broker that says nothing is given up after two seconds.
const IMPATIENT: &str = "properties = { \"socket.timeout.ms\" = \"2000\" }\n";
/// Fewer than a host has open.
const FEW_FILES: u64 = 3;
/// A host that says nothing for so long says nothing now.
const ASKED: Duration = Duration::from_millis(700);

/// One of the hosts, running or away.
struct Member {
    host: Option<Host>,
    middleman: Middleman,
    wire: Wire,
    /// Says that the broker is where its wire begins.
    pipeline: PathBuf,
    /// When it is started again, if it is away.
    returns: Option<Duration>,
    /// Until when it is stopped by a signal.
    sleeps: Option<Duration>,
    /// Until when the store does something to it.
    poisoned: Option<Duration>,
    /// Until when its wire is ill.
    crossed: Option<Duration>,
    /// Until when it may open nothing.
    starved: Option<Duration>,
    /// It was told to end, and has not yet.
    ending: bool,
    lives: u32,
    /// When it was started last.
    launched: Duration,
    /// How many bytes its log had when the last gap began.
    logged: usize,
}

/// All hosts, and what befell them.
pub struct Fleet<'a> {
    place: &'a Place,
    pub clock: Clock,
    http: Client,
    members: Vec<Member>,
    open: Option<Open>,
    pub modules: Modules,
    pub gaps: Vec<Gap>,
    /// Hosts that ended though nobody told them to, and what they said last.
    pub ended: Vec<String>,
    /// Problems that need a person, as a status said them.
    pub halted: Vec<String>,
}

impl<'a> Fleet<'a> {
    /// All of them started. `pipeline` has no source yet: each reads `topic` through a wire of its own.
    pub fn start(
        place: &'a Place,
        pipeline: &Pipeline,
        topic: &Topic,
        store: &str,
        wires: [Wire; HOSTS],
    ) -> Self {
        let member = |(number, wire): (usize, Wire)| Member {
            host: None,
            middleman: Middleman::before(store),
            pipeline: {
                // Ways of reading may change with the leader.
                let way = ["librdkafka", "direct", "auto"][number % 3];
                let more = format!("fetch = \"{way}\"\n{IMPATIENT}");
                let source = kafka_at(&wire.address(), &topic.name, &more);
                let file = format!("sales-{number}.toml");
                pipeline.reading(source).write_as(place, &file)
            },
            wire,
            returns: Some(Duration::ZERO),
            sleeps: None,
            poisoned: None,
            crossed: None,
            starved: None,
            ending: false,
            lives: 0,
            launched: Duration::ZERO,
            logged: 0,
        };
        let mut fleet = Self {
            place,
            clock: Clock::system(),
            http: Client::builder().timeout(ASKED).build().unwrap(),
            members: wires.into_iter().enumerate().map(member).collect(),
            open: None,
            modules: Modules::new(),
            gaps: Vec::new(),
            ended: Vec::new(),
            halted: Vec::new(),
        };
        fleet.tend(false);
        fleet
    }

    /// Does what is due and looks at everybody once. `hurt`: store or broker are away.
    pub fn tend(&mut self, hurt: bool) {
        let now = self.clock.monotonic();
        for number in 0..HOSTS {
            self.wake(number, now);
            self.bury(number, now);
            let member = &self.members[number];
            if member.host.is_none() && member.returns.is_some_and(|at| at <= now) {
                self.launch(number);
            }
        }
        let is_hurt = |member: &Member| {
            member.poisoned.is_some() || member.crossed.is_some() || member.starved.is_some()
        };
        let poisoned = self.members.iter().any(is_hurt);
        if self.modules.are_due(now)
            && let Some(leader) = self.leader()
            && let Some(host) = &self.members[leader].host
        {
            self.modules.ask(host.url.clone());
        }
        let Some(mut open) = self.open.take() else { return };
        open.hurt |= hurt || poisoned;
        // One that was told to end may lead until it has. One that sleeps says nothing.
        let ended = |led: (usize, u32)| led != open.victim || open.why == Why::Slept;
        match self.leader().filter(|number| ended((*number, self.members[*number].lives))) {
            Some(by) => self.closed(open, by),
            None => self.open = Some(open),
        }
    }

    fn wake(&mut self, number: usize, now: Duration) {
        let member = &mut self.members[number];
        if member.sleeps.is_some_and(|until| until <= now) {
            member.sleeps = None;
            if let Some(host) = &member.host {
                host.daemon.signal_all(Signal::CONT).unwrap();
            }
        }
        if member.poisoned.is_some_and(|until| until <= now) {
            member.poisoned = None;
            member.middleman.pass();
        }
        if member.crossed.is_some_and(|until| until <= now) {
            member.crossed = None;
            member.wire.be(Ill::Well);
        }
        if member.starved.is_some_and(|until| until <= now) {
            member.starved = None;
            if let Some(host) = &member.host {
                limit_files(host, getrlimit(Resource::Nofile).current);
            }
        }
    }

    /// Notices that a host has ended.
    fn bury(&mut self, number: usize, now: Duration) {
        let member = &mut self.members[number];
        let Some(host) = &mut member.host else { return };
        let Some(status) = host.daemon.ended().unwrap() else { return };
        if !member.ending || !status.success() {
            let log = host.log();
            // The last sentence and that of the signal may come in either order.
            let mut last: Vec<_> = log.lines().rev().take(3).collect();
            last.reverse();
            let crash = crash::told(self.place, &host::binary());
            self.ended
                .push(format!("host {number} ended with {status}: {}{crash}", last.join(" / ")));
            // As a service manager would.
            member.returns = Some(now + Duration::from_secs(1));
        }
        member.ending = false;
        member.host = None;
    }

    fn launch(&mut self, number: usize) {
        let member = &mut self.members[number];
        (member.returns, member.starved) = (None, None);
        (member.launched, member.logged) = (self.clock.monotonic(), 0);
        member.lives += 1;
        let log = format!("host-{number}-{}.log", member.lives);
        let more = [("AWS_ENDPOINT_URL", &*member.middleman.endpoint)];
        let host = Host::launch(self.place, &member.pipeline, &log, &more);
        crash::leave_a_core(&host);
        member.host = Some(host);
    }

    fn status(&self, number: usize) -> Option<Value> {
        let member = &self.members[number];
        let host = member.host.as_ref().filter(|_| member.sleeps.is_none())?;
        let asked = self.http.get(format!("{}/v1/pipelines/sales", host.url));
        asked.send().ok()?.json().ok()
    }

    /// Whether somebody leads since the last fault that took a leader away.
    pub fn is_led(&self) -> bool {
        self.open.is_none()
    }

    /// Who leads and works, if anybody says so.
    pub fn leader(&mut self) -> Option<usize> {
        for number in 0..HOSTS {
            let Some(status) = self.status(number) else { continue };
            if status["phase"] == "halted" {
                let problem = format!("host {number}: {}", status["problem"]);
                if !self.halted.contains(&problem) {
                    self.halted.push(problem);
                }
            }
            // Looking for a record at which the plugin fails is work as well, and may take long.
            let works = ["running", "isolating"].map(Value::from).contains(&status["phase"]);
            if works && status["leadership"]["role"] == "leader" {
                return Some(number);
            }
        }
        None
    }

    /// Whom a fault means, if such a one is awake and not on its way out.
    pub fn find(&mut self, whom: Whom) -> Option<usize> {
        let leader = self.leader();
        let sound = |number: &usize| {
            let member = &self.members[*number];
            member.host.is_some() && member.sleeps.is_none() && !member.ending
        };
        match whom {
            Whom::Leader => leader.filter(sound),
            Whom::Standby => (0..HOSTS).filter(sound).find(|number| Some(*number) != leader),
        }
    }

    /// `kill -9`, and away for a while.
    pub fn kill(&mut self, number: usize, whom: Whom, away: Duration) {
        if let Some(host) = self.members[number].host.take() {
            host.kill();
        }
        self.members[number].returns = Some(self.clock.monotonic() + away);
        self.opened(Why::Killed, number, whom);
    }

    /// SIGTERM, and started again after a while, though not before it has ended.
    pub fn stop(&mut self, number: usize, whom: Whom, away: Duration) {
        let member = &mut self.members[number];
        if let Some(host) = &member.host {
            host.daemon.signal(Signal::TERM).unwrap();
            member.ending = true;
        }
        self.opened(Why::Stopped, number, whom);
        let due = self.clock.monotonic() + away;
        self.members[number].returns = Some(due);
    }

    /// SIGSTOP for three times the ttl.
    pub fn put_to_sleep(&mut self, number: usize, whom: Whom) {
        let member = &mut self.members[number];
        if let Some(host) = &member.host {
            host.daemon.signal_all(Signal::STOP).unwrap();
        }
        member.sleeps = Some(self.clock.monotonic() + 3 * TTL);
        self.opened(Why::Slept, number, whom);
    }

    /// What it has open stays so, and nothing comes to it.
    pub fn starve(&mut self, number: usize, lasts: Duration) {
        let member = &mut self.members[number];
        if let Some(host) = &member.host {
            limit_files(host, Some(FEW_FILES));
        }
        member.starved = Some(self.clock.monotonic() + lasts);
    }

    fn opened(&mut self, why: Why, number: usize, whom: Whom) {
        if whom == Whom::Standby || self.open.is_some() {
            return;
        }
        let victim = (number, self.members[number].lives);
        self.open = Some(Open { why, since: self.clock.monotonic(), victim, hurt: false });
        for member in &mut self.members {
            member.logged = member.host.as_ref().map_or(0, |host| host.log().len());
        }
    }

    /// Somebody leads again.
    fn closed(&mut self, open: Open, by: usize) {
        let Open { why, since, hurt, .. } = open;
        let took = self.clock.monotonic() - since;
        let member = &self.members[by];
        let up = since.checked_sub(member.launched);
        let log = member.host.as_ref().map(Host::log).unwrap_or_default();
        // It may have taken over before this gap as well.
        let told = log.get(member.logged..).and_then(took_over);
        self.gaps.push(Gap { why, since, took, hurt, by, up, told });
    }

    /// The store does this to one of them, or to all.
    pub fn poison(&mut self, toxic: Toxic, one: Option<usize>, lasts: Duration) {
        let until = self.clock.monotonic() + lasts;
        for (number, member) in self.members.iter_mut().enumerate() {
            if one.is_none_or(|one| one == number) {
                member.poisoned = Some(until);
                let counts = [AtomicU64::new(0), AtomicU64::new(0)];
                member.middleman.rule(move |request| {
                    let count = &counts[usize::from(request.creates())];
                    fate(toxic, request, count.fetch_add(1, Ordering::Relaxed))
                });
            }
        }
    }

    /// The wire to the broker of one of them, or of all, is so.
    pub fn cross(&mut self, ill: Ill, one: Option<usize>, lasts: Duration) {
        let until = self.clock.monotonic() + lasts;
        for (number, member) in self.members.iter_mut().enumerate() {
            if one.is_none_or(|one| one == number) {
                member.crossed = Some(until);
                member.wire.be(ill);
            }
        }
    }

    /// How often a wire has hurt something so.
    pub fn crossed(&self, of: impl Fn(&Ill) -> bool) -> u64 {
        self.members.iter().map(|member| member.wire.count_of(&of)).sum()
    }

    /// How many requests had such a fate.
    pub fn requests(&self, of: impl Fn(&Fate) -> bool) -> u64 {
        self.members.iter().map(|member| member.middleman.count(&of)).sum()
    }

    /// Nothing is hurt any more: who sleeps wakes, who is away returns.
    pub fn heal(&mut self) {
        let now = self.clock.monotonic();
        for member in &mut self.members {
            member.sleeps = member.sleeps.map(|_| now);
            member.poisoned = member.poisoned.map(|_| now);
            member.crossed = member.crossed.map(|_| now);
            member.starved = member.starved.map(|_| now);
            member.returns = member.returns.map(|_| now);
        }
        self.modules.go_back();
        self.tend(true);
    }

    /// All end in good order. What they have said is looked at for panics.
    pub fn end(self) -> u64 {
        for member in self.members {
            if let Some(mut host) = member.host {
                // A bad end is seen in what is read back.
                let _told = host.daemon.stop(crate::harness::PATIENCE);
            }
        }
        let logs = std::fs::read_dir(self.place.folder.path()).unwrap();
        let said = logs.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
        said.map(|log| log.matches("panicked at").count() as u64).sum()
    }
}

/// A host that has ended meanwhile needs none.
fn limit_files(host: &Host, current: Option<u64>) {
    let process = Pid::from_raw(i32::try_from(host.daemon.id()).unwrap());
    let limit = Rlimit { current, ..getrlimit(Resource::Nofile) };
    let _gone = prlimit(process, Resource::Nofile, limit);
}

/// What becomes of a request under a toxic. `count`: of its kind, those that create or the others. Counted together, a client
/// that looks after each refusal would always meet the same.
fn fate(toxic: Toxic, request: &Request, count: u64) -> Fate {
    match toxic {
        Toxic::AnswersLost(1) if request.creates() => Fate::AnswerLost,
        Toxic::AnswersLost(of) if of > 1 && count.is_multiple_of(of) => Fate::AnswerLost,
        Toxic::Delayed(by) => Fate::Delayed(by),
        Toxic::Late(of, by) if request.creates() && count.is_multiple_of(of) => Fate::Late(by),
        Toxic::Conflicts if request.creates() && count.is_multiple_of(2) => Fate::Conflict,
        Toxic::SlowDown if !count.is_multiple_of(4) => Fate::SlowDown,
        Toxic::Hung => Fate::Hung,
        _ => Fate::Passed,
    }
}
