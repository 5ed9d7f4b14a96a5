//! A wire between hosts and a broker, which a test hurts: what comes back is cut, comes late, or never.
//!
//! Clients go where a broker says that it is, so the broker says that it is here ([`Kafka::start_behind`]).
//!
//! [`Kafka::start_behind`]: xtask::services::Kafka::start_behind
#![expect(
    clippy::disallowed_methods,
    reason = "what is delayed takes its time by the clock of the machine"
)]

pub mod garble;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use garble::Garble;

/// How soon a connection notices that the wire is in another state.
const NOTICED: Duration = Duration::from_millis(20);

/// Of a wire that cuts, a connection ends after so many bytes from the broker: within a length, a head, and records.
const CUT_AFTER: [usize; 5] = [2, 60, 700, 5_000, 40_000];

/// How a wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ill {
    /// It passes everything on.
    Well,
    /// Connections end in the middle of an answer.
    Cut,
    /// Answers come so much later.
    Slow(Duration),
    /// Connections stand, and nothing passes until the wire is in another state.
    Silent,
    /// Connections end, and new ones end at once.
    Refused,
    /// Batches that are marked arrive so, at most so many.
    Garbled(Garble, u64),
}

impl fmt::Display for Ill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => write!(f, "everything passes"),
            Self::Cut => write!(f, "connections end in the middle of an answer"),
            Self::Slow(by) => write!(f, "answers come {by:.1?} later"),
            Self::Silent => write!(f, "nothing passes, and no connection ends"),
            Self::Refused => write!(f, "no connection stands"),
            Self::Garbled(garble, _) => write!(f, "{garble}"),
        }
    }
}

/// Ends with the process.
pub struct Wire {
    /// Where clients find it on the loopback address.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    broker: OnceLock<String>,
    ill: Mutex<Ill>,
    /// How often something was hurt so, and under [`Ill::Well`] how many connections were made.
    counts: Mutex<BTreeMap<Ill, u64>>,
}

impl Wire {
    /// A wire that leads nowhere yet.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            broker: OnceLock::new(),
            ill: Mutex::new(Ill::Well),
            counts: Mutex::default(),
        });
        let own = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                own.connect(&client.unwrap());
            }
        });
        Self { port, state }
    }

    /// `host:port` for `source.kafka.brokers`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// It leads to that listener of the broker.
    pub fn lead_to(&self, address: String) {
        self.state.broker.set(address).expect("a wire leads to one listener");
    }

    /// From now on it is so.
    pub fn be(&self, ill: Ill) {
        *self.state.ill.lock().unwrap() = ill;
    }

    /// How many connections were made through it.
    pub fn connections(&self) -> u64 {
        self.count(Ill::Well)
    }

    /// How often an answer was cut or delayed, something was kept, or a connection was refused.
    pub fn count(&self, ill: Ill) -> u64 {
        self.state.counted(ill)
    }

    /// The same over all whom `of` picks.
    pub fn count_of(&self, of: impl Fn(&Ill) -> bool) -> u64 {
        let counts = self.state.counts.lock().unwrap();
        counts.iter().filter(|(ill, _)| of(ill)).map(|(_, count)| count).sum()
    }
}

impl State {
    fn ill(&self) -> Ill {
        *self.ill.lock().unwrap()
    }

    fn counted(&self, ill: Ill) -> u64 {
        self.counts.lock().unwrap().get(&ill).copied().unwrap_or_default()
    }

    /// Counts it; how many there were before.
    fn count(&self, ill: Ill) -> u64 {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(ill).or_default();
        *count += 1;
        *count - 1
    }

    fn connect(self: &Arc<Self>, client: &TcpStream) {
        if self.ill() == Ill::Refused {
            self.count(Ill::Refused);
            return;
        }
        // A broker that is away refuses, so the client's connection ends.
        let Some(Ok(broker)) = self.broker.get().map(TcpStream::connect) else { return };
        let number = self.count(Ill::Well);
        let after = CUT_AFTER[usize::try_from(number).unwrap() % CUT_AFTER.len()];
        for (from, to, cut) in [(client, &broker, None), (&broker, client, Some(after))] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let own = Arc::clone(self);
            std::thread::spawn(move || {
                own.pass(&from, &to, cut);
                for end in [from, to] {
                    // It may have ended by itself.
                    drop(end.shutdown(Shutdown::Both));
                }
            });
        }
    }

    /// Until the connection ends. `cut`: after how many bytes from the broker a wire that cuts ends it; none: the other way.
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream, mut cut: Option<usize>) {
        from.set_read_timeout(Some(NOTICED)).unwrap();
        let mut bytes = vec![0; 1 << 20];
        loop {
            let read = match from.read(&mut bytes) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    0
                }
                Err(_) => return,
            };
            let (ill, is_answer) = (self.ill(), cut.is_some());
            match ill {
                Ill::Refused => return,
                Ill::Slow(by) if is_answer && read > 0 => {
                    self.count(ill);
                    std::thread::sleep(by);
                }
                Ill::Silent if read > 0 => {
                    self.count(ill);
                    while self.ill() == ill {
                        std::thread::sleep(NOTICED);
                    }
                }
                Ill::Cut => {
                    if let Some(left) = cut.filter(|left| *left < read) {
                        self.count(ill);
                        // Whoever has gone does not miss it.
                        drop(to.write_all(&bytes[..left]));
                        return;
                    }
                    cut = cut.map(|left| left - read);
                }
                Ill::Garbled(garble, most)
                    if is_answer && self.counted(ill) < most && garble.hurt(&mut bytes[..read]) =>
                {
                    self.count(ill);
                }
                _ => {}
            }
            if to.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
    }
}
