//! A host that is served sales as they happen: how long until each is seen in the live results, and what it costs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sluicegate_model::time::Clock;
use sluicegate_produce::chance::Delay;
use sluicegate_produce::event::TimeUnit;
use sluicegate_produce::kafka::{KafkaSender, Pace};
use sluicegate_produce::sales::{Sale, Sales, SalesSettings};
use sluicegate_produce::stream::StreamSettings;
use xtask::daemon::{Daemon, Output, free_port, wait_until};

use crate::child;
use crate::events::{self, From};
use crate::report::quantile;

/// Sales a second.
const RATE: u64 = 20_000;
/// Not measured: caches, connections, the first windows.
const WARM_UP: Duration = Duration::from_secs(2);
/// Of programs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Windows of the job, microseconds.
const WINDOW_MICROS: i64 = 30_000_000;
/// The kernel counts CPU time of processes in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What was measured.
pub(crate) struct Live {
    pub(crate) latency_ms_p99: f64,
    /// Of one core.
    pub(crate) cpu_percent: f64,
}

/// Store and window of a sale, and when each of its sales was handed to the producer: the nth is seen when the
/// group's number of sales is at least n, because a store's sales stay in order.
type Appended = BTreeMap<(String, i64), Vec<Duration>>;

/// Serves the job while sales come for `lasting` and a listener sees the live results.
pub(crate) fn measure(folder: &Path, brokers: &str, lasting: Duration) -> Result<Live> {
    let topic = "live";
    let sender = KafkaSender::connect(&target(brokers, topic))?;
    let live = folder.join("live");
    let pipeline = events::pipeline(&live, From::Live { brokers, topic })?;
    let port = free_port()?;
    let pipeline = pipeline.display().to_string();
    let listen = format!("127.0.0.1:{port}");
    let serve = child::command(&["sluicegate", "serve", &pipeline, "--listen", &listen])?;
    let mut host = Daemon::start("the host", &serve, Output::Log(&live.join("host.log")))?;
    let url = format!("http://{listen}/v1/pipelines/sales");
    host.wait_ready(PATIENCE, |_| runs(&url).then_some(()))?;

    let (clock, stop, appended) = (Clock::system(), AtomicBool::new(false), Mutex::default());
    let watch = Watch { clock: &clock, stop: &stop, appended: &appended };
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| watch.send(sender));
        let listening = scope.spawn(|| watch.listen(&url, WARM_UP));
        let measured = cpu_percent(&clock, host.id(), lasting);
        stop.store(true, Ordering::Relaxed);
        sending.join().map_err(|_| anyhow::anyhow!("the producer panicked"))??;
        let mut latencies =
            listening.join().map_err(|_| anyhow::anyhow!("the listener panicked"))??;
        if latencies.len() < 1_000 {
            bail!("only {} sales were seen in the live results", latencies.len());
        }
        Ok(Live { latency_ms_p99: quantile(&mut latencies, 0.99), cpu_percent: measured? })
    })
}

/// Without a wait for more records: a sale is appended when it happens.
fn target(brokers: &str, topic: &str) -> sluicegate_produce::kafka::KafkaTarget {
    let mut target = events::target(brokers, topic);
    target.properties.insert("linger.ms".to_owned(), "1".to_owned());
    target
}

fn runs(url: &str) -> bool {
    let status = reqwest::blocking::get(url).and_then(reqwest::blocking::Response::text);
    let status = status.ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    status.is_some_and(|status| status["phase"] == "running")
}

/// CPU that a process uses after the warm-up.
fn cpu_percent(clock: &Clock, process: u32, lasting: Duration) -> Result<f64> {
    pause(WARM_UP);
    let (begin, before) = (clock.monotonic(), ticks(process)?);
    pause(lasting);
    let (end, after) = (clock.monotonic(), ticks(process)?);
    let seconds = (end - begin).as_secs_f64();
    Ok((after - before) / TICKS_PER_SECOND / seconds * 100.0)
}

