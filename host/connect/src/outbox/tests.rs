//! The lines of an outbox.

use std::path::Path;

use proptest::prelude::*;
use rdkafka::mocking::MockCluster;

use super::*;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::SinkKind;
use sluicegate_pipeline::file::parse;
use sluicegate_runtime::Bell;

#[test]
fn a_message_is_read_back_and_nothing_else_is() {
    let with_key = Message {
        sink: "revenue",
        partition: 17,
        key: Some(br#"{"store":"a\tb"}"#),
        value: br#"{"total":"1.50"}"#,
    };
    let without = Message { key: None, partition: 0, ..with_key };
    let mut text = Vec::new();
    with_key.write(&mut text);
    without.write(&mut text);
    assert_eq!(messages(&text), Ok(vec![with_key, without]));
    assert_eq!(messages(b""), Ok(vec![]));
    let broken: [&[u8]; 5] = [
        b"revenue\t1\t{}\t{}",
        b"revenue\tone\t{}\t{}\n",
        b"revenue\t1\t{}\n",
        b"revenue\t1\t{}\t{}\t{}\n",
        b"\xff\t1\t{}\t{}\n",
    ];
    for line in broken {
        let text = [b"revenue\t1\t{}\t{}\n", line].concat();
        assert_eq!(messages(&text), Err(1), "{}", line.escape_ascii());
    }
}

/// Over an embedded broker: a real courier, with what no version of the program writes.
#[test]
fn an_outbox_that_cannot_be_read_is_shown_and_neither_sent_nor_passed_over() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("out", 1, 1).unwrap();
    let text = include_str!("../../../../deploy/pipelines/sales-topics.toml");
    let mut pipeline = parse(text, Path::new("sales.toml"), &BTreeMap::new()).unwrap();
    pipeline.sinks.retain(|sink| matches!(sink.kind, SinkKind::Kafka(_)));
    pipeline.sinks.truncate(1);
    let SinkKind::Kafka(kafka) = &mut pipeline.sinks[0].kind else {
        unreachable!("the others are gone")
    };
    (kafka.brokers, kafka.topic) = (cluster.bootstrap_servers(), "out".to_owned());
    let clock = Clock::system();
    let (mut courier, _) =
        Publisher::open(&pipeline, clock.clone(), Bell::default(), Arc::default(), &|| false)
            .unwrap()
            .unwrap();
    let text = Bytes::from_static(b"revenue\t0\t{}\t{}\nnonsense\n");
    courier.submit(Outgoing { chain: Arc::from("c"), epoch: Epoch(7), text });
    let problem = loop {
        assert!(!courier.wait(Duration::from_millis(5)), "it is not delivered");
        if let Some(problem) = courier.problem() {
            break problem;
        }
        assert!(clock.monotonic() < Duration::from_secs(60), "nobody says why");
    };
    assert!(problem.contains("line 2 of the outbox of epoch 7 is not a message"), "{problem}");
    assert!(problem.contains("reset FILE --outbox"), "{problem}");
    assert!(courier.in_flight());
}

proptest! {
    #[test]
    fn an_outbox_of_any_bytes_is_messages_or_has_a_line_that_is_none(
        bytes in prop::collection::vec(prop::sample::select(&b"\t\n0a{}\xff"[..]), 0..40),
    ) {
        if let Ok(messages) = messages(&bytes) {
            let mut again = Vec::new();
            messages.iter().for_each(|message| message.write(&mut again));
            prop_assert_eq!(messages.len(), again.iter().filter(|byte| **byte == b'\n').count());
        }
    }
}
