//! The command line's side of the HTTP API: where the server is, the token, and failures as sentences.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::blocking::{Body, Client as Http, Request, RequestBuilder, Response};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode, Url, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::error::ErrorBody;
use sluicegate_model::printable::printable;

/// For an answer. An upload or an activation is decided by the server within a minute.
const ANSWER_TIME: Duration = Duration::from_secs(75);
/// Longest answer that is read: the status of a pipeline with very many partitions has some 400 KB.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Which server to ask.
#[derive(Clone, Debug, clap::Args)]
pub struct Connection {
    /// Address of the server
    #[arg(
        long,
        value_name = "URL",
        env = "SLUICEGATE_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub url: String,
    /// File with the token, if the server wants one
    #[arg(long, value_name = "FILE", env = "SLUICEGATE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
}

/// A server to ask.
#[derive(Debug)]
pub(super) struct Client {
    base: Url,
    http: Http,
    token: Option<String>,
}

impl Client {
    /// Nothing is sent yet; a wrong URL or token file fails here.
    pub(super) fn new(connection: &Connection) -> anyhow::Result<Self> {
        let Connection { url, token_file } = connection;
        let base: Url = url.parse().with_context(|| {
            format!("`{url}` is not a URL; it should look like http://127.0.0.1:8080")
        })?;
        if !matches!(base.scheme(), "http" | "https") {
            bail!("`{url}` is not a URL of a server; it should look like http://127.0.0.1:8080");
        }
        // What is sent on to the leader is sent by `send`: the token as well.
        let mut http = Http::builder().timeout(ANSWER_TIME).redirect(Policy::none());
        if is_loopback(&base) {
            // A proxy cannot reach this machine's loopback.
            http = http.no_proxy();
        }
        let http = http.build().context("the HTTP client cannot be made")?;
        Ok(Self { base, http, token: token_file.as_deref().map(read_token).transpose()? })
    }

    /// `GET`.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &[&str]) -> anyhow::Result<T> {
        decode(self.send(self.request(Method::GET, path))?)
    }

    /// `GET` with these parameters; those without a value are left out.
    pub(super) fn get_where<T: DeserializeOwned>(
        &self,
        path: &[&str],
        parameters: &[(&str, Option<String>)],
    ) -> anyhow::Result<T> {
        decode(self.send(self.request_where(Method::GET, path, parameters))?)
    }

    /// `POST` of a JSON body.
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        decode(self.send(self.request(Method::POST, path).json(body))?)
    }

    /// `PUT` of a module. The status tells whether it is new.
    pub(super) fn put_module<T: DeserializeOwned>(
        &self,
        path: &[&str],
        module: Vec<u8>,
    ) -> anyhow::Result<(StatusCode, T)> {
        let request = self.request(Method::PUT, path);
        let request = request.header(header::CONTENT_TYPE, "application/wasm");
        let response = self.send(request.body(Body::from(module)))?;
        Ok((response.status(), decode(response)?))
    }

    /// `GET` whose answer is wanted whatever its status.
    pub(super) fn probe(&self, path: &[&str], within: Duration) -> anyhow::Result<Response> {
        self.send(self.request(Method::GET, path).timeout(within))
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.request_where(method, path, &[])
    }

    /// The same with these parameters; those without a value are left out.
    fn request_where(
        &self,
        method: Method,
        path: &[&str],
        parameters: &[(&str, Option<String>)],
    ) -> RequestBuilder {
        let mut url = self.base.clone();
        // Names are given by people: whatever they hold, they stay one segment.
        url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(path);
        for (name, value) in parameters {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request, and once more to the leader if the server stands by and says where that is. All hosts of a pipeline have
    /// one token, so the leader gets it as well: a client that only follows would leave it out, because the port is another.
    fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = request.build().context("make the request")?;
        let again = request.try_clone();
        let response = self.execute(request, &self.base)?;
        let location = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
        let is_sent_on = response.status() == StatusCode::TEMPORARY_REDIRECT;
        let (Some(location), Some(mut again), true) = (location, again, is_sent_on) else {
            return Ok(response);
        };
        let leader = again.url().join(location);
        let leader = leader.with_context(|| format!("the leader's address `{location}`"))?;
        *again.url_mut() = leader.clone();
        self.execute(again, &leader)
    }

    fn execute(&self, request: Request, server: &Url) -> anyhow::Result<Response> {
        self.http.execute(request).map_err(|error| {
            let error = error.without_url();
            if error.is_connect() {
                return anyhow!(error).context(format!(
                    "no server answers at `{server}`: start one with `sluicegate serve`, or name it with --url"
                ));
            }
            anyhow!(error).context(format!("the server at `{server}` gave no answer"))
        })
    }
}

/// The answer, or the server's sentence why there is none.
pub(super) fn decode<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    use std::io::Read as _;
    let status = response.status();
    let mut text = String::new();
    response.take(ANSWER_BYTES_MAX).read_to_string(&mut text).context("the answer broke off")?;
    if status.is_success() {
        return serde_json::from_str(&text).context("the answer is not one of a Sluicegate server");
    }
    match serde_json::from_str::<ErrorBody>(&text) {
        Ok(ErrorBody { error }) if error.code == "token" => {
            bail!("{}; --token-file names the file that has it", printable(&error.message))
        }
        Ok(ErrorBody { error }) => bail!("{}", printable(&error.message)),
        Err(_) => bail!("the server answered {status}, which is not like a Sluicegate server"),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// The first token of a file as the server reads it.
fn read_token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the token file `{}`", path.display()))?;
    let mut lines = text.lines().map(str::trim);
    let token = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    let token =
        token.with_context(|| format!("the token file `{}` holds no token", path.display()))?;
    Ok(token.to_owned())
}
