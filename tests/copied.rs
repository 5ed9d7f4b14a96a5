//! A chain that was copied keeps its id: one of the two goes on with the table, and the other harms nobody.

use std::fs;
use std::path::Path;

use xtask::daemon::wait_until;

use crate::harness::PATIENCE;
use crate::harness::amounts::{Amounts, Copying};
use crate::harness::host::Host;
use crate::harness::table::rows;

const ORIGINAL: Copying<'_> =
    Copying { name: "first", kind: "int64", format: "delta", out: "data/out", chain: "data/chain" };
const COPY: Copying<'_> = Copying { chain: "data/copy", ..ORIGINAL };

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Another file of one line, and a run of the pipeline until its table has it.
fn add(folder: &Amounts, pipeline: Copying<'_>, number: usize) {
    let root = folder.0.folder.path();
    let line = format!("{{\"amount\":{number},\"ts\":1795258800}}\n");
    fs::write(root.join(format!("in/{number}.json")), line).unwrap();
    fs::write(root.join("pipeline.toml"), watching(pipeline)).unwrap();
    let mut host = Host::run(&folder.0, &root.join("pipeline.toml"));
    let found = || rows(&folder.0, "out", &["amount"]);
    let whole = wait_until(PATIENCE, || {
        assert!(host.daemon.ended().unwrap().is_none(), "{}", host.log());
        (found().len() == number + 1).then_some(())
    });
    assert!(whole.is_some(), "{:?}\n{}", found(), host.log());
    host.stop();
}

fn watching(pipeline: Copying<'_>) -> String {
    let text = pipeline.text().replace("path = \"in\"", "path = \"in\"\nwatch = \"100ms\"");
    text.replace("[checkpoint]", "[checkpoint]\ninterval = \"200ms\"")
}

fn refused(folder: &Amounts, command: &str, pipeline: Copying<'_>) -> String {
    let said = folder.run(&[command], &watching(pipeline));
    assert!(matches!(said.code, Some(1 | 2)), "{command}: {said:?}");
    said.text
}

/// Before, both went on, and each took files of the other for left over.
#[test]
fn it_is_refused_while_the_original_is_there_and_goes_on_when_that_is_gone() {
    let folder = Amounts::new();
    add(&folder, ORIGINAL, 1);
    let data = folder.0.folder.path().join("data");
    copy_folder(&data.join("chain"), &data.join("copy"));
    for command in ["run", "check"] {
        let said = refused(&folder, command, COPY);
        assert!(said.contains("one of them is a copy"), "{command}: {said}");
        assert!(said.contains("data/chain") && said.contains("data/copy"), "{said}");
    }
    add(&folder, ORIGINAL, 2);
    fs::rename(data.join("chain"), data.join("gone")).unwrap();
    let behind = refused(&folder, "run", COPY);
    assert!(behind.contains("newer records of the chain are gone"), "{behind}");
    fs::remove_dir_all(data.join("copy")).unwrap();
    copy_folder(&data.join("gone"), &data.join("copy"));
    add(&folder, COPY, 3);
    folder.done(&["verify"], COPY);
    fs::rename(data.join("gone"), data.join("chain")).unwrap();
    let original = refused(&folder, "run", ORIGINAL);
    assert!(original.contains("one of them is a copy"), "{original}");
    add(&folder, COPY, 4);
    folder.done(&["verify"], COPY);
}
