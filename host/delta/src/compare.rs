//! Comparing the log of a table with the chain that it is derived from, and with what lies in the table's folder.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::Add;
use super::claim;
use super::contents::{Contents, Uneven, rows_of};
use super::decide::{self, Owner};
use super::paths;
use super::problem::LogError;
use sluicegate_chain::follow::{self, Found};
use sluicegate_chain::paths::LaneTag;
use sluicegate_chain::record::{ChainRecord, DataFile, Epoch};
use sluicegate_chain::verify::report::{Finding, Matter};
use sluicegate_chain::{LaneStorage, inspect};
use sluicegate_store::once::each_in_time;

/// What a comparison came to.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The newest epoch whose files the log has; none if it has nothing of this chain.
    pub through: Option<Epoch>,
    /// The chain's newest.
    pub head: Epoch,
    /// Rows, where files are not the same on both sides because the table was compacted.
    pub rows: Option<Rows>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Rows of a table whose files are not those of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// In the files of the log, but for those of chains that were reset; none if it does not say of each.
    pub log: Option<u64>,
    /// In the files of all epochs that the log has; none if records of the first of them are gone.
    pub chain: Option<u64>,
}

impl Rows {
    /// Whether it can be told that there are as many.
    fn are_as_many(self) -> Option<bool> {
        Some(self.log? == self.chain?)
    }
}

/// Compares the log of one of the lane's tables, by its id, as it was read before. None if there is no chain.
///
/// # Errors
///
/// [`LogError::Store`], [`LogError::Chain`].
pub async fn compare(
    storage: &LaneStorage,
    table: &str,
    log: &Contents,
) -> Result<Option<Compared>, LogError> {
    let Some(head) = inspect::latest(storage).await? else { return Ok(None) };
    let Some(head) = inspect::record(storage, head).await? else { return Ok(None) };
    let owner = Owner::new(storage, table, &head.chain_id());
    let through = decide::published(&log.state, &owner);
    let found = follow::find(storage, table, Epoch::GENESIS, &head).await?;
    let records = follow::kept_records(storage, &head).await?;
    let named = records.iter().flat_map(|record| files_of(record, table)).collect();
    let lying = listed(storage, table).await?;
    let own = inspect::own_chains(storage).await?;
    let mut earlier = earlier_files(storage, log, &owner, &own);
    // A chain that is older than its id has another one in names of files.
    earlier.retain(|path| paths::below(path).is_ok_and(|below| !found.files.contains_key(&below)));
    let has_had_earlier = owner.others(&log.state).iter().any(|(chain, _)| own.contains(chain));
    let judge = Judge { table, log, through, named, found, earlier, has_had_earlier, lying };
    let rows = judge.is_compacted().then(|| judge.rows());
    let mut findings = judge.findings(rows);
    findings.extend(others(log, &owner, &own));
    Ok(Some(Compared { through, head: head.epoch, rows, findings }))
}

fn files_of(record: &ChainRecord, table: &str) -> Vec<(String, Named)> {
    let files = record.files.iter().filter(|file| file.table == table);
    let named = |file: &DataFile| Named { epoch: record.epoch, rows: file.rows };
    files.map(|file| (file.path.clone(), named(file))).collect()
}

/// Files of the log, by their paths there, of chains that the lane had before: `own` are all that it has or had.
fn earlier_files(
    storage: &LaneStorage,
    log: &Contents,
    owner: &Owner,
    own: &[String],
) -> BTreeSet<String> {
    let tag = LaneTag::new(&storage.job, &storage.lane);
    let chain_of = |path: &str| tag.parse(paths::below(path).ok()?.rsplit('/').next()?)?.chain;
    let is_earlier = |chain: String| chain != owner.chain && own.contains(&chain);
    let files = log.files.keys().filter(|path| chain_of(path).is_some_and(is_earlier));
    files.cloned().collect()
}

/// What the log has of chains of this pipeline that are not the lane's `own`, and whether one of them has the table.
fn others(log: &Contents, owner: &Owner, own: &[String]) -> Vec<Finding> {
    let foreign = |detail| {
        let object = format!("{}: its log", owner.table);
        Finding { matter: Matter::Foreign, object, detail }
    };
    let has = claim::check(&log.state, owner, own).err();
    let has = has.map(|reason| foreign(format!("the table {reason}")));
    let rows = owner.others(&log.state).into_iter().filter(|(chain, _)| !own.contains(chain));
    let rows = rows.map(|(chain, epoch)| {
        foreign(format!(
            "it has epochs up to {epoch} of another chain, {chain}: its rows are in the table, too"
        ))
    });
    has.into_iter().chain(rows).collect()
}

/// A file as its record names it.
#[derive(Clone, Copy, Debug)]
struct Named {
    epoch: Epoch,
    rows: u64,
}

/// Paths of all objects in the folder of a table, below it.
async fn listed(storage: &LaneStorage, table: &str) -> Result<BTreeSet<String>, LogError> {
    let location = &storage.tables[table];
    let objects = each_in_time(location.store.list(Some(&location.prefix))).await;
    let objects = objects.map_err(|error| LogError::store("list the table", location, &error))?;
    Ok(objects.into_iter().map(|object| location.below(&object.location)).collect())
}

