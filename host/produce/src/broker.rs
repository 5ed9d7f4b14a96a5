//! A Kafka-protocol broker for trying things out, without anything to install.
//!
//! It is librdkafka's mock cluster, not Apache Kafka: it speaks the real protocol over TCP, keeps everything in memory,
//! and of each partition only about the last 5 MB or 100,000 records. It chooses its port itself; a port of one's own is a
//! door in front of it, at which clients are told the other.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// `NAME:PARTITIONS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// The topic.
    pub name: String,
    /// How many partitions it has: 1 to [`TopicSpec::PARTITIONS_MAX`].
    pub partitions: i32,
}

impl TopicSpec {
    /// At up to 5 MB a partition this is 1.3 GB of memory; who needs more needs a real broker.
    pub const PARTITIONS_MAX: i32 = 256;
}

impl FromStr for TopicSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, partitions) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("`{text}` has no number of partitions; write `{text}:3`"))?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 249 || !name.chars().all(allowed) {
            return Err(format!(
                "`{name}` is not a topic name; 1 to 249 letters, digits, dots, dashes and underscores"
            ));
        }
        match partitions.parse() {
            Ok(partitions @ 1..=Self::PARTITIONS_MAX) => {
                Ok(Self { name: name.to_owned(), partitions })
            }
            _ => Err(format!(
                "`{partitions}` is not a number of partitions; 1 to {}",
                Self::PARTITIONS_MAX
            )),
        }
    }
}

/// The broker. Dropping it closes all connections.
pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Broker {
    /// With these topics, at a port that it chooses.
    ///
    /// # Errors
    /// librdkafka refuses a topic, or the system a port.
    pub fn start(topics: &[TopicSpec]) -> Result<Self> {
        let cluster = MockCluster::new(1).context("start the embedded broker")?;
        for topic in topics {
            cluster
                .create_topic(&topic.name, topic.partitions, 1)
                .with_context(|| format!("create topic `{}`", topic.name))?;
        }
        Ok(Self { cluster })
    }

    /// What clients are told: `127.0.0.1:40123`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// A port of one's own before the broker. What comes in is handed on; the broker's answer names its own port, to which
/// clients turn for all that follows.
pub struct Door {
    listener: TcpListener,
    broker: String,
}

impl Door {
    /// Connections at once; each client needs one for a moment.
    const CONNECTIONS_MAX: usize = 256;

    /// At that port of 127.0.0.1; 0 is any that is free.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn open(port: u16, broker: String) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| {
            format!("take port {port} of 127.0.0.1: leave --port out for a port that is free")
        })?;
        Ok(Self { listener, broker })
    }

    /// Where it is.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().context("ask for the port of the door")
    }

    /// Lets clients in for ever.
    pub async fn serve(&self) -> std::convert::Infallible {
        let room = Arc::new(Semaphore::new(Self::CONNECTIONS_MAX));
        loop {
            let place = Arc::clone(&room).acquire_owned().await.expect("it is never closed");
            // A client that left before it was let in.
            let Ok((mut client, _)) = self.listener.accept().await else { continue };
            let broker = self.broker.clone();
            tokio::spawn(async move {
                let _place = place;
                if let Ok(mut inside) = TcpStream::connect(broker).await {
                    // However it ends, both sides see it.
                    let _ = copy_bidirectional(&mut client, &mut inside).await;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::config::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::mocking::MockCluster;

    use super::{Door, TopicSpec};

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_comes_to_the_door_is_led_to_the_broker() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("sales", 3, 1).unwrap();
        let inside = cluster.bootstrap_servers();
        let door = Door::open(0, inside.clone()).await.unwrap();
        let address = door.address().unwrap().to_string();
        assert_ne!(address, inside);
        let taken = Door::open(door.address().unwrap().port(), inside.clone()).await;
        assert!(taken.err().unwrap().to_string().contains("leave --port out"));
        tokio::spawn(async move { door.serve().await });
        let asked = tokio::task::spawn_blocking(move || {
            let client: BaseConsumer =
                ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
            let metadata = client.fetch_metadata(Some("sales"), Duration::from_secs(60)).unwrap();
            let broker = &metadata.brokers()[0];
            (
                format!("{}:{}", broker.host(), broker.port()),
                metadata.topics()[0].partitions().len(),
            )
        });
        assert_eq!(asked.await.unwrap(), (inside, 3));
    }

    #[test]
    fn a_topic_has_a_name_and_a_number_of_partitions() {
        let topic: TopicSpec = "sales:3".parse().unwrap();
        assert_eq!(topic, TopicSpec { name: "sales".to_owned(), partitions: 3 });
        assert!("eu.sales-raw_1:256".parse::<TopicSpec>().is_ok());
    }

    #[test]
    fn what_is_no_topic_is_refused_with_what_would_be_one() {
        let refusal = |text: &str| text.parse::<TopicSpec>().unwrap_err();
        assert_eq!(refusal("sales"), "`sales` has no number of partitions; write `sales:3`");
        assert_eq!(refusal("sales:0"), "`0` is not a number of partitions; 1 to 256");
        assert_eq!(refusal("sales:257"), "`257` is not a number of partitions; 1 to 256");
        assert_eq!(
            refusal("s/les:1"),
            "`s/les` is not a topic name; 1 to 249 letters, digits, dots, dashes and underscores"
        );
    }
}
