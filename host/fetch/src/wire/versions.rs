//! Which questions a broker understands.

use super::{FETCH, FETCH_BY_NAME, LIST_OFFSETS, METADATA, METADATA_BY_NAME, Question};
use crate::fault::Fault;
use crate::read::{Reader, length_of};

/// In which versions a broker is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) fetch: Question,
    pub(crate) metadata: Question,
    /// It says where partitions end.
    pub(crate) has_ends: bool,
}

/// A question that a broker understands in none of our versions, with its newest; none if it knows no version.
pub(crate) type Lacking = (Question, Option<i16>);

impl Dialect {
    /// Of the oldest brokers that are understood.
    pub(crate) const OLDEST: Self =
        Self { fetch: FETCH_BY_NAME, metadata: METADATA_BY_NAME, has_ends: false };

    /// The newest that the broker understands, which has answered the question about versions.
    pub(crate) fn of(mut answer: Reader<'_>) -> Result<Result<Self, Lacking>, Fault> {
        let error = answer.int16()?;
        if error != 0 {
            return Err(Fault::Impossible {
                what: "the error of an answer about versions",
                value: i64::from(error),
            });
        }
        let count = length_of("the count of questions", i64::from(answer.int32()?))?;
        let (mut fetch, mut metadata, mut ends) = (None, None, None);
        for _ in 0..count {
            let (key, least, most) = (answer.int16()?, answer.int16()?, answer.int16()?);
            match key {
                _ if key == FETCH.key => fetch = Some((least, most)),
                _ if key == METADATA.key => metadata = Some((least, most)),
                _ if key == LIST_OFFSETS.key => ends = Some((least, most)),
                _ => {}
            }
        }
        let fetch = newest(&[FETCH, FETCH_BY_NAME], fetch);
        let metadata = newest(&[METADATA, METADATA_BY_NAME], metadata);
        let has_ends = newest(&[LIST_OFFSETS], ends).is_ok();
        Ok(fetch.and_then(|fetch| metadata.map(|metadata| Self { fetch, metadata, has_ends })))
    }
}

/// The first of `ours`, which the newest begins, that lies in the range of the broker's versions.
fn newest(ours: &[Question], range: Option<(i16, i16)>) -> Result<Question, Lacking> {
    let (oldest, newest) = (ours[ours.len() - 1], range.map(|(_, most)| most));
    let is_spoken = |question: &&Question| {
        range.is_some_and(|(least, most)| (least..=most).contains(&question.version))
    };
    ours.iter().find(is_spoken).copied().ok_or((oldest, newest))
}
