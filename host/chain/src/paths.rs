//! Every path of the chain, the states and the data files is formatted and read here
//! (docs/design/commit.md#what-lies-where).
//!
//! ```text
//! <root>/<job>/lanes/<lane>/chain/<epoch:020>.json
//! <root>/<job>/lanes/<lane>/state/<epoch:020>-<term>-<nonce>[-<i>].bin
//! <root>/<job>/lanes/<lane>/outbox/<epoch:020>-<term>-<nonce>.tsv.zst
//! <root>/<job>/lanes/<lane>/chains/<chain>/{chain,state,outbox}/…    the same of a chain that lies apart: see home
//! <root>/<job>/lanes/<lane>/floor/<chain>-<epoch:020>.json   how much of the chain was let go: see floor
//! <root>/<job>/lanes/<lane>/reset/<nonce>.json      that a chain may begin: see mark
//! <root>/<job>/lanes/<lane>/beat.json                that its owner lives: see beat
//! <root>/<job>/terms/<term:020>.json                  who leads: see lead
//! <root>/<job>/beats/<term:020>.json                  that the leader lives: see lead
//! <table>/[<folder>/]<job>.<lane>-<chain>-<epoch:020>-<term>-<nonce>-<i>.parquet   see folders
//! ```
//!
//! The chain stands in a data file's name because two chains may write into one table: two pipelines, or copies of one
//! whose chains lie at different places. Each deletes the orphans of its own chain only. Job and lane are for people, and
//! for an opening that has no chain yet and asks whether there is something it would write beside. Numbers have twenty digits so that names sort as numbers do. Whatever is not a slot has
//! the term and the nonce of its writer in its name, and there is a new writer for every opening: no two ever send under
//! one name.
//!
//! # Names of earlier versions
//!
//! States and outboxes had no term; records say where theirs lie, and nobody else asks. Data files had no chain:
//! `<job>.<lane>-<epoch:020>-<term>-<nonce>-<i>.parquet`. Whose such a file is only a record can tell. It is this chain's
//! if a record lists it, or if its nonce is that of a record's writer: nonces were random for each process, and a process
//! wrote to one chain. Anything else may be committed by a chain elsewhere and is never deleted
//! ([`resolve`](super::resolve)).

use std::fmt;

use super::lead::claim::LeadTerm;
use super::record::{Epoch, Term};

/// The folder of a lane below the chain's root.
pub fn lane_folder(job: &str, lane: &str) -> String {
    format!("{job}/lanes/{lane}")
}

/// The folder of chains that lie apart, below the lane's folder: see `home`.
pub const CHAINS_FOLDER: &str = "chains";

/// Below the lane's folder, what lies at `below` in the folder of a chain that lies apart.
pub fn of_chain(chain: &str, below: &str) -> String {
    format!("{CHAINS_FOLDER}/{chain}/{below}")
}

/// Which chain that lies apart has something in which of its folders, by its path below the lane's folder.
pub fn parse_of_chain(below: &str) -> Option<(&str, &str)> {
    let mut parts = below.strip_prefix(CHAINS_FOLDER)?.strip_prefix('/')?.split('/');
    let (chain, kind) = (parts.next()?, parts.next()?);
    let is_kind = [CHAIN_FOLDER, STATE_FOLDER, OUTBOX_FOLDER].contains(&kind);
    (is_chain_id(chain) && is_kind && parts.next().is_some()).then_some((chain, kind))
}

/// The folder of the slots below the lane's folder.
pub const CHAIN_FOLDER: &str = "chain";

/// The folder of the state blobs below the lane's folder.
pub const STATE_FOLDER: &str = "state";

/// The slot of an epoch below the lane's folder.
pub fn slot(epoch: Epoch) -> String {
    format!("{CHAIN_FOLDER}/{:020}.json", epoch.0)
}

/// The epoch of a slot by its file name; none for anything else that lies there.
pub fn parse_slot(file_name: &str) -> Option<Epoch> {
    parse_twenty_digits(file_name.strip_suffix(".json")?).map(Epoch)
}

/// The beat of the lane's owner below the lane's folder: see [`super::beat`].
pub const BEAT: &str = "beat.json";

/// The folder of the terms of leadership, below the job's folder.
pub const LEAD_TERMS_FOLDER: &str = "terms";

/// The folder of the leaders' signs of life, below the job's folder.
pub const LEAD_BEATS_FOLDER: &str = "beats";

/// The claim that has won a term, below the job's folder.
pub fn lead_term(term: LeadTerm) -> String {
    format!("{LEAD_TERMS_FOLDER}/{:020}.json", term.0)
}

/// The sign of life of the leader of a term, below the job's folder.
pub fn lead_beat(term: LeadTerm) -> String {
    format!("{LEAD_BEATS_FOLDER}/{:020}.json", term.0)
}

