//! Writes events as lines of a file.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::event::{Event, TimeUnit};

/// Large enough that a write costs little per line, small enough to stay in the cache.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes a line per event until there is none or `stop` is set, and says after each buffer how many there are.
/// Returns how many there are in the end. The last buffer is written and flushed in any case.
///
/// # Errors
/// What `out` said.
pub fn write(
    events: impl Iterator<Item = impl Event>,
    unit: TimeUnit,
    out: &mut impl Write,
    stop: &AtomicBool,
    mut progress: impl FnMut(u64),
) -> io::Result<u64> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + 1_024);
    let mut written = 0;
    for event in events {
        event.write_value(unit, &mut buffer);
        buffer.push(b'\n');
        written += 1;
        if buffer.len() >= BUFFER_BYTES {
            out.write_all(&buffer)?;
            buffer.clear();
            progress(written);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    out.write_all(&buffer)?;
    out.flush()?;
    progress(written);
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::write;
    use crate::event::TimeUnit;
    use crate::sales::{Sales, SalesSettings};

    #[test]
    fn each_sale_is_a_line_and_the_same_ones_make_the_same_bytes() {
        let file = || {
            let mut out = Vec::new();
            let sales = Sales::new(SalesSettings::default()).take(10_000);
            let written =
                write(sales, TimeUnit::Seconds, &mut out, &AtomicBool::new(false), |_| ());
            assert_eq!(written.unwrap(), 10_000);
            out
        };
        assert_eq!(file().iter().filter(|byte| **byte == b'\n').count(), 10_000);
        assert_eq!(file(), file());
    }

    #[test]
    fn asked_to_stop_it_ends_with_a_whole_line() {
        let stop = AtomicBool::new(false);
        let mut out = Vec::new();
        let sales = Sales::new(SalesSettings::default());
        let written = write(sales, TimeUnit::Seconds, &mut out, &stop, |_| {
            stop.store(true, Ordering::Relaxed)
        });
        assert!(written.unwrap() > 0);
        assert_eq!(out.last(), Some(&b'\n'));
    }
}
