//! Hosts with nothing to do: what they cost while no record comes, one pipeline alone and fifty in a process.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use sluicegate_produce::kafka::KafkaSender;
use xtask::daemon::{Daemon, Output, free_port, wait_until};
use xtask::process::{Used, resident_bytes};

use crate::child;
use crate::events::{self, From};
use crate::report::{Figures, Unit};

/// In one process, all over the same topic.
const MANY: usize = 50;
/// Until caches are warm, first looks are over, nothing is left to be committed and clients of librdkafka rest.
const SETTLE: Duration = Duration::from_secs(45);
/// Of programs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a process used while nothing came.
struct AtRest {
    /// Of one core.
    cpu_percent: f64,
    wakeups_per_second: f64,
    resident_mib: f64,
}

/// Serves one pipeline and then fifty, and watches each host for so long.
pub(crate) fn measure(
    folder: &Path,
    brokers: &str,
    lasting: Duration,
    figures: &mut Figures,
) -> Result<()> {
    let topic = "idle";
    drop(KafkaSender::connect(&events::target(brokers, topic))?);
    let folder = folder.join("idle");
    let one = at_rest(&folder, From::Live { brokers, topic }, 1, lasting)?;
    figures.add("idle.cpu_percent_none", Unit::Percent, one.cpu_percent);
    figures.add("idle.wakeups_per_second", Unit::PerSecond, one.wakeups_per_second);
    let many = at_rest(&folder, From::Live { brokers, topic }, MANY, lasting)?;
    figures.add("idle.pipelines_50.cpu_percent", Unit::Percent, many.cpu_percent);
    figures.add("idle.pipelines_50.wakeups_per_second", Unit::PerSecond, many.wakeups_per_second);
    let each = (many.resident_mib - one.resident_mib) / (MANY - 1) as f64;
    figures.add("idle.pipelines_50.mib_each", Unit::Mib, each);
    Ok(())
}

fn at_rest(folder: &Path, from: From<'_>, pipelines: usize, lasting: Duration) -> Result<AtRest> {
    let mut arguments = vec!["sluicegate".to_owned(), "serve".to_owned()];
    for number in 0..pipelines {
        let text = events::sales_pipeline(from, "type = \"tumbling\"\nsize = \"30s\"");
        let text = text.replace("name = \"sales\"", &format!("name = \"sales-{number}\""));
        let path = events::write_pipeline(&folder.join(number.to_string()), &text)?;
        arguments.push(path.display().to_string());
    }
    let store = folder.join("modules").display().to_string();
    let listen = format!("127.0.0.1:{}", free_port()?);
    arguments.extend(["--listen".to_owned(), listen.clone(), "--store".to_owned(), store]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let log = folder.join("host.log");
    let mut host = Daemon::start("the host", &child::command(&arguments)?, Output::Log(&log))?;
    host.wait_ready(PATIENCE, |_| all_run(&listen, pipelines).then_some(()))?;
    pause(SETTLE);
    let used = Used::while_watched(host.id(), lasting)?;
    let (total, seconds) = (used.total(), lasting.as_secs_f64());
    for (name, thread) in &used.threads {
        let (wakeups, cpu) = (thread.wakeups as f64 / seconds, thread.cpu.as_secs_f64() / seconds);
        eprintln!("  {name}: {wakeups:.1} wake-ups a second, {:.2} % of a core", cpu * 100.0);
    }
    let resident = resident_bytes(host.id()).context("read the size of the host")?;
    Ok(AtRest {
        cpu_percent: total.cpu.as_secs_f64() / seconds * 100.0,
        wakeups_per_second: total.wakeups as f64 / seconds,
        resident_mib: resident as f64 / f64::from(1 << 20),
    })
}

fn all_run(listen: &str, pipelines: usize) -> bool {
    let runs = |number: usize| {
        let url = format!("http://{listen}/v1/pipelines/sales-{number}");
        let status =
            reqwest::blocking::get(url).and_then(reqwest::blocking::Response::text).ok()?;
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        (status["phase"] == "running").then_some(())
    };
    (0..pipelines).all(|number| runs(number).is_some())
}

fn pause(time: Duration) {
    let _nothing = wait_until(time, || None::<()>);
}
