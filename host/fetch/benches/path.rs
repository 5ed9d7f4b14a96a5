//! What fetching costs from the socket to the columns: CPU time of a record, of the broker's thread and of who reads.
//!
//! The broker is a thread of this process that sends batches which were made before; its time is left out. Linux only: CPU time
//! of threads stands in `/proc`.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails shows the line")]
#![expect(clippy::disallowed_methods, reason = "it waits for threads that nobody joins")]

#[path = "../src/batch/tests/writer.rs"]
#[expect(dead_code, reason = "tests write more kinds of batches")]
mod writer;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::time::Duration;

use sluicegate_fetch::{Fetcher, Options, Security, Waiting};
use writer::{Batch, Written};

/// As the demo's producer sends them: 16 KiB of records in a batch.
const OF_BATCH: i64 = 240;
/// About a megabyte of them: what a partition may have of an answer.
const BATCHES: i64 = 60;
const RECORDS: i64 = 6_000_000;
const ROUNDS: usize = 3;

const COMPRESSIONS: [(&str, i16); 5] =
    [("none", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)];

fn record(offset: i64) -> Written {
    let mixed = offset.wrapping_mul(6_364_136_223_846_793_005) >> 33;
    let (store, cents) = (mixed.rem_euclid(200), mixed.rem_euclid(99_999));
    let value = format!(
        "{{\"store\":\"store-{store:03}\",\"item\":\"item-{:04}\",\"price\":{cents:05},\"ts\":{}}}",
        mixed.rem_euclid(5_000),
        1_700_000_000 + offset / 20
    );
    Written::new(offset, value.as_bytes())
}

/// Answers each question of one client. The log has the same batches again and again, at the offsets that follow.
struct Broker {
    port: u16,
    batches: Vec<Vec<u8>>,
}

impl Broker {
    fn start(compression: i16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let records: Vec<_> = (0..OF_BATCH * BATCHES).map(record).collect();
        let of_batch = usize::try_from(OF_BATCH).unwrap();
        let batch = |part: &[Written]| Batch::of(part.to_vec()).by(-1, compression).bytes();
        let batches = records.chunks(of_batch).map(batch).collect();
        let broker = Self { port, batches };
        std::thread::Builder::new()
            .name("broker".to_owned())
            .spawn(move || {
                std::thread::scope(|scope| {
                    for stream in listener.incoming() {
                        let broker = &broker;
                        let serve = move || broker.serve(stream.unwrap());
                        let _ = std::thread::Builder::new()
                            .name("broker".to_owned())
                            .spawn_scoped(scope, serve);
                    }
                });
            })
            .unwrap();
        port
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut length = [0; 4];
        while stream.read_exact(&mut length).is_ok() {
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).unwrap();
            let answer = self.answer(&request);
            let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
            if stream.write_all(&length).and_then(|()| stream.write_all(&answer)).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut answer = request[4..8].to_vec();
        match request[1] {
            18 => answer.extend([0, 0, 0, 0, 0, 2, 0, 1, 0, 4, 0, 17, 0, 3, 0, 0, 0, 13]),
            3 => {
                answer.extend([0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 10]);
                answer.extend(b"127.0.0.1");
                answer.extend(u32::from(self.port).to_be_bytes());
                answer.extend([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 6]);
                answer.extend(b"sales");
                answer.extend([7; 16]);
                answer.extend([0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0]);
                answer.extend([0, 0, 0, 0, 0, 0]);
            }
            _ => self.fetch(request, &mut answer),
        }
        answer
    }

