//! What is told at the end of a soak, for a person: what came, what lies in the tables, and what was done meanwhile.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::Done;
use super::fleet::Fleet;
use super::gap::{Gap, Why};
use super::plan::{Fault, Stumble, Whom};
use crate::harness::chain::{self, Fates};
use crate::harness::delta::{Poller, read};
use crate::harness::middleman::Fate;
use crate::harness::oracle::{Rules, Sale, place_of};
use crate::harness::place::Place;
use crate::harness::table::Differences;
use crate::harness::topic::StoredRecord;
use crate::harness::wire::Ill;
use crate::harness::{PATIENCE, wait_until};

/// Where a filter stumbles that does. An honest one drops its sales.
const STONE: &str = "kiosk-0";

const RESULTS: [&str; 5] = ["store", "revenue", "sales", "window_start", "window_end"];

/// One table against the recomputation.
struct Table {
    name: &'static str,
    found: usize,
    expected: usize,
    missing: u64,
    too_many: u64,
    lines: Vec<String>,
}

/// What the soak itself knows.
pub struct Told {
    pub seed: u64,
    pub lasts: Duration,
    /// From the last fault until all was read; none if it never was.
    pub recovered: Option<Duration>,
}

/// All of it.
pub struct Ledger {
    told: Told,
    produced: usize,
    fates: Fates,
    recomputed: Fates,
    tables: Vec<Table>,
    epochs: (u64, usize, u64),
    /// Dead letters of filters that stumbled, and all sales that they could stumble over.
    stumbled: (usize, usize),
    /// How many, and their bytes.
    bases: (usize, u64),
    deltas: (usize, u64),
    /// Looks of the reader, and the rows of the last.
    looks: Option<(usize, usize)>,
    ended: Vec<String>,
    halted: Vec<String>,
    panics: u64,
    rest: String,
}

impl Ledger {
    /// Ends the hosts, reads back and compares.
    pub fn close(
        told: Told,
        mut done: Done,
        mut fleet: Fleet<'_>,
        reader: &mut Poller,
        place: &Place,
        records: &[StoredRecord],
    ) -> Self {
        let rest = lines_of(&done, &fleet);
        let (ended, halted) = (std::mem::take(&mut fleet.ended), std::mem::take(&mut fleet.halted));
        let panics = fleet.end();
        let dead = read(place, "deltalake", "dead", &["partition", "offset"]);
        let dead: BTreeSet<_> = dead.into_iter().collect();
        // Which filter has seen a sale of that kiosk is for the hosts to say. It has one fate by either, and so have all others.
        let stones = Cell::new((0, 0));
        let refuses = |record: &StoredRecord, sale: &Sale| {
            let is_stone = sale.store == STONE;
            let is_dead = is_stone && dead.contains(&place_of(record));
            let (failed, all) = stones.get();
            stones.set((failed + usize::from(is_dead), all + usize::from(is_stone)));
            is_dead
        };
        let answer = Rules { refuses: &refuses, ..Rules::sales() }.judge(records);
        let table = |name, columns: &[&str], expected: &[String]| {
            // Each host may have left the log to the next, and the last has ended.
            let found = read(place, "deltalake", name, columns);
            let differences = Differences::between(&found, expected);
            let (missing, too_many) = (differences.missing(), differences.too_many());
            let lines = differences.lines();
            Table { name, found: found.len(), expected: expected.len(), missing, too_many, lines }
        };
        let tables = vec![
            table("revenue", &RESULTS, &answer.results),
            table("dead", &["partition", "offset"], &answer.dead_letters),
            table("late", &["store", "window_start"], &answer.late),
        ];
        let shows_all = || reader.rows().filter(|(_, rows)| *rows == answer.results.len());
        let looks = wait_until(PATIENCE, shows_all);
        let kept = chain::kept(place);
        let head = kept.last().unwrap();
        kept.iter().for_each(|head| done.pieces.see(head));
        Self {
            told,
            produced: records.len(),
            fates: head.fates(),
            recomputed: answer.fates,
            tables,
            epochs: (head.epoch(), kept.len(), head.term()),
            stumbled: stones.get(),
            bases: done.pieces.count(false),
            deltas: done.pieces.count(true),
            looks,
            ended,
            halted,
            panics,
            rest,
        }
    }

