//! Paths of data files: as the log writes them, relative URLs, and as objects of a store.

use object_store::path::Path;

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

/// The path of a file of this name in the folder of another.
pub(crate) fn beside(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
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
    }

    #[test]
    fn a_compacted_file_lies_beside_the_first_that_it_holds() {
        let name = compacted(&"0a1b".repeat(8));
        let beside_it = beside("date=2026-11-27/x.parquet", &name);
        assert_eq!(beside_it, format!("date=2026-11-27/{name}"));
        assert_eq!(beside("x.parquet", &name), name);
        assert!(is_compacted(&beside_it) && is_compacted(&name));
        assert!(
            !is_compacted("compacted-0a1b.parquet") && !is_compacted(&format!("{name}/x.parquet"))
        );
    }
}
