//! Asks for records, and reads what stands beside them: the records stay where they lie in the answer.

use bytes::Bytes;

use super::{FETCH, Question, TopicId, Writer};
use crate::batch::AbortedTransaction;
use crate::fault::Fault;
use crate::read::Reader;

/// Those of open and of aborted transactions are not wanted.
const READ_COMMITTED: i8 = 1;

/// How much is asked for in one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    /// The broker waits so long for `min_bytes`.
    pub(crate) wait_ms: i32,
    pub(crate) min_bytes: i32,
    /// A first batch that is larger comes all the same.
    pub(crate) max_bytes: i32,
    pub(crate) partition_max_bytes: i32,
}

/// A partition that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Who leads, as far as we know: another leader refuses. −1: nobody compares.
    pub(crate) leader_epoch: i32,
    /// Of the record before `offset`: the broker says if its log differs there. −1: unknown.
    pub(crate) fetched_epoch: i32,
}

/// The topic that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topic<'a> {
    pub(crate) name: &'a str,
    /// None if the broker does not tell.
    pub(crate) id: Option<TopicId>,
}

/// Writes the question in its version. `rack` is where we are; empty if nobody says.
pub(crate) fn write<'a>(
    writer: &mut Writer,
    question: Question,
    topic: Topic<'_>,
    rack: &str,
    amount: Amount,
    wanted: impl ExactSizeIterator<Item = &'a Wanted>,
) {
    // We are no replica.
    writer.int32(-1);
    writer.int32(amount.wait_ms);
    writer.int32(amount.min_bytes);
    writer.int32(amount.max_bytes);
    writer.int8(READ_COMMITTED);
    // No session: each request names all its partitions.
    writer.int32(0);
    writer.int32(-1);
    writer.count(1);
    match topic.id {
        Some(id) if question == FETCH => writer.raw(&id.0),
        _ => writer.compact_text(topic.name),
    }
    writer.count(wanted.len());
    for one in wanted {
        writer.int32(one.partition);
        writer.int32(one.leader_epoch);
        writer.int64(one.offset);
        writer.int32(one.fetched_epoch);
        // Replicas tell where their log begins.
        writer.int64(-1);
        writer.int32(amount.partition_max_bytes);
        writer.no_tags();
    }
    writer.no_tags();
    // Nothing to be forgotten.
    writer.count(0);
    writer.compact_text(rack);
    writer.no_tags();
}

/// Where the log of the leader parts from what was read: the last offset of that epoch, or an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Diverging {
    pub(crate) epoch: i32,
    pub(crate) end_offset: i64,
}

/// What came of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) partition: i32,
    /// Kafka's number for it; 0 for none.
    pub(crate) error: i16,
    /// Behind the last record that was replicated.
    pub(crate) high_watermark: i64,
    /// Behind the last record that may be read: before the first open transaction.
    pub(crate) last_stable: i64,
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// Who should be asked instead.
    pub(crate) preferred_replica: Option<i32>,
    pub(crate) diverging: Option<Diverging>,
    /// Who leads now and in which epoch, if the broker that was asked does not.
    pub(crate) leader: Option<(i32, i32)>,
    pub(crate) records: Bytes,
}

impl Part {
    /// Neither records nor trouble.
    pub(crate) fn is_silent(&self) -> bool {
        self.error == 0 && self.diverging.is_none() && self.records.is_empty()
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Nothing should be asked for so long.
    pub(crate) throttle_ms: i32,
    /// Kafka's number for it; 0 for none.
    pub(crate) error: i16,
    pub(crate) parts: Vec<Part>,
}

/// `whole` is the answer that `answer` is the body of: records are handles to it.
pub(crate) fn read(
    question: Question,
    whole: &Bytes,
    mut answer: Reader<'_>,
) -> Result<Answer, Fault> {
    let throttle_ms = answer.int32()?;
    let error = answer.int16()?;
    let _session = answer.int32()?;
    let mut parts = Vec::new();
    for _ in 0..answer.count("the count of topics")? {
        if question == FETCH {
            let _topic: [u8; 16] = answer.array()?;
        } else {
            answer.compact_text("the name of a topic")?;
        }
        for _ in 0..answer.count("the count of partitions")? {
            parts.push(part(whole, &mut answer)?);
        }
        answer.skip_tags()?;
    }
    answer.skip_tags()?;
    Ok(Answer { throttle_ms, error, parts })
}

fn part(whole: &Bytes, answer: &mut Reader<'_>) -> Result<Part, Fault> {
    let partition = answer.int32()?;
    let error = answer.int16()?;
    let high_watermark = answer.int64()?;
    let last_stable = answer.int64()?;
    let _log_start = answer.int64()?;
    let mut aborted = Vec::new();
    for _ in 0..answer.count("the count of aborted transactions")? {
        let (producer_id, first_offset) = (answer.int64()?, answer.int64()?);
        answer.skip_tags()?;
        aborted.push(AbortedTransaction { producer_id, first_offset });
    }
    let preferred = answer.int32()?;
    let length = answer.count("the length of the records")?;
    let records = whole.slice_ref(answer.take(length)?);
    let mut part = Part {
        partition,
        error,
        high_watermark,
        last_stable,
        aborted,
        preferred_replica: (preferred >= 0).then_some(preferred),
        diverging: None,
        leader: None,
        records,
    };
    answer.tags(|tag, mut field| {
        match tag {
            0 => {
                let diverging = Diverging { epoch: field.int32()?, end_offset: field.int64()? };
                part.diverging = (diverging.end_offset >= 0).then_some(diverging);
            }
            1 => {
                let (broker, epoch) = (field.int32()?, field.int32()?);
                part.leader = (broker >= 0).then_some((broker, epoch));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(part)
}
