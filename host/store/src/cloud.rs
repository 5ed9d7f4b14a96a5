//! Clients of S3, Google Cloud Storage and Azure, set up from the environment that `main` handed in.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::progress::ByProgress;
use super::{StoreError, StoreOptions};
use sluicegate_model::printable::printable;

/// A client, and the prefix that its URL names.
pub(super) struct Opened {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) parts: Arc<dyn MultipartStore>,
    pub(super) prefix: Path,
    /// Where the environment says that the server is; none for the cloud's own address.
    pub(super) address: Option<String>,
}

impl Opened {
    fn new(client: impl ObjectStore + MultipartStore, prefix: Path, address: Option<&str>) -> Self {
        let client = Arc::new(client);
        let (store, address) = (Arc::clone(&client), address.map(str::to_owned));
        Self { store, parts: client, prefix, address }
    }
}

/// S3, or anything that speaks its protocol at `AWS_ENDPOINT_URL`. Path-style unless
/// `AWS_VIRTUAL_HOSTED_STYLE_REQUEST` says otherwise; region `us-east-1` unless `AWS_REGION` does.
pub(super) fn s3(
    url: &str,
    rest: &str,
    options: &StoreOptions,
    patience: Duration,
) -> Result<Opened, StoreError> {
    let (client, prefix) = s3_client(url, rest, options, patience)?;
    Ok(Opened::new(client, prefix, Environment(options).first(&AWS_ADDRESSES)))
}

/// As [`s3`], for who needs more of S3 than objects.
pub(super) fn s3_client(
    url: &str,
    rest: &str,
    options: &StoreOptions,
    patience: Duration,
) -> Result<(AmazonS3, Path), StoreError> {
    let (bucket, prefix) = bucket_and_prefix(url, rest, "s3://bucket/prefix")?;
    let environment = Environment(options);
    environment.check(url, "AWS_", &AWS_ADDRESSES)?;
    let endpoint = environment.first(&AWS_ADDRESSES);
    check_s3_credentials(url, &environment, endpoint.is_some())?;
    let plain_http = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut builder = AmazonS3Builder::new()
        .with_http_connector(ByProgress { patience })
        .with_client_options(client_options().with_allow_http(plain_http))
        .with_retry(retry_config())
        .with_region("us-east-1");
    for (key, value) in environment.with_prefix("AWS_") {
        if let Ok(key) = key.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_bucket_name(bucket).build();
    Ok((store.map_err(|source| client_error(url, source))?, prefix))
}

/// Google Cloud Storage, with a service account from the environment or the machine's own.
pub(super) fn google(
    url: &str,
    rest: &str,
    options: &StoreOptions,
    patience: Duration,
) -> Result<Opened, StoreError> {
    let (bucket, prefix) = bucket_and_prefix(url, rest, "gs://bucket/prefix")?;
    Environment(options).check(url, "GOOGLE_", &GOOGLE_ADDRESSES)?;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_http_connector(ByProgress { patience })
        .with_client_options(client_options().with_allow_http(true)) // the metadata server speaks http
        .with_retry(retry_config());
    for (key, value) in Environment(options).with_prefix("GOOGLE_") {
        if let Ok(key) = key.parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_bucket_name(bucket).build();
    let store = store.map_err(|source| client_error(url, source))?;
    Ok(Opened::new(store, prefix, Environment(options).first(&GOOGLE_ADDRESSES)))
}

pub(super) fn azure(
    url: &str,
    rest: &str,
    options: &StoreOptions,
    patience: Duration,
) -> Result<Opened, StoreError> {
    let (container, prefix) = bucket_and_prefix(url, rest, "az://container/prefix")?;
    let environment = Environment(options);
    environment.check(url, "AZURE_", &AZURE_ADDRESSES)?;
    let emulated = environment.get("AZURE_STORAGE_USE_EMULATOR").is_some();
    if environment.get("AZURE_STORAGE_ACCOUNT_NAME").is_none() && !emulated {
        return Err(StoreError::MissingVariable {
            url: url.to_owned(),
            variable: "AZURE_STORAGE_ACCOUNT_NAME",
            reason: "a container belongs to a storage account",
        });
    }
    let endpoint = environment.first(&AZURE_ADDRESSES);
    let plain_http = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut builder = MicrosoftAzureBuilder::new()
        .with_http_connector(ByProgress { patience })
        .with_client_options(client_options().with_allow_http(plain_http || emulated))
        .with_retry(retry_config());
    for (key, value) in environment.with_prefix("AZURE_") {
        if let Ok(key) = key.parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_container_name(container).build();
    let store = store.map_err(|source| client_error(url, source))?;
    Ok(Opened::new(store, prefix, environment.first(&AZURE_ADDRESSES)))
}

/// Half of a key pair, or a named profile, would otherwise end in a search for the credentials of a machine in
/// EC2, and in a message about an address that nobody wrote.
fn check_s3_credentials(
    url: &str,
    environment: &Environment<'_>,
    own_endpoint: bool,
) -> Result<(), StoreError> {
    let missing = |variable, reason| {
        Err(StoreError::MissingVariable { url: url.to_owned(), variable, reason })
    };
    let key = environment.get("AWS_ACCESS_KEY_ID").is_some();
    let secret = environment.get("AWS_SECRET_ACCESS_KEY").is_some();
    let other = [
        "AWS_SKIP_SIGNATURE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    match (key, secret) {
        (true, false) => missing("AWS_SECRET_ACCESS_KEY", "`AWS_ACCESS_KEY_ID` is set without it"),
        (false, true) => missing("AWS_ACCESS_KEY_ID", "`AWS_SECRET_ACCESS_KEY` is set without it"),
        (true, true) => Ok(()),
        (false, false) if environment.first(&other).is_some() => Ok(()),
        (false, false) if environment.get("AWS_PROFILE").is_some() => missing(
            "AWS_ACCESS_KEY_ID",
            "profiles are not read; `aws configure export-credentials --format env` prints the variables of one",
        ),
        (false, false) if own_endpoint => missing(
            "AWS_ACCESS_KEY_ID",
            "`AWS_ENDPOINT_URL` is set; for a store that asks for no credentials set `AWS_SKIP_SIGNATURE=true`",
        ),
        // In EC2 the machine's own role serves.
        (false, false) => Ok(()),
    }
}

fn bucket_and_prefix<'a>(
    url: &str,
    rest: &'a str,
    form: &str,
) -> Result<(&'a str, Path), StoreError> {
    let wrong = |reason: String| StoreError::Url { url: url.to_owned(), reason };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(wrong(format!("it names no bucket; write `{form}`")));
    }
    let prefix = Path::parse(prefix.trim_matches('/')).map_err(|error| wrong(error.to_string()))?;
    Ok((bucket, prefix))
}

fn client_options() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(super::CONNECT_TIMEOUT)
}

