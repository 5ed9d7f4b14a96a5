//! The logs that a story meets: a tree of versions, each made once, by the deciding functions themselves.
//!
//! A log is the way from the root to one of its versions, so a state of the search holds a number. What a version adds is
//! judged when it is made, whatever story makes it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde_json::json;
use sluicegate_chain::record::{ChainRecord, Epoch};

use super::super::lane;
use crate::actions::Line;
use crate::claim;
use crate::decide::{self, Commit, Owner};
use crate::state::LogState;

/// Chains that one place may have, one after the other.
const CHAINS_MAX: u8 = 4;

/// ms since 1970.
const NOW: i64 = 0;

/// A chain, by its place and by how many that place had before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Chain {
    pub(super) place: u8,
    pub(super) number: u8,
}

impl Chain {
    fn named(id: &str) -> Self {
        let number = |digit: usize| id[digit..=digit].parse().unwrap();
        Self { place: number(1), number: number(3) }
    }

    /// Whether another one was forgotten for it.
    fn follows(self, other: Self) -> bool {
        self.place == other.place && self.number > other.number
    }
}

/// As it stands in a log.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}c{}", self.place, self.number)
    }
}

/// A set of chains.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Chains(u16);

impl Chains {
    fn bit(chain: Chain) -> u16 {
        assert!(chain.number < CHAINS_MAX, "a place has so many chains");
        1 << (chain.place * CHAINS_MAX + chain.number)
    }

    #[must_use]
    pub(super) fn and(self, chain: Option<Chain>) -> Self {
        Self(self.0 | chain.map_or(0, Self::bit))
    }

    fn has(self, chain: Chain) -> bool {
        self.0 & Self::bit(chain) != 0
    }

    fn ids(self) -> Vec<String> {
        let all =
            (0..2).flat_map(|place| (0..CHAINS_MAX).map(move |number| Chain { place, number }));
        all.filter(|chain| self.has(*chain)).map(|chain| chain.to_string()).collect()
    }
}

/// A log up to one of its versions, or before the first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Version(u16);

/// What a commit is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Deed {
    Take,
    Add(Chain),
    /// By a file of the table's pipeline.
    Release,
    /// By a file of another one.
    ReleaseByAnother,
}

struct Node {
    table: u8,
    made: Option<(Version, Deed, Commit)>,
    state: LogState,
    next: BTreeMap<(Deed, Vec<u8>), Version>,
    /// All chains that the table has named up to here.
    had: Chains,
    /// Who has added last, unless the table was released since.
    adder: Option<Chain>,
    files: BTreeSet<String>,
    flaw: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Asked {
    Check(Option<Chain>, Chains),
    Take(Chain, Chains),
    Add { chain: Chain, head: u8, unchecked: bool },
    Release { by_another: bool },
}

/// What was decided: nothing is to be done, or a version is to be put; or which chain is in the way.
type Decided = Result<Option<Version>, Chain>;

/// All versions that were made, and all that was decided.
pub(super) struct Logs {
    nodes: RefCell<Vec<Node>>,
    decided: RefCell<HashMap<(Version, Asked), Decided>>,
}

impl Logs {
    /// Of so many tables that are not there yet.
    pub(super) fn new(tables: u8) -> Self {
        let root = |table| Node {
            table,
            made: None,
            state: LogState::default(),
            next: BTreeMap::new(),
            had: Chains::default(),
            adder: None,
            files: BTreeSet::new(),
            flaw: None,
        };
        Self { nodes: RefCell::new((0..tables).map(root).collect()), decided: RefCell::default() }
    }

    /// The log of a table that is not there.
    pub(super) fn none_of(&self, table: u8) -> Version {
        Version(table.into())
    }

    fn node<T>(&self, at: Version, of: impl FnOnce(&Node) -> T) -> T {
        of(&self.nodes.borrow()[usize::from(at.0)])
    }

    pub(super) fn writer(&self, at: Version) -> Option<Chain> {
        self.node(at, |node| claim::writer(&node.state).map(Chain::named))
    }

    pub(super) fn has_named(&self, at: Version, chain: Chain) -> bool {
        self.node(at, |node| node.had.has(chain))
    }

