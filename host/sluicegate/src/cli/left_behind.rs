//! What a pipeline wrote while relative paths began at the working directory. Beginning anew beside it would double
//! every result, so that is refused.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::program::LANE;
use sluicegate_chain::paths::{CHAIN_FOLDER, lane_folder};
use sluicegate_pipeline::Pipeline;

/// A folder of a pipeline that its file does not lead to any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{key}` = \"{written}\" leads to `{new}`, where pipeline `{pipeline}` has nothing; what it wrote before lies in `{old}`. \
     Relative paths begin at the folder of the pipeline file, not where the command runs: move that folder there, or write \
     its whole path. To begin from scratch, run the command from another folder"
)]
pub(super) struct LeftBehind {
    key: String,
    written: String,
    new: String,
    pipeline: String,
    old: String,
}

/// Refuses a pipeline whose chain or tables lie where they did while paths began at the working directory, and not
/// where they would be looked for now.
///
/// # Errors
/// [`LeftBehind`], for the first of them.
pub(super) fn refuse_left_behind(
    pipeline: &Pipeline,
    working_directory: &Path,
) -> Result<(), LeftBehind> {
    let look = |key: String, written: &str, url: &str, holds: &dyn Fn(&Path) -> bool| {
        let old = local(written).filter(|path| path.is_relative());
        let old = old.map(|path| working_directory.join(path)).filter(|old| holds(old));
        match (old, local(url)) {
            (Some(old), Some(new)) if !holds(&new) => Err(LeftBehind {
                key,
                written: written.to_owned(),
                new: new.display().to_string(),
                pipeline: pipeline.name.to_string(),
                old: old.display().to_string(),
            }),
            _ => Ok(()),
        }
    };
    let chain = Path::new(&lane_folder(&pipeline.name, LANE)).join(CHAIN_FOLDER);
    let checkpoint = &pipeline.checkpoint;
    look("checkpoint.path".to_owned(), &checkpoint.written, &checkpoint.url, &|folder| {
        files(&folder.join(&chain)).any(|file| file.extension() == Some(OsStr::new("json")))
    })?;
    let tag = format!("{}.{LANE}-", pipeline.name);
    let is_ours = |file: &PathBuf| {
        let name = file.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with(&tag) && name.ends_with(".parquet"))
    };
    for (id, table) in pipeline.tables() {
        look(format!("path` of the table `{id}"), &table.written, &table.url, &|folder| {
            files(folder).any(|file| is_ours(&file) || files(&file).any(|file| is_ours(&file)))
        })?;
    }
    Ok(())
}

/// The path of a place on this machine.
fn local(place: &str) -> Option<PathBuf> {
    let path = place.strip_prefix("file://").unwrap_or(place);
    (!path.contains("://")).then(|| PathBuf::from(path))
}

/// What lies in a folder; nothing if it is none.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::refuse_left_behind;
    use sluicegate_pipeline::file::parse;

    const FILE: &str = "name = \"sales\"\n[source]\ntype = \"files\"\n[source.files]\npath = \"in\"\n\
        [schema]\nts = \"timestamp(s)\"\n[event_time]\ncolumn = \"ts\"\nmax_out_of_orderness = \"0s\"\n\
        [[sinks]]\nid = \"rows\"\ntype = \"parquet\"\npath = \"data/rows\"\n\
        [checkpoint]\npath = \"data/chain\"\n";

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn what_lies_where_paths_began_before_is_named_until_it_is_moved() {
        let here = tempfile::tempdir().unwrap();
        let here = here.path();
        let pipeline = parse(FILE, &here.join("jobs/sales.toml"), &BTreeMap::new()).unwrap();
        let refusal = || refuse_left_behind(&pipeline, here).err().map(|error| error.to_string());
        assert_eq!(refusal(), None);

        write(&here.join("data/chain/other/lanes/0/chain/00000000000000000000.json"));
        write(&here.join("data/rows/other.0-1.parquet"));
        assert_eq!(refusal(), None, "of another pipeline");

        write(&here.join("data/chain/sales/lanes/0/chain/00000000000000000000.json"));
        let text = refusal().unwrap();
        assert!(text.contains("`checkpoint.path` = \"data/chain\""), "{text}");
        assert!(
            text.contains(&format!("lies in `{}`", here.join("data/chain").display())),
            "{text}"
        );
        write(&here.join("jobs/data/chain/sales/lanes/0/chain/00000000000000000000.json"));
        assert_eq!(refusal(), None, "it was moved");

        write(&here.join("data/rows/date=2026-11-26/sales.0-00000000000000000001-1-a-0.parquet"));
        let text = refusal().unwrap();
        assert!(text.contains("table `rows` = \"data/rows\""), "{text}");
        write(&here.join("jobs/data/rows/sales.0-00000000000000000001-1-a-0.parquet"));
        assert_eq!(refusal(), None, "it was moved");
    }

    #[test]
    fn what_is_written_as_a_whole_path_was_never_elsewhere() {
        let here = tempfile::tempdir().unwrap();
        let here = here.path();
        write(&here.join("data/chain/sales/lanes/0/chain/00000000000000000000.json"));
        let text = FILE
            .replace("data/chain", "/nowhere/data/chain")
            .replace("data/rows", "s3://b/data/rows");
        let pipeline = parse(&text, &here.join("jobs/sales.toml"), &BTreeMap::new()).unwrap();
        assert!(refuse_left_behind(&pipeline, here).is_ok());
    }
}
