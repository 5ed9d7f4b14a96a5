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
const ALERTS: [&str; 5] = ["card", "payments", "since", "total", "event_time"];
/// The rule: more than so many payments of a card within so many seconds.
const MORE_THAN: usize = 4;
const WITHIN: i64 = 60;
/// Seconds.
const OUT_OF_ORDERNESS: i64 = 5;
const KILLS: u32 = 6;

#[test]
fn alerts_are_exact_through_kill_9_and_the_same_over_files() {
    let topic = Topic::create(services::kafka(), "payments", 3);
    let place = Place::local();
    let file = pipeline(&place, &kafka(&topic));
    let mut payments = Payments { dice: Pcg64Mcg::seed_from_u64(seed(31)), sent: 0 };
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
    let (expected, dead) = by_hand(&records);
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

fn pipeline(place: &Place, source: &str) -> PathBuf {
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
struct Payments {
    dice: Pcg64Mcg,
    sent: i64,
}

impl Payments {
    fn send(&mut self, topic: &Topic, count: i64) {
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
}

/// What is known of a card: payments (time, hundredths) ascending, whether it was told of, when it is forgotten.
#[derive(Default)]
struct Card {
    payments: Vec<(i64, i64)>,
    told: bool,
    quiet_at: Option<i64>,
}

/// The alerts as lines of their table, sorted, and how many payments are refused.
fn by_hand(records: &[StoredRecord]) -> (Vec<String>, u64) {
    #[derive(Deserialize)]
    struct Payment {
        card: String,
        amount: serde_json::Number,
        ts: i64,
    }
    let mut cards: BTreeMap<String, Card> = BTreeMap::new();
    let mut newest: BTreeMap<i32, i64> = BTreeMap::new();
    let (mut alerts, mut refused) = (Vec::new(), 0);
    for record in records {
        let payment: Payment = serde_json::from_slice(&record.value).unwrap();
        let newest = newest.entry(record.partition).or_insert(i64::MIN / 2);
        let watermark = *newest - OUT_OF_ORDERNESS;
        *newest = (*newest).max(payment.ts);
        let card = cards.entry(payment.card.clone()).or_default();
        if card.quiet_at.is_some_and(|quiet| quiet <= watermark) {
            *card = Card::default();
        }
        let mills = (payment.amount.as_f64().unwrap() * 1_000.0).round() as i64;
        if mills % 10 != 0 {
            refused += 1;
            continue;
        }
        card.payments.push((payment.ts, mills / 10));
        card.payments.sort_by_key(|(ts, _)| *ts);
        let last = card.payments.last().unwrap().0;
        card.payments.retain(|(ts, _)| *ts > last - WITHIN);
        let too_many = card.payments.len() > MORE_THAN;
        if too_many && !card.told {
            let (count, since) = (card.payments.len(), time(card.payments[0].0));
            let total = money(card.payments.iter().map(|(_, cents)| cents).sum());
            let at = time(payment.ts);
            alerts.push(format!("{} | {count} | {since} | {total} | {at}", payment.card));
        }
        card.told = too_many;
        card.quiet_at = Some(last + WITHIN);
    }
    alerts.sort();
    (alerts, refused)
}
