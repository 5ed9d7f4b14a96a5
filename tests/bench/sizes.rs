//! The main job over records of several sizes, and over several numbers of keys.

use std::path::{Path, PathBuf};

use anyhow::Result;
use sluicegate_produce::event::{Event, TimeUnit};
use sluicegate_produce::sales::{Sale, Sales, SalesSettings};
use sluicegate_produce::stream::StreamSettings;

use crate::child;
use crate::events::{self, From, TUMBLING};
use crate::job::Job;
use crate::plan::{Sizes, say, text};
use crate::references::Reference;
use crate::report::{Figures, Unit, median};
use crate::turns::{Entrant, Turns};

/// Bytes of a record, about: a sale alone has some 70.
const RECORD_BYTES: [usize; 3] = [70, 300, 1_000];

/// Stores by name of the figure. Each is a key, and the others are compared with those of the main job.
const KEYS: [(&str, u32); 4] =
    [("1", 1), (USUAL_KEYS, 200), ("1m", 1_000_000), ("10m", 10_000_000)];

/// See [`KEYS`].
const USUAL_KEYS: &str = "200";

/// All sales lie in so many windows of 30 s, so that each has many keys.
const WINDOWS: usize = 4;

/// A sale with fields behind it that no pipeline reads.
struct Padded {
    sale: Sale,
    /// Of the whole value, about.
    bytes: usize,
}

/// As a field of a larger event would be.
const FIELD: &str = r#"the quick brown fox jumps"#;

impl Event for Padded {
    fn write_key(&self, out: &mut Vec<u8>) {
        self.sale.write_key(out);
    }

    fn write_value(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        let begin = out.len();
        self.sale.write_value(unit, out);
        for number in 0.. {
            if out.len() - begin + FIELD.len() > self.bytes {
                break;
            }
            out.truncate(out.len() - 1);
            out.extend_from_slice(format!(",\"detail_{number}\":\"{FIELD}\"}}").as_bytes());
        }
    }
}

/// Both.
pub(crate) fn measure(sizes: &Sizes, folder: &Path, figures: &mut Figures) -> Result<()> {
    RECORD_BYTES.into_iter().try_for_each(|bytes| records(sizes, folder, bytes, figures))?;
    keys(sizes, folder, figures)
}

/// Against arrow-json over the same bytes, in turns.
fn records(sizes: &Sizes, folder: &Path, bytes: usize, figures: &mut Figures) -> Result<()> {
    // About as many bytes each time.
    let count = sizes.sales * RECORD_BYTES[0] / bytes;
    say(&format!("{count} sales of {bytes} bytes to files"));
    let input = folder.join("sized-sales");
    let padded = events::sales(count).map(|sale| Padded { sale, bytes });
    events::write_files(&input, padded, TimeUnit::Seconds, |padded| padded.sale.store.into())?;
    let pipeline = events::sales_pipeline(From::Files(&input), TUMBLING);
    let mut rounds = Vec::with_capacity(sizes.rounds);
    // The first fills the caches of pages and of compiled plugins, and is forgotten.
    for number in 0..=sizes.rounds {
        let reference: Reference = child::run(&["arrow-json", &text(&input)])?;
        let path = events::write_pipeline(&folder.join("job"), &pipeline)?;
        let job: Job = child::run(&["job", &text(&path)])?;
        if number > 0 {
            rounds.push((job.cpu_nanos as f64, reference.cpu_nanos as f64));
        }
    }
    let middle = |of: &dyn Fn(&(f64, f64)) -> f64| median(rounds.iter().map(of));
    let name = format!("records.{bytes}_bytes");
    let cost = middle(&|(job, _)| job / count as f64);
    figures.add(format!("{name}.cpu_ns_per_record"), Unit::Nanos, cost);
    let ratio = middle(&|(job, reference)| job / reference);
    figures.add(format!("{name}.ratio_to_arrow_json"), Unit::Ratio, ratio);
    Ok(())
}

/// In turns.
fn keys(sizes: &Sizes, folder: &Path, figures: &mut Figures) -> Result<()> {
    let write = |(name, stores): (&'static str, u32)| {
        say(&format!("{} sales of {stores} stores to files", sizes.sales));
        let input: PathBuf = folder.join(format!("sales-of-{name}"));
        let rate = (sizes.sales / (WINDOWS * 30)) as u64;
        let stream = StreamSettings { rate, ..StreamSettings::default() };
        let settings = SalesSettings { stream, stores, ..SalesSettings::default() };
        events::write_sales(&input, Sales::new(settings).take(sizes.sales))?;
        Ok(Entrant { name, pipeline: events::sales_pipeline(From::Files(&input), TUMBLING) })
    };
    let entrants = KEYS.into_iter().map(write).collect::<Result<Vec<_>>>()?;
    let turns = Turns::run(&entrants, sizes.rounds, sizes.sales, folder)?;
    for (name, _) in KEYS {
        let cost = turns.nanos(name);
        figures.add(format!("keys.{name}.cpu_ns_per_record"), Unit::Nanos, cost);
        let ratio = turns.ratio(name, USUAL_KEYS);
        figures.add(format!("keys.{name}.ratio_to_{USUAL_KEYS}"), Unit::Ratio, ratio);
    }
    Ok(())
}