/// The term of a claim or a sign by its file name; none for anything else that lies there.
pub fn parse_lead_term(file_name: &str) -> Option<LeadTerm> {
    parse_twenty_digits(file_name.strip_suffix(".json")?).map(LeadTerm)
}

/// A piece of the state of an epoch below the lane's folder: zstd over the lane's bytes.
pub fn state(epoch: Epoch, term: Term, nonce: &str, index: u32) -> String {
    match index {
        0 => format!("{STATE_FOLDER}/{:020}-{}-{nonce}.bin", epoch.0, term.0),
        _ => format!("{STATE_FOLDER}/{:020}-{}-{nonce}-{index}.bin", epoch.0, term.0),
    }
}

/// The epoch of a piece of state by its path below the lane's folder.
pub fn epoch_of_state(key: &str) -> Option<Epoch> {
    parse_blob(key.strip_prefix(STATE_FOLDER)?.strip_prefix('/')?)
}

/// The folder of the outboxes below the lane's folder.
pub const OUTBOX_FOLDER: &str = "outbox";

/// The outbox of an epoch below the lane's folder: zstd over the lines of `outbox`.
pub fn outbox(epoch: Epoch, term: Term, nonce: &str) -> String {
    format!("{OUTBOX_FOLDER}/{:020}-{}-{nonce}.tsv.zst", epoch.0, term.0)
}

/// The epoch of a state or an outbox by its file name, also of earlier versions; none for anything else.
pub fn parse_blob(file_name: &str) -> Option<Epoch> {
    let (epoch, _) = file_name.split_once('-')?;
    parse_twenty_digits(epoch).map(Epoch)
}

/// The folder of floors, below the lane's folder.
pub const FLOOR_FOLDER: &str = "floor";

/// The floor of a chain at an epoch, below the lane's folder: see `floor`. `chain` as in names of data files.
pub fn floor(chain: &str, epoch: Epoch) -> String {
    format!("{FLOOR_FOLDER}/{chain}-{:020}.json", epoch.0)
}

/// Chain and epoch of a floor by its file name; none for anything else that lies there.
pub fn parse_floor(file_name: &str) -> Option<(&str, Epoch)> {
    let (chain, epoch) = file_name.strip_suffix(".json")?.split_once('-')?;
    Some((chain, Epoch(parse_twenty_digits(epoch)?)))
}

/// The folder of marks that a reset leaves, below the lane's folder.
pub const MARK_FOLDER: &str = "reset";

/// The path of a mark, below the lane's folder.
pub fn mark(nonce: &str) -> String {
    format!("{MARK_FOLDER}/{nonce}.json")
}

/// The value of the partition column `date` for a day, as Hive-style readers parse it. `day` counts from
/// 1970-01-01; years beyond four digits are clamped to the last day that has four.
pub fn date_value(day: i32) -> String {
    const FIRST: i32 = -719_162; // 0001-01-01
    const LAST: i32 = 2_932_896; // 9999-12-31
    let date = chrono::NaiveDate::from_epoch_days(day.clamp(FIRST, LAST));
    date.expect("four-digit years are within chrono's range").format("%Y-%m-%d").to_string()
}

/// What all data files of a lane have in common: the beginning of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneTag(String);

impl LaneTag {
    /// The tag of a lane. Names of jobs hold no dot, so no two lanes have the same tag.
    pub fn new(job: &str, lane: &str) -> Self {
        Self(format!("{job}.{lane}"))
    }

    /// A name before all data files of a chain of this lane from `epoch` on, and after those of earlier epochs.
    pub fn before_epoch(&self, naming: Naming<'_>, epoch: Epoch) -> String {
        match naming {
            Naming::OfChain(chain) => format!("{self}-{chain}-{:020}", epoch.0),
            Naming::Earlier => format!("{self}-{:020}", epoch.0),
        }
    }

    /// A name after all of them.
    pub fn behind(&self, naming: Naming<'_>) -> String {
        match naming {
            Naming::OfChain(chain) => format!("{self}-{chain}-z"),
            // Before the trillionth epoch.
            Naming::Earlier => format!("{self}-00000000z"),
        }
    }

    /// A name after all data files of this lane, of whatever chain.
    pub fn end(&self) -> String {
        // Chains and epochs are hexadecimal.
        format!("{self}-g")
    }