struct Judge<'j> {
    table: &'j str,
    log: &'j Contents,
    through: Option<Epoch>,
    /// Files that the records name which are still there.
    named: BTreeMap<String, Named>,
    /// Files in the folder that are the chain's by their names.
    found: Found,
    /// Files of the log that are of chains which were reset, by their paths there: readers see them beside those of this one.
    earlier: BTreeSet<String>,
    /// Whether the log has, or had, epochs of such a chain.
    has_had_earlier: bool,
    lying: BTreeSet<String>,
}

impl Judge<'_> {
    fn findings(&self, rows: Option<Rows>) -> Vec<Finding> {
        let uneven = self.log.uneven.iter().map(|of| self.uneven(*of));
        let left_out = self.named.iter().filter(|(path, named)| self.is_left_out(path, **named));
        let left_out: Vec<_> = left_out.collect();
        let left_out: Vec<Finding> = match rows {
            None => left_out.iter().map(|(path, named)| self.missing(path, **named)).collect(),
            Some(rows) => self.other_rows(rows, left_out.len()).into_iter().collect(),
        };
        let of_log = self.log.files.keys().filter_map(|path| self.of_log(path));
        uneven.chain(left_out).chain(of_log).collect()
    }

    /// Whether somebody has put files of the log in the place of others.
    fn is_compacted(&self) -> bool {
        let is_ours =
            |path: &String| self.named.contains_key(path) || self.found.files.contains_key(path);
        let mut below = self.files().map(|(path, _)| paths::below(path).unwrap_or_default());
        below.any(|path| !is_ours(&path))
    }

    /// Files of the log but for those of earlier chains.
    fn files(&self) -> impl Iterator<Item = (&String, &Add)> {
        self.log.files.iter().filter(|(path, _)| !self.earlier.contains(*path))
    }

    fn rows(&self) -> Rows {
        let is_whole = self.found.kept_from <= Epoch::GENESIS.next();
        let in_log = self.named.values().filter(|named| Some(named.epoch) <= self.through);
        let chain = is_whole.then(|| in_log.map(|named| named.rows).sum());
        Rows { log: self.files().map(|(_, file)| rows_of(file)).sum(), chain }
    }

    /// What is amiss with the rows of a table that was compacted. The log forgets after a while what was taken out of it, so
    /// of `left_out` files it does not say where their rows are.
    fn other_rows(&self, rows: Rows, left_out: usize) -> Option<Finding> {
        let object = format!("{}: rows", self.table);
        match (rows.are_as_many(), rows) {
            (Some(false), Rows { log: Some(log), chain: Some(chain) }) => {
                let is_of_ours = self.files().all(|(path, _)| {
                    let below = paths::below(path).unwrap_or_default();
                    paths::is_compacted(&below) || self.found.files.contains_key(&below)
                });
                // Compaction does not ask of which chain a file is.
                let may_have_more = log > chain && self.has_had_earlier;
                let (matter, why) = match (is_of_ours, may_have_more) {
                    (true, true) => {
                        (Matter::Undecided, "those of chains that were reset may be among them")
                    }
                    (true, false) => (Matter::Missing, "nobody else has put files there"),
                    (false, _) => (
                        Matter::Undecided,
                        "others write to the table, and may have added or deleted some",
                    ),
                };
                let detail = format!(
                    "the table's log has {log} in its files, and the records of the same epochs {chain}; {why}"
                );
                Some(Finding { matter, object, detail })
            }
            (None, _) if left_out > 0 => {
                let detail = format!(
                    "the table was compacted, its log does not name {left_out} files of the chain, and whether their rows are in \
                     others cannot be told: it does not tell the rows of each file, or records of the first epochs are gone"
                );
                Some(Finding { matter: Matter::Undecided, object, detail })
            }
            _ => None,
        }
    }

    fn uneven(&self, Uneven { version, before, after }: Uneven) -> Finding {
        let detail = format!(
            "the commit put files of {after} rows in the place of files of {before}, and says that it changed none"
        );
        let object = format!("{}: version {version} of its log", self.table);
        Finding { matter: Matter::Damaged, object, detail }
    }

    fn finding(&self, matter: Matter, path: &str, detail: String) -> Finding {
        Finding { matter, object: format!("{}: {path}", self.table), detail }
    }

    /// A file that a record names, and the log should. That it is not there is found by looking at the chain.
    fn is_left_out(&self, path: &str, named: Named) -> bool {
        let logged = &paths::logged(path);
        let is_told = self.log.files.contains_key(logged) || self.log.removed.contains_key(logged);
        !is_told && Some(named.epoch) <= self.through && self.lying.contains(path)
    }

    fn missing(&self, path: &str, named: Named) -> Finding {
        let epoch = named.epoch;
        let detail = format!("the table's log has epoch {epoch} and does not name its file");
        self.finding(Matter::Missing, path, detail)
    }

    /// A file that readers are told of.
    fn of_log(&self, path: &str) -> Option<Finding> {
        // What lies elsewhere is not looked for.
        let below = &paths::below(path).ok()?;
        if !self.lying.contains(below) {
            let detail = "the table's log names it, and readers of the table fail".to_owned();
            return Some(self.finding(Matter::Missing, path, detail));
        }
        let epoch = *self.found.files.get(below)?;
        (epoch >= self.found.kept_from && !self.named.contains_key(below)).then(|| {
            let detail =
                format!("the table's log names it, and the record of epoch {epoch} does not");
            self.finding(Matter::LeftOver, path, detail)
        })
    }
}
