//! What the tables must hold, computed in one go with plain code: each row is judged by the rows before it in its
//! partition, for each of its windows (SEMANTICS.md rule 2).

use std::collections::BTreeMap;

use super::{Event, text};
use crate::chain::record::Fates;

/// The windows of a test.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Tumbling if both are equal.
    Sliding { size: i64, slide: i64 },
}

impl Kind {
    /// `[window]`, but for its key.
    pub(super) fn toml(self) -> String {
        match self {
            Self::Sliding { size, slide } if size == slide => {
                format!("type = \"tumbling\"\nsize = \"{size}us\"\n")
            }
            Self::Sliding { size, slide } => {
                format!(
                    "type = \"sliding\"\nsize = \"{size}us\"\nslide = \"{slide}us\"\ngaps = true\n"
                )
            }
        }
    }
}

/// Rows of a window and key: their texts in the order in which panes are merged, by that order.
type Texts = BTreeMap<(bool, Vec<i64>, usize, usize), String>;

/// What becomes of the rows.
#[derive(Default)]
struct Judged {
    fates: Fates,
    windows: BTreeMap<(i64, i64, String), Texts>,
}

/// `start..end key texts` of every result, sorted, and the fates of the records.
pub(super) fn expected(partitions: &[Vec<Event>], kind: Kind) -> (Vec<String>, Fates) {
    let mut judged = Judged::default();
    for (number, events) in partitions.iter().enumerate() {
        let mut watermark = i64::MIN;
        for (index, event) in events.iter().enumerate() {
            judged.fates.read += 1;
            if event.kind == 9 {
                judged.fates.dead_lettered += 1;
                continue;
            }
            let before = watermark;
            watermark = watermark.max(event.at - 5);
            match event.kind {
                4 | 6 => judged.fates.filtered += 1,
                8 => judged.fates.dead_lettered += 1,
                _ => {
                    let key = format!("p{number}k{}", event.key);
                    let Kind::Sliding { size, slide } = kind;
                    judged.slide((size, slide), (index, event), &key, before);
                }
            }
        }
    }
    let mut rows: Vec<String> = judged
        .windows
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .map(|((start, end, key), texts)| {
            format!("{start}..{end} {key} {}", texts.into_values().collect::<String>())
        })
        .collect();
    rows.sort();
    (rows, judged.fates)
}

impl Judged {
    fn slide(
        &mut self,
        (size, slide): (i64, i64),
        (index, event): (usize, &Event),
        key: &str,
        watermark: i64,
    ) {
        let last = event.at.div_euclid(slide) * slide;
        let starts = std::iter::successors(Some(last), |start| Some(start - slide));
        let mut starts: Vec<i64> = starts.take_while(|start| start + size > event.at).collect();
        starts.reverse();
        let missed = starts.iter().filter(|start| *start + size <= watermark).count();
        if starts.is_empty() {
            self.fates.filtered += 1;
        } else if missed == starts.len() {
            self.fates.late += 1;
        } else if event.kind == 7 {
            self.fates.dead_lettered += 1;
        } else {
            self.fates.accepted += 1;
            for start in &starts[missed..] {
                let window =
                    self.windows.entry((*start, start + size, key.to_owned())).or_default();
                window.insert((missed > 0, starts.clone(), missed, index), texts(index, event));
            }
        }
    }
}

/// What the map makes of an event.
fn texts(index: usize, event: &Event) -> String {
    let text = text(index, event.kind);
    (0..1 + usize::from(event.kind == 5)).map(|time| format!("{text}{time};")).collect()
}
