//! Where a path of a pipeline file leads: a relative one begins at the folder of the file, wherever the command runs.

use std::path::{Path, PathBuf};

/// A folder or URL of a pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrittenPlace {
    /// As it stands in the file, without spaces around it.
    pub(super) written: String,
    /// With every path absolute: it leads to the same place from any working directory.
    pub(super) url: String,
}

impl WrittenPlace {
    /// The place that `written` names in a file of `folder`, which is absolute.
    ///
    /// # Errors
    /// A sentence if the folder has a name that no URL can hold.
    pub(super) fn resolve(written: &str, folder: &Path) -> Result<Self, String> {
        let url = match written.split_once("://") {
            Some(("file", path)) => format!("file://{}", join(folder, path)?),
            Some(_) => written.to_owned(),
            None => join(folder, written)?,
        };
        Ok(Self { written: written.to_owned(), url })
    }

    /// Whether it lies in `outer` or is the same.
    pub(super) fn is_within(&self, outer: &str) -> bool {
        parts(&self.url).starts_with(&parts(outer))
    }
}

/// The folder of a pipeline file, absolute.
///
/// # Errors
/// The working directory is gone.
pub(super) fn folder_of(file: &Path) -> std::io::Result<PathBuf> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::path::absolute(folder.unwrap_or(Path::new(".")))
}

/// The path of a file that `written` names in a file of `folder`.
pub(super) fn join(folder: &Path, written: &str) -> Result<String, String> {
    let path = folder.join(written);
    path.to_str().map(str::to_owned).ok_or_else(|| {
        format!(
            "\"{written}\" is relative to `{}`, whose name is not UTF-8: write the whole path, or rename that folder",
            folder.display()
        )
    })
}

/// The folders of a path or URL; those that `..` leaves again are not among them.
fn parts(url: &str) -> Vec<&str> {
    let plain = url.strip_prefix("file://").unwrap_or(url);
    let mut parts = Vec::new();
    for (at, part) in plain.split('/').enumerate() {
        match part {
            ".." if parts.len() > 1 => _ = parts.pop(),
            "." => {}
            // An absolute path begins with an empty part, which tells it from a URL.
            "" if at > 0 => {}
            part => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{WrittenPlace, folder_of};

    #[test]
    fn only_what_is_relative_begins_at_the_file() {
        let url = |written: &str| WrittenPlace::resolve(written, Path::new("/jobs")).unwrap().url;
        assert_eq!(url("data/chain"), "/jobs/data/chain");
        assert_eq!(url("./data"), "/jobs/./data");
        assert_eq!(url("../data"), "/jobs/../data");
        assert_eq!(url("/data"), "/data");
        assert_eq!(url("file://data"), "file:///jobs/data");
        assert_eq!(url("file:///data"), "file:///data");
        assert_eq!(url("s3://bucket/data"), "s3://bucket/data");
    }

    #[test]
    fn a_place_is_within_another_however_it_is_written() {
        let within = |inner: &str, outer: &str| {
            let [inner, outer] =
                [inner, outer].map(|one| WrittenPlace::resolve(one, Path::new("/jobs")).unwrap());
            inner.is_within(&outer.url)
        };
        assert!(within("data/a", "data"));
        assert!(within("/jobs/data/a", "data"));
        assert!(within("file://data/./a", "./data/"));
        assert!(within("b/../data", "data"));
        assert!(!within("data", "data/a"));
        assert!(!within("database", "data"));
        assert!(!within("s3://bucket/a", "data"));
    }

    #[test]
    fn a_file_that_is_a_link_lies_where_the_link_does() {
        let place = tempfile::tempdir().unwrap();
        let (mounted, folder) = (place.path().join("..data"), place.path().join("jobs"));
        std::fs::create_dir_all(&mounted).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(mounted.join("sales.toml"), "").unwrap();
        let link = folder.join("sales.toml");
        std::os::unix::fs::symlink(mounted.join("sales.toml"), &link).unwrap();
        assert_eq!(folder_of(&link).unwrap(), folder);
    }

    #[test]
    fn a_file_named_alone_lies_in_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(folder_of(Path::new("sales.toml")).unwrap(), here);
        assert_eq!(folder_of(Path::new("jobs/sales.toml")).unwrap(), here.join("jobs"));
    }
}
