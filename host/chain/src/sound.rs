//! Whether the numbers of a record can be: they are counted with, and index what is in memory.
//!
//! Records of layout 3 carry a hash of themselves, older ones do not, and whoever can write to the store can write any. So
//! what this program never writes is refused when a record is read, in one place, and nothing behind it needs to ask
//! again: an epoch has a successor, a position is one that can be asked for, counts can be added up.

use super::fates::Fates;
use super::paths::is_chain_id;
use super::record::{ChainRecord, Epoch, PartitionState, Term};

/// As many partitions as no topic has: their numbers are indexes.
const PARTITIONS_MAX: i32 = 1 << 18;
/// Beyond any offset, any byte of a file, any count of records: half of what the types hold.
const COUNT_MAX: u64 = 1 << 62;

impl Epoch {
    /// Beyond the last of any chain: one a microsecond for thirty thousand years.
    pub(super) const MAX: Self = Self(1 << 60);
}

impl Term {
    /// Beyond the last of any chain.
    pub(super) const MAX: Self = Self(1 << 60);
}

/// What cannot be in a record, as the end of a sentence; none if all of it can.
pub(super) fn flaw(record: &ChainRecord) -> Option<String> {
    let ChainRecord { epoch, term, source, modules, files, .. } = record;
    if *epoch >= Epoch::MAX || *term >= Term::MAX {
        return Some(format!("no chain gets to epoch {epoch} and term {}", term.0));
    }
    // It becomes part of a path.
    if record.apart && !is_chain_id(&record.chain) {
        return Some(format!(
            "`{}` is not the id of a chain with a folder of its own",
            record.chain
        ));
    }
    let partitions = &source.partitions;
    if let Some(flaw) = partitions.iter().find_map(flaw_of_partition) {
        return Some(flaw);
    }
    if let Some(pair) = partitions.windows(2).find(|pair| pair[0].partition >= pair[1].partition) {
        return Some(format!(
            "partition {} does not come behind {}",
            pair[1].partition, pair[0].partition
        ));
    }
    if let Some(finished) = &source.finished
        && let Some(flaw) = flaw_of_fates(&finished.fates)
    {
        return Some(format!("finished files have {flaw}"));
    }
    if let Some(module) = modules.iter().find(|module| module.generation == u32::MAX) {
        return Some(format!("stage `{}` has had {} modules", module.stage, module.generation));
    }
    let file = files.iter().find(|file| file.bytes >= COUNT_MAX || file.rows >= COUNT_MAX);
    file.map(|file| format!("file `{}` has {} bytes and {} rows", file.path, file.bytes, file.rows))
}

fn flaw_of_partition(state: &PartitionState) -> Option<String> {
    let PartitionState { partition, position, fates, .. } = state;
    if !(0..PARTITIONS_MAX).contains(&partition.number) {
        return Some(format!("there is no partition {partition}"));
    }
    let next = position.next_offset.get();
    if !is_offset(next) {
        return Some(format!("partition {partition} has no offset {next}"));
    }
    flaw_of_fates(fates).map(|flaw| format!("partition {partition} has {flaw}"))
}

/// Whether something can be read at an offset.
pub(super) fn is_offset(offset: i64) -> bool {
    u64::try_from(offset).is_ok_and(|offset| offset < COUNT_MAX)
}

/// Every record has one fate.
fn flaw_of_fates(fates: &Fates) -> Option<String> {
    let Fates { read, accepted, filtered, late, dead_lettered } = *fates;
    let all = [accepted, filtered, late, dead_lettered];
    let sum = all.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
    let is_sound = sum == Some(read) && read < COUNT_MAX;
    (!is_sound).then(|| format!("{read} records read, and not as many with a fate"))
}
