//! What may happen to hosts that open chains over the same tables: they read, take, add, crash and begin again; puts are late,
//! answers are lost, and files are reset in the middle of it.

use std::fmt;
use std::rc::Rc;

use sluicegate_testing::search::{Push, State};

use super::logs::{Chain, Chains, Logs, Version};

/// Tables at most, places of chains, hosts at most.
const TABLES: usize = 2;
const PLACES: usize = 2;
const HOSTS: usize = 3;

/// The rules that are left out, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Without {
    Nothing,
    /// A chain adds without a look at whose the table is.
    Checking,
    /// What was decided of one version is put behind another.
    AskingAgain,
    /// A chain takes a table by a put that replaces what is there.
    CreateOnly,
    /// A version that is taken counts as one's own.
    Comparing,
    /// Records are read before the tables are taken.
    TakingFirst,
    /// A table is taken before the chain has a record.
    Genesis,
    /// A reset releases no table.
    Releasing,
    /// A reset releases a table of another pipeline, too.
    Belonging,
    /// The chains that were forgotten for a place are not known there.
    Forgotten,
    /// Whether they are needed is asked of the log as it was before others came between.
    AskingInTime,
    /// Who is refused one table goes on to take the next.
    Stopping,
    /// A running chain that found another name does not look at the log again.
    LookingAgain,
}

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) without: Without,
    pub(super) tables: u8,
    /// The place of each host.
    pub(super) hosts: &'static [u8],
    /// How often each is started.
    pub(super) starts: &'static [u8],
    /// Of each chain.
    pub(super) epochs: u8,
    /// Resets, of any of these files: by the place of its chain, or none for a file of another pipeline with the same tables.
    pub(super) resets: u8,
    pub(super) files: &'static [Option<u8>],
    /// Answers that are lost, puts that are late, resets that are broken off.
    pub(super) misfortunes: u8,
}

/// How far each log was read.
type Seen = [Version; TABLES];

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Off,
    /// It has read which chain its place has.
    Surveyed(Option<Chain>),
    /// And the logs.
    Read(Option<Chain>, Seen),
    /// It was not refused.
    Prepared(Option<Chain>, Seen),
    /// Its chain has a record, and the tables from this one on are not taken.
    Taking {
        chain: Chain,
        seen: Seen,
        own: Chains,
        table: u8,
        refused: bool,
    },
    /// It reads records, and has committed so many epochs.
    Running {
        chain: Chain,
        seen: Seen,
        head: u8,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Host {
    at: At,
    starts: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    chain: Option<Chain>,
    /// Epochs that it has, its genesis not counted.
    head: u8,
    /// The host that may write the next.
    owner: Option<usize>,
    begun: u8,
    forgotten: Chains,
}

/// Of a pipeline file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Reset {
    /// Whose chain goes; none: it is the file of another pipeline with the same tables.
    place: Option<u8>,
    table: u8,
    read: Option<Version>,
}

/// All that tells a state from others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct World {
    /// The newest version of each log.
    tips: Seen,
    late: Option<(u8, Version)>,
    places: [Place; PLACES],
    hosts: [Host; HOSTS],
    reset: Option<Reset>,
    resets: u8,
    misfortunes: u8,
    flaw: Option<&'static str>,
}

/// Something that may be none, for people.
struct Shown<T>(&'static str, Option<T>);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.1 {
            Some(it) => write!(f, "the {} {it}", self.0),
            None => write!(f, "no {}", self.0),
        }
    }
}

/// A state of the search.
#[derive(Clone)]
pub(super) struct Job {
    bounds: Bounds,
    logs: Rc<Logs>,
    world: World,
}

/// What becomes of a put, by what its sender is told.
struct Outcomes<'a> {
    /// Its version is the put.
    ours: &'a dyn Fn(Job) -> Job,
    /// Another has its number; the log stands here.
    taken: &'a dyn Fn(Job, Version) -> Job,
    /// Nobody knows.
    unknown: &'a dyn Fn(Job) -> Job,
}

