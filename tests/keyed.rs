//! Keyed state and timers end to end: `fraud-velocity` over real Kafka with `kill -9` on the way, and over files; the
//! alerts are those of a computation by hand.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Deserialize;

use crate::exactly_once::wait_for_the_end;
use crate::files_equals_kafka::write_files;
use crate::harness::host::{Host, run_to_end};
use crate::harness::oracle::{money, time};
use crate::harness::pipeline::kafka;
use crate::harness::place::Place;
use crate::harness::sales::BEGIN;
use crate::harness::services::plugin;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::{chain, seed, services, wait_until};

/// The columns of an alert: the key, what the plugin makes, the event time.
pub const ALERTS: [&str; 5] = ["card", "payments", "since", "total", "event_time"];
/// The rule: more than so many payments of a card within so many seconds.
const MORE_THAN: usize = 4;
pub const WITHIN: i64 = 60;
/// Seconds.
const OUT_OF_ORDERNESS: i64 = 5;
const KILLS: u32 = 6;

#[test]
fn alerts_are_exact_through_kill_9_and_the_same_over_files() {
    let topic = Topic::create(services::kafka(), "payments", 3);
    let place = Place::local();
    let file = pipeline(&place, &kafka(&topic));
    let mut payments = Payments::new(seed(31));
    let mut epochs = Vec::new();
    for life in 0..KILLS {
        let host = Host::run(&place, &file);
        // Payments come while it runs, so that there is something to lose.
        let lives = Duration::from_millis(payments.dice.random_range(400..1_500));
        payments.send(&topic, 1_500);
        wait_until(lives, || None::<()>);
        payments.send(&topic, 500);
        host.kill();
        epochs.push(chain::head(&place).map_or(0, |head| head.epoch()));
        println!("life {life}: epoch {:?}", epochs.last());
    }
    assert!(epochs.last() > epochs.first(), "no life got to commit: {epochs:?}");

    let host = Host::run(&place, &file);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    let ByHand { alerts: expected, refused: dead, .. } = by_hand(&records, None);
    assert!(expected.len() > 100, "a rule that says nothing tests nothing: {}", expected.len());
    assert_same_rows("alerts over Kafka", &rows(&place, "alerts", &ALERTS), &expected);
    let fates = chain::head(&place).unwrap().fates();
    assert_eq!((fates.read, fates.dead_lettered), (records.len() as u64, dead));
    assert_eq!((fates.late, fates.accepted), (0, fates.read - dead));

    let over_files = Place::local();
    let input = write_files(&over_files, &records);
    let source = format!("[source]\ntype = \"files\"\n[source.files]\npath = \"{input}\"\n");
    run_to_end(&over_files, &pipeline(&over_files, &source));
    assert_same_rows("alerts over files", &rows(&over_files, "alerts", &ALERTS), &expected);
    assert!(chain::head(&over_files).unwrap().ended());
}

