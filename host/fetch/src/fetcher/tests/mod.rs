//! What brokers do to a fetcher: nothing is lost, nothing comes twice, and what cannot be helped is said.

pub(crate) mod cluster;
mod unfit;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Arrival, Fetcher, Options, Trouble, Waiting};
use crate::batch::Stand;
use crate::fault::Damage;
use crate::link::Security;
use crate::wire::TopicId;
use cluster::{Cluster, Deed};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn options(cluster: &Cluster) -> Options {
    Options {
        brokers: cluster.address(),
        topic: "sales".to_owned(),
        topic_id: Some(TopicId([7; 16]).text()),
        client_id: "test".to_owned(),
        rack: String::new(),
        security: Security::default(),
        wait: Duration::from_millis(20),
        wait_in_silence: Duration::from_millis(20),
        min_bytes: 1,
        max_bytes: 1 << 20,
        partition_max_bytes: 2_000,
        largest_answer: 1 << 20,
        queued_bytes: 20_000,
        largest_batch: 1 << 20,
        connect_within: PATIENCE,
        answer_within: PATIENCE,
        pause: Duration::from_millis(1),
        pause_max: Duration::from_millis(5),
    }
}

fn start(cluster: &Cluster, partitions: i32) -> Fetcher {
    let fetcher = Fetcher::start(options(cluster), || {}).unwrap();
    (0..partitions).for_each(|partition| fetcher.add(partition, 0, None));
    fetcher
}

fn next(fetcher: &Fetcher) -> Arrival {
    assert!(fetcher.wait(Waiting::ANYTHING, PATIENCE), "{:?}", fetcher.trouble());
    fetcher.take().unwrap()
}

/// Where each partition was read to. Panics if a record is left out, comes twice, or is another.
#[derive(Default)]
struct Read {
    next: BTreeMap<i32, i64>,
}

impl Read {
    fn take(&mut self, arrival: Arrival) {
        assert_eq!(self.walk(arrival), Ok(Stand::End));
    }