    pub(super) fn flaw(&self, at: Version) -> Option<&'static str> {
        self.node(at, |node| node.flaw)
    }

    /// How many epochs of a chain the log has.
    pub(super) fn epochs(&self, at: Version, chain: Chain) -> u8 {
        let published =
            self.node(at, |node| decide::published(&node.state, &owner(node, Some(chain))));
        published.map_or(0, |epoch| u8::try_from(epoch.0).unwrap())
    }

    /// The version that this one was made behind.
    pub(super) fn before(&self, of: Version) -> Option<Version> {
        self.node(of, |node| node.made.as_ref().map(|(before, ..)| *before))
    }

    /// Whether a log that stands at `at` has this version.
    pub(super) fn is_in(&self, version: Version, at: Version) -> bool {
        std::iter::successors(Some(at), |at| self.before(*at)).any(|at| at == version)
    }

    /// Whether a chain may write; one to begin has no name yet.
    pub(super) fn check(
        &self,
        at: Version,
        chain: Option<Chain>,
        own: Chains,
    ) -> Result<(), Chain> {
        self.decide(at, Asked::Check(chain, own), Deed::Take).map(drop)
    }

    pub(super) fn take(&self, at: Version, chain: Chain, own: Chains) -> Decided {
        self.decide(at, Asked::Take(chain, own), Deed::Take)
    }

    /// Adds what the chain has up to its head.
    pub(super) fn add(&self, at: Version, chain: Chain, head: u8, unchecked: bool) -> Decided {
        self.decide(at, Asked::Add { chain, head, unchecked }, Deed::Add(chain))
    }

    /// As `reset` of a file does, of the table's pipeline or of another.
    pub(super) fn release(&self, at: Version, by_another: bool) -> Option<Version> {
        let deed = if by_another { Deed::ReleaseByAnother } else { Deed::Release };
        let decided = self.decide(at, Asked::Release { by_another }, deed);
        decided.expect("a table is released or left alone")
    }

    fn decide(&self, at: Version, asked: Asked, deed: Deed) -> Decided {
        if let Some(decided) = self.decided.borrow().get(&(at, asked)) {
            return *decided;
        }
        let commit = self.node(at, |node| node.decide(asked));
        let decided = match commit {
            Ok(commit) => Ok(commit.map(|commit| self.followed(at, deed, commit))),
            Err(said) => {
                assert!(said.contains("is written by"), "{said}");
                Err(self.writer(at).expect("it names a chain"))
            }
        };
        self.decided.borrow_mut().insert((at, asked), decided);
        decided
    }

    /// The log with this commit behind `at`.
    fn followed(&self, at: Version, deed: Deed, commit: Commit) -> Version {
        let key = (deed, commit.text.clone());
        if let Some(known) = self.node(at, |node| node.next.get(&key).copied()) {
            return known;
        }
        let made = self.node(at, |node| node.followed(at, deed, commit));
        let mut nodes = self.nodes.borrow_mut();
        let version = Version(u16::try_from(nodes.len()).unwrap());
        nodes.push(made);
        nodes[usize::from(at.0)].next.insert(key, version);
        version
    }

    fn made(&self, version: Version) -> (Version, Deed, Commit) {
        self.node(version, |node| node.made.clone().expect("it is no root"))
    }

    /// The log that stands at `at` after a put that asks for no condition.
    pub(super) fn replaced(&self, at: Version, put: Version) -> Version {
        let (before, ..) = self.made(put);
        let line = std::iter::successors(Some(at), |at| self.before(*at));
        let mut later: Vec<Version> = line.take_while(|at| *at != before).collect();
        // What has the number of the put is gone.
        later.pop();
        later.into_iter().rev().fold(put, |at, version| {
            let (_, deed, commit) = self.made(version);
            self.followed(at, deed, commit)
        })
    }

    /// A release, as if a file of another pipeline had made it.
    pub(super) fn as_by_another(&self, put: Version) -> Version {
        let (before, _, commit) = self.made(put);
        self.followed(before, Deed::ReleaseByAnother, commit)
    }

