//! The console's files. They are public, because they hold no data: what the page shows, it asks the API for.
//!
//! All of them stand in the program, and each is compressed once. A browser keeps them and asks each time whether they
//! are still the same, so a page is never made of the files of two versions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use super::request;
use crate::api::error::ErrorBody;
use sluicegate_store::once::sha256_hex;

/// The folder, as it was when the program was built.
#[derive(RustEmbed)]
#[folder = "console/"]
struct Folder;

/// What the page may do: run its own scripts and ask its own host. Inline styles are the chart library's.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// What every file is sent with.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Kept, and asked for each time.
    (header::CACHE_CONTROL, "no-cache"),
    (header::VARY, "accept-encoding"),
];

/// A file in one of its two forms.
struct Form {
    bytes: Bytes,
    /// A tag names bytes, so each form has its own.
    tag: HeaderValue,
}

/// A file of the console.
struct File {
    content_type: &'static str,
    plain: Form,
    /// None where it would not be smaller.
    gzip: Option<Form>,
}

/// By path below the folder. Compressed when the first of them is asked for.
static FILES: LazyLock<BTreeMap<Cow<'static, str>, File>> = LazyLock::new(|| {
    let file = |path: Cow<'static, str>| {
        let file = File::new(&path);
        (path, file)
    };
    Folder::iter().map(file).collect()
});

/// `GET /` and `GET /console/{path}`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    let mut routes = OpenApiRouter::new().routes(routes!(index));
    // A document has no way to say that a part of a path may hold `/`.
    let (_, described, methods) = routes!(file);
    routes.get_openapi_mut().paths.merge(described);
    routes.route("/console/{*path}", methods)
}

/// Answers with the console, a page for browsers.
#[utoipa::path(
    get,
    path = "/",
    tag = "console",
    operation_id = "show_console",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
    ),
)]
async fn index(headers: HeaderMap) -> Response {
    FILES["index.html"].answer(&headers)
}

/// Answers with a file of the console.
#[utoipa::path(
    get,
    path = "/console/{path}",
    tag = "console",
    operation_id = "show_console_file",
    params(("path" = String, Path, description = "Path of a file of the console; may hold `/`")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "*/*"),
        (status = 304, description = "The client has these very bytes"),
        (status = 404, description = "`no_such_path`: there is no such file", body = ErrorBody),
    ),
)]
async fn file(
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(path) = path?;
    let file = FILES.get(path.as_str()).ok_or_else(|| request::nothing_at(uri.path()))?;
    Ok(file.answer(&headers))
}

impl File {
    fn new(path: &str) -> Self {
        let bytes = match Folder::get(path).expect("the folder lists what it has").data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        let hash = sha256_hex(&bytes);
        let packed = gzip(&bytes);
        let gzip = (packed.len() < bytes.len())
            .then(|| Form { bytes: packed, tag: tag(&format!("{hash}-gzip")) });
        Self { content_type: content_type(path), plain: Form { bytes, tag: tag(&hash) }, gzip }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let gzip = self.gzip.as_ref().filter(|_| accepts_gzip(asked));
        let form = gzip.unwrap_or(&self.plain);
        let mut response = match is_known(asked, &form.tag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => {
                let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type))];
                (kind, form.bytes.clone()).into_response()
            }
        };
        let headers = response.headers_mut();
        if gzip.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(header::ETAG, form.tag.clone());
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

fn tag(name: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{name}\"")).expect("hex digits are a header's value")
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("memory takes all").into()
}

/// By what a path ends with. A file of any other kind is not shown: a test keeps such from the folder.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => OTHER,
    }
}

const OTHER: &str = "application/octet-stream";

/// Whether the client has these very bytes already.
fn is_known(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = words(asked, header::IF_NONE_MATCH);
    known.map(|word| word.strip_prefix("W/").unwrap_or(word)).any(|word| word == "*" || word == tag)
}

/// Whether the client takes gzip: it names it, or anything, and not with the weight 0.
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let taken = |wanted: &str| {
        words(asked, header::ACCEPT_ENCODING).find_map(|word| {
            let (coding, weight) = word.split_once(';').unwrap_or((word, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
            coding.trim().eq_ignore_ascii_case(wanted).then(|| weight.is_ok_and(|q| q > 0.0))
        })
    };
    taken("gzip").or_else(|| taken("*")).unwrap_or(false)
}

/// The comma-separated words of a header, however often it is given.
fn words(asked: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = asked.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Path, content type and compressed size of each file.
#[cfg(test)]
pub(super) fn listed() -> Vec<(String, &'static str, usize)> {
    let line = |(path, file): (&Cow<'static, str>, &File)| {
        let bytes = file.gzip.as_ref().unwrap_or(&file.plain).bytes.len();
        (path.to_string(), file.content_type, bytes)
    };
    FILES.iter().map(line).collect()
}
