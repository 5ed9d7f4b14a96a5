//! What is kept of dead letters and late rows until they are committed, for people who look: the last of them, in short, and a
//! count of each reason. A copy costs a fraction of what the row costs on its way to its table.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use crate::lately::{LateRow, Lately, ReasonCount, Uncommitted};
use sluicegate_chain::record::Epoch;
use sluicegate_connect::sink::dead_letters::DeadLetter;
use sluicegate_connect::sink::letter::{Letter, NAME_BYTES_MAX, short};

/// Rows that are kept of each: what a person reads.
pub(in crate::lane) const ROWS_MAX: usize = 128;
/// Bytes of them, about.
const BYTES_MAX: usize = 512 << 10;
/// Rows of a batch of late ones that are looked at: making text of a row takes longer than writing it to its table.
const OF_A_BATCH: usize = 16;
/// Reasons that are counted by themselves.
const REASONS_MAX: usize = 64;

/// Dead letters and late rows that are not committed yet.
#[derive(Debug, Default)]
pub(in crate::lane) struct Kept {
    letters: Ring<Letter>,
    late: Ring<LateRow>,
    reasons: Reasons,
    /// What was published last, if nothing has come since.
    published: Option<Arc<Lately>>,
}

/// Which of them have a table of their own.
#[derive(Clone, Copy, Debug)]
pub(in crate::lane) struct HasTables {
    pub(in crate::lane) dead_letters: bool,
    pub(in crate::lane) late: bool,
}

impl Kept {
    /// Takes note of a dead letter.
    pub(super) fn letter(&mut self, letter: &DeadLetter<'_>, epoch: Epoch) {
        self.published = None;
        self.reasons.count(letter);
        let letter = Letter::of(letter);
        let bytes = letter.bytes();
        self.letters.push(letter, bytes, epoch);
    }

    /// Takes note of `all` late rows, of which these are the last.
    pub(super) fn late(&mut self, last: &RecordBatch, all: usize, epoch: Epoch) {
        self.published = None;
        self.late.pass_over(all - last.num_rows(), epoch);
        for row in 0..last.num_rows() {
            let row = LateRow::read(last, row);
            let bytes = row.bytes();
            self.late.push(row, bytes, epoch);
        }
    }

    /// How many of so many late rows are to be handed to [`Kept::late`].
    pub(super) fn late_wanted(all: usize) -> usize {
        all.min(OF_A_BATCH)
    }

    /// What is not committed, given the newest epoch that is. Rows without a table of theirs never are.
    pub(in crate::lane) fn publish(
        &mut self,
        committed: Option<Epoch>,
        tables: HasTables,
    ) -> Arc<Lately> {
        let committed_of = |has_table: bool| committed.filter(|_| has_table);
        let letters = self.letters.forget(committed_of(tables.dead_letters));
        let late = self.late.forget(committed_of(tables.late));
        if letters || late {
            self.published = None;
        }
        let Self { letters, late, reasons, published } = self;
        let published = published.get_or_insert_with(|| {
            Arc::new(Lately {
                letters: letters.newest_first(),
                letters_left_out: letters.left_out(),
                reasons: reasons.most_frequent_first(),
                other_reasons: reasons.others,
                late: late.newest_first(),
                late_left_out: late.left_out(),
            })
        });
        Arc::clone(published)
    }
}

/// The last rows.
#[derive(Debug)]
struct Ring<T> {
    /// Oldest first, each with its bytes.
    rows: VecDeque<(usize, Arc<Uncommitted<T>>)>,
    bytes: usize,
    /// Of all that came.
    next: u64,
    /// Rows of each epoch that were dropped, oldest first: two at most are not committed.
    dropped: VecDeque<(Epoch, u64)>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { rows: VecDeque::new(), bytes: 0, next: 0, dropped: VecDeque::new() }
    }
}

impl<T> Ring<T> {
    fn push(&mut self, row: T, bytes: usize, epoch: Epoch) {
        let number = self.next;
        self.next += 1;
        self.bytes += bytes;
        self.rows.push_back((bytes, Arc::new(Uncommitted { epoch, number, row })));
        while self.rows.len() > ROWS_MAX || self.bytes > BYTES_MAX && self.rows.len() > 1 {
            if let Some(dropped) = self.pop() {
                self.pass_over(1, dropped);
            }
        }
    }

    /// Counts rows that came and are not kept.
    fn pass_over(&mut self, rows: usize, epoch: Epoch) {
        let rows = rows as u64;
        match self.dropped.iter_mut().find(|(of, _)| *of == epoch) {
            Some((_, dropped)) => *dropped += rows,
            None if rows > 0 => self.dropped.push_back((epoch, rows)),
            None => {}
        }
    }

    /// Drops what is committed; whether there was anything.
    fn forget(&mut self, committed: Option<Epoch>) -> bool {
        let Some(committed) = committed else { return false };
        let before = (self.rows.len(), self.dropped.len());
        while self.rows.front().is_some_and(|(_, row)| row.epoch <= committed) {
            self.pop();
        }
        self.dropped.retain(|(epoch, _)| *epoch > committed);
        before != (self.rows.len(), self.dropped.len())
    }

    /// Drops the oldest; of which epoch it was.
    fn pop(&mut self) -> Option<Epoch> {
        let (bytes, row) = self.rows.pop_front()?;
        self.bytes -= bytes;
        Some(row.epoch)
    }

    fn newest_first(&self) -> Vec<Arc<Uncommitted<T>>> {
        self.rows.iter().rev().map(|(_, row)| Arc::clone(row)).collect()
    }