    /// Whether nothing is missing or doubled, and no person was needed.
    pub fn is_good(&self) -> bool {
        let same = self.tables.iter().all(|table| table.missing + table.too_many == 0);
        let enough = self.tables.iter().all(|table| table.expected > 0) && self.deltas.0 > 0;
        same && enough
            && self.fates == self.recomputed
            && self.told.recovered.is_some()
            && self.looks.is_some()
            && self.halted.is_empty()
            && self.panics == 0
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nLedger of a soak of {} s, seed {}",
            self.told.lasts.as_secs(),
            self.told.seed
        )?;
        writeln!(f, "  records produced   {}", self.produced)?;
        writeln!(f, "  the chain says     {:?}", self.fates)?;
        writeln!(f, "  recomputed         {:?}", self.recomputed)?;
        for table in &self.tables {
            writeln!(
                f,
                "  table {:12} {} rows, {} recomputed: {} missing, {} doubled",
                table.name, table.found, table.expected, table.missing, table.too_many
            )?;
            table.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        let (epoch, kept, term) = self.epochs;
        writeln!(f, "  chain              epoch {epoch}, {kept} records left, {term} openings")?;
        let (failed, stones) = self.stumbled;
        writeln!(f, "  filters stumbled   over {failed} of {stones} sales of `{STONE}`")?;
        for (name, (pieces, bytes)) in [("bases ", self.bases), ("deltas", self.deltas)] {
            writeln!(f, "  state, {name}      {pieces} seen, {} KiB", bytes >> 10)?;
        }
        match self.told.recovered {
            Some(took) => writeln!(f, "  all read           {took:.1?} after the last fault")?,
            None => writeln!(f, "  NOT ALL READ       long after the last fault")?,
        }
        match self.looks {
            Some((looks, rows)) => writeln!(
                f,
                "  a reader           looked {looks} times, saw all {rows} rows, none of them gone or twice"
            )?,
            None => {
                writeln!(f, "  A READER           saw a row gone or twice, or not all of them")?
            }
        }
        writeln!(f, "{}", self.rest)?;
        writeln!(f, "  panics             {}", self.panics)?;
        writeln!(f, "  ended by itself    {} hosts", self.ended.len())?;
        self.ended.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
        self.halted.iter().try_for_each(|line| writeln!(f, "  NEEDED A PERSON: {line}"))
    }
}

/// The lines about faults.
fn lines_of(done: &Done, fleet: &Fleet<'_>) -> String {
    let faults = |of: fn(&Fault) -> bool| done.faults.iter().filter(|fault| of(fault)).count();
    let killed = faults(|fault| matches!(fault, Fault::Kill(Whom::Leader, _)));
    let standbys = faults(|fault| matches!(fault, Fault::Kill(Whom::Standby, _)));
    let requests = |of: fn(&Fate) -> bool| fleet.requests(of);
    let crossed = |of: fn(&Ill) -> bool| fleet.crossed(of);
    let mut lines = vec![
        format!(
            "  faults             {} played, {} passed over: nobody was there to hit",
            done.faults.len(),
            done.passed_over
        ),
        format!("  kill -9            {killed} of the leader, {standbys} of a standby"),
        format!("  SIGTERM            {}", faults(|fault| matches!(fault, Fault::Stop(..)))),
        format!("  SIGSTOP, 3 × ttl   {}", faults(|fault| matches!(fault, Fault::Sleep(_)))),
        format!("  without files      {}", faults(|fault| matches!(fault, Fault::Starve(..)))),
        format!("  broker killed      {}", faults(|fault| matches!(fault, Fault::Broker))),
        format!("  store killed       {}", faults(|fault| matches!(fault, Fault::Store(_)))),
        format!(
            "  store, toxic       {} times; {} answers lost, {} delayed, {} puts late, {} × 409, {} × 503, {} never \
             answered",
            faults(|fault| matches!(fault, Fault::Toxic(..))),
            requests(|fate| matches!(fate, Fate::AnswerLost)),
            requests(|fate| matches!(fate, Fate::Delayed(_))),
            requests(|fate| matches!(fate, Fate::Late(_))),
            requests(|fate| matches!(fate, Fate::Conflict)),
            requests(|fate| matches!(fate, Fate::SlowDown)),
            requests(|fate| matches!(fate, Fate::Hung)),
        ),
        format!(
            "  filters swapped    {} times for one that traps, {} for one that never answers; {} and {} were answered",
            faults(|fault| matches!(fault, Fault::Stumbles(Stumble::Traps, _))),
            faults(|fault| matches!(fault, Fault::Stumbles(Stumble::Spins, _))),
            fleet.modules.ran[0],
            fleet.modules.ran[1],
        ),
        format!(
            "  wires to Kafka     {} times ill; {} answers cut, {} delayed, {} never passed while it lasted, {} \
             connections refused",
            faults(|fault| matches!(fault, Fault::Wire(..))),
            crossed(|ill| matches!(ill, Ill::Cut)),
            crossed(|ill| matches!(ill, Ill::Slow(_))),
            crossed(|ill| matches!(ill, Ill::Silent)),
            crossed(|ill| matches!(ill, Ill::Refused)),
        ),
    ];
    let kinds = [
        (Why::Killed, "fail-over, killed "),
        (Why::Slept, "fail-over, silent "),
        (Why::Stopped, "hand-over         "),
    ];
    for (why, name) in kinds {
        for hurt in [false, true] {
            let of = |gap: &&Gap| gap.why == why && gap.hurt == hurt;
            let mut took: Vec<_> = fleet.gaps.iter().filter(of).map(|gap| gap.took).collect();
            took.sort();
            let Some(longest) = took.last() else { continue };
            let (p50, times) = (took[took.len() / 2], took.len());
            let also = if hurt { ", store or broker hurt as well" } else { "" };
            lines.push(format!("  {name} p50 {p50:.2?}, max {longest:.2?}, {times} times{also}"));
        }
    }
    lines.extend(fleet.gaps.iter().map(|gap| format!("    {gap}")));
    lines.join("\n")
}
