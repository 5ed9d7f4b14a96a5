//! Answers whose batches do not fit what was asked for. No checksum covers the first offset of a batch.

use super::*;
use crate::fault::Fault;

/// Reads all of a partition, and begins again where it stands after each damage. What was said.
fn read_all(cluster: &Cluster, from: i64, deeds: impl IntoIterator<Item = Deed>) -> Vec<String> {
    let fetcher = Fetcher::start(options(cluster), || {}).unwrap();
    cluster.do_to_answers(deeds);
    fetcher.add(0, from, None);
    let mut read = Read { next: [(0, from)].into() };
    let mut said = Vec::new();
    let end = cluster.lock().logs[0].last().unwrap().1 + 1;
    while read.next[&0] < end {
        let arrival = next(&fetcher);
        let trouble = arrival.fetched.as_ref().err().map(|trouble| format!("{trouble:?}"));
        let damage = read.walk(arrival).err().map(|damage| damage.to_string());
        if let Some(words) = trouble.or(damage) {
            said.push(words);
            fetcher.add(0, read.next[&0], None);
        }
    }
    said
}

#[test]
fn a_first_offset_that_was_garbled_once_costs_one_more_answer() {
    // Three batches of four records fit into an answer.
    for (from, batch, by) in [(0, 0, 4), (0, 0, 1_000), (8, 0, -5), (9, 0, -2), (9, 0, 3)] {
        let cluster = Cluster::new(1, 1, 12, 4);
        let said = read_all(&cluster, from, [Deed::Shift(batch, by)]);
        assert!(said.len() <= 1, "{said:?}");
    }
}

#[test]
fn the_last_batch_of_an_answer_is_not_believed_to_lie_far_behind_the_others() {
    for by in [1, 4, 17, 1_000_000] {
        // One batch in an answer, then three.
        for (most, batch) in [(1, 0), (600, 1), (600, 2)] {
            let cluster = Cluster::new(1, 1, 12, 4);
            let options = Options { partition_max_bytes: most, ..options(&cluster) };
            let fetcher = Fetcher::start(options, || {}).unwrap();
            cluster.do_to_answers([Deed::Shift(batch, by)]);
            fetcher.add(0, 0, None);
            let mut read = Read::default();
            while read.next.get(&0) != Some(&48) {
                if read.walk(next(&fetcher)).is_err() {
                    fetcher.add(0, read.next[&0], None);
                }
            }
        }
    }
}

/// The position lies in the middle of a batch, which is asked for again because it is alone. Then it seems to begin at the position.
#[test]
fn a_batch_that_contradicts_one_that_is_asked_for_again_is_asked_for_again() {
    let cluster = Cluster::new(1, 1, 12, 4);
    let options = Options { partition_max_bytes: 1, ..options(&cluster) };
    let fetcher = Fetcher::start(options, || {}).unwrap();
    cluster.do_to_answers([Deed::Shift(0, 0), Deed::Shift(0, 1)]);
    fetcher.add(0, 13, None);
    Read { next: [(0, 13)].into() }.until(&fetcher, 1, 48);
}

/// As a compacted topic has them.
#[test]
fn gaps_are_believed_when_they_are_seen_again() {
    let cluster = Cluster::new(1, 1, 30, 4);
    cluster.lock().logs[0].retain(|(first, ..)| first % 3 == 0 || *first == 116);
    let fetcher = start(&cluster, 1);
    let mut found = Vec::new();
    while found.last() != Some(&119) {
        let mut walk = next(&fetcher).fetched.unwrap().walk(found.last().map_or(0, |at| at + 1));
        let stand = walk.walk(|record| {
            found.push(record.offset);
            ControlFlow::Continue(())
        });
        assert_eq!(stand, Ok(Stand::End));
    }
    let kept = (0..120).filter(|at| at / 4 * 4 % 3 == 0 || at / 4 == 29);
    assert_eq!(found, kept.collect::<Vec<_>>());
}

