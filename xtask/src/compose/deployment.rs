//! docker-compose.yml as a project of its own: what is asked of `docker`, and nothing left behind.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::options::Options;
use super::say;
use crate::command::{first_line, run};
use crate::daemon::{free_port, wait_until};
use crate::http::{get_with_token, request};
use crate::workspace::Workspace;

/// Beside a deployment that somebody uses, whose project is `sluicegate`.
const PROJECT: &str = "sluicegate-check";
/// Seconds for everything to be healthy; a busy machine needs a minute and a half for Kafka alone.
const HEALTHY_WITHIN: &str = "300";
/// Twice what the default times of leadership allow (docs/design/leadership.md), on a busy machine.
pub(super) const TAKE_OVER_LIMIT: Duration = Duration::from_secs(50);
/// The deployment's files are the demo's, so are its secrets.
const TOKEN: &str = "sluicegate-demo-token-known-to-everybody";

/// Services that the check handles one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Host,
    Host2,
    Kafka,
    Store,
    Producer,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Host2 => "host-2",
            Self::Kafka => "kafka",
            Self::Store => "s3",
            Self::Producer => "producer",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}

/// A deployment that runs. Dropped, it is taken down with its volumes.
pub(super) struct Deployment {
    root: PathBuf,
    /// A copy of one of the image's plugins.
    plugin: PathBuf,
    ports: Ports,
    services: Vec<&'static str>,
    is_down: Cell<bool>,
}

/// Where its services are reached.
struct Ports {
    host: u16,
    host_2: u16,
    kafka: u16,
    store: u16,
    prometheus: u16,
    grafana: u16,
}

impl Deployment {
    /// Builds the image if that is wanted, starts everything on free ports, and waits until it is healthy.
    pub(super) fn up(workspace: &Workspace, options: &Options) -> Result<Self> {
        require_engine()?;
        let ports = Ports {
            host: free_port()?,
            host_2: free_port()?,
            kafka: free_port()?,
            store: free_port()?,
            prometheus: free_port()?,
            grafana: free_port()?,
        };
        let mut deployment = Self {
            root: workspace.root().to_path_buf(),
            plugin: workspace.target().join("deployment").join("premium-sale.wasm"),
            ports,
            services: vec!["kafka", "s3", "host", "host-2", "producer", "prometheus"],
            is_down: Cell::new(false),
        };
        // What a check that was killed has left.
        run(&mut deployment.compose(&["down", "--volumes", "--remove-orphans"]))?;
        if options.build {
            run(&mut deployment.compose(&["build", "host"]))?;
        }
        deployment.require_images()?;
        deployment.wait_until_healthy()?;
        deployment.take_plugin()?;
        Ok(deployment)
    }

    /// Starts what is not there, and waits.
    pub(super) fn wait_until_healthy(&self) -> Result<()> {
        let mut up = self.compose(&["up", "--detach", "--no-build", "--wait"]);
        up.args(["--wait-timeout", HEALTHY_WITHIN]).args(&self.services);
        run(&mut up).with_context(|| format!("not healthy; the logs:\n{}", self.last_logs()))
    }

    /// Images that are neither here nor to be had. Without Grafana everything but its pages can be checked.
    fn require_images(&mut self) -> Result<()> {
        for service in ["kafka", "s3", "prometheus"] {
            if !self.is_to_be_had(service)? {
                bail!("the image of service `{service}` is not here and cannot be pulled");
            }
        }
        if self.is_to_be_had("grafana")? {
            self.services.push("grafana");
        } else {
            say(
                "Grafana's image is not here and cannot be pulled: the check goes on without that service.",
            );
        }
        Ok(())
    }

    fn is_to_be_had(&self, service: &str) -> Result<bool> {
        let images =
            self.compose(&["config", "--images", service]).output().context("run docker")?;
        let images = String::from_utf8_lossy(&images.stdout).into_owned();
        // The service's own and those of what it depends on; ours is made here.
        let foreign = images.lines().filter(|image| !image.starts_with("sluicegate"));
        let is_here = |image: &str| first_line("docker", &["image", "inspect", image]).is_some();
        let is_pulled = |image: &str| {
            let pulled = Command::new("docker").args(["pull", "--quiet", image]).status();
            pulled.is_ok_and(|status| status.success())
        };
        Ok(foreign.into_iter().all(|image| is_here(image) || is_pulled(image)))
    }

    /// Waits until Prometheus has seen a file of the table.
    pub(super) fn wait_for_first_file(&self, limit: Duration) -> Result<()> {
        const QUESTION: &str =
            "/api/v1/query?query=sluicegate_files_written_total%7Btable%3D%22revenue%22%7D%3E0";
        wait_until(limit, || {
            let answer = request(self.ports.prometheus, "GET", QUESTION).ok()?;
            answer.contains("\"metric\":{").then_some(())
        })
        .with_context(|| {
            format!("no file within {} s; the logs:\n{}", limit.as_secs(), self.last_logs())
        })
    }