    /// The name of a data file by its parts; none if it is not one of this lane's.
    pub fn parse(&self, file_name: &str) -> Option<DataFileName> {
        let parts = file_name.strip_prefix(self.0.as_str())?.strip_prefix('-')?;
        let mut parts = parts.strip_suffix(".parquet")?.split('-').peekable();
        let chain = parts.next_if(|part| is_chain_id(part)).map(str::to_owned);
        let name = DataFileName {
            tag: self.clone(),
            chain,
            epoch: Epoch(parse_twenty_digits(parts.next()?)?),
            term: parts.next()?.parse().ok().map(Term).filter(|term| *term < Term::MAX)?,
            nonce: parts.next()?.to_owned(),
            index: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(name)
    }
}

impl fmt::Display for LaneTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the data files of a chain are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming<'c> {
    /// With the chain's id between lane and epoch, as all names are made today.
    OfChain(&'c str),
    /// Without: see [the module's page](self).
    Earlier,
}

/// The layout of records ([`ChainRecord::v`](super::record::ChainRecord::v)) from which on data files are named with
/// their chain.
pub const CHAIN_IN_NAMES_SINCE: u32 = 3;

/// Bytes of a chain's id in names.
pub const CHAIN_ID_BYTES: usize = 12;

/// Whether this is a chain's id as it stands in names: shorter than an epoch, and without what separates parts.
pub fn is_chain_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() == CHAIN_ID_BYTES && text.bytes().all(plain)
}

/// The name of a data file. It says who wrote it for which epoch, so that whether it is an orphan can be decided
/// without a clock: a file named for an epoch can only ever be referred to by the slot of that epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFileName {
    /// Of pipeline and lane: files of others in the folder have another.
    pub tag: LaneTag,
    /// Of which chain; none in names of earlier versions.
    pub chain: Option<String>,
    /// The epoch that it was written for.
    pub epoch: Epoch,
    /// The term of the writer that put it.
    pub term: Term,
    /// Of its writer: letters and digits.
    pub nonce: String,
    /// Its place among the files of the epoch, all tables together.
    pub index: u32,
}

impl fmt::Display for DataFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tag, chain, epoch, term, nonce, index } = self;
        write!(f, "{tag}-")?;
        if let Some(chain) = chain {
            write!(f, "{chain}-")?;
        }
        write!(f, "{:020}-{}-{nonce}-{index}.parquet", epoch.0, term.0)
    }
}

/// None also for what no chain gets to: it has no epoch behind it.
fn parse_twenty_digits(text: &str) -> Option<u64> {
    let digits = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|epoch| Epoch(*epoch) < Epoch::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "0c4a7b91e2d3";

    fn name(tag: &LaneTag) -> DataFileName {
        let (nonce, chain) = ("a1b2".to_owned(), Some(CHAIN.to_owned()));
        DataFileName { tag: tag.clone(), chain, epoch: Epoch(7), term: Term(3), nonce, index: 12 }
    }

    #[test]
    fn a_data_file_is_found_by_its_name_and_only_by_its_own_lane() {
        let tag = LaneTag::new("sales", "0");
        let text = name(&tag).to_string();
        assert_eq!(text, "sales.0-0c4a7b91e2d3-00000000000000000007-3-a1b2-12.parquet");
        assert_eq!(tag.parse(&text), Some(name(&tag)));
        let earlier = DataFileName { chain: None, ..name(&tag) };
        assert_eq!(earlier.to_string(), "sales.0-00000000000000000007-3-a1b2-12.parquet");
        assert_eq!(tag.parse(&earlier.to_string()), Some(earlier));
        assert_eq!(LaneTag::new("sales", "01").parse(&text), None);
        assert_eq!(LaneTag::new("sales", "").parse(&text), None);
        assert_eq!(LaneTag::new("sale", "0").parse(&text), None);
        assert_eq!(tag.parse("sales.0-7-3-a1b2-12.parquet"), None);
        assert_eq!(tag.parse(&text.replace("-12.", "-12-1.")), None);
    }

    #[test]
    fn names_of_an_epoch_sort_behind_its_beginning() {
        let tag = LaneTag::new("sales", "0");
        for naming in [Naming::OfChain(CHAIN), Naming::Earlier] {
            let chain = matches!(naming, Naming::OfChain(_)).then(|| CHAIN.to_owned());
            let name = DataFileName { chain, ..name(&tag) }.to_string();
            assert!(tag.before_epoch(naming, Epoch(7)) < name);
            assert!(name < tag.before_epoch(naming, Epoch(8)));
            assert!(name < tag.behind(naming));
        }
        assert!(slot(Epoch(9)) < slot(Epoch(10)));
    }

    #[test]
    fn a_slot_is_read_back_and_strangers_are_not() {
        assert_eq!(parse_slot("00000000000000000042.json"), Some(Epoch(42)));
        assert_eq!(parse_slot("42.json"), None);
        assert_eq!(parse_slot("00000000000000000042.json.bak"), None);
        let (floor, epoch) = (floor(CHAIN, Epoch(42)), Epoch(42));
        assert_eq!(parse_floor(floor.strip_prefix("floor/").unwrap()), Some((CHAIN, epoch)));
        assert_eq!(parse_floor("00000000000000000042.json"), None);
    }

    #[test]
    fn days_before_1970_and_beyond_four_digit_years_have_a_value() {
        assert_eq!(date_value(20_778), "2026-11-21");
        assert_eq!(date_value(-1), "1969-12-31");
        assert_eq!(date_value(i32::MAX), "9999-12-31");
        assert_eq!(date_value(i32::MIN), "0001-01-01");
    }
}
