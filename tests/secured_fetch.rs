//! A broker that wants TLS, and to know who reads: both ways to fetch get the same records, and what keeps them out is said.

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate_connect::source::kafka::KafkaSource;
use sluicegate_connect::source::{PollLimits, Source};
use sluicegate_fetch::{
    Fetcher, Identity, Mechanism, Options, Sasl, Security, Tls, TlsOptions, Verify, Waiting,
};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{
    ClientProperties, EndPosition, FetchWay, KafkaConfig, OffsetsGroup, OnDataLoss, StartPosition,
};
use sluicegate_runtime::Bell;
use xtask::services::kafka::{PASSWORD, USER};

use crate::harness::sales::Sales;
use crate::harness::services::{SharedKafka, shared_kafka};
use crate::harness::topic::Topic;
use crate::harness::{eventually, seed};

/// In each of three partitions.
const RECORDS: i64 = 200;

fn file(name: &str) -> String {
    shared_kafka().folder.join(name).display().to_string()
}

/// The values of a topic, sorted.
fn values(topic: &str, brokers: &str, fetch: FetchWay, properties: &[(&str, &str)]) -> Vec<String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let config = KafkaConfig {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        start: StartPosition::Earliest,
        end: Some(EndPosition::Latest),
        on_data_loss: OnDataLoss::Halt,
        group: OffsetsGroup::Nobody,
        fetch,
        properties: ClientProperties(properties.iter().map(owned).collect()),
    };
    let (clock, bell) = (Clock::system(), Bell::default());
    let source = KafkaSource::connect(&config, "secured-fetch", clock, bell, 64 << 20);
    let mut source = source.unwrap();
    let positions = eventually("the topic's range is known", || source.genesis().unwrap());
    source.assign(&positions).unwrap();
    let wait = Duration::from_millis(100);
    let limits = PollLimits {
        records: 10_000,
        bytes: 1 << 20,
        wait,
        linger: Duration::ZERO,
        unseen_until: Duration::ZERO,
    };
    let mut values = Vec::new();
    eventually("every partition has ended", || {
        for block in source.poll(&limits).unwrap() {
            let value = |record| String::from_utf8(block.value(record).unwrap().to_vec()).unwrap();
            values.extend((0..block.len()).map(value));
        }
        assert_eq!(source.problem(), None);
        source.progress().iter().all(|progress| progress.ended).then_some(())
    });
    values.sort();
    values
}

#[test]
fn a_secured_broker_gives_both_ways_what_it_gives_others() {
    let SharedKafka { plain, secured, mutual, .. } = shared_kafka();
    let topic = Topic::create(plain, "secured", 3);
    Sales::new(seed(41), 3).send(&topic, RECORDS);
    let expected = values(&topic.name, plain, FetchWay::Direct, &[]);
    assert_eq!(i64::try_from(expected.len()), Ok(3 * RECORDS));
    let authority = file("authority.pem");
    let ca = ("ssl.ca.location", &*authority);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let properties = [
            ("security.protocol", "SASL_SSL"),
            ca,
            ("sasl.mechanism", mechanism),
            ("sasl.username", USER),
            ("sasl.password", PASSWORD),
        ];
        let found = values(&topic.name, secured, FetchWay::Direct, &properties);
        assert!(found == expected, "{mechanism}: {} records", found.len());
    }
    let (certificate, key) = (file("client.pem"), file("client-key.pem"));
    let properties = [
        ("security.protocol", "SSL"),
        ca,
        ("ssl.certificate.location", &*certificate),
        ("ssl.key.location", &*key),
    ];
    for way in [FetchWay::Direct, FetchWay::Librdkafka] {
        let found = values(&topic.name, mutual, way, &properties);
        assert!(found == expected, "by a certificate: {} records", found.len());
    }
}

fn tls(authority: Option<&str>, verify: Verify, is_known: bool) -> Tls {
    let pem = |name: &str| std::fs::read(file(name)).unwrap();
    let identity =
        is_known.then(|| Identity { certificate: pem("client.pem"), key: pem("client-key.pem") });
    Tls::new(&TlsOptions { authorities: authority.map(pem), identity, verify }).unwrap()
}

