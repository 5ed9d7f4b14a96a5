//! Modules that misbehave while the stream runs, in every way that `tests/evil-plugin` knows: whoever rolls back is heard,
//! whoever stops is heard, and only guilty rows are refused.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use reqwest::blocking::Client;
use sluicegate_model::time::Clock;

use crate::harness::host::Host;
use crate::harness::place::Place;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, eventually, services, table, wait_until};

/// Records a second that are sent meanwhile.
const RATE: i64 = 2_000;
/// How long a module misbehaves before somebody does something about it.
const SUFFERED: Duration = Duration::from_millis(1_500);

/// How a guilty record begins, `{"i":-`, as a column of bytes is shown.
const GUILTY: &str = "7b2269223a2d";

/// One row in a hundred is guilty.
const FEW: i64 = 100;
/// Every row is.
const ALL: i64 = 1;

/// Keys whose groups are evaluated.
const KEYS: i64 = 500;

const TUMBLING: &str = "type = \"tumbling\"\nsize = \"1s\"\n";
const SLIDING: &str = "type = \"sliding\"\nsize = \"2s\"\nslide = \"1s\"\n";
const SESSIONS: &str = "type = \"session\"\ngap = \"200ms\"\nmax_length = \"1s\"\n";

#[test]
fn filters_are_rolled_back() {
    for (sin, every) in [
        ("trap", FEW),
        ("trap", ALL),
        ("silent-trap", FEW),
        ("recurse", FEW),
        ("recurse", ALL),
        ("bomb", FEW),
        ("bomb", ALL),
        ("spin", FEW),
        ("spin", ALL),
        ("slow", ALL),
        ("leak", ALL),
        ("log-flood", ALL),
        ("count-flood", ALL),
        // One of each kind of lie about the rows that are kept.
        ("short-keep", ALL),
        ("reject-beyond", ALL),
        ("long-reason", ALL),
    ] {
        Misbehaving::begin("filter...", sin, every, "").roll_back();
    }
}

#[test]
fn maps_are_rolled_back() {
    for (sin, every) in [
        ("huge", FEW),
        ("huge", ALL),
        ("spin", FEW),
        ("spin", ALL),
        ("slow", ALL),
        // One of each kind of lie about new rows.
        ("missing-column", ALL),
        ("bad-utf8", ALL),
        ("few-sources", ALL),
    ] {
        Misbehaving::begin("map......", sin, every, "").roll_back();
    }
}

#[test]
fn aggregates_are_rolled_back() {
    for (sin, every) in [
        ("trap", FEW),
        ("trap", ALL),
        ("bomb", FEW),
        ("bomb", ALL),
        ("spin", FEW),
        ("spin", ALL),
        ("slow", ALL),
        ("few-states", ALL),
    ] {
        Misbehaving::begin("aggregate", sin, every, TUMBLING).roll_back();
    }
}

/// Windows of some hundred groups fire every second, and each group is a reason to misbehave.
#[test]
fn aggregates_that_misbehave_when_windows_fire_are_rolled_back() {
    for sin in ["trap-states", "spin-states", "bomb-states", "slow-states", "groups-beyond"] {
        Misbehaving::begin("aggregate", sin, ALL, TUMBLING).roll_back();
    }
    for sin in ["spin-states", "slow-states"] {
        // Panes are merged as well.
        Misbehaving::begin("aggregate", sin, ALL, SLIDING).roll_back();
        Misbehaving::begin("aggregate", sin, ALL, SESSIONS).roll_back();
    }
}

#[test]
fn a_stop_is_heard_while_a_module_misbehaves() {
    for (kind, sin, window) in [
        ("filter...", "spin", ""),
        ("filter...", "slow", ""),
        ("map......", "huge", ""),
        ("aggregate", "spin", TUMBLING),
        ("aggregate", "slow", TUMBLING),
        ("aggregate", "spin-states", TUMBLING),
        ("aggregate", "slow-states", TUMBLING),
        ("aggregate", "slow-states", SLIDING),
        ("aggregate", "slow-states", SESSIONS),
    ] {
        Misbehaving::begin(kind, sin, ALL, window).stop();
    }
}

/// Says that it is enough when it is dropped.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A pipeline whose only stage runs the evil plugin in its good version, and can run the other.
struct Misbehaving {
    what: String,
    every: i64,
    /// How many keys there are.
    keys: i64,
    /// Groups are refused, and not rows.
    of_groups: bool,
    place: Place,
    topic: Topic,
    host: Host,
    sent: AtomicI64,
    clock: Clock,
}

impl Misbehaving {
    fn begin(kind: &str, sin: &str, every: i64, window: &str) -> Self {
        let topic = Topic::create(services::kafka(), "misbehaving", 2);
        let place = Place::local();
        let pipeline = pipeline(&place, &topic, (kind, sin), window, "good");
        let host = Host::serve(&place, &pipeline);
        upload(&host, "good", module(kind, "lg"));
        upload(&host, "evil", module(kind, "l."));
        let windows = window.lines().next().unwrap_or_default();
        let kind = kind.trim_end_matches('.');
        let what = format!("{sin} of a {kind}, one row in {every} {windows}");
        let (sent, clock) = (AtomicI64::new(0), Clock::system());
        let of_groups = sin.ends_with("-states") || sin == "groups-beyond";
        let keys = if of_groups { KEYS } else { 10 };
        Self { what, every, keys, of_groups, place, topic, host, sent, clock }
    }