pub(super) fn start(bounds: Bounds) -> Job {
    let logs = Rc::new(Logs::new(TABLES as u8));
    let place = Place { chain: None, head: 0, owner: None, begun: 0, forgotten: Chains::default() };
    let host = |i| Host { at: At::Off, starts: bounds.starts.get(i).copied().unwrap_or_default() };
    let world = World {
        tips: std::array::from_fn(|table| logs.none_of(table as u8)),
        late: None,
        places: [place; PLACES],
        hosts: std::array::from_fn(host),
        reset: None,
        resets: bounds.resets,
        misfortunes: bounds.misfortunes,
        flaw: None,
    };
    Job { bounds, logs, world }
}

impl Job {
    fn is_without(&self, rule: Without) -> bool {
        self.bounds.without == rule
    }

    fn with(&self, i: usize, at: At) -> Self {
        let mut next = self.clone();
        next.world.hosts[i].at = at;
        next
    }

    /// The same after a misfortune; none if there were enough.
    fn unfortunate(&self) -> Option<Self> {
        let mut next = self.clone();
        next.world.misfortunes = self.world.misfortunes.checked_sub(1)?;
        Some(next)
    }

    fn tables(&self) -> impl Iterator<Item = usize> + use<> {
        0..usize::from(self.bounds.tables)
    }

    fn place(&self, i: usize) -> &Place {
        &self.world.places[usize::from(self.bounds.hosts[i])]
    }

    fn place_mut(&mut self, i: usize) -> &mut Place {
        &mut self.world.places[usize::from(self.bounds.hosts[i])]
    }

    /// The chains that the place of a host has or had.
    fn own(&self, i: usize) -> Chains {
        match self.is_without(Without::Forgotten) {
            true => Chains::default(),
            false => self.place(i).forgotten.and(self.place(i).chain),
        }
    }

    fn put(
        &self,
        who: fmt::Arguments<'_>,
        table: usize,
        put: Version,
        outcomes: &Outcomes<'_>,
        push: Push<'_, Self>,
    ) {
        let tip = self.world.tips[table];
        if self.logs.before(put) == Some(tip) {
            let mut next = self.clone();
            next.world.tips[table] = put;
            push(format_args!("{who}"), (outcomes.ours)(next.clone()));
            if let Some(unlucky) = next.unfortunate() {
                push(format_args!("{who}, its answer is lost"), (outcomes.unknown)(unlucky));
            }
            if let (Some(mut unlucky), None) = (self.unfortunate(), self.world.late) {
                unlucky.world.late = Some((table as u8, put));
                push(format_args!("{who}, late"), (outcomes.unknown)(unlucky));
            }
        } else if self.logs.is_in(put, tip) {
            push(format_args!("{who}, and it is there"), (outcomes.ours)(self.clone()));
        } else {
            push(format_args!("{who}, too late"), (outcomes.taken)(self.clone(), tip));
        }
    }

    /// An opening does not get a table, because of another chain.
    fn refused(&self, i: usize, chain: Option<Chain>, by: Chain) -> Self {
        let mut next = self.with(i, At::Off);
        if by.place == self.bounds.hosts[i] && self.place(i).chain == chain {
            next.world.flaw = Some("is refused for a chain of its own place");
        }
        next
    }

    fn step_read(&self, i: usize, chain: Option<Chain>, seen: Seen, push: Push<'_, Self>) {
        let own = self.own(i);
        let refused =
            self.tables().find_map(|table| self.logs.check(seen[table], chain, own).err());
        match refused {
            Some(by) => {
                push(format_args!("h{i} is refused for {by}"), self.refused(i, chain, by));
            }
            None => push(format_args!("h{i} may go on"), self.with(i, At::Prepared(chain, seen))),
        }
    }

    /// Takes the lane, and begins its chain if there is none.
    fn step_begin(&self, i: usize, found: Option<Chain>, seen: Seen, push: Push<'_, Self>) {
        let place = *self.place(i);
        if place.chain != found {
            let at = At::Surveyed(place.chain);
            push(format_args!("h{i} sees that the chain has moved"), self.with(i, at));
            return;
        }
        let begun = Chain { place: self.bounds.hosts[i], number: place.begun };
        let chain = found.unwrap_or(begun);
        let mut next = self.clone();
        let place = next.place_mut(i);
        place.owner = Some(i);
        if found.is_none() {
            place.begun += 1;
        }
        if !self.is_without(Without::Genesis) {
            place.chain = Some(chain);
        }
        let own = next.own_to_take(i, chain, seen);
        let at = match self.is_without(Without::TakingFirst) {
            true => next.runs(chain, seen),
            false => At::Taking { chain, seen, own, table: 0, refused: false },
        };
        push(format_args!("h{i} has the chain {chain}"), next.with(i, at));
    }

