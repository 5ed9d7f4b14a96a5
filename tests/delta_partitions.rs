//! Delta tables that are parted by columns: what readers that are not ours see in them, and which files they read.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::delta::{read, read_where};
use crate::harness::host::{Host, ended, run_to_end, sluicegate};
use crate::harness::place::Place;
use crate::harness::{chain, eventually, services};

const READERS: [&str; 3] = ["deltalake", "polars", "duckdb"];

const PIPELINE: &str = r#"
name = "parted"
[source]
type = "files"
[source.files]
path = "in"
[schema]
n = "int64"
store = { type = "string", nullable = true }
day = "date"
price = "decimal(9,2)"
paid = "bool"
at = "timestamp(ms)"
ts = "timestamp(s)"
[event_time]
column = "ts"
max_out_of_orderness = "2h"
[[sinks]]
id = "rows"
type = "delta"
partition_by = BY
path = "PLACE/rows"
[checkpoint]
path = "PLACE/chain"
"#;

/// 2026-11-27T23:00:00Z.
const BEGIN: i64 = 1_795_820_400;

/// With what a path, a URL, a pattern and a shell take otherwise.
const STORES: [Option<&str>; 15] = [
    Some("plain"),
    Some("two words "),
    Some("100%"),
    Some("%2F"),
    Some("a/b"),
    Some("k=v"),
    Some("São 東京 🛒"),
    Some("+&#?;,"),
    Some("q'\"`"),
    Some("back\\slash"),
    Some("{}[]^~|<>*:$!@"),
    Some("..\n\u{1}"),
    Some("__HIVE"),
    Some(""),
    None,
];

fn pipeline(place: &Place, by: &str) -> PathBuf {
    let file = place.folder.path().join("parted.toml");
    std::fs::write(&file, PIPELINE.replace("BY", by).replace("PLACE", &place.url)).unwrap();
    file
}

/// Lines of rows of these stores, numbered, each an hour after the one before it.
fn lines(stores: &[Option<&str>]) -> Vec<String> {
    let row = |(n, store): (i64, &Option<&str>)| {
        let (ts, at) = (BEGIN + n * 3_600, BEGIN * 1_000 + 1);
        let (day, price, paid) = ("2026-11-27", format!("{n}.50"), n % 2 == 0);
        let row = json!({
            "n": n, "store": store, "day": day, "price": price, "paid": paid, "at": at, "ts": ts
        });
        format!("{row}\n")
    };
    (0..).zip(stores).map(row).collect()
}

/// A pipeline whose input are such rows.
fn write(place: &Place, by: &str, stores: &[Option<&str>]) -> PathBuf {
    let input = place.folder.path().join("in");
    std::fs::create_dir_all(&input).unwrap();
    std::fs::write(input.join("a.json"), lines(stores).concat()).unwrap();
    pipeline(place, by)
}

/// What readers are to see of them, those columns. An empty text is null.
fn rows(stores: &[Option<&str>], columns: &[&str]) -> Vec<String> {
    let row = |(n, store): (i64, &Option<&str>)| {
        let store = store.filter(|store| !store.is_empty()).unwrap_or("null");
        let cell = |column: &&str| match *column {
            "n" => n.to_string(),
            "store" => store.replace('\n', "\\n"),
            "date" => format!("2026-11-{}", 27 + (23 + n) / 24),
            "hour" => ((23 + n) % 24).to_string(),
            "day" => "2026-11-27".to_owned(),
            "price" => format!("{n}.50"),
            "paid" => if n % 2 == 0 { "True" } else { "False" }.to_owned(),
            _ => "2026-11-27T23:00:00.001000Z".to_owned(),
        };
        columns.iter().map(cell).collect::<Vec<_>>().join(" | ")
    };
    let mut rows: Vec<String> = (0..).zip(stores).map(row).collect();
    rows.sort();
    rows
}

#[track_caller]
fn assert_rows(place: &Place, stores: &[Option<&str>], columns: &[&str]) {
    // DuckDB takes its credentials from an extension for S3 that PyPI has not.
    let readers = if place.url.starts_with("s3") { &READERS[..2] } else { &READERS[..] };
    for reader in readers {
        let found = read(place, reader, "rows", columns);
        assert_eq!(found, rows(stores, columns), "by {reader}");
    }
}

