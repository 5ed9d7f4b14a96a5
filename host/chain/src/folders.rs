//! In which folder of a table a data file lies, by the values that its rows have in the columns by which the table is parted.
//!
//! ```text
//! <table>/<name>                                                     without such columns
//! <table>/date=2026-11-21/<name>                                     by the day alone
//! <table>/epochs/<lane>-<chain>-<epoch>/date=2026-11-21/store=a%2Fb/<name>   by others
//! ```
//!
//! Whoever opens a lane looks for files of its newest epochs ([`files`](super::files)). Days are few, and each is asked. Of other
//! values there may be any number, and a crash may leave a file in a folder that nobody has heard of. So those folders lie
//! below one of their epoch: stores list in the order of names, and one listing from an epoch on finds all, however many
//! values and epochs there ever were. Its range is that of names that lie flat.
//!
//! Folders of values are named as Hive and Spark name them, `column=value`, and most readers know.

use std::borrow::Cow;

use super::paths::{LaneTag, Naming};
use super::record::Epoch;
use sluicegate_model::schema::DATE_COLUMN;

/// Holds a folder for each epoch.
pub(super) const EPOCHS_FOLDER: &str = "epochs";

/// What a folder has for null, and for a text without characters.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Bytes that file systems take as the name of a folder.
const FOLDER_BYTES_MAX: usize = 255;

/// Bytes of all folders of values in a path. Object stores take paths of 1,024; the rest is for what stands around them.
const FOLDERS_BYTES_MAX: usize = 640;

/// The folder of a data file below its table; none: it lies in the table's own.
pub(super) fn of_file(
    values: &[(String, Option<String>)],
    tag: &LaneTag,
    chain: &str,
    epoch: Epoch,
) -> Option<String> {
    let folders = of_values(pairs(values));
    match values {
        [] => None,
        [(column, _)] if column == DATE_COLUMN => folders,
        _ => {
            let own = tag.before_epoch(Naming::OfChain(chain), epoch);
            let below = folders.map(|folders| format!("/{folders}")).unwrap_or_default();
            Some(format!("{EPOCHS_FOLDER}/{own}{below}"))
        }
    }
}

fn pairs(values: &[(String, Option<String>)]) -> impl Iterator<Item = (&str, Option<&str>)> {
    values.iter().map(|(column, value)| (column.as_str(), value.as_deref()))
}

/// The folders of values, in each other in their order. None if there are no values, or if no store would take such a path.
pub fn of_values<'v>(
    values: impl IntoIterator<Item = (&'v str, Option<&'v str>)>,
) -> Option<String> {
    let folder = |(column, value): (&str, Option<&str>)| {
        let value = value.filter(|value| !value.is_empty());
        let value = value.map_or(Cow::Borrowed(NULL), escaped);
        format!("{}={value}", escaped(column))
    };
    let folders: Vec<String> = values.into_iter().map(folder).collect();
    let fits = folders.iter().all(|folder| folder.len() <= FOLDER_BYTES_MAX);
    let folders = folders.join("/");
    (fits && !folders.is_empty() && folders.len() <= FOLDERS_BYTES_MAX).then_some(folders)
}

/// How the folder of a column begins.
pub fn beginning(column: &str) -> String {
    format!("{}=", escaped(column))
}

/// A part of a folder's name. Spark leaves more as it is; but a reader that takes such a name for a URL asks its store for
/// another object. All of them decode what is escaped.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match is_plain(byte) {
            true => escaped.push(char::from(byte)),
            false => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(values: &[(&str, Option<&str>)]) -> Option<String> {
        let values: Vec<_> = values
            .iter()
            .map(|(column, value)| ((*column).to_owned(), value.map(str::to_owned)))
            .collect();
        of_file(&values, &LaneTag::new("sales", "0"), "0c4a7b91e2d3", Epoch(7))
    }

    const OF_EPOCH: &str = "epochs/sales.0-0c4a7b91e2d3-00000000000000000007";

    #[test]
    fn only_days_lie_at_the_top() {
        assert_eq!(folder(&[]), None);
        assert_eq!(folder(&[("date", Some("2026-11-21"))]).as_deref(), Some("date=2026-11-21"));
        let hour = folder(&[("date", Some("2026-11-21")), ("hour", Some("5"))]).unwrap();
        assert_eq!(hour, format!("{OF_EPOCH}/date=2026-11-21/hour=5"));
    }

    #[test]
    fn folders_are_named_as_readers_know_them_and_as_no_url_changes_them() {
        let named = |value| {
            let folder = of_values([("store", value)]).unwrap();
            folder.strip_prefix("store=").unwrap().to_owned()
        };
        assert_eq!(named(Some("a-b.c_D9")), "a-b.c_D9");
        assert_eq!(
            named(Some("%2F/:=?\"#'*\\{[]^")),
            "%252F%2F%3A%3D%3F%22%23%27%2A%5C%7B%5B%5D%5E"
        );
        assert_eq!(named(Some("a b+é~\n\0")), "a%20b%2B%C3%A9%7E%0A%00");
        assert_eq!(named(None), "__HIVE_DEFAULT_PARTITION__");
        assert_eq!(named(Some("")), "__HIVE_DEFAULT_PARTITION__");
        assert_eq!(of_values([("a=b", Some("."))]).as_deref(), Some("a%3Db=."));
    }

    #[test]
    fn what_no_store_takes_as_a_name_makes_no_folder() {
        let long = "x".repeat(FOLDER_BYTES_MAX - "store=".len());
        let path = folder(&[("store", Some(&long)), ("n", Some("1"))]).unwrap();
        assert_eq!(path, format!("{OF_EPOCH}/store={long}/n=1"));
        let too_long = format!("{long}x");
        assert_eq!(folder(&[("n", Some("1")), ("store", Some(&too_long))]).unwrap(), OF_EPOCH);
        let four: Vec<_> = ["a", "b", "c", "d"].map(|it| (it, Some(&long[..200]))).into();
        assert_eq!(folder(&four).unwrap(), OF_EPOCH);
    }
}