    fn fetch(&self, request: &[u8], answer: &mut Vec<u8>) {
        // Behind the head, seven numbers, the topic, and what stands before the offset.
        let client = usize::from(request[9]);
        let at = 10 + client + 1 + 25 + 1 + 16 + 1 + 8;
        let offset = i64::from_be_bytes(request[at..at + 8].try_into().unwrap());
        answer.extend([0; 11]);
        answer.push(2);
        answer.extend([7; 16]);
        answer.extend([2, 0, 0, 0, 0, 0, 0]);
        [i64::MAX, i64::MAX, 0].into_iter().for_each(|end| answer.extend(end.to_be_bytes()));
        answer.push(0);
        answer.extend((-1_i32).to_be_bytes());
        let mut length = self.batches.iter().map(Vec::len).sum::<usize>() + 1;
        while length >= 0x80 {
            answer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        answer.push(length as u8);
        for (base, batch) in
            (offset..).step_by(usize::try_from(OF_BATCH).unwrap()).zip(&self.batches)
        {
            answer.extend(base.to_be_bytes());
            answer.extend(&batch[8..]);
        }
        answer.extend([0, 0, 0]);
    }
}

/// Nanoseconds of CPU time by the names of threads that live.
fn cpu(is_wanted: impl Fn(&str) -> bool) -> f64 {
    let mut nanos = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        if is_wanted(name.trim()) {
            let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            nanos += stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0.0);
        }
    }
    nanos
}

fn options(port: u16) -> Options {
    Options {
        brokers: format!("127.0.0.1:{port}"),
        topic: "sales".to_owned(),
        topic_id: Some("BwcHBwcHBwcHBwcHBwcHBw".to_owned()),
        client_id: "bench".to_owned(),
        rack: String::new(),
        security: Security::default(),
        wait: Duration::from_millis(500),
        wait_in_silence: Duration::from_millis(500),
        min_bytes: 1,
        max_bytes: 50 << 20,
        partition_max_bytes: 1 << 20,
        largest_answer: 100_000_000,
        largest_batch: 100_000_000,
        queued_bytes: 64 << 20,
        connect_within: Duration::from_secs(30),
        answer_within: Duration::from_secs(60),
        pause: Duration::from_millis(100),
        pause_max: Duration::from_secs(2),
    }
}

/// Nanoseconds a record: of the thread that fetches, and of this one, which copies into columns.
fn fetch(port: u16) -> (f64, f64) {
    let fetcher = Fetcher::start(options(port), || {}).unwrap();
    let before = cpu(|name| name == "path");
    fetcher.add(0, 0, None);
    let (mut next, mut values, mut ends, mut offsets) = (0, Vec::new(), Vec::new(), Vec::new());
    while next < RECORDS {
        fetcher.wait(Waiting::ANYTHING, Duration::from_secs(60));
        let arrival = fetcher.take().unwrap();
        let mut walk = arrival.fetched.unwrap().walk(next);
        walk.walk(|record| {
            values.extend_from_slice(record.value.unwrap_or_default());
            ends.push(u32::try_from(values.len()).unwrap());
            offsets.push((record.offset, record.timestamp));
            ControlFlow::Continue(())
        })
        .unwrap();
        next = walk.next_offset();
        if offsets.len() > 8_000 {
            values.clear();
            ends.clear();
            offsets.clear();
        }
    }
    let read = cpu(|name| name == "path") - before;
    let fetched = cpu(|name| name.contains("kafka"));
    drop(fetcher);
    while cpu(|name| name.contains("kafka")) > 0.0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let count = next as f64;
    (fetched / count, read / count)
}

fn main() {
    let names: Vec<_> = std::env::args().skip(1).collect();
    // This thread has the name of the program, which ends in a number.
    std::fs::write("/proc/self/comm", "path").unwrap();
    for (name, compression) in COMPRESSIONS {
        if !(names.is_empty() || names.iter().any(|one| one == name || one == "--bench")) {
            continue;
        }
        let port = Broker::start(compression);
        for _ in 0..ROUNDS {
            let (fetched, read) = fetch(port);
            println!(
                "{name:>6}: {:5.1} ns/record: fetching {fetched:5.1}, walking into columns {read:5.1}",
                fetched + read
            );
        }
    }
}
