//! `cargo xtask compose`: docker-compose.yml brought up by a real engine, under a name and on ports of its own, and
//! looked at as its user meets it, through the published ports. The looking is done by `tests/deployed`, with the
//! oracle of the end-to-end tests.

mod deployment;
mod files;
mod options;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::deployment::{Deployment, Service, TAKE_OVER_LIMIT};
pub use self::files::check as check_files;
pub use self::options::Options;
use crate::command::{self, run as run_command};
use crate::daemon::wait_until;
use crate::workspace::Workspace;

/// Two windows of the new version, and the commit after them.
const AFTER_SWAP: Duration = Duration::from_secs(90);
/// How long a killed service is missed before it is started again.
const MISSED: Duration = Duration::from_secs(15);
/// A window of 30 s, 5 s for stragglers, a commit every 10 s, a scrape every 5 s; and a busy machine.
const FIRST_FILE_LIMIT: Duration = Duration::from_secs(240);

/// Brings it up, checks it, takes it down.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let begin = now();
    let deployment = Deployment::up(workspace, options)?;
    say(&format!("All services are healthy after {} s.", begin.elapsed().as_secs()));
    deployment.wait_for_first_file(FIRST_FILE_LIMIT)?;
    say(&format!(
        "The first Parquet file is committed {} s after `up`.",
        begin.elapsed().as_secs()
    ));
    test(workspace, &deployment, "metrics_are_scraped")?;

    let_flow(options.flow_for, options.kill.then_some(&deployment))?;
    test(workspace, &deployment, "a_plugin_is_exchanged_through_the_published_port")?;
    say(&format!("Sales go through the new version for {} s.", AFTER_SWAP.as_secs()));
    pause(AFTER_SWAP);

    deployment.show_resources()?;
    deployment.stop(Service::Producer)?;
    test(workspace, &deployment, "the_table_is_what_a_recomputation_gives")?;
    if options.keep {
        say(&format!("It stays up: {}", deployment.addresses()));
        deployment.keep();
        return Ok(());
    }
    deployment.down()
}

/// Lets sales flow, and kills in turn what is in their way: the leader, Kafka, the store.
fn let_flow(flow_for: Duration, kill: Option<&Deployment>) -> Result<()> {
    let Some(deployment) = kill else {
        say(&format!("Sales flow for {} s.", flow_for.as_secs()));
        pause(flow_for);
        return Ok(());
    };
    let between = (flow_for / 4).saturating_sub(MISSED);
    pause(between);
    kill_leader(deployment)?;
    for victim in [Service::Kafka, Service::Store] {
        pause(between);
        say(&format!("Killing {victim}; it is missed for {} s.", MISSED.as_secs()));
        deployment.kill(victim)?;
        pause(MISSED);
        deployment.start(victim)?;
    }
    pause(between);
    deployment.wait_until_healthy()
}

/// Kills the host that leads, shows who takes over and when, and has the killed one stand by.
fn kill_leader(deployment: &Deployment) -> Result<()> {
    let victim = deployment.leader(TAKE_OVER_LIMIT)?;
    say(&format!("Killing {victim}, which leads."));
    deployment.kill(victim)?;
    let killed = now();
    let successor = deployment.leader(TAKE_OVER_LIMIT)?;
    say(&format!("{successor} leads {:.1} s later.", killed.elapsed().as_secs_f64()));
    pause(MISSED);
    deployment.start(victim)
}

/// Runs one test of `tests/deployed` against the deployment.
fn test(workspace: &Workspace, deployment: &Deployment, name: &str) -> Result<()> {
    let mut cargo = command::cargo();
    cargo.args(["test", "--workspace", "--test", "deployed", "--", "--nocapture", "--exact", name]);
    cargo.current_dir(workspace.root()).envs(deployment.environment()?);
    run_command(&mut cargo).with_context(|| {
        format!("{name}: see above; the logs of the services:\n{}", deployment.last_logs())
    })
}

fn pause(time: Duration) {
    wait_until(time, || None::<()>);
}

/// A paragraph of the narrator's.
fn say(text: &str) {
    eprintln!("\n— {text}\n");
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is part of what is checked")]
fn now() -> Instant {
    Instant::now()
}
