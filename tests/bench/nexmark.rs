//! The queries of NEXMark: the pipeline files of `deploy/pipelines/nexmark`, over files of seeded events.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sluicegate_produce::event::TimeUnit;
use sluicegate_produce::nexmark::Nexmark;
use sluicegate_produce::stream::StreamSettings;
use xtask::workspace::Workspace;

use crate::events;
use crate::plan::{Sizes, say};
use crate::report::{Figures, Unit};
use crate::turns::{Entrant, Turns};

/// There is a file of each name. The first passes bids through: what the others are compared with.
const QUERIES: [&str; 10] = ["q0", "q1", "q2", "q5", "q7", "q8", "q11", "q12", "q14", "q15"];

/// All of them in turns.
pub(crate) fn measure(
    sizes: &Sizes,
    workspace: &Workspace,
    folder: &Path,
    figures: &mut Figures,
) -> Result<()> {
    say(&format!("{} events of NEXMark to files", sizes.events));
    let input = folder.join("nexmark");
    let events = Nexmark::new(StreamSettings::default()).take(sizes.events);
    events::write_files(&input, events, TimeUnit::Millis, |event| event.user)?;
    let files = workspace.root().join("deploy/pipelines/nexmark");
    let entrant = |name| Ok(Entrant { name, pipeline: pipeline(&files, name, &input)? });
    let entrants = QUERIES.into_iter().map(entrant).collect::<Result<Vec<_>>>()?;
    let turns = Turns::run(&entrants, sizes.rounds, sizes.events, folder)?;
    for name in QUERIES {
        let nanos = turns.nanos(name);
        let per_second = ("records_per_cpu_second", Unit::PerSecond, 1e9 / nanos);
        let ratio = ("ratio_to_q0", Unit::Ratio, turns.ratio(name, QUERIES[0]));
        figures.add_row(
            "nexmark",
            name,
            [per_second, ("cpu_ns_per_record", Unit::Nanos, nanos), ratio],
        );
    }
    Ok(())
}

/// The file as it is, except for where things lie.
fn pipeline(files: &Path, name: &str, input: &Path) -> Result<String> {
    let path = files.join(format!("{name}.toml"));
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read `{}`", path.display()))?;
    let moved = text
        .replace("\"../../../data/nexmark\"", &format!("\"{}\"", input.display()))
        .replace("\"../../../data/", "\"@FOLDER@/")
        .replace("\"../../../target/plugins/", "\"@PLUGINS@/");
    ensure!(
        !moved.contains("\"../") && moved.contains(&*input.to_string_lossy()),
        "`{}` reads something else",
        path.display()
    );
    Ok(moved)
}
