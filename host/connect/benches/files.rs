//! What it costs to hand on the lines of files, against reading the same bytes into one buffer and counting their lines.
//!
//! Whoever polls works on what it gets, as a lane does, so that readers are ahead of it and wait for it. Its work is not
//! counted; the CPU time of all other threads is. Figures of a shared machine mean little by themselves: both are
//! measured in turns in one run, and the median of their ratios is what can be compared.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails shows the line")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use sluicegate_connect::source::files::FilesSource;
use sluicegate_connect::source::{PollLimits, RecordBlock, Source};
use sluicegate_model::time::{Clock, thread_cpu_nanos};
use sluicegate_pipeline::{FileOrder, FilesConfig};
use sluicegate_runtime::Bell;
use sluicegate_store::StoreOptions;
use tokio::runtime::{Builder, Runtime};

/// The allocator of the host: what it keeps of freed memory decides what the next buffer costs.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const FILES: u64 = 3;
const RECORDS: u64 = 2_000_000;
const ROUNDS: usize = 9;

/// As a pipeline has them if it says nothing.
const LIMITS: PollLimits = PollLimits {
    records: 65_536,
    bytes: 16 << 20,
    wait: Duration::from_secs(1),
    linger: Duration::from_millis(5),
    unseen_until: Duration::ZERO,
};

/// What the work on a record takes at least, about as much as its decoding.
const WORK_NANOS: u64 = 150;

fn write_sales(folder: &Path, ending: &str, pack: impl Fn(&[u8]) -> Vec<u8>) {
    for file in 0..FILES {
        let mut lines = Vec::new();
        for record in (file..RECORDS).step_by(FILES as usize) {
            let mixed = record.wrapping_mul(6_364_136_223_846_793_005) >> 33;
            let (store, item, cents) = (mixed % 200, mixed % 1_000, mixed % 99_999);
            let ts = 1_700_000_000 + record / 1_000;
            let sale = format!(
                "{{\"store\":\"store-{store}\",\"item\":\"item-{item}\",\"price\":{cents},\"ts\":{ts}}}\n"
            );
            lines.extend_from_slice(sale.as_bytes());
        }
        fs::write(folder.join(format!("{file}.ndjson{ending}")), pack(&lines)).unwrap();
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn process_cpu_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Looks at each record, and takes its time.
fn work(block: &RecordBlock) {
    let until = thread_cpu_nanos() + WORK_NANOS * block.len() as u64;
    for value in block.values.iter() {
        black_box(value.iter().fold(0_u64, |sum, byte| sum + u64::from(*byte)));
    }
    while thread_cpu_nanos() < until {
        std::hint::spin_loop();
    }
}

/// Reads all by the source; CPU time but for the work, and how many records there were.
fn by_source(folder: &Path, runtime: &Runtime) -> (u64, u64) {
    let path = folder.to_str().unwrap().to_owned();
    let config = FilesConfig {
        name: path.clone(),
        path,
        watch: None,
        order: FileOrder::Parallel,
        finish_after: Duration::from_secs(3_600),
    };
    let handle = runtime.handle().clone();
    let (stores, bell) = (StoreOptions::default(), Bell::default());
    let mut source = FilesSource::open(&config, &stores, handle, Clock::system(), bell).unwrap();
    let positions = std::iter::repeat_with(|| source.genesis().unwrap()).flatten().next().unwrap();
    source.assign(&positions).unwrap();
    let (started, mut worked, mut records) = (process_cpu_nanos(), 0, 0);
    while !source.progress().iter().all(|one| one.ended) {
        let blocks = source.poll(&LIMITS).unwrap();
        let before = thread_cpu_nanos();
        for block in &blocks {
            work(block);
            records += block.len() as u64;
        }
        worked += thread_cpu_nanos() - before;
    }
    (process_cpu_nanos() - started - worked, records)
}

/// Reads all into one buffer, unpacked, and counts line ends.
fn bare(folder: &Path, open: impl Fn(File) -> Box<dyn Read>) -> (u64, u64) {
    let mut buffer = vec![0; 1 << 20];
    let (started, mut records) = (thread_cpu_nanos(), 0);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        let mut from = open(File::open(file).unwrap());
        loop {
            let read = from.read(&mut buffer).unwrap();
            if read == 0 {
                break;
            }
            records += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64;
        }
    }
    (thread_cpu_nanos() - started, records)
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn main() -> io::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let measure = |name: &str, folder: &Path, open: &dyn Fn(File) -> Box<dyn Read>| {
        let (mut bares, mut sources, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (floor, counted) = bare(folder, open);
            let (source, records) = by_source(folder, &runtime);
            assert_eq!((counted, records), (RECORDS, RECORDS));
            bares.push(floor as f64 / RECORDS as f64);
            sources.push(source as f64 / RECORDS as f64);
            ratios.push(source as f64 / floor as f64);
        }
        println!(
            "{name:>6}: {:5.1} ns/record, {:.2} × reading and counting ({:.1})",
            median(sources),
            median(ratios),
            median(bares)
        );
    };
    let plain = tempfile::tempdir()?;
    write_sales(plain.path(), "", <[u8]>::to_vec);
    measure("plain", plain.path(), &|file| Box::new(file));
    let packed = tempfile::tempdir()?;
    write_sales(packed.path(), ".gz", gzip);
    measure("gzip", packed.path(), &|file| Box::new(flate2::read::MultiGzDecoder::new(file)));
    Ok(())
}
