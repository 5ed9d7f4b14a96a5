//! The wire to the broker cuts answers in their middle, is slow, refuses, or is silent: the host says so, goes on when it is
//! well, and no record is missing or comes twice, in both ways of reading.

use std::time::Duration;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka_at};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::wire::{Ill, Wire};
use crate::harness::{eventually, seed, services};
use crate::kafka_to_parquet::assert_answer;

/// The default, which fetches directly here, and the other one.
const WAYS: [&str; 2] = ["librdkafka", "auto"];

/// A host that reads through a wire of its own.
struct Reader {
    way: &'static str,
    wire: Wire,
    place: Place,
    host: Host,
}

/// A connection that says nothing is given up after two seconds.
const PROPERTIES: &str = "properties = { \"socket.timeout.ms\" = \"2000\" }\n";

#[test]
fn a_wire_to_the_broker_that_is_hurt_costs_nothing_but_time() {
    let folder = tempfile::tempdir().unwrap();
    let wires = WAYS.map(|_| Wire::new());
    let broker = services::own_kafka_behind(folder.path(), &wires.each_ref());
    let topic = Topic::create(&broker.address(), "wire", 2);
    let mut sales = Sales::new(seed(43), 2);
    sales.send(&topic, 500);
    let readers: Vec<_> =
        WAYS.into_iter().zip(wires).map(|(way, wire)| start(way, wire, &topic)).collect();
    for (ill, times) in [
        (Ill::Cut, 12),
        (Ill::Slow(Duration::from_millis(200)), 8),
        (Ill::Refused, 5),
        (Ill::Silent, 1),
    ] {
        hurt(&readers, ill, times, || sales.send(&topic, 100));
        // It is well again, and all was read.
        sales.send(&topic, 100);
        let records = topic.read_back();
        readers.iter().for_each(|reader| wait_for_the_end(&reader.place, &topic, &records));
    }
    sales.close(&topic);
    let records = topic.read_back();
    for Reader { way, place, host, .. } in readers {
        wait_for_the_end(&place, &topic, &records);
        println!("{way}:");
        let by = if way == "auto" { "direct" } else { way };
        assert_eq!(host.get("/v1/pipelines/sales")["fetch"]["by"], by);
        host.stop();
        assert_answer(&place, &Rules::sales().judge(&records));
    }
}

fn start(way: &'static str, wire: Wire, topic: &Topic) -> Reader {
    let place = Place::local();
    let more = format!("fetch = \"{way}\"\n{PROPERTIES}");
    let source = kafka_at(&wire.address(), &topic.name, &more);
    let host = Host::serve(&place, &Pipeline::sales(source).write(&place));
    wait_for_the_end(&place, topic, &topic.read_back());
    Reader { way, wire, place, host }
}

/// All wires are ill until each has hurt so often. A silent one stays so until somebody has given a connection up.
fn hurt(readers: &[Reader], ill: Ill, times: u64, mut send: impl FnMut()) {
    let before: Vec<_> = readers.iter().map(|reader| reader.wire.connections()).collect();
    readers.iter().for_each(|reader| reader.wire.be(ill));
    for (Reader { way, wire, host, .. }, before) in readers.iter().zip(before) {
        eventually(&format!("{way}: {ill}"), || {
            send();
            let is_given_up = ill != Ill::Silent || wire.connections() > before;
            (wire.count(ill) >= times && is_given_up).then_some(())
        });
        if matches!(ill, Ill::Refused | Ill::Silent) {
            let problem = eventually(&format!("{way} tells: {ill}"), || {
                host.get("/v1/pipelines/sales")["problem"].as_str().map(str::to_owned)
            });
            println!("{way}, {ill}: {problem}");
            assert!(problem.contains(&wire.address()), "{problem}");
        }
    }
    readers.iter().for_each(|reader| reader.wire.be(Ill::Well));
}