pub fn pipeline(place: &Place, source: &str) -> PathBuf {
    let (url, module) = (&place.url, plugin("fraud-velocity").display().to_string());
    let text = format!(
        "name = \"fraud\"\n{source}\
         [schema]\ncard = \"string\"\namount = \"decimal(18,3)\"\nts = \"timestamp(s)\"\n\
         [event_time]\ncolumn = \"ts\"\nmax_out_of_orderness = \"{OUT_OF_ORDERNESS}s\"\nidle_after = \"off\"\n\
         [[stages]]\nid = \"velocity\"\nkind = \"process\"\nplugin = \"{module}\"\n\
         config = {{ more-than = {MORE_THAN}, within = \"{WITHIN}s\" }}\n\
         [process]\nkey = [\"card\"]\n\
         [[sinks]]\nid = \"alerts\"\ntype = \"parquet\"\npath = \"{url}/alerts\"\n\
         [dead_letters]\npath = \"{url}/dead\"\n\
         [checkpoint]\ninterval = \"200ms\"\npath = \"{url}/chain\"\n"
    );
    let path = place.folder.path().join("fraud.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Payments by dice: 60 cards, each in one partition; some pay in bursts, one in twenty comes late, one in a hundred has
/// an amount that the plugin refuses.
pub struct Payments {
    dice: Pcg64Mcg,
    sent: i64,
}

impl Payments {
    pub fn new(seed: u64) -> Self {
        Self { dice: Pcg64Mcg::seed_from_u64(seed), sent: 0 }
    }

    pub fn send(&mut self, topic: &Topic, count: i64) {
        for _ in 0..count {
            // Ten a second: each card pays every six seconds on average, the hot ones far more often.
            let now = BEGIN + self.sent / 10;
            let hot = self.dice.random_bool(0.3);
            let card = if hot { (now / 30) % 60 } else { self.dice.random_range(0..60) };
            let late = if self.dice.random_bool(0.05) { 20 } else { 3 };
            let ts = now - self.dice.random_range(0..=late);
            let mills =
                self.dice.random_range(1..50_000) * 10 + i64::from(self.dice.random_bool(0.01));
            let value = format!(
                "{{\"card\":\"card-{card}\",\"amount\":{}.{:03},\"ts\":{ts}}}",
                mills / 1_000,
                mills % 1_000
            );
            topic.send((card % 3) as i32, now * 1_000, value.as_bytes());
            self.sent += 1;
        }
        topic.flush();
    }

    /// Cards that nobody has seen: one pays five times in a second, and never again; another one three times, and once more
    /// half a minute later, if this is called every two seconds.
    pub fn burst(&self, topic: &Topic) {
        let (now, card) = (BEGIN + self.sent / 10, 1_000 + self.sent);
        (0..5).for_each(|_| self.pay(topic, card, now));
        (0..3).for_each(|_| self.pay(topic, card + 1, now));
        if self.sent > 300 {
            self.pay(topic, card + 1 - 300, now);
        }
        topic.flush();
    }

    /// One payment in each partition, so late that every card before it is quiet.
    pub fn close(&self, topic: &Topic) {
        (0..3).for_each(|card| self.pay(topic, card, BEGIN + self.sent / 10 + 10 * WITHIN));
        topic.flush();
    }

    fn pay(&self, topic: &Topic, card: i64, ts: i64) {
        let value = format!("{{\"card\":\"card-{card}\",\"amount\":1.50,\"ts\":{ts}}}");
        topic.send((card % 3) as i32, ts * 1_000, value.as_bytes());
    }
}

/// Where another module took over: the position of each partition, and the lane's watermark, s.
pub struct Flip {
    pub positions: BTreeMap<i64, i64>,
    pub watermark: i64,
}

/// What the table must hold.
#[derive(Default)]
pub struct ByHand {
    /// As lines of the table, sorted.
    pub alerts: Vec<String>,
    /// Payments that are refused.
    pub refused: u64,
    /// Alerts that the successor gave by what its predecessor knew: of payments before it, and of timers.
    pub by_heirloom: (usize, usize),
    cards: BTreeMap<String, Card>,
}

/// What is known of a card: payments (time, hundredths) ascending, whether it was told of, when it is forgotten, and whether
/// the successor has seen it.
#[derive(Default)]
struct Card {
    partition: i32,
    payments: Vec<(i64, i64)>,
    told: bool,
    quiet_at: Option<i64>,
    is_new: bool,
}

impl Card {
    fn alert(&self, name: &str, at: i64) -> String {
        let (count, since) = (self.payments.len(), time(self.payments[0].0));
        let total = money(self.payments.iter().map(|(_, cents)| cents).sum());
        format!("{name} | {count} | {since} | {total} | {}", time(at))
    }
}

#[derive(Deserialize)]
struct Payment {
    card: String,
    amount: serde_json::Number,
    ts: i64,
}

/// What `fraud-velocity` makes of records, from `flip` on `successor-plugin` in its place.
pub fn by_hand(records: &[StoredRecord], flip: Option<&Flip>) -> ByHand {
    let mut hand = ByHand::default();
    let mut newest: BTreeMap<i32, i64> = BTreeMap::new();
    let begins = |record: &StoredRecord| {
        flip.is_some_and(|flip| record.offset >= flip.positions[&i64::from(record.partition)])
    };
    for (index, record) in records.iter().enumerate() {
        let successor = begins(record);
        let is_first = index == 0 || !begins(&records[index - 1]) || record.offset == 0;
        if let Some(flip) = flip.filter(|_| successor && is_first) {
            // What the lane had passed by then had fired.
            hand.advance(record.partition, flip.watermark, false);
        }
        let payment: Payment = serde_json::from_slice(&record.value).unwrap();
        let newest = newest.entry(record.partition).or_insert(i64::MIN / 2);
        let watermark = *newest - OUT_OF_ORDERNESS;
        *newest = (*newest).max(payment.ts);
        hand.pay(record.partition, payment, watermark, successor);
    }
    let lane = newest.values().min().map_or(i64::MIN, |newest| newest - OUT_OF_ORDERNESS);
    newest.keys().for_each(|partition| hand.advance(*partition, lane, flip.is_some()));
    hand.alerts.sort();
    hand
}

impl ByHand {
    /// Cards of which something is known.
    pub fn known(&self) -> usize {
        self.cards.len()
    }

    /// Fires the timers of a partition's cards.
    fn advance(&mut self, partition: i32, watermark: i64, successor: bool) {
        let due: Vec<String> = self
            .cards
            .iter()
            .filter(|(_, card)| card.partition == partition)
            .filter(|(_, card)| card.quiet_at.is_some_and(|quiet| quiet <= watermark))
            .map(|(name, _)| name.clone())
            .collect();
        due.iter().for_each(|name| self.forget(name, successor));
    }

    fn forget(&mut self, name: &str, successor: bool) {
        let card = self.cards.remove(name).unwrap();
        if successor && card.told {
            self.alerts.push(card.alert(name, card.quiet_at.unwrap()));
            self.by_heirloom.1 += usize::from(!card.is_new);
        }
    }

    fn pay(&mut self, partition: i32, payment: Payment, watermark: i64, successor: bool) {
        let Payment { card: name, amount, ts } = payment;
        let quiet_at = self.cards.get(&name).and_then(|card| card.quiet_at);
        if quiet_at.is_some_and(|quiet| quiet <= watermark) {
            self.forget(&name, successor);
        }
        let mills = (amount.as_f64().unwrap() * 1_000.0).round() as i64;
        if mills % 10 != 0 {
            self.refused += 1;
            return;
        }
        let card = self.cards.entry(name.clone()).or_insert_with(|| Card {
            partition,
            is_new: successor,
            ..Card::default()
        });
        card.payments.push((ts, mills / 10));
        card.payments.sort_by_key(|(ts, _)| *ts);
        let last = card.payments.last().unwrap().0;
        card.payments.retain(|(ts, _)| *ts > last - WITHIN);
        let too_many = card.payments.len() > MORE_THAN - usize::from(successor);
        if too_many && !card.told {
            self.alerts.push(card.alert(&name, ts));
            self.by_heirloom.0 += usize::from(successor && !card.is_new);
        }
        card.told = too_many;
        card.quiet_at = Some(last + WITHIN);
        card.is_new = successor;
    }
}
