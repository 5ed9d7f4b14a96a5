//! Which questions a broker understands.

use super::Question;
use crate::fault::Fault;
use crate::read::{Reader, length_of};

/// Those of `wanted` that the broker does not understand in our version, with the newest that it does; none if it knows no
/// version.
pub(crate) fn lacking(
    mut answer: Reader<'_>,
    wanted: &[Question],
) -> Result<Vec<(Question, Option<i16>)>, Fault> {
    let error = answer.int16()?;
    if error != 0 {
        return Err(Fault::Impossible {
            what: "the error of an answer about versions",
            value: i64::from(error),
        });
    }
    let count = length_of("the count of questions", i64::from(answer.int32()?))?;
    let mut lacking: Vec<_> = wanted.iter().map(|question| (*question, None)).collect();
    for _ in 0..count {
        let (key, least, most) = (answer.int16()?, answer.int16()?, answer.int16()?);
        lacking.retain_mut(|(question, newest)| {
            if question.key != key {
                return true;
            }
            *newest = Some(most);
            !(least..=most).contains(&question.version)
        });
    }
    Ok(lacking)
}
