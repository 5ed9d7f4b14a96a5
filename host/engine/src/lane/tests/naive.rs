//! What the tables must hold, computed in one go with plain code: each row is judged by the rows
//! before it in its partition, for each of its windows (docs/design/time.md#rule-2).

use std::collections::BTreeMap;

use super::{Event, text};
use sluicegate_chain::fates::Fates;
use sluicegate_state::window::SessionRule;

/// The windows of a test.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Tumbling if both are equal.
    Sliding {
        size: i64,
        slide: i64,
    },
    Session {
        gap: i64,
        max_length: i64,
    },
    /// Everything, for ever.
    Global {
        trigger: i64,
    },
}

impl Kind {
    /// `[window]`, but for its key.
    pub(super) fn toml(self) -> String {
        match self {
            Self::Sliding { size, slide } if size == slide => {
                format!("type = \"tumbling\"\nsize = \"{size}us\"\n")
            }
            Self::Sliding { size, slide } => {
                let lengths = format!("size = \"{size}us\"\nslide = \"{slide}us\"\n");
                format!("type = \"sliding\"\n{lengths}gaps = true\n")
            }
            Self::Session { gap, max_length } => {
                let lengths = format!("gap = \"{gap}us\"\nmax_length = \"{max_length}us\"\n");
                format!("type = \"session\"\n{lengths}")
            }
            Self::Global { trigger } => {
                format!("type = \"global\"\ntrigger = \"{trigger}us\"\n")
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
    /// By key.
    sessions: BTreeMap<String, Vec<Session>>,
}

#[derive(Debug)]
struct Session {
    start: i64,
    end: i64,
    texts: String,
}

/// A row that is to be judged.
#[derive(Clone, Copy)]
struct Row<'e> {
    index: usize,
    event: &'e Event,
    /// Windows that end by then are closed for it.
    closed: i64,
}

/// `start..end key texts` of every result, sorted, and the fates of the records.
pub(super) fn expected(
    partitions: &[Vec<Event>],
    kind: Kind,
    lateness: i64,
) -> (Vec<String>, Fates) {
    let mut judged = Judged::default();
    for (number, events) in partitions.iter().enumerate() {
        let mut watermark = i64::MIN;
        for (index, event) in events.iter().enumerate() {
            judged.fates.read += 1;
            if event.kind == 9 {
                judged.fates.dead_lettered += 1;
                continue;
            }
            // A window is closed for the row if this has passed its end.
            let closed = watermark.saturating_sub(lateness);
            watermark = watermark.max(event.at - 5);
            match event.kind {
                4 | 6 => judged.fates.filtered += 1,
                8 => judged.fates.dead_lettered += 1,
                _ => {
                    let key = format!("p{number}k{}", event.key);
                    match kind {
                        Kind::Sliding { size, slide } => {
                            judged.slide(size, slide, Row { index, event, closed }, &key);
                        }
                        // A session that takes every row.
                        Kind::Global { .. } => {
                            let event = &Event { at: 0, ..event.clone() };
                            let row = Row { index, event, closed: i64::MIN };
                            let rule = SessionRule { gap: 1, max_length: 1, corrected: false };
                            judged.session(rule, row, key);
                        }
                        Kind::Session { gap, max_length } => {
                            let rule = SessionRule { gap, max_length, corrected: lateness > 0 };
                            judged.session(rule, Row { index, event, closed }, key);
                        }
                    }
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
    for (key, sessions) in judged.sessions {
        let sessions = sessions.into_iter().filter(|session| !session.texts.is_empty());
        rows.extend(sessions.map(|it| format!("{}..{} {key} {}", it.start, it.end, it.texts)));
    }
    rows.sort();
    (rows, judged.fates)
}

impl Judged {
    fn slide(&mut self, size: i64, slide: i64, Row { index, event, closed }: Row<'_>, key: &str) {
        let last = event.at.div_euclid(slide) * slide;
        let starts = std::iter::successors(Some(last), |start| Some(start - slide));
        let mut starts: Vec<i64> = starts.take_while(|start| start + size > event.at).collect();
        starts.reverse();
        let missed = starts.iter().filter(|start| *start + size <= closed).count();
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

impl Judged {
    fn session(
        &mut self,
        rule: SessionRule,
        Row { index, event, closed: closed_until }: Row<'_>,
        key: String,
    ) {
        let SessionRule { gap, max_length, corrected } = rule;
        let sessions = self.sessions.entry(key).or_default();
        let mut whole = Session { start: event.at, end: event.at + gap, texts: String::new() };
        let mut parts = Vec::new();
        sessions.sort_by_key(|session| session.end);
        // Whatever is open, touches and fits, until nothing does.
        while let Some(at) = sessions.iter().position(|session| {
            let length = whole.end.max(session.end) - whole.start.min(session.start);
            let touches = session.start <= whole.end && whole.start <= session.end;
            session.end > closed_until && touches && length <= max_length
        }) {
            let part = sessions.remove(at);
            whole.start = whole.start.min(part.start);
            whole.end = whole.end.max(part.end);
            parts.push(part);
        }
        // A late row stretches no session over a closed one if its readers take corrections.
        let covers = |whole: &Session, closed: &Session| {
            let is_inside = whole.start <= closed.start && closed.end <= whole.end;
            corrected && closed.end <= closed_until && is_inside
        };
        let own_is_late = event.at + gap <= closed_until;
        let would_cover = sessions.iter().any(|closed| covers(&whole, closed));
        if whole.end <= closed_until || (own_is_late && would_cover) {
            self.fates.late += 1;
            sessions.extend(parts);
            return;
        }
        parts.sort_by_key(|part| part.start);
        whole.texts = parts.into_iter().map(|part| part.texts).collect();
        if event.kind == 7 {
            self.fates.dead_lettered += 1;
        } else {
            self.fates.accepted += 1;
            whole.texts.push_str(&texts(index, event));
        }
        assert!(!sessions.iter().any(|it| covers(&whole, it)), "{whole:?} covers a closed one");
        sessions.push(whole);
        assert!(sessions.iter().enumerate().all(|(at, one)| {
            sessions[..at].iter().all(|other| (one.start, one.end) != (other.start, other.end))
        }));
    }
}

/// What the map makes of an event.
fn texts(index: usize, event: &Event) -> String {
    let text = text(index, event.kind);
    (0..1 + usize::from(event.kind == 5)).map(|time| format!("{text}{time};")).collect()
}
