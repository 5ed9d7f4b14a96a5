//! What is asked of a story, and what came of it.

use std::fmt;
use std::time::Duration;

use super::diary::Event;

/// A rule that is left out, to see that a story can fail. The product has no switch for it: what surrounds it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The store replaces what a create finds (C1).
    StoreReplaces,
    /// The store answers the put of a record before it shows it (K2).
    AnswersEarly,
    /// A record whose put was not answered is taken for committed, without a look (C2).
    UnansweredIsPut,
    /// A record whose put was not answered is taken for refused: the look finds another one (C2).
    UnansweredIsRefused,
    /// Files of an epoch that is not decided are taken for orphans, and nobody seems to own the lane: an opening needs no
    /// fence (C5).
    UndecidedIsDeleted,
    /// Clocks leave out the time that a machine sleeps (L8).
    ClocksSleep,
    /// A leader never doubts that it leads, however long no sign of it got through.
    NeverDoubts,
    /// Every process on the same machine looks as if it were gone.
    ProcessesLookGone,
    /// A part of an upload whose put was not answered is taken for sent.
    UnansweredPartIsPut,
    /// A piece of state goes when it is old, whatever record names it (C15).
    OldPieceGoes,
    /// An owner deletes what it does not know, instead of what it knows to be old: one that slept knows little (C15).
    UnknownPieceGoes,
    /// No log of a table shows which chain writes to it (T7).
    TablesNameNobody,
}

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Story {
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// What must not be; none if all was well.
    pub fault: Option<String>,
    /// Rows that the table has.
    pub rows: usize,
    /// Records that the chain has.
    pub epochs: usize,
    /// Lives that were ended by a kill.
    pub kills: usize,
    /// Terms of leadership that were won.
    pub terms: u64,
    /// Times that pieces of a state were merged beside a lane.
    pub merges: u64,
    /// Lives that were refused the tables, because another chain has them.
    pub refused: usize,
}

/// As a table that a person reads, what went wrong in its last line.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.events.iter().map(|event| event.what.len()).max().unwrap_or_default();
        let row = |f: &mut fmt::Formatter<'_>, at: &str, who: &str, what: &str, object: &str| {
            let line = format!("{at:>10}  {who:<8}  {what:<width$}  {object}");
            writeln!(f, "{}", line.trim_end())
        };
        row(f, "time", "instance", "event", "object")?;
        let mut last = Duration::ZERO;
        for Event { at, who, what, object } in &self.events {
            row(f, &format!("{:.3} s", at.as_secs_f64()), who, what, object)?;
            last = *at;
        }
        match &self.fault {
            Some(fault) => row(f, &format!("{:.3} s", last.as_secs_f64()), "reader", fault, ""),
            None => Ok(()),
        }
    }
}