    /// The chains from which it takes tables. It reads them unless the tables are its own.
    fn own_to_take(&self, i: usize, chain: Chain, seen: Seen) -> Chains {
        let needs_none = |table: usize| match self.is_without(Without::AskingInTime) {
            true => self.logs.check(seen[table], Some(chain), Chains::default()).is_ok(),
            false => self.logs.writer(seen[table]) == Some(chain),
        };
        if self.tables().all(needs_none) { Chains::default() } else { self.own(i) }
    }

    /// From here on it reads records.
    fn runs(&mut self, chain: Chain, seen: Seen) -> At {
        let has_had = |table: usize| self.logs.has_named(self.world.tips[table], chain);
        if !self.tables().all(has_had) {
            self.world.flaw = Some("reads records, and has never had the table");
        }
        let place = self.world.places[usize::from(chain.place)];
        let head = if place.chain == Some(chain) { place.head } else { 0 };
        At::Running { chain, seen, head }
    }

    fn step_take(&self, i: usize, push: Push<'_, Self>) {
        let At::Taking { chain, seen, own, table, refused } = self.world.hosts[i].at else {
            return;
        };
        if table == self.bounds.tables {
            let mut next = self.clone();
            if self.is_without(Without::Genesis) {
                let place = next.place_mut(i);
                place.chain = place.chain.or(Some(chain));
            }
            let at = if refused { At::Off } else { next.runs(chain, seen) };
            push(format_args!("h{i} has come to the end of the tables"), next.with(i, at));
            return;
        }
        let t = usize::from(table);
        let went_on = |job: &Self, seen, refused| {
            job.with(i, At::Taking { chain, seen, own, table: table + 1, refused })
        };
        match self.logs.take(seen[t], chain, own) {
            Err(by) if self.is_without(Without::Stopping) => {
                push(format_args!("h{i} is refused for {by}"), went_on(self, seen, true));
            }
            Err(by) => {
                push(format_args!("h{i} is refused for {by}"), self.refused(i, Some(chain), by));
            }
            Ok(None) => push(format_args!("h{i} has table {t}"), went_on(self, seen, refused)),
            Ok(Some(put)) if self.is_without(Without::CreateOnly) => {
                let (mut next, mut seen) = (self.clone(), seen);
                next.world.tips[t] = self.logs.replaced(self.world.tips[t], put);
                seen[t] = put;
                push(
                    format_args!("h{i} puts that it has table {t}"),
                    went_on(&next, seen, refused),
                );
            }
            Ok(Some(put)) => {
                let read = |job: Self, to| {
                    let mut seen = seen;
                    seen[t] = to;
                    job.with(i, At::Taking { chain, seen, own, table, refused })
                };
                let outcomes = Outcomes {
                    ours: &|job| read(job, put),
                    taken: &|job, tip| match job.is_without(Without::Comparing) {
                        true => read(job, put),
                        false => read(job, tip),
                    },
                    // It is opened again.
                    unknown: &|job| job.with(i, At::Surveyed(job.place(i).chain)),
                };
                self.put(format_args!("h{i} puts that it has table {t}"), t, put, &outcomes, push);
            }
        }
    }

    fn step_run(&self, i: usize, push: Push<'_, Self>) {
        let At::Running { chain, seen, head } = self.world.hosts[i].at else { return };
        let place = self.place(i);
        if place.chain != Some(chain) || place.owner != Some(i) {
            push(format_args!("h{i} sees that others have the chain"), self.with(i, At::Off));
        } else if head < self.bounds.epochs {
            let mut next = self.with(i, At::Running { chain, seen, head: head + 1 });
            next.place_mut(i).head = head + 1;
            push(format_args!("h{i} commits epoch {}", head + 1), next);
        }
        self.tables().for_each(|table| self.step_add(i, table, push));
    }

