//! A line to a server that is thin, and breaks.
#![expect(
    clippy::disallowed_methods,
    reason = "a thin line takes its time by the clock of the machine"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How a line is.
#[derive(Clone, Copy)]
pub struct Quality {
    /// Both ways together, over all connections.
    pub bytes_per_second: u64,
    /// A connection breaks after so many bytes, both ways together.
    pub breaks_after: u64,
}

/// Ends with the process.
pub struct Line {
    pub endpoint: String,
    state: Arc<State>,
}

struct State {
    quality: Quality,
    /// When the line has passed on what was given to it.
    free: Mutex<Instant>,
    up: AtomicU64,
    broken: AtomicU64,
}

impl Line {
    /// A line to the server at an endpoint, `http://host:port`.
    pub fn to(endpoint: &str, quality: Quality) -> Self {
        let server = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            quality,
            free: Mutex::new(Instant::now()),
            up: AtomicU64::new(0),
            broken: AtomicU64::new(0),
        });
        let own = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(&server).unwrap();
                let passed = Arc::new(AtomicU64::new(0));
                let ways = [(&client, &server, true), (&server, &client, false)];
                for (from, to, is_up) in ways {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (state, passed) = (Arc::clone(&own), Arc::clone(&passed));
                    std::thread::spawn(move || state.pass(from, to, is_up, &passed));
                }
            }
        });
        Self { endpoint, state }
    }

    /// Bytes that clients have sent.
    pub fn up(&self) -> u64 {
        self.state.up.load(Ordering::Relaxed)
    }

    /// Connections that broke.
    pub fn broken(&self) -> u64 {
        self.state.broken.load(Ordering::Relaxed)
    }
}

impl State {
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, is_up: bool, passed: &AtomicU64) {
        let mut bytes = vec![0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            self.wait_for(read as u64);
            if is_up {
                self.up.fetch_add(read as u64, Ordering::Relaxed);
            }
            let before = passed.fetch_add(read as u64, Ordering::Relaxed);
            if before + read as u64 > self.quality.breaks_after {
                self.broken.fetch_add(1, Ordering::Relaxed);
                break;
            }
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        for end in [from, to] {
            // It may have ended by itself.
            drop(end.shutdown(Shutdown::Both));
        }
    }

    /// Until the line has taken so many bytes more.
    fn wait_for(&self, bytes: u64) {
        let takes = Duration::from_secs_f64(bytes as f64 / self.quality.bytes_per_second as f64);
        let mut free = self.free.lock().unwrap();
        *free = (*free).max(Instant::now()) + takes;
        let until = *free;
        drop(free);
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}