fn pause(time: Duration) {
    let _nothing = wait_until(time, || None::<()>);
}

/// User and system time of a process, in ticks.
fn ticks(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).context("read its time")?;
    // Behind the name, which is in parentheses, the 12th and 13th field.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let times: Vec<f64> = fields.skip(11).take(2).filter_map(|time| time.parse().ok()).collect();
    match times.as_slice() {
        [user, system] => Ok(user + system),
        _ => bail!("`{stat}` has no times"),
    }
}

/// What the producer tells the listener.
struct Watch<'a> {
    clock: &'a Clock,
    stop: &'a AtomicBool,
    appended: &'a Mutex<Appended>,
}

impl Watch<'_> {
    fn send(&self, sender: KafkaSender) -> Result<()> {
        let stream = StreamSettings {
            rate: RATE,
            start_micros: self.clock.wall_micros(),
            out_of_order: Delay { share: 0.0, by: Duration::ZERO },
            ..StreamSettings::default()
        };
        let settings = SalesSettings { stream, ..SalesSettings::default() };
        let begin = self.clock.monotonic();
        let sales = (0_u32..).zip(Sales::new(settings)).map(|(number, sale)| {
            // When it is due, which is not later than it is sent.
            self.note(&sale, begin + Duration::from_secs(u64::from(number)) / RATE as u32);
            sale
        });
        let pace = Pace { rate: Some(RATE), clock: self.clock, stop: self.stop };
        let sent = sender.send(sales, TimeUnit::Seconds, &pace, |_| ());
        match sent.reason {
            Some(reason) => bail!("{} sales were lost: {reason}", sent.lost),
            None => Ok(()),
        }
    }

    fn note(&self, sale: &Sale, due: Duration) {
        if sale.is_kiosk || sale.price_hundredths <= 0 || sale.defect.is_some() {
            return;
        }
        let window = sale.time_micros.div_euclid(WINDOW_MICROS) * WINDOW_MICROS;
        let group = (format!("store-{}", sale.store), window);
        let mut appended = self.appended.lock().unwrap_or_else(PoisonError::into_inner);
        appended.entry(group).or_default().push(due);
    }

    /// Reads live results until it is to stop. The latency of every sale that was due after the warm-up,
    /// milliseconds.
    fn listen(&self, url: &str, warm_up: Duration) -> Result<Vec<f64>> {
        let client = reqwest::blocking::Client::builder().timeout(None).build()?;
        let answer = client.get(format!("{url}/live")).send()?.error_for_status()?;
        let measured_from = self.clock.monotonic() + warm_up;
        let (mut seen, mut latencies) = (BTreeMap::new(), Vec::new());
        for line in BufReader::new(answer).lines() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let line = line.context("read live results")?;
            let Some(data) = line.strip_prefix("data:") else { continue };
            let results: serde_json::Value =
                serde_json::from_str(data.trim()).context("read live results")?;
            let now = self.clock.monotonic();
            for row in results["rows"].as_array().into_iter().flatten() {
                let Some((group, sales)) = group(row) else { bail!("`{row}` is not a row") };
                let from = seen.insert(group.clone(), sales).unwrap_or(0);
                let appended = self.appended.lock().unwrap_or_else(PoisonError::into_inner);
                let times = appended.get(&group).map_or(&[][..], Vec::as_slice);
                let new = times.get(from..sales).unwrap_or_default();
                let measured = new.iter().filter(|due| **due >= measured_from);
                latencies.extend(measured.map(|due| (now - *due).as_secs_f64() * 1e3));
            }
        }
        Ok(latencies)
    }
}

/// Of a row `store, revenue, sales, window_start, window_end`: the group, and how many sales it has.
fn group(row: &serde_json::Value) -> Option<((String, i64), usize)> {
    let start = chrono::DateTime::parse_from_rfc3339(row[3].as_str()?).ok()?;
    let sales = usize::try_from(row[2].as_u64()?).ok()?;
    Some(((row[0].as_str()?.to_owned(), start.timestamp_micros()), sales))
}