#[test]
fn an_answer_that_leads_nowhere_is_asked_for_a_few_times_and_named() {
    for deed in [Deed::FromStart, Deed::Shift(0, -40), Deed::Shift(0, 1_000_000)] {
        let cluster = Cluster::new(1, 1, 12, 4);
        cluster.lock().always = Some(deed);
        let options = Options { partition_max_bytes: 1, ..options(&cluster) };
        let fetcher = Fetcher::start(options, || {}).unwrap();
        fetcher.add(0, 40, None);
        let trouble = loop {
            match next(&fetcher).fetched {
                Ok(fetched) => {
                    let mut walk = fetched.walk(40);
                    let stand = walk.walk(|_| panic!("a record from elsewhere"));
                    assert_eq!((stand, walk.next_offset()), (Ok(Stand::End), 40));
                }
                Err(trouble) => break trouble,
            }
        };
        let last = match deed {
            Deed::Shift(_, by) => 43 + by,
            _ => 3,
        };
        assert_eq!(trouble, Trouble::InVain { offset: 40, last });
        let answers = cluster.lock().answers;
        assert!(
            !fetcher.wait(Waiting::ANYTHING, Duration::from_millis(50)),
            "it was asked for again"
        );
        assert_eq!(cluster.lock().answers, answers);
        // The broker is well again.
        cluster.lock().always = None;
        fetcher.add(0, 40, None);
        Read { next: [(0, 40)].into() }.until(&fetcher, 1, 48);
    }
}

/// The batch with the position seems to lie before it, whenever it is asked for.
#[test]
fn a_position_that_batches_leap_over_is_named() {
    for by in [-20, -4] {
        let cluster = Cluster::new(1, 1, 12, 4);
        cluster.lock().always = Some(Deed::Shift(0, by));
        let fetcher = Fetcher::start(options(&cluster), || {}).unwrap();
        fetcher.add(0, 24, None);
        let damage = loop {
            let mut walk = next(&fetcher).fetched.unwrap().walk(24);
            match walk.walk(|_| panic!("a record behind what was leapt over")) {
                Ok(stand) => assert_eq!((stand, walk.next_offset()), (Stand::End, 24)),
                Err(damage) => break damage,
            }
        };
        let fault = Fault::Order { before: 27 + by, found: 28 };
        assert_eq!(damage, Damage { offset: 24, fault });
    }
}

#[test]
fn a_partition_without_an_answer_is_nonsense() {
    let cluster = Cluster::new(1, 2, 12, 4);
    cluster.do_to_answers([Deed::LeaveOut(1)]);
    Read::default().until(&start(&cluster, 2), 2, 48);
    cluster.lock().always = Some(Deed::LeaveOut(1));
    let fetcher = start(&cluster, 2);
    let at_odds = std::iter::repeat_with(|| {
        fetcher.wait(Waiting::ANYTHING, Duration::from_millis(5));
        fetcher.at_odds()
    });
    let at_odds = at_odds.flatten().next().unwrap();
    assert!(at_odds.contains("says nothing of partition 1"), "{at_odds}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Each with another remainder, so that no lie is told twice. Few enough that the broker is not named between them: who begins anew
    /// remembers nothing.
    #[test]
    fn first_offsets_that_are_garbled_on_their_way_lose_and_repeat_nothing(
        shifts in proptest::collection::vec((0..4_usize, -8..8_i64, 0..3_usize), 1..4),
        most in prop::sample::select(vec![1, 500, 2_000]),
        from in 0..40_i64,
    ) {
        let cluster = Cluster::new(1, 1, 12, 4);
        let options = Options { partition_max_bytes: most, ..options(&cluster) };
        let fetcher = Fetcher::start(options, || {}).unwrap();
        for (rest, (batch, by, well)) in (0..).zip(shifts) {
            cluster.do_to_answers([Deed::Shift(batch, 4 * by + rest)]);
            cluster.do_to_answers(vec![Deed::Throttle; well]);
        }
        fetcher.add(0, from, None);
        let mut read = Read { next: [(0, from)].into() };
        while read.next[&0] < 48 {
            let arrival = next(&fetcher);
            let has_failed = arrival.fetched.is_err();
            if read.walk(arrival).is_err() || has_failed {
                fetcher.add(0, read.next[&0], None);
            }
        }
    }
}