    /// The actions of a commit whose number was taken, behind what took it, and nothing asked.
    pub(super) fn unasked(&self, at: Version, put: Version) -> Version {
        let (_, deed, commit) = self.made(put);
        let version = self.node(at, |node| node.state.next_version());
        self.followed(at, deed, decide::commit(version, commit.lines))
    }
}

impl Node {
    fn decide(&self, asked: Asked) -> Result<Option<Commit>, String> {
        let (state, shape) = (&self.state, lane::shape(&["n"]));
        match asked {
            Asked::Check(chain, own) => {
                claim::check(state, &owner(self, chain), &own.ids()).map(|()| None)
            }
            Asked::Take(chain, own) => {
                let owner = owner(self, Some(chain));
                match decide::create(state, &owner, &shape, || chain.to_string(), NOW)? {
                    None => claim::take(state, &owner, &own.ids(), NOW),
                    made => Ok(made),
                }
            }
            Asked::Add { chain, head, unchecked } => {
                let (owner, mut state) = (owner(self, Some(chain)), state.clone());
                if let (true, Some(metadata)) = (unchecked, &mut state.metadata) {
                    claim::enter(metadata, &owner);
                }
                let records: Vec<_> =
                    (1..=head).map(|epoch| record(chain, epoch, &owner)).collect();
                decide::append(&state, &owner, &shape, &records.iter().collect::<Vec<_>>(), NOW)
            }
            Asked::Release { by_another } => {
                let mut owner = owner(self, None);
                if by_another {
                    owner.job = "another".to_owned();
                }
                Ok(claim::give_up(state, &owner, NOW))
            }
        }
    }

    fn followed(&self, at: Version, deed: Deed, commit: Commit) -> Self {
        let mut state = self.state.clone();
        assert_eq!(state.next_version(), commit.version);
        state.apply(commit.version, &commit.lines);
        let (writer, mut files) = (claim::writer(&state).map(Chain::named), self.files.clone());
        let mut adds = commit.lines.iter().filter_map(|line: &Line| line.add.as_ref());
        let is_twice = adds.any(|add| !files.insert(add.path.clone()));
        let (adder, flaw) = match deed {
            Deed::Add(chain) => {
                let is_second =
                    self.adder.is_some_and(|adder| adder != chain && !chain.follows(adder));
                let flaw = match (writer == Some(chain), is_second, is_twice) {
                    (false, ..) => Some("a chain adds to a table that it does not have"),
                    (_, true, _) => Some("a second chain adds, and nobody has released the table"),
                    (.., true) => Some("an epoch is added twice"),
                    _ => None,
                };
                (Some(chain), flaw)
            }
            Deed::Release => (None, None),
            Deed::Take | Deed::ReleaseByAnother => (self.adder, None),
        };
        Self {
            table: self.table,
            made: Some((at, deed, commit)),
            state,
            next: BTreeMap::new(),
            had: self.had.and(writer),
            adder,
            files,
            flaw: self.flaw.or(flaw),
        }
    }
}

fn owner(node: &Node, chain: Option<Chain>) -> Owner {
    Owner {
        job: "toy".to_owned(),
        lane: "0".to_owned(),
        table: format!("table-{}", node.table),
        chain: chain.map_or_else(String::new, |chain| chain.to_string()),
        place: chain.map_or_else(String::new, |chain| format!("place {}", chain.place)),
    }
}

/// An epoch with a file.
fn record(chain: Chain, epoch: u8, owner: &Owner) -> ChainRecord {
    let file = json!({
        "table": owner.table, "path": format!("{chain}-{epoch}.parquet"), "bytes": 1, "sha256": "", "rows": 1,
    });
    let record = json!({
        "v": 1, "job": owner.job, "lane": owner.lane, "epoch": epoch, "chain": owner.chain, "kind": "data",
        "held": false, "parent": null, "term": 1, "writer": { "instance": "", "nonce": "" },
        "source": { "kind": "files", "ended": false, "partitions": [] }, "watermark": "none", "state": null,
        "files": [file], "modules": [], "config": {},
    });
    let record: ChainRecord = serde_json::from_value(record).unwrap();
    assert_eq!(record.epoch, Epoch(epoch.into()));
    record
}
