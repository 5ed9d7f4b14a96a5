//! `sluicegate provision`: makes what a pipeline file names and is not there yet, for demos and tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::runtime::Runtime;

use super::interrupt;
use sluicegate_model::time::Clock;
use sluicegate_pipeline as config;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::{Pipeline, SinkKind, SourceConfig};
use sluicegate_produce::kafka::{KafkaSender, KafkaTarget, ProduceError};
use sluicegate_store::StoreOptions;
use sluicegate_store::bucket::{BucketError, create_bucket};

/// Between two attempts at a service that is not up yet.
const AGAIN_IN: Duration = Duration::from_secs(1);

/// Create the topics and the S3 buckets that a pipeline file names, unless they exist.
///
/// For demos and tests: in production, whoever owns them creates them. What is there stays as it is, so the command
/// can be repeated.
#[derive(Clone, Debug, clap::Args)]
pub struct ProvisionArgs {
    /// The pipeline files
    #[arg(value_name = "FILE", required = true)]
    pub pipelines: Vec<PathBuf>,
    /// Partitions of a topic that is created
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub partitions: i32,
    /// How long to wait for brokers and a store that are not up yet
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = config::parse_duration)]
    pub wait: Duration,
}

/// Creates what is missing.
///
/// # Errors
/// A file is refused, a service says no, or is not up after the wait.
pub fn run(args: &ProvisionArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let stores = environment.stores();
    let pipelines = args.pipelines.iter().map(|path| config::load(path, &environment));
    let pipelines = pipelines.collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    let clock = Clock::system();
    let patience =
        Patience { until: clock.monotonic() + args.wait, clock, stop: interrupt::flag()? };
    for pipeline in &pipelines {
        make_buckets(pipeline, &stores, &runtime, &patience)?;
        for target in topics(pipeline, args.partitions) {
            let unreachable =
                |error: &ProduceError| matches!(error, ProduceError::Unreachable { .. });
            patience.insist(unreachable, || KafkaSender::connect(&target).map(drop))?;
            tracing::info!(topic = target.topic, brokers = target.brokers, "the topic is there");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The topics that a pipeline reads and writes.
fn topics(pipeline: &Pipeline, partitions: i32) -> Vec<KafkaTarget> {
    let mut targets = Vec::new();
    let mut add = |brokers: &str, topic: &str, properties: &BTreeMap<String, String>| {
        targets.push(KafkaTarget {
            brokers: brokers.to_owned(),
            topic: topic.to_owned(),
            partitions: Some(partitions),
            properties: properties.clone(),
        });
    };
    if let SourceConfig::Kafka(kafka) = &pipeline.source {
        add(&kafka.brokers, &kafka.topic, &kafka.properties);
    }
    for sink in &pipeline.sinks {
        if let SinkKind::Kafka(kafka) = &sink.kind {
            add(&kafka.brokers, &kafka.topic, &kafka.properties);
        }
    }
    targets
}

/// One request a bucket, however many tables lie in it.
fn make_buckets(
    pipeline: &Pipeline,
    stores: &StoreOptions,
    runtime: &Runtime,
    patience: &Patience,
) -> anyhow::Result<()> {
    let tables = pipeline.tables();
    let urls = tables.iter().map(|(_, location)| location.url.as_str());
    let urls = urls.chain([pipeline.checkpoint.url.as_str()]);
    let buckets: BTreeMap<&str, &str> = urls.map(|url| (bucket_of(url), url)).collect();
    for url in buckets.into_values() {
        let make = || runtime.block_on(create_bucket(url, stores));
        let bucket = patience.insist(BucketError::may_pass, make)?;
        tracing::info!(url, ?bucket, "the store is there");
    }
    Ok(())
}

/// `s3://bucket` of `s3://bucket/prefix`; a path of this machine as it is.
fn bucket_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let bucket = rest.find('/').unwrap_or(rest.len());
    &url[..scheme.len() + "://".len() + bucket]
}

/// How long to go on asking.
struct Patience {
    until: Duration,
    clock: Clock,
    stop: Arc<AtomicBool>,
}

impl Patience {
    /// Asks until the answer is another than that the service is not up yet.
    fn insist<T, E: std::error::Error + Send + Sync + 'static>(
        &self,
        is_not_up: impl Fn(&E) -> bool,
        ask: impl Fn() -> Result<T, E>,
    ) -> anyhow::Result<T> {
        let mut is_said = false;
        loop {
            let error = match ask() {
                Ok(answer) => return Ok(answer),
                Err(error) if !is_not_up(&error) || self.clock.monotonic() >= self.until => {
                    return Err(error.into());
                }
                Err(error) => anyhow::Error::from(error),
            };
            if self.stop.load(Ordering::Relaxed) {
                bail!("stopped while waiting: {error:#}");
            }
            if !is_said {
                tracing::warn!("{error:#}; trying again");
                is_said = true;
            }
            std::thread::park_timeout(AGAIN_IN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bucket_of;

    #[test]
    fn a_bucket_is_what_stands_before_the_first_slash() {
        assert_eq!(bucket_of("s3://warehouse/revenue/eu"), "s3://warehouse");
        assert_eq!(bucket_of("s3://warehouse"), "s3://warehouse");
        assert_eq!(bucket_of("data/revenue"), "data/revenue");
    }
}
