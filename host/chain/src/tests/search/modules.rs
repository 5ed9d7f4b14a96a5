//! Uploaded modules, and passes that collect them: a module is uploaded and uploaded again, activated and given up, while two
//! owners collect, each at its own pace. Passes do what [`Seen::surplus`] says.
//!
//! In every state three things hold: the newest version of a name that an upload was answered with is there; so are the
//! bytes of each such version; and so are those that the chain pins.
//!
//! Uploads, activations and passes are done step by step, others work between any two, and each may die. But within a day of
//! its beginning each has ended, one way or the other: a day passes only when none is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Found, Push, State, search};
use crate::modules::ModuleVersion;
use crate::modules::surplus::{Retention, Seen, Stored, Surplus, Tombstone, next_generation};
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::EventTime;

const DAY: Duration = Duration::from_secs(24 * 3600);
const MODULE: ModuleDigest = ModuleDigest([1; 32]);
/// Another one, whose bytes are no matter.
const OTHER: ModuleDigest = ModuleDigest([2; 32]);

/// The rules that are left out, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Without {
    Nothing,
    /// M1: the newest version of a name goes as well.
    KeepingTheNewest,
    /// M2: bytes go without a tombstone.
    Tombstones,
    /// M2: bytes go as soon as they were given up.
    Waiting,
    /// M3: an upload relies on bytes that were given up.
    Generations,
    /// M4: the chain is not asked.
    AskingChains,
    /// M5: a version goes although its bytes were given up.
    Renewing,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Version {
    is_module: bool,
    /// Whoever uploaded it was told so.
    is_answered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Upload {
    Idle,
    Put(u8),
    /// Names the bytes.
    Name,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Activation {
    Idle,
    /// Has found a version.
    Resolved,
    /// Has read the bytes, and puts the record.
    Fetched,
}

/// Versions, and generations of bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Listed {
    versions: Vec<Option<Version>>,
    bytes: BTreeSet<u8>,
}

/// What a pass has seen so far.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Looked {
    tombstones: Option<BTreeMap<u8, u8>>,
    listed: Option<Listed>,
    is_pinned: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Pass {
    Idle,
    Look(Looked),
    Act(Surplus),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Collector {
    at: Pass,
    passes: u8,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Store {
    without: Without,
    day: u8,
    days: u8,
    /// By number, from 1.
    versions: Vec<Option<Version>>,
    /// Generations of the module's bytes.
    bytes: BTreeSet<u8>,
    /// Generations that were given up, and on which day.
    tombstones: BTreeMap<u8, u8>,
    is_pinned: bool,
    upload: Upload,
    uploads: u8,
    others: u8,
    activation: Activation,
    activations: u8,
    collectors: [Collector; 2],
}

/// `others` other modules are uploaded under the name.
fn start(without: Without, others: u8) -> Store {
    let collector = |passes| Collector { at: Pass::Idle, passes };
    Store {
        without,
        day: 0,
        days: 2,
        versions: vec![Some(Version { is_module: true, is_answered: true })],
        bytes: BTreeSet::from([0]),
        tombstones: BTreeMap::new(),
        is_pinned: false,
        upload: Upload::Idle,
        uploads: 1,
        others,
        activation: Activation::Idle,
        activations: 1,
        collectors: [collector(4), collector(1)],
    }
}

/// The place of a version in the list.
fn place(number: u8) -> usize {
    usize::from(number) - 1
}

fn midnight(day: u8) -> EventTime {
    EventTime(i64::from(day) * i64::try_from(DAY.as_micros()).unwrap())
}

impl Store {
    fn newest(&self) -> Option<u8> {
        let place = self.versions.iter().rposition(Option::is_some)?;
        Some(u8::try_from(place + 1).unwrap())
    }

    fn version(&self, number: u8) -> Option<Version> {
        self.versions.get(place(number)).copied().flatten()
    }

    /// Names the newest bytes as a version, the next if they are not that already.
    fn named(&self, is_module: bool) -> (Self, u8) {
        let mut next = self.clone();
        if let Some(newest) = self.newest()
            && self.version(newest).is_some_and(|version| version.is_module == is_module)
        {
            return (next, newest);
        }
        let number = self.newest().unwrap_or(0) + 1;
        let version = Some(Version { is_module, is_answered: !is_module });
        match next.versions.get_mut(place(number)) {
            Some(gone) => *gone = version,
            None => next.versions.push(version),
        }
        (next, number)
    }

    fn generation(&self) -> u8 {
        let highest = self.tombstones.keys().last().map(|generation| u32::from(*generation));
        match self.without {
            Without::Generations => 0,
            _ => u8::try_from(next_generation(highest)).unwrap(),
        }
    }

    fn step_upload(&self, push: Push<'_, Self>) {
        let mut next = self.clone();
        match self.upload {
            Upload::Idle if self.uploads == 0 => {}
            Upload::Idle => {
                let generation = self.generation();
                next.uploads -= 1;
                next.upload = Upload::Put(generation);
                push(format_args!("an upload finds {generation} to be good"), next);
            }
            Upload::Put(generation) => {
                next.bytes.insert(generation);
                next.upload = Upload::Name;
                push(format_args!("the upload puts bytes {generation}"), next);
            }
            Upload::Name => {
                let (mut next, version) = self.named(true);
                next.upload = Upload::Idle;
                push(format_args!("the upload names them version {version}"), next.clone());
                if let Some(version) = next.versions[place(version)].as_mut() {
                    version.is_answered = true;
                }
                push(format_args!("the upload names them version {version}, and says so"), next);
            }
        }
        if self.upload != Upload::Idle {
            let mut next = self.clone();
            next.upload = Upload::Idle;
            push(format_args!("the upload dies"), next);
        }
        if self.others > 0 {
            let (mut next, version) = self.named(false);
            next.others -= 1;
            push(format_args!("another module becomes version {version}"), next);
        }
    }

    fn step_activation(&self, push: Push<'_, Self>) {
        let mut next = self.clone();
        let mut names = self.versions.iter().flatten();
        match self.activation {
            Activation::Idle => {
                if self.activations > 0 && names.any(|version| version.is_module) {
                    next.activations -= 1;
                    next.activation = Activation::Resolved;
                    push(format_args!("an activation finds a version"), next);
                }
                if self.is_pinned {
                    let mut next = self.clone();
                    next.is_pinned = false;
                    push(format_args!("the lane runs another module"), next);
                }
                return;
            }
            Activation::Resolved if self.bytes.is_empty() => {}
            Activation::Resolved => {
                next.activation = Activation::Fetched;
                push(format_args!("the activation reads the bytes"), next);
            }
            Activation::Fetched => {
                (next.activation, next.is_pinned) = (Activation::Idle, true);
                push(format_args!("the activation stands in the chain"), next);
            }
        }
        let mut next = self.clone();
        next.activation = Activation::Idle;
        push(format_args!("the activation comes to nothing"), next);
    }

    fn step_collector(&self, i: usize, push: Push<'_, Self>) {
        let mut next = self.clone();
        let Collector { at, passes } = &self.collectors[i];
        match at {
            Pass::Idle => {
                if *passes > 0 {
                    next.collectors[i].passes -= 1;
                    next.collectors[i].at = Pass::Look(Looked::default());
                    push(format_args!("c{i} begins a pass"), next);
                }
            }
            Pass::Look(looked) => {
                let (at, what) = self.looked(looked.clone());
                next.collectors[i].at = at;
                push(format_args!("c{i} looks {what}"), next);
            }
            Pass::Act(surplus) => {
                let (mut next, rest, label) = self.acted(surplus.clone());
                let is_done = rest == Surplus::default();
                next.collectors[i].at = if is_done { Pass::Idle } else { Pass::Act(rest) };
                push(format_args!("c{i} {label}"), next);
                let mut next = self.clone();
                next.collectors[i].at = Pass::Idle;
                push(format_args!("c{i} dies"), next);
            }
        }
    }

    /// The next look of a pass.
    fn looked(&self, mut looked: Looked) -> (Pass, &'static str) {
        let order = ["tombstones", "versions", "chains"];
        let is_done = |what: &&str| match *what {
            "versions" => looked.listed.is_some(),
            "tombstones" => looked.tombstones.is_some(),
            _ => looked.is_pinned.is_some(),
        };
        let what = order.into_iter().find(|what| !is_done(what)).unwrap();
        match what {
            "versions" => {
                let (versions, bytes) = (self.versions.clone(), self.bytes.clone());
                looked.listed = Some(Listed { versions, bytes });
            }
            "tombstones" => looked.tombstones = Some(self.tombstones.clone()),
            _ => looked.is_pinned = Some(self.is_pinned),
        }
        let Looked {
            tombstones: Some(tombstones),
            listed: Some(listed),
            is_pinned: Some(is_pinned),
        } = &looked
        else {
            return (Pass::Look(looked), what);
        };
        let surplus = self.surplus(tombstones, listed, *is_pinned);
        let at = if surplus == Surplus::default() { Pass::Idle } else { Pass::Act(surplus) };
        (at, what)
    }

    fn surplus(&self, tombstones: &BTreeMap<u8, u8>, listed: &Listed, is_pinned: bool) -> Surplus {
        let retention = Retention {
            newest: usize::from(self.without != Without::KeepingTheNewest),
            age: Duration::ZERO,
            settle: if self.without == Without::Waiting { Duration::ZERO } else { DAY },
        };
        let Listed { versions, bytes } = listed;
        let version = |(number, version): (u64, &Option<Version>)| {
            let digest = if (*version)?.is_module { MODULE } else { OTHER };
            let uploaded = EventTime(0);
            Some(ModuleVersion { name: "a".to_owned(), digest, bytes: 1, number, uploaded })
        };
        let stored = |digest, generation| Stored { digest, generation, size: 1 };
        let mut all: Vec<_> =
            bytes.iter().map(|generation| stored(MODULE, (*generation).into())).collect();
        all.push(stored(OTHER, 0));
        let highest = tombstones.last_key_value().map(|(generation, day)| {
            let (generation, put) = ((*generation).into(), midnight(*day));
            (MODULE, Tombstone { generation, put })
        });
        let mut needed = BTreeSet::from([OTHER]);
        if is_pinned && self.without != Without::AskingChains {
            needed.insert(MODULE);
        }
        let mut seen = Seen {
            tombstones: highest.into_iter().collect(),
            bytes: all,
            versions: (1..).zip(versions).filter_map(version).collect(),
            needed,
            now: midnight(self.day),
        };
        let mut surplus = seen.surplus(&retention);
        match self.without {
            Without::Tombstones => {
                let at_once = std::mem::take(&mut surplus.given_up).into_iter();
                surplus
                    .bytes
                    .extend(at_once.map(|(digest, generation)| stored(digest, generation)));
            }
            Without::Renewing => {
                surplus.renewed.clear();
                seen.tombstones.clear();
                surplus.versions = seen.surplus(&retention).versions;
            }
            _ => {}
        }
        surplus
    }

    /// The next step of a pass that knows what to do.
    fn acted(&self, mut rest: Surplus) -> (Self, Surplus, String) {
        let mut next = self.clone();
        let label = if let Some((_, generation)) = rest.renewed.pop() {
            // Read and put.
            if !self.bytes.is_empty() {
                next.bytes.insert(u8::try_from(generation).unwrap());
            }
            format!("renews the bytes as {generation}")
        } else if let Some((_, number)) = rest.versions.pop() {
            next.versions[place(u8::try_from(number).unwrap())] = None;
            format!("deletes version {number}")
        } else if let Some((_, generation)) = rest.given_up.pop() {
            let generation = u8::try_from(generation).unwrap();
            next.tombstones.entry(generation).or_insert(self.day);
            format!("gives up bytes {generation}")
        } else {
            let Stored { generation, .. } = rest.bytes.pop().unwrap();
            next.bytes.remove(&u8::try_from(generation).unwrap());
            format!("deletes bytes {generation}")
        };
        (next, rest, label)
    }
}

impl State for Store {
    type Kept = Self;

    fn kept(&self) -> Self {
        self.clone()
    }

    fn next(&self, push: Push<'_, Self>) {
        self.step_upload(push);
        self.step_activation(push);
        for i in 0..self.collectors.len() {
            self.step_collector(i, push);
        }
        let is_quiet = self.activation == Activation::Idle
            && self.upload == Upload::Idle
            && self.collectors.iter().all(|collector| collector.at == Pass::Idle);
        if self.day < self.days && is_quiet {
            let mut next = self.clone();
            next.day += 1;
            push(format_args!("a day passes"), next);
        }
    }

    fn wrong(&self) -> Option<String> {
        let mut versions = self.versions.iter().flatten();
        let is_there = versions.any(|version| version.is_module && version.is_answered);
        if self.bytes.is_empty() && is_there {
            return Some("a version has no bytes".to_owned());
        }
        if self.bytes.is_empty() && self.is_pinned {
            return Some("the chain pins a module that is gone".to_owned());
        }
        let newest = self.versions.last().copied().flatten();
        newest.is_none().then(|| "the newest version is gone".to_owned())
    }
}

fn check(without: Without) -> Found {
    search(start(without, 1))
}

#[test]
fn with_all_rules_nothing_that_is_needed_goes() {
    search(start(Without::Nothing, 2)).assert_safe(300_000);
}

#[test]
fn a_name_whose_newest_version_goes_is_lost() {
    check(Without::KeepingTheNewest).assert_violation("the newest version is gone");
}

#[test]
fn bytes_without_a_tombstone_are_missed_by_an_upload() {
    check(Without::Tombstones).assert_violation("");
}

#[test]
fn bytes_that_go_at_once_are_missed_by_an_upload() {
    check(Without::Waiting).assert_violation("a version has no bytes");
}

#[test]
fn an_upload_that_relies_on_what_was_given_up_loses_it() {
    check(Without::Generations).assert_violation("a version has no bytes");
}

#[test]
fn a_chain_that_is_not_asked_loses_its_module() {
    check(Without::AskingChains).assert_violation("the chain pins a module that is gone");
}

#[test]
fn a_version_that_goes_while_its_bytes_are_given_up_is_missed_by_an_activation() {
    search(start(Without::Renewing, 2)).assert_violation("the chain pins a module that is gone");
}
