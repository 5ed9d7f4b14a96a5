//! Paths and URLs of what lies in a store.

use std::path::Path;

use crate::place::WrittenPlace;
use crate::suggest;

/// Schemes that the store opens.
const SCHEMES: [&str; 4] = ["file", "s3", "gs", "az"];

/// A path or URL of a store, in a pipeline file of `folder`.
pub(super) fn location(path: &str, folder: &Path) -> Result<WrittenPlace, String> {
    let trimmed = path.trim();
    if trimmed.is_empty() {
        return Err(
            "an empty path; write a folder or a URL such as \"s3://bucket/folder\"".to_owned()
        );
    }
    let Some((scheme, rest)) = trimmed.split_once("://") else {
        return WrittenPlace::resolve(trimmed, folder);
    };
    if !SCHEMES.contains(&scheme) {
        let hint = suggest::nearest(scheme, SCHEMES);
        let hint = hint.map(|ours| format!("; did you mean `{ours}://`?")).unwrap_or_default();
        return Err(format!(
            "\"{trimmed}\" has the unknown scheme `{scheme}`: file, s3, gs and az are known{hint}"
        ));
    }
    if rest.trim_matches('/').is_empty() {
        return Err(format!("\"{trimmed}\" names no bucket or folder"));
    }
    WrittenPlace::resolve(trimmed, folder)
}