/// What a fetcher says that cannot reach a broker, or nothing if it reads.
fn trouble(brokers: &str, topic: &str, security: Security) -> Option<String> {
    let seconds = Duration::from_secs;
    let options = Options {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        topic_id: None,
        client_id: "secured-fetch".to_owned(),
        rack: String::new(),
        security,
        wait: Duration::from_millis(100),
        wait_in_silence: Duration::from_millis(100),
        min_bytes: 1,
        max_bytes: 1 << 20,
        partition_max_bytes: 1 << 20,
        largest_answer: 1 << 24,
        largest_batch: 1 << 24,
        queued_bytes: 1 << 24,
        connect_within: seconds(60),
        answer_within: seconds(60),
        pause: Duration::from_millis(50),
        pause_max: seconds(1),
    };
    let fetcher = Fetcher::start(options, || {}).unwrap();
    fetcher.add(0, 0, None);
    eventually("records come, or the reason why not", || {
        let has_come = fetcher.wait(Waiting::ANYTHING, Duration::from_millis(100));
        fetcher.trouble().map(Some).or(has_come.then_some(None))
    })
}

/// Each sentence names the broker, the matter, and the property that mends it.
#[test]
fn what_keeps_a_broker_from_being_used_is_said() {
    let SharedKafka { plain, secured, mutual, .. } = shared_kafka();
    let topic = Topic::create(plain, "refused", 1);
    Sales::new(seed(43), 1).send(&topic, 10);
    let sasl = |mechanism, password: &str| {
        let (username, password) = (USER.to_owned(), password.to_owned());
        Some(Sasl { mechanism, username, password })
    };
    let trusting = |verify| Some(tls(Some("authority.pem"), verify, false));
    let all = Verify::All;
    let plain_word = || sasl(Mechanism::Plain, PASSWORD);
    let by_name = format!("localhost:{}", secured.rsplit_once(':').unwrap().1);
    let said = |brokers: &str, tls, sasl| trouble(brokers, &topic.name, Security { tls, sasl });
    let found: BTreeMap<&str, Option<String>> = [
        ("a wrong password", said(secured, trusting(all), sasl(Mechanism::Plain, "wrong"))),
        ("a wrong one by SCRAM", said(secured, trusting(all), sasl(Mechanism::ScramSha512, "x"))),
        (
            "an unknown authority",
            said(secured, Some(tls(Some("stranger.pem"), all, false)), plain_word()),
        ),
        ("no name", said(secured, trusting(all), None)),
        ("another name", said(&by_name, trusting(all), plain_word())),
        ("no certificate", said(mutual, trusting(all), None)),
        ("no TLS there", said(plain, trusting(all), None)),
        ("no TLS here", said(secured, None, plain_word())),
    ]
    .into();
    let expected = [
        ("a wrong password", secured, "does not let `reader` in by PLAIN", "sasl.password"),
        ("a wrong one by SCRAM", secured, "in by SCRAM-SHA-512", "sasl.password"),
        ("an unknown authority", secured, "an authority that is unknown here", "ssl.ca.location"),
        ("another name", &by_name, "for another name", "ssl.endpoint.identification.algorithm"),
        ("no certificate", mutual, "refuses our certificate", "ssl.certificate.location"),
        ("no TLS there", plain, "before its first answer", "security.protocol`, which is SSL"),
        ("no TLS here", secured, "answers by TLS", "`, which is SASL_PLAINTEXT"),
    ];
    for (case, broker, matter, property) in expected {
        let words = found[case].as_deref().unwrap_or("records came");
        let is_said = [broker, matter, property].iter().all(|part| words.contains(*part));
        assert!(is_said, "{case}: {words}");
        assert!(!words.contains("wrong"), "{case} shows the password: {words}");
    }
    assert!(found["no name"].is_some(), "it let somebody in who has no name");
    // What is not checked keeps nobody out.
    let unchecked = Some(tls(Some("stranger.pem"), Verify::Nothing, false));
    assert_eq!(said(secured, unchecked, plain_word()), None);
    assert_eq!(said(&by_name, trusting(Verify::ButTheName), plain_word()), None);
}