    fn left_out(&self) -> u64 {
        self.dropped.iter().map(|(_, rows)| rows).sum()
    }
}

/// How often each reason was given since the lane was opened.
#[derive(Debug, Default)]
struct Reasons {
    /// By what two reasons that are one have in common.
    counts: HashMap<String, ReasonCount>,
    /// Of those that came when there was no room for more.
    others: u64,
    /// To look up without a text of one's own.
    looked_up: String,
}

impl Reasons {
    fn count(&mut self, letter: &DeadLetter<'_>) {
        let Self { counts, others, looked_up: key } = self;
        key.clear();
        key.push_str(letter.kind.as_str());
        key.push('\0');
        key.push_str(letter.stage);
        // Where and how much differs with every record; what is wrong does not.
        let beginning = &letter.reason[..letter.reason.floor_char_boundary(NAME_BYTES_MAX)];
        for word in beginning.split_whitespace() {
            if !word.contains(|c: char| c.is_ascii_digit()) {
                key.push('\0');
                key.push_str(word);
            }
        }
        let is_full = counts.len() == REASONS_MAX;
        match counts.get_mut(key.as_str()) {
            Some(counted) => counted.count += 1,
            None if is_full => *others += 1,
            None => {
                let counted = ReasonCount {
                    kind: letter.kind.to_string(),
                    stage: short(letter.stage, NAME_BYTES_MAX),
                    reason: short(letter.reason, NAME_BYTES_MAX),
                    count: 1,
                };
                counts.insert(key.clone(), counted);
            }
        }
    }

    fn most_frequent_first(&self) -> Vec<ReasonCount> {
        let mut reasons: Vec<ReasonCount> = self.counts.values().cloned().collect();
        let by = |of: &ReasonCount| (of.kind.clone(), of.stage.clone(), of.reason.clone());
        reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| by(a).cmp(&by(b))));
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_model::dead_letter::DeadLetterKind;

    const BOTH: HasTables = HasTables { dead_letters: true, late: true };

    fn letter(reason: &str) -> DeadLetter<'_> {
        DeadLetter::of("valid", DeadLetterKind::Rejected, reason)
    }

    fn offsets(lately: &Lately) -> Vec<i64> {
        lately.letters.iter().map(|letter| letter.row.offset.unwrap()).collect()
    }

    #[test]
    fn letters_are_kept_until_their_epoch_is_committed_and_the_newest_come_first() {
        let mut kept = Kept::default();
        for (offset, epoch) in [(0, 7), (1, 7), (2, 8)] {
            kept.letter(&DeadLetter { offset: Some(offset), ..letter("no price") }, Epoch(epoch));
        }
        assert_eq!(offsets(&kept.publish(Some(Epoch(6)), BOTH)), [2, 1, 0]);
        let seven = kept.publish(Some(Epoch(7)), BOTH);
        assert_eq!(offsets(&seven), [2]);
        assert_eq!(seven.reasons[0].count, 3, "counts stay");
        let again = kept.publish(Some(Epoch(7)), BOTH);
        assert!(Arc::ptr_eq(&seven, &again), "nothing has come: nothing is copied");
        let without_table = kept.publish(Some(Epoch(8)), HasTables { dead_letters: false, ..BOTH });
        assert_eq!(offsets(&without_table), [2], "no table has it");
    }

    #[test]
    fn what_is_kept_is_bounded_in_rows_and_bytes_and_says_what_is_missing() {
        let mut kept = Kept::default();
        let value = vec![0; 1 << 20];
        for offset in 0..1_000 {
            let large = DeadLetter { offset: Some(offset), value: Some(&value), ..letter("x") };
            kept.letter(&large, Epoch(7));
        }
        let lately = kept.publish(None, BOTH);
        assert_eq!(lately.letters.len() as u64 + lately.letters_left_out, 1_000);
        assert_eq!(offsets(&lately)[0], 999);
        assert!(lately.letters.len() <= ROWS_MAX);
        assert!(kept.letters.bytes <= BYTES_MAX, "{}", kept.letters.bytes);
        kept.letter(&DeadLetter { offset: Some(0), ..letter("x") }, Epoch(8));
        assert_eq!(kept.publish(Some(Epoch(7)), BOTH).letters_left_out, 0, "they are committed");
    }

    #[test]
    fn reasons_that_differ_in_numbers_are_counted_as_one_and_there_are_not_too_many() {
        let mut kept = Kept::default();
        for line in 0..10 {
            kept.letter(&letter(&format!("price -{line} is negative")), Epoch(1));
        }
        kept.letter(&letter("no store"), Epoch(1));
        let lately = kept.publish(None, BOTH);
        let counts: Vec<_> =
            lately.reasons.iter().map(|of| (of.reason.as_str(), of.count)).collect();
        assert_eq!(counts, [("price -0 is negative", 10), ("no store", 1)]);
        let letter_of = |n: u8| char::from(b'a' + n);
        for (first, second) in (0..26).flat_map(|first| (0..26).map(move |second| (first, second)))
        {
            let word: String = [first, second].map(letter_of).iter().collect();
            kept.letter(&letter(&word), Epoch(1));
        }
        let lately = kept.publish(None, BOTH);
        assert_eq!(lately.reasons.len(), REASONS_MAX);
        let counted: u64 = lately.reasons.iter().map(|of| of.count).sum();
        assert_eq!(counted + lately.other_reasons, 11 + 26 * 26);
    }
}
