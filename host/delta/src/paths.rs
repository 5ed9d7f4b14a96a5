//! Paths of data files: as the log writes them, relative URLs, and as objects of a store.

use std::collections::BTreeMap;

use object_store::path::Path;

use super::actions::Add;
use sluicegate_chain::folders::{beginning, of_values};
use sluicegate_model::schema::DATE_COLUMN;
use sluicegate_store::Location;

const COMPACTED: &str = "compacted-";

/// The name of a file that holds the rows of others. No data file of a chain is called so, so no sweep of a chain takes it.
pub(crate) fn compacted(nonce: &str) -> String {
    format!("{COMPACTED}{nonce}.parquet")
}

/// Whether it is one, by the last part of its path.
pub(crate) fn is_compacted(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let nonce = name.strip_prefix(COMPACTED).and_then(|rest| rest.strip_suffix(".parquet"));
    nonce.is_some_and(|it| it.len() == 32 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Holds the folders of files that compaction made, but for those of tables by day alone, or by nothing.
const COMPACTED_FOLDER: &str = "compacted";

/// The path of a file of this name, as the log writes it, that takes the place of `of`. By days it lies beside it.
///
/// `partition_by`: the columns of the table, in the order of its folders.
pub(crate) fn in_place_of(of: &Add, partition_by: &[String], name: &str) -> String {
    let is_plain = partition_by.iter().all(|column| column == DATE_COLUMN);
    if is_plain {
        return match of.path.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name.to_owned(),
        };
    }
    let value = |column: &String| of.partition_values.get(column).and_then(Option::as_deref);
    let values = partition_by.iter().map(|column| (&**column, value(column)));
    let folders = of_values(values).map(|folders| format!("{folders}/")).unwrap_or_default();
    logged(&format!("{COMPACTED_FOLDER}/{folders}{name}"))
}

/// Whether a file lies in a folder for each of its values: there are readers who take them from there. Those that have no
/// folder because no store would take its name are where they should be.
pub(crate) fn has_folders(path: &str, values: &BTreeMap<String, Option<String>>) -> bool {
    let Ok(below) = below(path) else { return true };
    let folders: Vec<&str> = below.split('/').collect();
    let has_folder = |column: &String| folders.iter().any(|it| it.starts_with(&beginning(column)));
    let can_have = || of_values(values.iter().map(|(it, value)| (&**it, value.as_deref())));
    values.keys().all(has_folder) || can_have().is_none()
}

/// How the log writes the path of a file: a relative URL, whose readers decode it once.
pub(crate) fn logged(below: &str) -> String {
    let mut path = String::with_capacity(below.len());
    for byte in below.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => path.push(char::from(byte)),
            b'/' | b'=' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// Where the object of a path lies below the table's folder.
///
/// # Errors
///
/// It lies elsewhere, or is no path, as the end of a sentence.
pub(crate) fn below(path: &str) -> Result<String, String> {
    if path.contains("://") {
        return Err(format!(
            "has a file `{path}` in another place: compact it with what put it there"
        ));
    }
    let wrong = || format!("has a file `{path}`, which is no path");
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = after else { return Err(wrong()) };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (high, low) = (digit(high).ok_or_else(wrong)?, digit(low).ok_or_else(wrong)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// The object of a path.
///
/// # Errors
///
/// As [`below`].
pub(crate) fn object(table: &Location, path: &str) -> Result<Path, String> {
    let below =
        Path::parse(below(path)?).map_err(|error| format!("has a file `{path}`: {error}"))?;
    Ok(table.prefix.parts().chain(below.parts()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_log_writes_is_decoded_once() {
        assert_eq!(below("city=a%2520b/c.parquet").unwrap(), "city=a%20b/c.parquet");
        assert_eq!(below("city=S%C3%A3o/c.parquet").unwrap(), "city=São/c.parquet");
        assert!(below("s3://other/c.parquet").is_err() && below("a%2").is_err());
        assert!(below("a%zz").is_err() && below("%ff").is_err());
        for path in ["date=2026-11-21/sales.0-0c-1_a~.parquet", "c=a%2Fb c/São+&?#:@'é.parquet"] {
            assert_eq!(below(&logged(path)).unwrap(), path);
        }
        assert_eq!(logged("a=%2F é/b.c-d_e~"), "a=%252F%20%C3%A9/b.c-d_e~");
    }

    #[test]
    fn a_compacted_file_lies_beside_the_first_that_it_holds_or_in_folders_of_its_values() {
        let name = compacted(&"0a1b".repeat(8));
        let file = |path: &str, values: &[(&str, Option<&str>)]| Add {
            path: path.to_owned(),
            partition_values: values
                .iter()
                .map(|(column, value)| ((*column).to_owned(), value.map(str::to_owned)))
                .collect(),
            size: 1,
            modification_time: 0,
            data_change: true,
            stats: None,
            tags: None,
        };
        let by = |columns: &[&str]| columns.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let of_day = file("date=2026-11-27/x.parquet", &[("date", Some("2026-11-27"))]);
        let beside_it = in_place_of(&of_day, &by(&["date"]), &name);
        assert_eq!(beside_it, format!("date=2026-11-27/{name}"));
        assert_eq!(in_place_of(&file("x.parquet", &[]), &[], &name), name);
        let of_two = file("x.parquet", &[("hour", None), ("store", Some("a/b"))]);
        let in_folders = in_place_of(&of_two, &by(&["store", "hour"]), &name);
        let folders = "compacted/store=a%252Fb/hour=__HIVE_DEFAULT_PARTITION__";
        assert_eq!(in_folders, format!("{folders}/{name}"));
        assert!([&beside_it, &name, &in_folders].into_iter().all(|path| is_compacted(path)));
        assert!(
            !is_compacted("compacted-0a1b.parquet") && !is_compacted(&format!("{name}/x.parquet"))
        );
    }

    #[test]
    fn whether_a_file_has_its_folders_is_told_by_its_path() {
        let values = |values: &[(&str, Option<&str>)]| {
            let owned =
                values.iter().map(|(it, value)| ((*it).to_owned(), value.map(str::to_owned)));
            owned.collect::<BTreeMap<_, _>>()
        };
        let store = values(&[("store", Some("a b"))]);
        assert!(has_folders("x.parquet", &values(&[])));
        assert!(has_folders("e/store=a%20b/x.parquet", &store));
        assert!(!has_folders("x.parquet", &store) && !has_folders("store/x.parquet", &store));
        let two = values(&[("date", Some("2026-11-21")), ("store", None)]);
        assert!(!has_folders("date=2026-11-21/x.parquet", &two));
        assert!(has_folders("x.parquet", &values(&[("store", Some(&*"x".repeat(300)))])));
    }
}
