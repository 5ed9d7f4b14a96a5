//! Three hosts run one pipeline, over a real Kafka and a real S3 server: one leads, and its death, its end and its sleep cost
//! seconds and no row. Somebody reads the Delta table all the while, and sees no row vanish or come twice.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustix::process::Signal;
use serde_json::Value;
use sluicegate_model::time::Clock;

use crate::exactly_once::wait_for_the_end;
use crate::harness::delta::Poller;
use crate::harness::host::Host;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, eventually, seed, services, wait_until};
use crate::kafka_to_parquet::assert_answer;

/// Short, so that the test is; the arithmetic is that of the defaults.
const LEADERSHIP: &str = "[leadership]\nttl = \"3s\"\nmargin = \"500ms\"\n";

/// Hosts that run one pipeline, and what they are fed.
struct Hosts {
    place: Place,
    topic: Topic,
    sales: Sales,
    pipeline: std::path::PathBuf,
    hosts: Vec<Host>,
    started: usize,
    reader: Poller,
}

impl Hosts {
    fn new(label: &str, own_seed: u64) -> Self {
        let place = Place::s3(services::s3());
        let topic = Topic::create(services::kafka(), label, 2);
        let sales = Sales::new(seed(own_seed), 2);
        let more = LEADERSHIP.to_owned();
        let sales_of = Pipeline::sales(kafka(&topic));
        let pipeline = Pipeline { checkpoint: "500ms", tables: "delta", more, ..sales_of };
        let pipeline = pipeline.write(&place);
        let reader = Poller::start(&place, "revenue", &["store", "window_start"]);
        Self { place, topic, sales, pipeline, hosts: Vec::new(), started: 0, reader }
    }

    /// Another one, which prepares itself and stands by, or leads.
    fn start(&mut self) {
        self.started += 1;
        let log = format!("host-{}.log", self.started);
        let host = Host::serve_logging(&self.place, &self.pipeline, &log);
        eventually("it leads or stands by", || (role(&host) != "opening").then_some(()));
        self.hosts.push(host);
    }

    /// Another one, and nobody waits for it.
    fn launch(&mut self) {
        self.started += 1;
        let log = format!("host-{}.log", self.started);
        self.hosts.push(Host::launch(&self.place, &self.pipeline, &log, &[]));
    }

    /// The leader, when it takes turns.
    fn leader(&self) -> usize {
        eventually("one works", || {
            let works = |host: &Host| phase(host) == "running" && role(host) == "leader";
            self.hosts.iter().position(works)
        })
    }

    /// How long it takes until another one works.
    fn until_another_works(&self) -> Duration {
        let clock = Clock::system();
        self.leader();
        clock.monotonic()
    }

    fn send(&mut self) {
        self.sales.send(&self.topic, 300);
    }

    /// The table is what a recomputation says.
    fn end(mut self) {
        self.sales.close(&self.topic);
        let records = self.topic.read_back();
        wait_for_the_end(&self.place, &self.topic, &records);
        self.hosts.drain(..).for_each(Host::stop);
        let answer = Rules::sales().judge(&records);
        assert_answer(&self.place, &answer);
        eventually("the reader sees all rows", || {
            let (looks, rows) = self.reader.rows().expect("no row is gone or doubled");
            (looks >= 5 && rows == answer.results.len()).then_some(())
        });
        let looks = self.reader.stop();
        println!("{looks} looks at {} rows", answer.results.len());
    }
}

fn status(host: &Host) -> Value {
    host.get("/v1/pipelines/sales")
}

fn role(host: &Host) -> String {
    status(host)["leadership"]["role"].as_str().unwrap().to_owned()
}

fn phase(host: &Host) -> String {
    status(host)["phase"].as_str().unwrap().to_owned()
}

fn say(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let (p50, max) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what}: p50 {p50:.2?}, max {max:.2?}, {} times", times.len());
}

