//! The broker and the S3 server that the tests share, started by whoever needs them first.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, mpsc};

use xtask::services::kafka::{BROKERS, Cluster, Led};
use xtask::services::{self, Kafka, Ministack};
use xtask::workspace::Workspace;

use super::wire::Wire;

/// The address of the shared broker. Each test makes topics of its own.
pub fn kafka() -> &'static str {
    &shared_kafka().plain
}

/// Where the shared broker is.
pub struct SharedKafka {
    /// `host:port` without TLS.
    pub plain: String,
    /// With TLS and passwords.
    pub secured: String,
    /// With TLS and certificates.
    pub mutual: String,
    /// Where its certificates are.
    pub folder: PathBuf,
}

/// The shared broker with all its listeners.
pub fn shared_kafka() -> &'static SharedKafka {
    static SHARED: OnceLock<SharedKafka> = OnceLock::new();
    SHARED.get_or_init(|| {
        kept(|folder| {
            let folder = folder.join("kafka");
            let kafka = with_kafka(|workspace| Kafka::start_secured(workspace, &folder));
            let (secured, mutual) = (kafka.secured(), kafka.mutual());
            (SharedKafka { plain: kafka.address(), secured, mutual, folder }, kafka)
        })
    })
}

/// The endpoint of the shared S3 server. Each test makes buckets of its own.
pub fn s3() -> &'static str {
    static ENDPOINT: OnceLock<String> = OnceLock::new();
    ENDPOINT.get_or_init(|| {
        kept(|folder| {
            let server = own_s3(&folder.join("s3"));
            (server.endpoint(), server)
        })
    })
}

/// A broker for one test that means to hurt it.
pub fn own_kafka(folder: &Path) -> Kafka {
    own_kafka_behind(folder, &[])
}

/// The same, behind wires.
pub fn own_kafka_behind(folder: &Path, wires: &[&Wire]) -> Kafka {
    let ports: Vec<_> = wires.iter().map(|wire| wire.port).collect();
    let kafka = with_kafka(|workspace| Kafka::start_behind(workspace, folder, &ports));
    for (number, wire) in wires.iter().enumerate() {
        wire.lead_to(kafka.behind(number));
    }
    kafka
}

/// A broker for one test that has its controller take it for dead.
pub fn led_kafka(folder: &Path) -> Led {
    with_kafka(|workspace| Led::start(workspace, folder))
}

/// Three brokers for one test that means to hurt them. Each set of `wires` leads to all of them.
pub fn own_cluster(folder: &Path, wires: &[[Wire; BROKERS]]) -> Cluster {
    let ports = std::array::from_fn(|broker| wires.iter().map(|set| set[broker].port).collect());
    let cluster = with_kafka(|workspace| Cluster::start(workspace, folder, &ports));
    for (number, set) in wires.iter().enumerate() {
        for (wire, broker) in set.iter().zip(&cluster.brokers) {
            wire.lead_to(broker.behind(number));
        }
    }
    cluster
}

/// An S3 server for one test that means to hurt it.
pub fn own_s3(folder: &Path) -> Ministack {
    let _one_fetches = fetching();
    services::ministack::fetch(&Workspace::here()).unwrap();
    Ministack::start(&Workspace::here(), folder).unwrap()
}

/// Python with readers of Delta tables that are not ours.
pub fn delta_readers() -> PathBuf {
    let _one_fetches = fetching();
    services::delta_readers::fetch(&Workspace::here()).unwrap();
    services::delta_readers::interpreter(&Workspace::here())
}

/// A compiled plugin, `cargo xtask plugins` made it.
pub fn plugin(name: &str) -> PathBuf {
    let path = Workspace::here().plugins().join(format!("{name}.wasm"));
    assert!(path.exists(), "`{}` is missing: cargo xtask plugins", path.display());
    path
}

/// What `start` makes of Kafka, once it has been fetched. One starts at a time.
fn with_kafka<K>(start: impl FnOnce(&Workspace) -> anyhow::Result<K>) -> K {
    let _one_starts = fetching();
    let workspace = Workspace::here();
    services::kafka::fetch(&workspace).unwrap();
    start(&workspace).unwrap()
}

fn fetching() -> MutexGuard<'static, ()> {
    static FETCHING: Mutex<()> = Mutex::new(());
    FETCHING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Starts a service on a thread that lives as long as the process, because a service dies with the thread that
/// started it, and the threads of tests end early.
fn kept<A: Send + 'static, S>(start: impl FnOnce(&Path) -> (A, S) + Send + 'static) -> A {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let (address, _service) = start(&folder());
        tell.send(address).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().expect("the service starts; see above why it did not")
}

/// A folder of this process. Nothing runs at the end of a process that is killed, so the folders of those that are
/// gone are removed by the next.
fn folder() -> PathBuf {
    let all = Workspace::here().target().join("e2e");
    let own = all.join(std::process::id().to_string());
    std::fs::create_dir_all(&own).unwrap();
    for entry in std::fs::read_dir(&all).unwrap() {
        let folder = entry.unwrap().path();
        let process = Path::new("/proc").join(folder.file_name().unwrap_or_default());
        if !process.exists() {
            // Another process may be removing it at this moment.
            let _gone_already = std::fs::remove_dir_all(&folder);
        }
    }
    own
}