    fn step_add(&self, i: usize, table: usize, push: Push<'_, Self>) {
        let At::Running { chain, seen, head } = self.world.hosts[i].at else { return };
        let read = |job: Self, to| {
            let mut seen = seen;
            seen[table] = to;
            job.with(i, At::Running { chain, seen, head })
        };
        let (at, tip) = (seen[table], self.world.tips[table]);
        match self.logs.add(at, chain, head, self.is_without(Without::Checking)) {
            Ok(None) => {}
            Err(by) if at != tip => {
                // What is known of the log says no, and what is there may say otherwise. Whoever lacks more than the newest
                // epoch, or all, reads it in any case.
                let done = self.logs.epochs(at, chain);
                if done == 0 || done + 1 < head || !self.is_without(Without::LookingAgain) {
                    let next = read(self.clone(), tip);
                    push(format_args!("h{i} found {by}, and looks at table {table} again"), next);
                }
            }
            Err(_) => {}
            Ok(Some(put)) => {
                let behind = |job: Self, tip| {
                    if !self.is_without(Without::AskingAgain) {
                        return read(job, tip);
                    }
                    let (mut job, put) = (job, self.logs.unasked(tip, put));
                    job.world.tips[table] = put;
                    read(job, put)
                };
                let outcomes =
                    Outcomes { ours: &|job| read(job, put), taken: &behind, unknown: &|job| job };
                self.put(format_args!("h{i} adds to table {table}"), table, put, &outcomes, push);
            }
        }
    }

    fn step_reset(&self, reset: Reset, push: Push<'_, Self>) {
        let with = |job: &Self, reset| {
            let mut next = job.clone();
            next.world.reset = reset;
            next
        };
        let who = if reset.place.is_some() { "a reset" } else { "a reset of another pipeline" };
        if let Some(next) = self.unfortunate() {
            push(format_args!("{who} is broken off"), with(&next, None));
        }
        let Reset { place, table, read } = reset;
        if table == self.bounds.tables || (self.is_without(Without::Releasing) && place.is_some()) {
            let mut next = with(self, None);
            if let Some(place) = place {
                let place = &mut next.world.places[usize::from(place)];
                place.forgotten = place.forgotten.and(place.chain);
                (place.chain, place.owner, place.head) = (None, None, 0);
            }
            push(format_args!("{who} has forgotten its chain"), next);
            return;
        }
        let t = usize::from(table);
        let Some(read) = read else {
            let reset = Reset { read: Some(self.world.tips[t]), ..reset };
            push(format_args!("{who} reads table {t}"), with(self, Some(reset)));
            return;
        };
        let is_anothers = place.is_none();
        let released = match is_anothers && !self.is_without(Without::Belonging) {
            true => self.logs.release(read, true),
            false => self.logs.release(read, false).map(|put| match is_anothers {
                true => self.logs.as_by_another(put),
                false => put,
            }),
        };
        let done = Some(Reset { place, table: table + 1, read: None });
        let Some(put) = released else {
            push(format_args!("{who} leaves table {t} alone"), with(self, done));
            return;
        };
        let outcomes = Outcomes {
            ours: &|job| with(&job, done),
            taken: &|job, tip| with(&job, Some(Reset { read: Some(tip), ..reset })),
            unknown: &|job| with(&job, None),
        };
        self.put(format_args!("{who} releases table {t}"), t, put, &outcomes, push);
    }

    fn step(&self, i: usize, push: Push<'_, Self>) {
        match self.world.hosts[i].at {
            At::Off => {}
            At::Surveyed(chain) => {
                let at = At::Read(chain, self.world.tips);
                push(format_args!("h{i} reads the logs"), self.with(i, at));
            }
            At::Read(chain, seen) => self.step_read(i, chain, seen, push),
            At::Prepared(chain, seen) => self.step_begin(i, chain, seen, push),
            At::Taking { .. } => self.step_take(i, push),
            At::Running { .. } => self.step_run(i, push),
        }
    }
}

