//! `sluicegate serve`: pipelines and their HTTP interface.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Run pipelines and serve HTTP: upload and activate plugins, status, live results, metrics.
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
    /// File whose content every request must bring as `Authorization: Bearer …`
    #[arg(long, value_name = "FILE", env = "SLUICEGATE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Serve /metrics and /health here as well, without a token
    #[arg(long, value_name = "ADDRESS", env = "SLUICEGATE_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Folder or URL of the module store. Default: `checkpoint.path` of the first pipeline
    #[arg(long, value_name = "URL", env = "SLUICEGATE_STORE")]
    pub store: Option<String>,
    /// Keep compiled plugins in this directory between runs; nobody else may write to it
    #[arg(long, value_name = "DIR", env = "SLUICEGATE_PLUGIN_CACHE")]
    pub plugin_cache: Option<PathBuf>,
}

    anyhow::bail!("x")
}
