//! Who wrote which epoch: from the slots, and from the floor where they were let go. Each slot is asked once.

use std::collections::BTreeMap;

use super::floor::{Floor, Name, Run};
use super::own::files_id;
use super::record::{Epoch, Term};
use super::store::LaneStore;
use super::{ChainError, paths};

/// Epochs from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: Epoch,
    pub(super) last: Epoch,
}

impl Span {
    pub(super) fn holds(self, epoch: Epoch) -> bool {
        (self.first..=self.last).contains(&epoch)
    }
}

/// The writers of one chain.
pub(super) struct Writers<'s> {
    store: &'s LaneStore,
    /// Whose slots they must be: the chain's id in names of data files.
    chain: &'s str,
    /// Below it slots are not asked, whatever lies there.
    floor: &'s Floor,
    known: BTreeMap<Epoch, Name>,
}

impl<'s> Writers<'s> {
    pub(super) fn new(store: &'s LaneStore, chain: &'s str, floor: &'s Floor) -> Self {
        Self { store, chain, floor, known: BTreeMap::new() }
    }

    /// The part of a span that was written by this writer; none if nothing was.
    pub(super) async fn own(
        &mut self,
        name: &Name,
        span: Span,
    ) -> Result<Option<Span>, ChainError> {
        let Span { first, last } = span;
        if self.writer(first).await? == *name && self.writer(last).await? == *name {
            return Ok(Some(span));
        }
        // The first slot of a term that is not below, and the first of one that is above.
        let begin = self.first(span, |term| term >= name.0).await?;
        let end = self.first(span, |term| term > name.0).await?;
        if begin >= end || self.writer(begin).await? != *name {
            return Ok(None);
        }
        Ok(Some(Span { first: begin.max(first), last: Epoch(end.0 - 1).min(last) }))
    }

    /// All runs of a span, ascending. Two reads a run and ten or so for each place where one follows another.
    pub(super) async fn runs(&mut self, span: Span) -> Result<Vec<Run>, ChainError> {
        let mut runs = Vec::new();
        let mut first = span.first;
        while first <= span.last {
            let (term, nonce) = self.writer(first).await?;
            runs.push(Run { first, term, nonce });
            first = self.first(Span { first, ..span }, |later| later > term).await?;
        }
        Ok(runs)
    }

    /// The first epoch of a span from which on slots have such terms; the one behind the span if none has. Terms grow.
    async fn first(
        &mut self,
        span: Span,
        is_such: impl Fn(Term) -> bool,
    ) -> Result<Epoch, ChainError> {
        if !is_such(self.writer(span.last).await?.0) {
            return Ok(span.last.next());
        }
        let (mut low, mut high) = (span.first.0, span.last.0);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_such(self.writer(Epoch(middle)).await?.0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(Epoch(low))
    }

    async fn writer(&mut self, epoch: Epoch) -> Result<Name, ChainError> {
        if self.floor.has_let_go(epoch) {
            return self.floor.writer(epoch).ok_or_else(|| self.damaged(epoch, "is not known"));
        }
        if let Some(name) = self.known.get(&epoch) {
            return Ok(name.clone());
        }
        let record = self.store.record(epoch).await?;
        let record = record.ok_or_else(|| self.damaged(epoch, "is not there"))?.record;
        if files_id(self.store, Some(&record)).await? != self.chain {
            return Err(self.damaged(epoch, "is of another chain"));
        }
        let name = (record.term, record.writer.nonce);
        self.known.insert(epoch, name.clone());
        Ok(name)
    }

    fn damaged(&self, epoch: Epoch, how: &str) -> ChainError {
        let (url, slot) = (self.store.folder.url.clone(), paths::slot(epoch));
        ChainError::Damaged { url, reason: format!("the record of epoch {epoch} (`{slot}`) {how}") }
    }
}
