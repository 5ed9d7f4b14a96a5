//! What a second worker gains: the main job from files with one worker and with two, in turns.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::child;
use crate::events::{self, From, TUMBLING};
use crate::job::Job;
use crate::plan::{Sizes, say, text};
use crate::report::{Figures, Unit, median};

/// The job with each number of workers, one behind the other.
struct Round {
    one: Job,
    two: Job,
}

/// Runs both in every round, over the sales that lie in `sales`.
pub(crate) fn measure(
    sizes: &Sizes,
    folder: &Path,
    sales: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let mut rounds = Vec::with_capacity(sizes.rounds);
    // The first fills the caches of pages and of compiled plugins, and is forgotten.
    for number in 0..=sizes.rounds {
        // Who goes first finds the caches as others left them: they take turns at that too.
        let round = if number.is_multiple_of(2) {
            let one = run(folder, sales, 1)?;
            Round { one, two: run(folder, sales, 2)? }
        } else {
            let two = run(folder, sales, 2)?;
            Round { one: run(folder, sales, 1)?, two }
        };
        let Round { one, two } = &round;
        ensure!(one.accepted == two.accepted, "{} and {} accepted", one.accepted, two.accepted);
        ensure!(one.read == sizes.sales as u64, "the job read {} of the sales", one.read);
        let per_record = |nanos: u64| nanos as f64 / sizes.sales as f64;
        say(&format!(
            "round {number} of {}: ns per record, of the wall: one worker {:.0}, two {:.0}; of CPU: {:.0}, {:.0}",
            sizes.rounds,
            per_record(one.wall_nanos),
            per_record(two.wall_nanos),
            per_record(one.cpu_nanos),
            per_record(two.cpu_nanos),
        ));
        if number > 0 {
            rounds.push(round);
        }
    }
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of));
    let faster = |round: &Round| round.one.wall_nanos as f64 / round.two.wall_nanos as f64;
    figures.add("scaling.two_workers", Unit::Ratio, middle(&faster));
    // As Amdahl has it: of one worker's time so much stays, whatever the second one does.
    let serial = |round: &Round| (2.0 / faster(round) - 1.0) * 100.0;
    figures.add("scaling.serial_percent", Unit::Percent, middle(&serial));
    // Readers and start-up work beside the lane with one worker too: two cores cannot give more than this.
    let possible = |round: &Round| 2.0 * round.one.wall_nanos as f64 / round.two.cpu_nanos as f64;
    figures.add("scaling.two_workers.possible", Unit::Ratio, middle(&possible));
    let dearer = |round: &Round| round.two.cpu_nanos as f64 / round.one.cpu_nanos as f64;
    figures.add("scaling.two_workers.cpu_ratio", Unit::Ratio, middle(&dearer));
    Ok(())
}

fn run(folder: &Path, sales: &Path, workers: usize) -> Result<Job> {
    let pipeline = events::sales_pipeline(From::Files(sales), TUMBLING);
    let pipeline = format!("{pipeline}[limits]\nworkers = {workers}\n");
    let path = events::write_pipeline(&folder.join("scaling"), &pipeline)?;
    child::run(&["job", &text(&path)])
}
