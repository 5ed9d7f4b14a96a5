//! `sluicegate serve`: pipelines and their HTTP interface.

use std::io::{Write as _, stdout};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::http::{AppState, Server, ServerConfig};
use crate::metrics::Metrics;
use crate::program::{Program, Started};
use crate::shutdown;
use sluicegate_engine::stop::Stop;
use sluicegate_model::call::CallLimits;
use sluicegate_model::time::Clock;
use sluicegate_pipeline as config;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::{Pipeline, file};

use super::process::ProcessArgs;
use super::run::{check_first_run, wait};

/// Run pipelines and serve HTTP: upload and activate plugins, status, live results, metrics
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// The pipeline files
    #[arg(value_name = "FILE", required = true)]
    pub pipelines: Vec<PathBuf>,
    /// Where HTTP listens. Anything but a loopback address needs a token
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SLUICEGATE_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,
    /// File of tokens, one per line. Every request must bring one as `Authorization: Bearer …`
    #[arg(long, value_name = "FILE", env = "SLUICEGATE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Serve /metrics and /health here as well, without a token
    #[arg(long, value_name = "ADDRESS", env = "SLUICEGATE_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// /health/live fails when a pipeline's thread has not passed its loop for this long
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = config::parse_duration)]
    pub stuck_after: Duration,
    /// Another name under which browsers may reach this server without a token
    #[arg(long = "allow-host", value_name = "NAME")]
    pub allow_hosts: Vec<String>,
    /// Where others reach this server. Hosts that stand by for it send there what changes a pipeline
    #[arg(long, value_name = "URL", env = "SLUICEGATE_ADVERTISE", value_parser = http_url)]
    pub advertise: Option<String>,
    /// What it has in common with other commands that run pipelines
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// Serves until a signal. A pipeline that ends or halts leaves the others and HTTP alone: its status says why. Exit
/// code 1 if one was halted.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let pipelines = load(&args.pipelines, &environment)?;
    let runtime = Program::runtime()?;
    let stop = Stop::new(Clock::system());
    shutdown::stop_on_signal(stop.clone()).context("wait for signals")?;
    let server = runtime.block_on(Server::bind(&ServerConfig {
        listen: args.listen,
        observe: args.metrics_listen,
        token_file: args.token_file.clone(),
        allow_hosts: args.allow_hosts.clone(),
    }))?;
    let program = args.process.program(runtime.handle(), &environment, &stop, &pipelines)?;
    let program = Program { takes_uploads: true, advertise: args.advertise.clone(), ..program };
    for pipeline in &pipelines {
        check_first_run(&program, pipeline)?;
    }
    let upload_limits = CallLimits::from(&pipelines[0].limits);
    let started = pipelines
        .into_iter()
        .map(|pipeline| program.start(pipeline))
        .collect::<anyhow::Result<Vec<Started>>>()?;
    let listen = server.local_addr()?;
    tracing::info!(%listen, "serving");
    // Whoever does not read it is served all the same.
    let _gone = writeln!(stdout(), "console: {}", console_url(listen));
    let app = app(&program, &started, upload_limits, args.stuck_after);
    runtime.block_on(server.run(app, stop.token()));
    let ends: Vec<bool> = started.into_iter().map(|started| wait(started, true)).collect();
    Program::leave(runtime);
    Ok(if ends.into_iter().all(|good| good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A URL that others can be sent to.
fn http_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_plain = |rest: &str| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_graphic())
            && !rest.contains(['?', '#'])
    };
    match rest {
        Some(rest) if is_plain(rest) => Ok(text.to_owned()),
        _ => {
            Err("write a URL that other hosts can reach, for example `http://host-1:8080`"
                .to_owned())
        }
    }
}

/// Where a browser on this machine finds the page.
fn console_url(listen: SocketAddr) -> String {
    let port = listen.port();
    match listen.ip() {
        // All addresses of the machine, which a browser cannot be sent to.
        any if any.is_unspecified() => format!("http://localhost:{port}/"),
        IpAddr::V4(address) => format!("http://{address}:{port}/"),
        IpAddr::V6(address) => format!("http://[{address}]:{port}/"),
    }
}

fn load(files: &[PathBuf], environment: &Environment) -> anyhow::Result<Vec<Pipeline>> {
    let mut pipelines: Vec<Pipeline> = Vec::with_capacity(files.len());
    for path in files {
        let pipeline = file::load(path, environment.variables())?;
        if pipelines.iter().any(|other| other.name == pipeline.name) {
            bail!(
                "`{}` is the second pipeline of the name `{}`: a name is its identity in the store, give it another",
                path.display(),
                pipeline.name
            );
        }
        pipelines.push(pipeline);
    }
    Ok(pipelines)
}

fn app(
    program: &Program,
    started: &[Started],
    upload_limits: CallLimits,
    stuck_after: Duration,
) -> AppState {
    let metrics = Arc::new(Metrics::new(program.clock.clone()));
    for Started { handle, ports, .. } in started {
        metrics.add(
            Arc::clone(handle.name()),
            Arc::clone(&ports.metrics),
            Arc::clone(&ports.status),
            ports.lead.clone(),
        );
    }
    let by_name =
        |started: &Started| (started.handle.name().to_string(), Arc::clone(&started.handle));
    AppState {
        pipelines: started.iter().map(by_name).collect(),
        modules: program.modules.clone(),
        engine: program.engine.clone(),
        upload_limits,
        metrics,
        stuck_after,
        clock: program.clock.clone(),
    }
}