#[test]
fn one_of_three_hosts_leads_and_the_others_take_over_what_is_killed_or_stopped() {
    let mut hosts = Hosts::new("led", 81);
    (0..3).for_each(|_| hosts.start());
    let (mut killed, mut handed_over) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        hosts.send();
        let leader = hosts.leader();
        hosts.hosts.remove(leader).kill();
        killed.push(hosts.until_another_works());
        hosts.start();

        hosts.send();
        let leader = hosts.leader();
        let mut leader = hosts.hosts.remove(leader);
        leader.daemon.signal(Signal::TERM).unwrap();
        handed_over.push(hosts.until_another_works());
        assert!(leader.daemon.wait(PATIENCE).unwrap().success(), "{}", leader.log());
        hosts.start();
    }
    say("fail-over after kill -9 on one machine", killed);
    say("hand-over after SIGTERM", handed_over);
    hosts.end();
}

/// Its process is there, so only its silence tells.
#[test]
fn a_leader_that_sleeps_is_taken_over_and_does_no_harm_when_it_wakes() {
    let mut hosts = Hosts::new("asleep", 82);
    (0..3).for_each(|_| hosts.start());
    let mut silent = Vec::new();
    for _ in 0..2 {
        hosts.send();
        let leader = hosts.leader();
        let sleeper = hosts.hosts.remove(leader);
        sleeper.daemon.signal_all(Signal::STOP).unwrap();
        let asleep = Clock::system();
        silent.push(hosts.until_another_works());
        hosts.send();
        // Three times the ttl.
        wait_until(Duration::from_secs(9).saturating_sub(asleep.monotonic()), || None::<()>);
        sleeper.daemon.signal_all(Signal::CONT).unwrap();
        eventually("it stands by", || (role(&sleeper) == "standby").then_some(()));
        hosts.hosts.push(sleeper);
        assert_eq!(hosts.hosts.iter().filter(|host| role(host) == "leader").count(), 1);
    }
    say("fail-over after silence, ttl 3 s", silent);
    hosts.end();
}

/// At any moment: while they open, claim, stand by or work. Nobody waits until somebody is ready.
#[test]
fn of_three_contenders_that_are_killed_at_random_none_loses_or_doubles_a_row() {
    let own_seed = 83;
    let mut hosts = Hosts::new("contended", own_seed);
    let mut dice = Pcg64Mcg::seed_from_u64(seed(own_seed) ^ 0xc0);
    (0..3).for_each(|_| hosts.launch());
    for _ in 0..12 {
        hosts.send();
        let moment = Duration::from_millis(dice.random_range(0..1_500));
        wait_until(moment, || None::<()>);
        let killed = dice.random_range(0..hosts.hosts.len());
        hosts.hosts.remove(killed).kill();
        hosts.launch();
    }
    eventually("all are heard", || hosts.hosts.iter().all(Host::is_heard).then_some(()));
    hosts.end();
}

/// As the leader would: they read the chain all the while.
#[test]
fn a_standby_says_what_the_stages_run_and_have_run() {
    let mut hosts = Hosts::new("asked", 84);
    (0..2).for_each(|_| hosts.start());
    hosts.send();
    let leader = hosts.leader();
    let (leader, standby) = (&hosts.hosts[leader], &hosts.hosts[1 - leader]);
    leader.upload("premium-sale", "premium-sale");
    let epoch = leader.activate("sales", "valid", "premium-sale")["epoch"].as_u64();
    let said =
        |host: &Host, what: &str| host.get(&format!("/v1/pipelines/sales/{what}"))[what].take();
    eventually("it has read that record", || {
        // Their numbers are looked up when somebody asks.
        let activations = said(leader, "activations");
        assert_eq!(activations[0]["epoch"].as_u64(), epoch, "{activations}");
        (said(standby, "activations") == activations).then_some(())
    });
    assert_eq!(role(standby), "standby");
    assert_eq!(said(standby, "releases"), said(leader, "releases"));
    let line = standby.get("/v1/pipelines/sales");
    assert!(line["epoch"].is_null(), "what the stream does is the leader's to say: {line}");
}
