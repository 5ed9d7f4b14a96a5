//! What a poll waits for beside records, and what follows when they have come.

use super::*;
use sluicegate_fetch::Waiting;

const HOUR: Duration = Duration::from_secs(3_600);

/// Nobody waits for so long on any machine that works.
const LONG: Duration = Duration::from_secs(30);

/// Over a topic that is looked at once: looks ring the bell, and end waits.
fn assigned(topic: &Topic) -> KafkaSource {
    let mut source = topic.kafka_source();
    source.set_pace(LookPace::steady(HOUR));
    let positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    source
}

#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
fn took(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// Nothing comes behind its end, whatever a poll would wait for.
pub(super) fn a_bounded_run_waits_for_nothing_at_its_end(way: FetchWay) {
    let mut topic = Topic::new(way, 30);
    topic.config.end = Some(EndPosition::Latest);
    let mut source = assigned(&topic);
    let all = Waiting { records: 30, bytes: 1 << 20 };
    // librdkafka has a message for the end of each partition as well.
    assert!(source.feed.fill(LONG, all, all.records + PARTITIONS as usize), "they are there");
    let limits = PollLimits { wait: LONG, linger: LONG, ..limits(3_000) };
    let mut read = 0;
    let lingered = took(|| {
        poll_until(&mut source, |source| {
            read += source.poll(&limits).unwrap().iter().map(RecordBlock::len).sum::<usize>();
            read > 0
        });
    });
    assert_eq!(read, 30, "of all partitions together");
    assert!(lingered < LONG, "it collects more: {lingered:?}");
    let waited = took(|| {
        (0..3).for_each(|_| assert!(source.poll(&limits).unwrap().is_empty()));
    });
    assert!(waited < LONG, "it waits for the first: {waited:?}");
}

/// The topic is looked at more often again, and what was said of a partition holds no more.
pub(super) fn records_that_have_come_end_silence_and_complaint(way: FetchWay) {
    let topic = Topic::new(way, 600);
    let mut source = assigned(&topic);
    source.complaint = Some((0, "sales/0 cannot be read: not for a while".to_owned()));
    // Not the last one, which would say the same.
    poll_until(&mut source, |source| {
        let blocks = source.poll(&limits(7)).unwrap();
        blocks.iter().any(|block| block.partition.number == 0)
    });
    assert_eq!(source.complaint, None);
    poll_until(&mut source, |source| {
        let mut silence = 5;
        source.poll(&limits(7)).unwrap();
        source.knowledge.pause(&mut silence);
        silence == 0
    });
}