#[track_caller]
fn done(place: &Place, arguments: &[&str], file: &Path) -> String {
    let output = ended(sluicegate(place).args(arguments).arg(file));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn files(place: &Place) -> Vec<String> {
    let files = place.list("rows").into_iter();
    files.filter(|path| path.ends_with(".parquet") && !path.contains("_delta_log")).collect()
}

#[test]
fn all_readers_see_the_values_of_all_columns_whatever_stands_in_them() {
    for place in [Place::local(), Place::s3(services::s3())] {
        let by = r#"["date", "hour", "store", "day", "price", "paid", "at"]"#;
        let file = write(&place, by, &STORES);
        run_to_end(&place, &file);
        assert_rows(&place, &STORES, &["n", "store", "date", "hour", "day", "price", "paid", "at"]);
        let files = files(&place);
        let beginning =
            "/date=2026-11-28/hour=3/store=a%2Fb/day=2026-11-27/price=4.50/paid=true/at=";
        assert!(files.iter().any(|path| path.contains(beginning)), "{files:#?}");
        let verified = done(&place, &["verify"], &file);
        assert!(verified.contains("missing 0, damaged 0, left over 0"), "{verified}");
    }
}

/// Each store's rows come with two commits.
fn write_twice(place: &Place, file: &Path, stores: &[Option<&str>]) {
    let input = place.folder.path().join("in");
    std::fs::create_dir_all(&input).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace("path = \"in\"", "path = \"in\"\nwatch = \"1s\"")).unwrap();
    let host = Host::run(place, file);
    for (name, rows) in ["a", "b"].into_iter().zip(lines(stores).chunks(stores.len().div_ceil(2))) {
        let epoch = || chain::newest(place).map_or(0, |head| head.epoch());
        let before = epoch();
        let staged = place.folder.path().join(name);
        std::fs::write(&staged, rows.concat()).unwrap();
        std::fs::rename(staged, input.join(format!("{name}.json"))).unwrap();
        eventually("their commit", || (epoch() > before).then_some(()));
    }
    host.stop();
}

/// Also when nothing is left of the files before it.
#[test]
fn a_compacted_table_has_the_folders_of_its_values() {
    let stores = [STORES, STORES].concat();
    for place in [Place::local(), Place::s3(services::s3())] {
        let file = pipeline(&place, r#"["store"]"#);
        write_twice(&place, &file, &stores);
        let before = files(&place).len();
        done(&place, &["table", "compact"], &file);
        assert_rows(&place, &stores, &["n", "store", "price"]);
        let verified = done(&place, &["verify"], &file);
        assert!(verified.contains("missing 0, damaged 0, left over 0"), "{verified}");
        assert_eq!(files(&place).len(), before + 14, "of each value one more");
        assert!(files(&place).iter().any(|path| path.starts_with("rows/compacted/store=a%2Fb/")));
        let vacuum = ["table", "vacuum", "--retain", "0s", "--force", "--delete"];
        done(&place, &vacuum, &file);
        assert_rows(&place, &stores, &["n", "store", "price"]);
    }
}

/// The last commit of the log, with all files at the top of the table.
fn flatten(place: &Place) {
    let log = |path: &String| path.contains("_delta_log") && path.ends_with(".json");
    let commits: Vec<_> = place.list("rows").into_iter().filter(log).collect();
    let mut moved = String::new();
    for path in &commits {
        let text = String::from_utf8(place.read(path).to_vec()).unwrap();
        for line in text.lines() {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let Some(add) = line.get_mut("add") else { continue };
            let path = add["path"].as_str().unwrap().to_owned();
            let name = path.rsplit('/').next().unwrap().to_owned();
            let found = files(place).into_iter().find(|file| file.ends_with(&name)).unwrap();
            place.write(&format!("rows/{name}"), place.read(&found));
            let remove = json!({ "path": path, "dataChange": false, "deletionTimestamp": 0 });
            add["path"] = json!(name);
            let _infallible = writeln!(moved, "{}\n{line}", json!({ "remove": remove }));
        }
    }
    let next = format!("rows/_delta_log/{:020}.json", commits.len());
    place.write(&next, moved.into());
}

/// Polars sees none of their values.
#[test]
fn a_compaction_moves_files_that_lie_flat_into_the_folders_of_their_values() {
    let place = Place::local();
    let file = write(&place, r#"["store"]"#, &STORES);
    run_to_end(&place, &file);
    flatten(&place);
    let columns = ["n", "store"];
    assert_eq!(read(&place, "duckdb", "rows", &columns), rows(&STORES, &columns));
    assert_ne!(read(&place, "polars", "rows", &columns), rows(&STORES, &columns));
    done(&place, &["table", "compact"], &file);
    assert_rows(&place, &STORES, &columns);
    assert!(done(&place, &["table", "compact"], &file).contains("rows: nothing to put together"));
}

/// All files but those of one value are no files any more: whoever reads one fails.
#[test]
fn readers_pass_over_files_of_other_values_and_of_other_bounds() {
    let place = Place::local();
    let file = write(&place, r#"["store"]"#, &STORES);
    run_to_end(&place, &file);
    let is_kept =
        |path: &String| path.contains("/store=a%2Fb/") || path.contains("/store=__HIVE_DEF");
    for path in files(&place).iter().filter(|path| !is_kept(path)) {
        let spoilt = vec![b'x'; place.read(path).len()];
        place.write(path, spoilt.into());
    }
    let read = |reader, column, value: Value| {
        read_where(&place, reader, "rows", (column, &value), &["n", "store"])
    };
    for reader in READERS {
        assert_eq!(read(reader, "store", json!("a/b")).unwrap(), ["4 | a/b"], "by {reader}");
        assert_eq!(read(reader, "n", json!(4)).unwrap(), ["4 | a/b"], "by {reader}");
        assert_eq!(read(reader, "n", json!(13)).unwrap(), ["13 | null"], "by {reader}");
        read(reader, "n", json!(5)).unwrap_err();
    }
    // DuckDB reads all files where null is asked for.
    for reader in &READERS[..2] {
        let of_null = read(reader, "store", Value::Null).unwrap();
        assert_eq!(of_null, ["13 | null", "14 | null"], "by {reader}");
    }
}