    /// The host that leads, as soon as one says that it does.
    pub(super) fn leader(&self, limit: Duration) -> Result<Service> {
        let leads = |host: &Service| {
            let answer = get_with_token(self.port_of(*host)?, "/health/leader", TOKEN).ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        };
        let hosts = [Service::Host, Service::Host2];
        wait_until(limit, || hosts.into_iter().find(|host| leads(host).is_some())).with_context(
            || {
                format!(
                    "no host leads within {} s; the logs:\n{}",
                    limit.as_secs(),
                    self.last_logs()
                )
            },
        )
    }

    /// Of a host, on this machine.
    fn port_of(&self, host: Service) -> Option<u16> {
        match host {
            Service::Host => Some(self.ports.host),
            Service::Host2 => Some(self.ports.host_2),
            Service::Kafka | Service::Store | Service::Producer => None,
        }
    }

    /// SIGKILL. The engine takes that for the operator's will and does not start it again by itself.
    pub(super) fn kill(&self, service: Service) -> Result<()> {
        run(&mut self.compose(&["kill", service.name()]))
    }

    pub(super) fn start(&self, service: Service) -> Result<()> {
        run(&mut self.compose(&["start", service.name()]))
    }

    /// SIGTERM, and waits.
    pub(super) fn stop(&self, service: Service) -> Result<()> {
        run(&mut self.compose(&["stop", service.name()]))
    }

    /// Shows size and memory.
    pub(super) fn show_resources(&self) -> Result<()> {
        run(&mut self.compose(&["images"]))?;
        run(&mut self.compose(&["stats", "--no-stream"]))
    }

    /// Takes the plugin that will be uploaded out of the image: it is made for that host.
    fn take_plugin(&self) -> Result<()> {
        if let Some(folder) = self.plugin.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
        }
        let plugin = self.plugin.display().to_string();
        run(&mut self.compose(&["cp", "host:/opt/sluicegate/plugins/premium-sale.wasm", &plugin]))
    }

    /// Where everything is, for `tests/deployed`. The host is the one that leads.
    pub(super) fn environment(&self) -> Result<[(&'static str, String); 6]> {
        let Ports { host, kafka, store, prometheus, .. } = self.ports;
        let leader = self.port_of(self.leader(TAKE_OVER_LIMIT)?).unwrap_or(host);
        Ok([
            ("DEPLOYED_URL", format!("http://127.0.0.1:{leader}")),
            ("DEPLOYED_TOKEN", TOKEN.to_owned()),
            ("DEPLOYED_BROKERS", format!("127.0.0.1:{kafka}")),
            ("DEPLOYED_STORE", format!("http://127.0.0.1:{store}")),
            ("DEPLOYED_PROMETHEUS", format!("http://127.0.0.1:{prometheus}")),
            ("DEPLOYED_PLUGIN", self.plugin.display().to_string()),
        ])
    }

    /// For people.
    pub(super) fn addresses(&self) -> String {
        let Ports { host, host_2, kafka, store, prometheus, grafana } = self.ports;
        format!(
            "hosts http://127.0.0.1:{host} and http://127.0.0.1:{host_2}, Kafka 127.0.0.1:{kafka}, S3 http://127.0.0.1:{store}, \
             Prometheus http://127.0.0.1:{prometheus}, Grafana http://127.0.0.1:{grafana}; \
             docker compose --project-name {PROJECT} down --volumes"
        )
    }

    /// What the services said last.
    pub(super) fn last_logs(&self) -> String {
        let logs = self.compose(&["logs", "--no-color", "--tail", "25"]).output();
        logs.map_or_else(
            |error| error.to_string(),
            |logs| String::from_utf8_lossy(&logs.stdout).into_owned(),
        )
    }

    /// Takes everything down, volumes included.
    pub(super) fn down(&self) -> Result<()> {
        self.is_down.set(true);
        run(&mut self.compose(&["down", "--volumes"]))
    }

    /// It outlives this program.
    pub(super) fn keep(&self) {
        self.is_down.set(true);
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let Ports { host, host_2, kafka, store, prometheus, grafana } = self.ports;
        let mut docker = Command::new("docker");
        docker.args(["compose", "--project-name", PROJECT]).args(arguments).stdin(Stdio::null());
        docker.current_dir(&self.root).envs([
            ("SLUICEGATE_PORT", host.to_string()),
            ("SLUICEGATE_2_PORT", host_2.to_string()),
            ("KAFKA_PORT", kafka.to_string()),
            ("S3_PORT", store.to_string()),
            ("PROMETHEUS_PORT", prometheus.to_string()),
            ("GRAFANA_PORT", grafana.to_string()),
        ]);
        docker
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if !self.is_down.get()
            && let Err(error) = self.down()
        {
            eprintln!("{error:#}: docker compose --project-name {PROJECT} down --volumes");
        }
    }
}

fn require_engine() -> Result<()> {
    if first_line("docker", &["compose", "version"]).is_none() {
        bail!(
            "`docker compose` is needed (the plug-in of version 2 or later); the end-to-end tests need none of it"
        );
    }
    if first_line("docker", &["info", "--format", "{{.ServerVersion}}"]).is_none() {
        bail!("`docker info` fails: start the engine, or say by DOCKER_HOST where it is");
    }
    Ok(())
}