    fn walk(&mut self, arrival: Arrival) -> Result<Stand, Damage> {
        let Arrival { partition, fetched } = arrival;
        let next = self.next.entry(partition).or_default();
        let Ok(fetched) = fetched else { return Ok(Stand::End) };
        let mut walk = fetched.walk(*next);
        let stand = walk.walk(|record| {
            assert_eq!(record.offset, *next, "partition {partition}");
            let written = format!("{partition} {next} ");
            assert!(record.value.unwrap().starts_with(written.as_bytes()), "{written}");
            *next += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(walk.next_offset(), *next);
        stand
    }

    fn until(&mut self, fetcher: &Fetcher, partitions: usize, end: i64) {
        let is_done = |read: &Self| {
            read.next.len() == partitions && read.next.values().all(|next| *next == end)
        };
        while !is_done(self) {
            self.take(next(fetcher));
        }
    }
}

#[test]
fn every_record_comes_once_from_all_brokers() {
    let cluster = Cluster::new(3, 7, 40, 5);
    let fetcher = start(&cluster, 7);
    Read::default().until(&fetcher, 7, 200);
    assert_eq!(fetcher.trouble(), None);
}

#[test]
fn what_waits_to_be_read_is_bounded() {
    let cluster = Cluster::new(2, 4, 60, 5);
    let fetcher = start(&cluster, 4);
    let mut read = Read::default();
    let (mut most, mut arrivals) = (0, 0);
    while read.next.values().sum::<i64>() < 4 * 300 {
        let arrival = next(&fetcher);
        // A thread may bring one answer after it saw room: half of the bound, shared by the brokers.
        most = most.max(fetcher.shared.lock().queue.bytes());
        read.take(arrival);
        arrivals += 1;
    }
    assert!(most <= 20_000 + 2_000, "{most} bytes waited");
    assert!(
        most > 2_000 && arrivals > 20,
        "{most} bytes in {arrivals} arrivals: nothing was fetched ahead"
    );
}

/// As much as is asked for, a trouble, or as much as is fetched ahead: whichever comes first.
#[test]
fn who_reads_sleeps_until_there_is_enough() {
    let endless = Waiting { records: usize::MAX, bytes: usize::MAX };
    let cluster = Cluster::new(1, 1, 40, 5);
    let options = Options { queued_bytes: 1 << 20, ..options(&cluster) };
    let fetcher = Fetcher::start(options, || {}).unwrap();
    fetcher.add(0, 0, None);
    assert!(fetcher.wait(Waiting { records: 200, ..endless }, PATIENCE));
    let mut read = Read::default();
    std::iter::from_fn(|| fetcher.take()).for_each(|arrival| read.take(arrival));
    assert_eq!(read.next[&0], 200, "somebody was woken before");
    fetcher.add(0, 999, None);
    assert!(fetcher.wait(endless, PATIENCE));
    assert!(fetcher.take().unwrap().fetched.is_err());

    let cluster = Cluster::new(1, 1, 60, 50);
    let fetcher = start(&cluster, 1);
    assert!(fetcher.wait(endless, PATIENCE));
    assert!(fetcher.shared.lock().queue.bytes() > 20_000 / 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Answers that are cut off anywhere, garbled, delayed, refused for a while.
    #[test]
    fn cut_and_garbled_answers_lose_and_repeat_nothing(
        deeds in proptest::collection::vec(
            prop_oneof![
                4 => (0..6_000_usize).prop_map(Deed::Cut),
                1 => Just(Deed::Garble),
                1 => Just(Deed::Claim(u32::MAX)),
                1 => Just(Deed::Throttle),
                1 => prop::sample::select(vec![2_i16, 3, 5, 6, 9, 56, 74, 75, 78, 100]).prop_map(Deed::Refuse),
            ],
            1..12,
        ),
        leader_moves in 0..3_usize,
    ) {
        let cluster = Cluster::new(2, 3, 12, 4);
        let fetcher = start(&cluster, 3);
        let mut read = Read::default();
        cluster.do_to_answers(deeds);
        for round in 0..leader_moves {
            let mut state = cluster.lock();
            for (leader, epoch) in &mut state.leaders {
                *leader = (*leader + round) % 2;
                *epoch += 1;
            }
            drop(state);
            read.take(next(&fetcher));
        }
        read.until(&fetcher, 3, 48);
    }
}

#[test]
fn a_leader_that_moves_is_followed() {
    let cluster = Cluster::new(2, 2, 30, 4);
    let fetcher = start(&cluster, 2);
    let mut read = Read::default();
    for _ in 0..5 {
        read.take(next(&fetcher));
        let mut state = cluster.lock();
        for (leader, epoch) in &mut state.leaders {
            *leader = 1 - *leader;
            *epoch += 1;
        }
    }
    read.until(&fetcher, 2, 120);
}

fn trouble_of(deed: Option<Deed>, offset: i64) -> (Fetcher, Trouble, Arc<Cluster>) {
    let cluster = Cluster::new(1, 1, 3, 4);
    let fetcher = Fetcher::start(options(&cluster), || {}).unwrap();
    cluster.do_to_answers(deed);
    fetcher.add(0, offset, Some(2));
    let trouble = next(&fetcher).fetched.unwrap_err();
    (fetcher, trouble, cluster)
}

#[test]
fn a_position_that_is_not_there_is_said_once() {
    let (fetcher, trouble, cluster) = trouble_of(None, 99);
    assert_eq!(trouble, Trouble::OutOfRange { offset: 99 });
    let (other, trouble, _cluster) = trouble_of(Some(Deed::Diverge(5)), 8);
    assert_eq!(trouble, Trouble::Truncated { offset: 8, agrees_to: 5 });
    for fetcher in [&fetcher, &other] {
        assert!(
            !fetcher.wait(Waiting::ANYTHING, Duration::from_millis(50)),
            "it was asked for again"
        );
    }
    // From elsewhere it goes on.
    let before = cluster.lock().answers;
    fetcher.add(0, 4, None);
    let mut read = Read { next: [(0, 4)].into() };
    read.until(&fetcher, 1, 12);
    assert!(cluster.lock().answers > before);
}

#[test]
fn what_a_broker_refuses_is_said_and_asked_for_again() {
    let (fetcher, trouble, _cluster) = trouble_of(Some(Deed::Refuse(3)), 0);
    assert_eq!(trouble, Trouble::Refused(3));
    Read::default().until(&fetcher, 1, 12);
}

#[test]
fn a_partition_that_is_removed_brings_nothing_more() {
    let cluster = Cluster::new(1, 2, 20, 5);
    let fetcher = start(&cluster, 2);
    let mut read = Read::default();
    read.take(next(&fetcher));
    fetcher.remove(0);
    while read.next.get(&1) != Some(&100) {
        let arrival = next(&fetcher);
        assert_eq!(arrival.partition, 1);
        read.take(arrival);
    }
    let from = read.next.get(&0).copied().unwrap_or(0);
    fetcher.add(0, from, None);
    read.until(&fetcher, 2, 100);
}

#[test]
fn a_broker_that_has_nothing_waits_longer_unless_something_else_may_be_wanted_of_it() {
    let cluster = Cluster::new(1, 2, 4, 5);
    let options = Options { wait_in_silence: PATIENCE, ..options(&cluster) };
    let wait = options.wait;
    let fetcher = Fetcher::start(options, || {}).unwrap();
    (0..2).for_each(|partition| fetcher.add(partition, 0, None));
    let mut read = Read::default();
    read.until(&fetcher, 2, 20);
    let asked = |waits: &dyn Fn(&[Duration]) -> bool| {
        let is_so = |_| {
            let nothing_comes = !fetcher.wait(Waiting::ANYTHING, wait);
            assert!(nothing_comes);
            waits(&cluster.lock().waits)
        };
        assert!((0..1_000).any(is_so), "{:?}", cluster.lock().waits);
    };
    asked(&|waits| waits.ends_with(&[wait, 2 * wait, 4 * wait]));
    // Whoever paused it may want it back at any time.
    fetcher.remove(1);
    asked(&|waits| waits.ends_with(&[wait; 4]));
    fetcher.add(1, 10, None);
    assert_eq!(next(&fetcher).partition, 1);
    asked(&|waits| waits.last() > Some(&wait));
}

#[test]
fn an_answer_that_is_too_large_is_told_and_the_next_one_is_taken() {
    let cluster = Cluster::new(1, 1, 3, 4);
    cluster.do_to_answers([Deed::Claim(200_000_000)]);
    let fetcher = start(&cluster, 1);
    Read::default().until(&fetcher, 1, 12);
    assert_eq!(fetcher.take_too_large(), Some(200_000_000));
    assert_eq!(fetcher.take_too_large(), None);
}

#[test]
fn a_broker_that_is_too_old_is_named_with_what_it_speaks() {
    let cluster = Cluster::new(1, 1, 3, 4);
    cluster.lock().newest_fetch = 11;
    let fetcher = start(&cluster, 1);
    let lacking = std::iter::repeat_with(|| {
        assert!(
            !fetcher.wait(Waiting::ANYTHING, Duration::from_millis(5)),
            "it was asked for records"
        );
        fetcher.lacking()
    });
    let lacking = lacking.flatten().next();
    let expected = "it speaks Fetch up to version 11, and 12 is needed";
    assert_eq!(lacking.as_deref(), Some(expected));
    assert!(fetcher.at_odds().unwrap().ends_with(expected));
}

/// Who reads is told, and may try another client; what comes right meanwhile is handed on.
#[test]
fn a_broker_that_answers_nonsense_time_after_time_is_named() {
    let cluster = Cluster::new(1, 1, 3, 4);
    cluster.do_to_answers([Deed::Garble; 5]);
    let fetcher = start(&cluster, 1);
    let mut read = Read::default();
    read.until(&fetcher, 1, 12);
    assert_eq!(fetcher.at_odds(), None, "it has passed");
    cluster.do_to_answers([Deed::Garble; 20]);
    let at_odds = std::iter::repeat_with(|| {
        fetcher.wait(Waiting::ANYTHING, Duration::from_millis(5));
        fetcher.at_odds()
    });
    let at_odds = at_odds.flatten().next().unwrap();
    assert!(
        at_odds.contains(&cluster.address()) && at_odds.contains("cannot be read"),
        "{at_odds}"
    );
}

/// A topic that was deleted and made again has another id: what lies in it is not what was asked for.
#[test]
fn a_topic_made_anew_is_not_read() {
    let cluster = Cluster::new(1, 1, 3, 4);
    cluster.lock().topic = 8;
    let fetcher = start(&cluster, 1);
    let trouble = std::iter::repeat_with(|| {
        assert!(
            !fetcher.wait(Waiting::ANYTHING, Duration::from_millis(5)),
            "records of another topic"
        );
        fetcher.trouble()
    });
    let trouble = trouble.flatten().next().unwrap();
    assert!(trouble.starts_with("topic `sales` was made anew"), "{trouble}");
    assert_eq!(cluster.lock().answers, 0);
}

/// As Kafka before 3.1, and before 2.8, which gave topics no ids.
#[test]
fn an_older_broker_is_asked_by_the_topics_name() {
    let cluster = Cluster::new(2, 3, 20, 4);
    cluster.lock().newest_fetch = 12;
    for topic_id in [Some(TopicId([7; 16]).text()), None] {
        let fetcher = Fetcher::start(Options { topic_id, ..options(&cluster) }, || {}).unwrap();
        (0..3).for_each(|partition| fetcher.add(partition, 0, None));
        Read::default().until(&fetcher, 3, 80);
        assert_eq!(fetcher.trouble(), None);
    }
}

/// The leaders send a client that says where it is to the replica there, until that one does not answer any more.
#[test]
fn the_nearest_replica_is_asked_where_leaders_say_so() {
    let cluster = Cluster::new(3, 2, 60, 4);
    cluster.lock().nearest = Some(2);
    let rack = "a".to_owned();
    let fetcher = Fetcher::start(Options { rack, ..options(&cluster) }, || {}).unwrap();
    (0..2).for_each(|partition| fetcher.add(partition, 0, None));
    let mut read = Read::default();
    while cluster.lock().fed[2] < 3 {
        read.take(next(&fetcher));
    }
    assert_eq!(cluster.lock().fed[..2], [0, 0], "leaders sent records");
    // It is not the nearest any more, and refuses.
    cluster.lock().nearest = None;
    read.until(&fetcher, 2, 240);
    assert!(cluster.lock().fed[0] > 0);
}

/// A leader that names a replica which nobody knows is asked again.
#[test]
fn a_replica_that_nobody_knows_is_not_waited_for() {
    let cluster = Cluster::new(1, 1, 3, 4);
    cluster.do_to_answers([Deed::Send(9), Deed::Send(9)]);
    Read::default().until(&start(&cluster, 1), 1, 12);
}