    fn roll_back(self) {
        self.while_records_come(|| {
            self.misbehaves();
            let began = self.clock.monotonic();
            self.host.activate("evil", "evil", "good");
            let took = self.clock.monotonic() - began;
            println!("{}: rolled back after {took:?}", self.what);
            assert!(took < PATIENCE / 4, "{}: heard after {took:?}", self.what);
        });
        let sent = self.sent.load(Ordering::Relaxed);
        eventually("everything is read", || {
            (self.host.get("/v1/pipelines/evil")["records"]["read"] == sent).then_some(())
        });
        self.host.stop();
        if self.of_groups {
            return;
        }
        for value in table::rows(&self.place, "dead", &["value"]) {
            assert!(value.starts_with(GUILTY), "{}: {value} is innocent", self.what);
        }
    }

    fn stop(self) {
        self.while_records_come(|| self.misbehaves());
        let Self { what, host, clock, .. } = self;
        let began = clock.monotonic();
        host.stop();
        let took = clock.monotonic() - began;
        println!("{what}: stopped after {took:?}");
        assert!(took < PATIENCE / 4, "{what}: stopped after {took:?}");
    }

    /// The evil module has run for a while.
    fn misbehaves(&self) {
        eventually("the good module has done something", || {
            let read = self.host.get("/v1/pipelines/evil")["records"]["read"].as_i64();
            (read? > RATE / 4).then_some(())
        });
        self.host.activate("evil", "evil", "evil");
        wait_until(SUFFERED, || None::<()>);
    }

    fn while_records_come(&self, work: impl FnOnce()) {
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    self.send(RATE / 50);
                    wait_until(Duration::from_millis(20), || None::<()>);
                }
                self.topic.flush();
            });
            // Also when it fails: a scope waits for its threads.
            let _enough = Enough(&enough);
            work();
        });
    }

    fn send(&self, records: i64) {
        for _ in 0..records {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            // Thirteen is refused by every module.
            let i = if number % self.every == 0 { -1 - number } else { 100 + number };
            let at = 1_700_000_000_000 + number;
            let record = format!("{{\"i\":{i},\"s\":\"{}\",\"at\":{at}}}", number % self.keys);
            let partition = i32::try_from(number % 2).unwrap();
            self.topic.send(partition, at, record.as_bytes());
        }
    }
}

/// The evil plugin of a kind, with what stands behind the kind.
pub fn module(kind: &str, behind: &str) -> Vec<u8> {
    let mut module = std::fs::read(services::plugin("evil-plugin")).unwrap();
    let text = b"evil-kind:aggregate..";
    let by = format!("evil-kind:{kind}{behind}");
    assert_eq!(text.len(), by.len());
    let at = module.windows(text.len()).position(|bytes| bytes == text).unwrap();
    module[at..at + text.len()].copy_from_slice(by.as_bytes());
    module
}

fn upload(host: &Host, name: &str, module: Vec<u8>) {
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let put = client.put(format!("{}/v1/modules/{name}", host.url));
    let answer = put.header("content-type", "application/wasm").body(module).send().unwrap();
    assert!(answer.status().is_success(), "upload {name}: {:?}", answer.text());
}

/// A pipeline whose only stage runs `plugin`, which has a kind and a sin, over records with an `i`.
pub fn pipeline(
    place: &Place,
    topic: &Topic,
    (kind, sin): (&str, &str),
    window: &str,
    plugin: &str,
) -> PathBuf {
    let (url, Topic { name, brokers, .. }) = (&place.url, topic);
    let kind = kind.trim_end_matches('.');
    let windows = match window {
        "" => String::new(),
        window => format!("[window]\n{window}key = [\"s\"]\n"),
    };
    let text = format!(
        "name = \"evil\"\n\
         [source]\ntype = \"kafka\"\n\
         [source.kafka]\nbrokers = \"{brokers}\"\ntopic = \"{name}\"\nstart = \"earliest\"\n\
         [schema]\n\
         b = {{ type = \"bool\", nullable = true }}\n\
         i = \"int64\"\n\
         f = {{ type = \"float64\", nullable = true }}\n\
         t = {{ type = \"timestamp(us)\", nullable = true }}\n\
         d = {{ type = \"date\", nullable = true }}\n\
         m = {{ type = \"decimal(18,2)\", nullable = true }}\n\
         s = {{ type = \"string\", nullable = true }}\n\
         at = \"timestamp(ms)\"\n\
         [event_time]\ncolumn = \"at\"\nmax_out_of_orderness = \"1s\"\n\
         [[stages]]\nid = \"evil\"\nkind = \"{kind}\"\nplugin = \"{plugin}\"\nconfig = {{ sin = \"{sin}\" }}\n\
         {windows}\
         [[sinks]]\nid = \"rows\"\ntype = \"parquet\"\npath = \"{url}/rows\"\n\
         [dead_letters]\npath = \"{url}/dead\"\n\
         [checkpoint]\ninterval = \"300ms\"\npath = \"{url}/chain\"\n"
    );
    let path = place.folder.path().join("evil.toml");
    std::fs::write(&path, text).unwrap();
    path
}
