//! What is news of a partition.

use super::*;
use sluicegate_model::time::Watermark;

/// Its last record was handed on before anybody knew that nothing follows.
#[test]
fn where_a_file_ends_is_news_once_though_its_position_stays() {
    let mut partitions = Partitions::new(LaneClock::new(0, None, Watermark::None));
    let partition = Partition { stream: Arc::from("a.json.gz"), number: 0 };
    let (now, read) = (Duration::ZERO, Position::at(NextOffset::at(100)));
    let index = partitions.index(&partition, now);
    partitions.processed(index, &read);
    for (end_offset, is_news) in
        [(None, false), (Some(100), true), (Some(100), false), (None, true)]
    {
        let position = Position { end_offset, ..read.clone() };
        let progress = PartitionProgress {
            partition: partition.clone(),
            read_to: Some(position.clone()),
            end_offset: Some(100),
            caught_up: true,
            looked_at: None,
            ended: false,
        };
        assert_eq!(partitions.progress(&[progress], now), is_news, "{end_offset:?}");
        assert_eq!(partitions.all[index].position, position);
    }
}

/// Its source names it until another file comes.
#[test]
fn a_file_that_was_taken_out_is_news_no_more() {
    let mut partitions = Partitions::new(LaneClock::new(0, None, Watermark::None).with_end(false));
    let partition = Partition { stream: Arc::from("a.json"), number: 0 };
    let end = NextOffset::at(100);
    let read_to = Position { end_offset: Some(100), ..Position::at(end) };
    let progress = PartitionProgress {
        partition,
        read_to: Some(read_to),
        end_offset: Some(100),
        caught_up: true,
        looked_at: None,
        ended: true,
    };
    let mut news = Vec::new();
    for _ in 0..3 {
        news.push(partitions.progress(std::slice::from_ref(&progress), Duration::ZERO));
        partitions.retire_finished();
    }
    assert_eq!(news, [true, false, false]);
    assert!(partitions.states().is_empty());
    assert_eq!(partitions.finished.len(), 1);
}
