//! Whether the batches of an answer fit what was asked for, and each other: by their first and last offsets alone.
//!
//! No checksum covers the first offset of a batch: the broker fills it in. One that was garbled would move records to other
//! offsets, and the position over records that nobody has read. What speaks for it is that the batch touches what lies before or
//! behind it. A gap is none: compaction makes gaps. So a batch that touches nothing is asked for again, and believed when it comes
//! a second time. What contradicts one that is asked for again is no better than it. The ends of an answer are enough for that: between
//! two batches in order there is nothing to be moved over.

use bytes::Bytes;

use super::header::{Head, head_of_first};

/// How far an answer is believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// What is believed of it, and what is left behind the last whole batch.
    pub(crate) set: Bytes,
    /// The last batch that is believed.
    pub(crate) last: Option<Head>,
    /// The first batch that is not, whatever lies behind it.
    pub(crate) doubted: Option<Head>,
}

/// Whether a batch lies where it says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Sure,
    /// It comes again where it does.
    Unsure,
    /// What lies behind it says otherwise.
    Wrong,
}

/// What is believed of `set`, which was asked for from offset `from` on. `again` was not believed when it came before. Only heads are
/// read: whether the rest of a batch is whole is found out when it is opened.
pub(crate) fn fit(mut set: Bytes, from: i64, again: Option<Head>, high_watermark: i64) -> Fit {
    let (mut at, mut last) = (0, None);
    let mut next = head_of_first(&set);
    while let Some((head, length)) = next {
        next = head_of_first(set.get(at + length..).unwrap_or_default());
        let is_believed = match place(last, head, next.map(|(head, _)| head), (from, again)) {
            Place::Sure => true,
            // What nobody has replicated cannot have come.
            Place::Unsure => again == Some(head) && head.last < high_watermark,
            Place::Wrong => false,
        };
        if !is_believed {
            set.truncate(at);
            return Fit { set, last, doubted: Some(head) };
        }
        (at, last) = (at + length, Some(head));
    }
    Fit { set, last, doubted: None }
}

fn place(
    before: Option<Head>,
    head: Head,
    behind: Option<Head>,
    (from, again): (i64, Option<Head>),
) -> Place {
    let expected = before.map_or(from, Head::next);
    let follows = head.first == expected;
    match behind {
        Some(behind) if behind.first == head.next() => Place::Sure,
        // Either of them is wrong. Behind one that is sure it is the next one, whose fault is named when it is opened.
        Some(behind) if behind.first < head.next() => {
            if follows && before.is_some() {
                Place::Sure
            } else {
                Place::Wrong
            }
        }
        Some(_) if before.is_some() || head.first >= from => Place::Sure,
        None if before.is_some() && head.first < expected => Place::Sure,
        _ if follows && (before.is_some() || again.is_none_or(|again| again == head)) => {
            Place::Sure
        }
        _ => Place::Unsure,
    }
}
