//! Dead letters, newest first: those that are not committed, then those of their table.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::Shared;
use super::error::ApiError;
use super::look::{Asked, Known, Rows, bad_query, look, note};
use crate::api::dead_letters::{DeadLetter, DeadLetters, ReasonCount, Shown, ShownHeader};
use crate::api::error::ErrorBody;
use crate::api::words;
use crate::committed::DEAD_LETTERS;
use sluicegate_connect::sink::letter::{Excerpt, Letter, LetterHeader};
use sluicegate_model::dead_letter::DeadLetterKind;

/// What a pipeline without a table says.
const NO_TABLE: &str = "this pipeline keeps no dead letters (`dead_letters.enabled = false`): these are the last since its lane \
                        was opened, and they are gone when it ends";

/// What may be asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How many rows; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The value of `older` of the answer before; goes on there.
    before: Option<String>,
    /// Only those of this kind, as in the table of dead letters.
    #[param(value_type = Option<words::DeadLetterKind>)]
    kind: Option<String>,
    /// Only those of this stage; `sluicegate` for what happens before the stages.
    stage: Option<String>,
}

/// Shows what was refused, and why, the newest first.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/dead-letters",
    tag = "pipelines",
    operation_id = "list_dead_letters",
    params(Wanted),
    responses(
        (status = 200, description = "Those that are not committed, then those of the table", body = DeadLetters),
        (status = 429, description = "`busy`: four requests read tables already", body = ErrorBody),
        (status = 503, description = "`store_failed`: what is committed cannot be read", body = ErrorBody),
    ),
)]
pub(super) async fn dead_letters(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<DeadLetters>, ApiError> {
    let pipeline = shared.app.pipeline(&pipeline?)?;
    let Query(wanted) = wanted?;
    let asked = asked(&wanted)?;
    let filters = asked.wanted.clone();
    let status = pipeline.status();
    let lately = &status.lately;
    let matches = move |letter: &Letter| {
        filters.iter().all(|(column, value)| match *column {
            "kind" => letter.kind == *value,
            _ => letter.stage == *value,
        })
    };
    let read = |rows: &arrow::record_batch::RecordBatch, row: usize| {
        let letter = Letter::read(rows, row);
        let bytes = letter.bytes();
        (letter, bytes)
    };
    let known = Known { head: status.epoch, lately: &lately.letters };
    let Rows { rows, older, unread } = look(&shared, pipeline, asked, known, matches, read).await?;
    let table = pipeline.committed().folder(DEAD_LETTERS);
    let reason = |of: &sluicegate_engine::lately::ReasonCount| ReasonCount {
        kind: of.kind.clone(),
        stage: of.stage.clone(),
        reason: of.reason.clone(),
        count: of.count,
    };
    Ok(Json(DeadLetters {
        pipeline: pipeline.name().to_string(),
        note: note(table.is_some(), NO_TABLE, &unread),
        table: table.map(str::to_owned),
        reasons: lately.reasons.iter().map(reason).collect(),
        other_reasons: lately.other_reasons,
        rows: rows
            .into_iter()
            .map(|found| shown(found.row, found.epoch.0, found.is_committed))
            .collect(),
        older: older.map(|older| older.to_string()),
        left_out: lately.letters_left_out,
    }))
}

fn asked(wanted: &Wanted) -> Result<Asked, ApiError> {
    let Wanted { limit, before, kind, stage } = wanted;
    let mut asked = Asked::new(DEAD_LETTERS, *limit, before.as_deref())?;
    if let Some(kind) = kind.as_ref().filter(|kind| !kind.is_empty()) {
        let all = DeadLetterKind::ALL.map(DeadLetterKind::as_str);
        if !all.contains(&kind.as_str()) {
            return Err(bad_query(format!(
                "there is no kind `{kind}`: there are {}",
                all.join(", ")
            )));
        }
        asked.wanted.push(("kind", kind.clone()));
    }
    if let Some(stage) = stage.as_ref().filter(|stage| !stage.is_empty()) {
        asked.wanted.push(("stage", stage.clone()));
    }
    Ok(asked)
}

fn shown(letter: Letter, epoch: u64, committed: bool) -> DeadLetter {
    let header = |header: &LetterHeader| {
        let value = header.value.as_ref().map(Shown::from);
        ShownHeader {
            name: header.name.clone(),
            bytes: value.as_ref().map_or(0, |value| value.bytes),
            cut: value.as_ref().is_some_and(|value| value.cut),
            text: value.as_ref().and_then(|value| value.text.clone()),
            hex: value.and_then(|value| value.hex),
        }
    };
    DeadLetter {
        at: letter.at.to_string(),
        trap: letter.is_trap.then(|| letter.reason.clone()),
        record: letter.value.as_ref().map(Shown::from),
        key: letter.key.as_ref().map(Shown::from),
        headers: letter.headers.map(|headers| headers.iter().map(header).collect()),
        headers_left_out: letter.headers_left_out,
        kind: letter.kind,
        stage: letter.stage,
        reason: letter.reason,
        stream: letter.stream,
        partition: letter.partition,
        offset: letter.offset,
        record_timestamp: letter.record_timestamp.map(|time| time.to_string()),
        digest: letter.module,
        rows: letter.rows,
        epoch,
        committed,
    }
}

impl From<&Excerpt> for Shown {
    /// Text if it is UTF-8 without characters that no text has. A character that the cut has split is left out.
    fn from(Excerpt { begin, bytes }: &Excerpt) -> Self {
        let cut = (begin.len() as u64) < *bytes;
        let text = match std::str::from_utf8(begin) {
            Ok(text) => Some(text),
            Err(error) if cut && error.error_len().is_none() => {
                std::str::from_utf8(&begin[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let is_text =
            |text: &&str| !text.contains(|c: char| c.is_control() && !"\t\n\r\u{1b}".contains(c));
        let text = text.filter(is_text).map(str::to_owned);
        let hex = text.is_none().then(|| begin.iter().map(|byte| format!("{byte:02x}")).collect());
        Self { text, hex, bytes: *bytes, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_only_if_they_are_and_a_split_character_does_not_make_them_hex() {
        let shown = |bytes: &[u8], max| Shown::from(&Excerpt::of(bytes, max));
        let text = |bytes: &[u8], max| shown(bytes, max).text;
        assert_eq!(text(b"<b>\x1b[2J", 99).as_deref(), Some("<b>\u{1b}[2J"));
        assert_eq!(text("größe".as_bytes(), 3).as_deref(), Some("gr"));
        assert_eq!(text("größe".as_bytes(), 4).as_deref(), Some("grö"));
        assert_eq!(shown(b"\xff{", 9).hex.as_deref(), Some("ff7b"));
        assert_eq!(shown(&[0, 0, 0, 5], 9).hex.as_deref(), Some("00000005"), "a number is no text");
        assert_eq!(shown(b"gr\xc3", 9).hex.as_deref(), Some("6772c3"), "nothing was cut");
        let long = shown(&[b'x'; 10], 4);
        assert_eq!((long.bytes, long.cut, long.text.as_deref()), (10, true, Some("xxxx")));
    }
}