fn retry_config() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            base: 3.0,
        },
        max_retries: super::CLIENT_RETRIES_MAX,
        retry_timeout: super::CLIENT_RETRY_TIME,
    }
}

fn client_error(url: &str, source: object_store::Error) -> StoreError {
    StoreError::Client { url: url.to_owned(), source }
}

/// Variables that hold the address of a store, by cloud.
const AWS_ADDRESSES: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
const GOOGLE_ADDRESSES: [&str; 1] = ["GOOGLE_BASE_URL"];
const AZURE_ADDRESSES: [&str; 2] = ["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"];

/// The variables that were handed in. An empty one counts as not set, as shells and compose files leave them.
struct Environment<'a>(&'a StoreOptions);

impl<'a> Environment<'a> {
    /// Refuses what a client would take and then panic on, or report without the variable's name: addresses that are no
    /// URLs, and values that no header can carry.
    fn check(&self, url: &str, prefix: &str, addresses: &[&str]) -> Result<(), StoreError> {
        for (variable, value) in self.0.environment.iter().filter(|(_, value)| !value.is_empty()) {
            let is_address = addresses.contains(&variable.as_str());
            let is_http =
                |url: &reqwest::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
            let reason = if !variable.starts_with(prefix) {
                continue;
            } else if is_address && !reqwest::Url::parse(value).is_ok_and(|url| is_http(&url)) {
                "is not an address: write http:// or https:// and the host, for example http://127.0.0.1:9000"
            } else if value.chars().any(char::is_control) {
                "holds a line break or another control character: write it without"
            } else {
                continue;
            };
            let value = if is_address { printable(value).into_owned() } else { "…".to_owned() };
            let (url, variable) = (url.to_owned(), variable.clone());
            return Err(StoreError::Variable { url, variable, value, reason });
        }
        Ok(())
    }

    fn get(&self, variable: &str) -> Option<&'a str> {
        self.0.environment.get(variable).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn first(&self, variables: &[&str]) -> Option<&'a str> {
        variables.iter().find_map(|variable| self.get(variable))
    }

    /// Names in lower case, as the builders parse them, in the order of names: `AWS_REGION` comes after
    /// `AWS_DEFAULT_REGION` and wins.
    fn with_prefix(&self, prefix: &'a str) -> impl Iterator<Item = (String, &'a str)> {
        let variables = self.0.environment.iter();
        variables
            .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
    }
}
