//! Asks where partitions end.

use super::Writer;
use crate::fault::Fault;
use crate::read::Reader;

/// Records of open transactions count: behind such an end there is nothing.
const READ_UNCOMMITTED: i8 = 0;

/// Stands for the end where a time could be asked for.
const LATEST: i64 = -1;

/// Writes the question about partitions, each with the epoch of its leader as far as we know.
pub(crate) fn write(writer: &mut Writer, topic: &str, wanted: &[(i32, i32)]) {
    // We are no replica.
    writer.int32(-1);
    writer.int8(READ_UNCOMMITTED);
    writer.count(1);
    writer.compact_text(topic);
    writer.count(wanted.len());
    for (partition, leader_epoch) in wanted {
        writer.int32(*partition);
        writer.int32(*leader_epoch);
        writer.int64(LATEST);
        writer.no_tags();
    }
    writer.no_tags();
    writer.no_tags();
}

/// The partitions of the answer with their ends; none where the broker does not know it, or does not lead.
pub(crate) fn read(mut answer: Reader<'_>) -> Result<Vec<(i32, Option<i64>)>, Fault> {
    let _throttle = answer.int32()?;
    let mut ends = Vec::new();
    for _ in 0..answer.count("the count of topics")? {
        let _name = answer.compact_text("the name of a topic")?;
        for _ in 0..answer.count("the count of partitions")? {
            let (partition, error) = (answer.int32()?, answer.int16()?);
            let (_time, offset, _epoch) = (answer.int64()?, answer.int64()?, answer.int32()?);
            answer.skip_tags()?;
            ends.push((partition, Some(offset).filter(|offset| error == 0 && *offset >= 0)));
        }
        answer.skip_tags()?;
    }
    answer.skip_tags()?;
    Ok(ends)
}
