//! What becomes of the records of a story, computed in one go with plain code. (docs/design/time.md#rule-2)

use std::collections::{BTreeMap, BTreeSet};

use super::diary_key::Key;
use super::kind::{Event, GAP, Kind, LENGTH_MAX, WINDOW};

/// Times up to this one are over.
const OUT_OF_ORDER: i64 = 5;

#[derive(Default)]
pub(crate) struct Judged {
    /// Rows of all tables as texts; see [`super::rows`].
    pub(crate) rows: BTreeSet<String>,
    /// Key and text of each row that the stage with state makes.
    pub(crate) results: Vec<(String, String)>,
}

/// A row that is to be judged.
#[derive(Clone, Copy)]
struct Row<'e> {
    event: &'e Event,
    /// The watermark of its partition, by the rows before it.
    before: i64,
}

struct Session {
    start: i64,
    end: i64,
    ids: String,
}

pub(crate) fn judge(partitions: &[Vec<Event>], kind: Kind) -> Judged {
    let mut judged = Judged::default();
    let whole = partitions.iter().flatten().filter(|event| !event.is_broken);
    let end = whole.map(|event| event.at - OUT_OF_ORDER).max().unwrap_or(i64::MIN);
    for (number, events) in partitions.iter().enumerate() {
        let mut watermark = i64::MIN;
        let mut rows: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
        for (offset, event) in events.iter().enumerate() {
            if event.is_broken {
                judged.rows.insert(format!("dead {number}-{offset}"));
                continue;
            }
            rows.entry(&event.key).or_default().push(Row { event, before: watermark });
            watermark = watermark.max(event.at - OUT_OF_ORDER);
        }
        for (key, rows) in rows {
            match kind {
                Kind::Raw => {
                    judged.rows.extend(rows.iter().map(|row| format!("row {}", row.event.id)))
                }
                Kind::Tumbling { lateness } => judged.tumble(key, &rows, lateness),
                Kind::Sessions { lateness } => judged.sessions(key, &rows, lateness),
                Kind::Process { ttl } => judged.process(key, &rows, ttl, end),
            }
        }
    }
    judged
}

impl Judged {
    fn result(&mut self, key: &str, ids: &str, place: &str) {
        self.rows.insert(format!("{key} {ids} {place}"));
        self.results.push((key.to_owned(), ids.to_owned()));
    }

    fn tumble(&mut self, key: &str, rows: &[Row<'_>], lateness: i64) {
        let mut windows: BTreeMap<i64, String> = BTreeMap::new();
        for Row { event, before } in rows {
            let start = event.at - event.at.rem_euclid(WINDOW);
            if before.saturating_sub(lateness) >= start + WINDOW {
                self.rows.insert(format!("late {}", event.id));
            } else {
                let ids = windows.entry(start).or_default();
                ids.push_str(&format!("{};", event.id));
            }
        }
        for (start, ids) in windows {
            self.result(key, &ids, &format!("{start}..{}", start + WINDOW));
        }
    }

    fn sessions(&mut self, key: &str, rows: &[Row<'_>], lateness: i64) {
        let mut sessions: Vec<Session> = Vec::new();
        for Row { event, before } in rows {
            let closed = before.saturating_sub(lateness);
            if !add(&mut sessions, event, closed, lateness > 0) {
                self.rows.insert(format!("late {}", event.id));
            }
        }
        for Session { start, end, ids } in sessions {
            self.result(key, &ids, &format!("{start}..{end}"));
        }
    }

    /// `end`: the watermark of the lane when all was read.
    fn process(&mut self, name: &str, rows: &[Row<'_>], ttl: Option<i64>, end: i64) {
        let (mut key, mut touched, mut said) = (Key::default(), i64::MIN, Vec::new());
        for Row { event, before } in rows {
            key.advance(*before, &mut said);
            if ttl.is_some_and(|ttl| touched.saturating_add(ttl) <= *before) {
                key.expire();
            }
            touched = event.at.max(*before);
            key.row(event.at, &event.id, &mut said);
        }
        key.advance(end, &mut said);
        key.end(&mut said);
        for (at, said) in said {
            self.result(name, &said, &format!("@{at}"));
        }
    }
}

/// Adds a row to the sessions of its key. False: it is late.
fn add(sessions: &mut Vec<Session>, event: &Event, closed: i64, corrected: bool) -> bool {
    let mut whole = Session { start: event.at, end: event.at + GAP, ids: String::new() };
    let mut parts = Vec::new();
    sessions.sort_by_key(|session| session.end);
    // Whatever is open, touches and fits, until nothing does.
    while let Some(at) = sessions.iter().position(|session| {
        let length = whole.end.max(session.end) - whole.start.min(session.start);
        let touches = session.start <= whole.end && whole.start <= session.end;
        session.end > closed && touches && length <= LENGTH_MAX
    }) {
        let part = sessions.remove(at);
        (whole.start, whole.end) = (whole.start.min(part.start), whole.end.max(part.end));
        parts.push(part);
    }
    // A late row stretches no session over a closed one if its readers take corrections.
    let covers = |other: &Session| {
        let is_inside = whole.start <= other.start && other.end <= whole.end;
        corrected && other.end <= closed && is_inside
    };
    let is_late = event.at + GAP <= closed;
    if whole.end <= closed || (is_late && sessions.iter().any(covers)) {
        sessions.extend(parts);
        return false;
    }
    parts.sort_by_key(|part| part.start);
    whole.ids = parts.into_iter().map(|part| part.ids).collect();
    whole.ids.push_str(&format!("{};", event.id));
    sessions.push(whole);
    true
}