/// What must be possible.
impl Job {
    /// What comes first, over and over, when nothing goes wrong.
    fn alone(mut self, step: impl Fn(&Self, Push<'_, Self>)) -> Self {
        self.world.misfortunes = 0;
        loop {
            let mut first = None;
            step(&self, &mut |_, next| first = first.take().or(Some(next)));
            match first {
                Some(next) => self = next,
                None => return self,
            }
        }
    }

    /// Whether a host opens the chain of a place and gets all tables, if nobody else does anything.
    fn opens(&self, place: u8) -> bool {
        let Some(i) = self.bounds.hosts.iter().position(|of| *of == place) else { return true };
        let survey = At::Surveyed(self.place(i).chain);
        let is_open = |job: &Self| matches!(job.world.hosts[i].at, At::Running { .. });
        let opened = self.with(i, survey).alone(|job, push| {
            if !is_open(job) {
                job.step(i, push);
            }
        });
        is_open(&opened)
    }

    fn after_reset(&self, place: u8) -> Self {
        let mut next = self.clone();
        next.world.reset = Some(Reset { place: Some(place), table: 0, read: None });
        next.alone(|job, push| {
            if let Some(reset) = job.world.reset {
                job.step_reset(reset, push);
            }
        })
    }

    /// Where nobody works and nothing is under way.
    fn blocked(&self) -> Option<&'static str> {
        let is_quiet = self.world.hosts.iter().all(|host| host.at == At::Off)
            && self.world.late.is_none()
            && self.world.reset.is_none();
        let mut places = self.bounds.hosts.iter();
        if !is_quiet {
            None
        } else if !places.clone().any(|place| self.opens(*place)) {
            Some("no chain gets all tables any more")
        } else if !places.all(|place| self.after_reset(*place).opens(*place)) {
            Some("a reset gives the tables to nobody")
        } else {
            None
        }
    }

    /// Whether a host that runs its chain adds nothing more to a table that it could have.
    fn is_stuck(&self, i: usize, table: usize) -> bool {
        let At::Running { chain, head, .. } = self.world.hosts[i].at else { return false };
        let place = self.place(i);
        let may = self.logs.writer(self.world.tips[table]).is_none_or(|it| it == chain)
            && place.chain == Some(chain)
            && place.owner == Some(i);
        let lacks = |job: &Self| job.logs.epochs(job.world.tips[table], chain) < head;
        may && lacks(self) && lacks(&self.clone().alone(|job, push| job.step_add(i, table, push)))
    }
}

impl State for Job {
    type Kept = World;

    fn kept(&self) -> World {
        self.world
    }

    fn next(&self, push: Push<'_, Self>) {
        if let Some((table, put)) = self.world.late {
            let (mut next, t) = (self.clone(), usize::from(table));
            next.world.late = None;
            if self.logs.before(put) == Some(self.world.tips[t]) {
                next.world.tips[t] = put;
            }
            push(format_args!("the late put comes to table {t}"), next);
        }
        match self.world.reset {
            Some(reset) => self.step_reset(reset, push),
            None if self.world.resets > 0 => {
                for place in self.bounds.files {
                    let (mut next, place) = (self.clone(), *place);
                    next.world.resets -= 1;
                    next.world.reset = Some(Reset { place, table: 0, read: None });
                    push(format_args!("a reset begins, of {}", Shown("place", place)), next);
                }
            }
            None => {}
        }
        for i in 0..self.bounds.hosts.len() {
            let Host { at, starts } = self.world.hosts[i];
            if at == At::Off && starts > 0 {
                let mut next = self.with(i, At::Surveyed(self.place(i).chain));
                next.world.hosts[i].starts -= 1;
                push(
                    format_args!("h{i} starts, and finds {}", Shown("chain", self.place(i).chain)),
                    next,
                );
            } else if at != At::Off {
                push(format_args!("h{i} crashes"), self.with(i, At::Off));
                self.step(i, push);
            }
        }
    }

    fn wrong(&self) -> Option<String> {
        let of_logs = || self.world.tips.iter().find_map(|tip| self.logs.flaw(*tip));
        let stuck = || {
            let mut all =
                (0..self.bounds.hosts.len()).flat_map(|i| self.tables().map(move |t| (i, t)));
            let is_stuck = all.any(|(i, table)| self.is_stuck(i, table));
            is_stuck.then_some("a running chain adds no more to a table that is free")
        };
        let flaw = self.world.flaw.or_else(of_logs).or_else(stuck).or_else(|| self.blocked());
        flaw.map(str::to_owned)
    }
}
