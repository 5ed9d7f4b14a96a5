//! What is written, what is refused. That it builds is tested end to end, by `tests/new_plugin.rs`.

use std::collections::BTreeSet;

use super::*;

fn sources_on_disk(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_on_disk(&path, below, found);
        } else {
            let path = path.strip_prefix(below).unwrap().to_str().unwrap();
            found.insert(path.replace('\\', "/"));
        }
    }
}

#[test]
fn every_file_of_the_sdk_is_inside_the_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-sdk");
    let mut on_disk = BTreeSet::from(["README.md".to_owned()]);
    for folder in ["src", "wit", "derive/src"] {
        sources_on_disk(&root.join(folder), &root, &mut on_disk);
    }
    let inside: BTreeSet<_> = sdk::SOURCES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(inside, on_disk);
}

#[test]
fn manifests_need_nothing_of_ours() {
    for (path, text) in sdk::files().iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        let manifest: toml::Table = text.parse().unwrap();
        assert!(!text.contains("workspace"), "{path} inherits:\n{text}");
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
    }
    let sdk: toml::Table = sdk::files()[0].1.parse().unwrap();
    assert_eq!(sdk["dependencies"]["sluicegate-sdk-derive"]["path"].as_str(), Some("derive"));
    assert_eq!(sdk["dependencies"]["serde"]["version"].as_str(), Some("1"));
    let wasm = &sdk["target"]["cfg(target_family = \"wasm\")"]["dependencies"];
    assert!(wasm["wit-bindgen"]["version"].is_str());
}

#[test]
fn placeholders_are_filled() {
    let dir = tempfile::tempdir().unwrap();
    create("big-sales", PluginKind::Filter, dir.path()).unwrap();
    let read = |path: &str| fs::read_to_string(dir.path().join("big-sales").join(path)).unwrap();
    assert!(read("Cargo.toml").contains("name = \"big-sales\""));
    assert!(
        read("README.md")
            .contains("push big-sales target/wasm32-unknown-unknown/release/big_sales.wasm")
    );
    for file in ["Cargo.toml", "README.md", "src/lib.rs"] {
        let text = read(file);
        let left = ["PLUGIN-", "PACKAGE-", "MODULE-"].iter().find(|mark| text.contains(*mark));
        assert_eq!(left, None, "{file}");
    }
}

/// That cargo takes it as it stands is tested end to end, with `--locked`.
#[test]
fn a_new_crate_has_the_versions_of_this_workspace() {
    let lock: toml::Table = lock::lock_file("big-sales").unwrap().parse().unwrap();
    let ours: toml::Table = include_str!("../../../../../Cargo.lock").parse().unwrap();
    let packages = |lock: &toml::Table| lock["package"].as_array().unwrap().clone();
    let versions = |package: &toml::Value| {
        let part = |key: &str| package.get(key).map(|text| text.as_str().unwrap().to_owned());
        ["name", "version", "source", "checksum"].map(part)
    };
    let ours: BTreeSet<_> = packages(&ours).iter().map(versions).collect();
    let theirs: Vec<_> = packages(&lock).iter().map(versions).collect();
    assert!(theirs.len() > 20, "{theirs:?}");
    let others = theirs.iter().filter(|package| !ours.contains(*package)).collect::<Vec<_>>();
    assert_eq!(others.len(), 1, "{others:?}");
    assert_eq!(others[0][0].as_deref(), Some("big-sales"));
}

#[test]
fn names_that_cargo_refuses_get_a_package_of_another_name() {
    assert_eq!(package("9-lives"), "plugin-9-lives");
    assert_eq!(package("std"), "plugin-std");
    assert_eq!(package("log"), "plugin-log");
    assert_eq!(package("sluicegate-sdk"), "plugin-sluicegate-sdk");
    assert_eq!(module_file("9-lives"), "plugin_9_lives.wasm");
}

#[test]
fn names_that_break_the_rule_are_refused() {
    let long = "a".repeat(64);
    for name in ["", "-a", "A", "a_b", "a.b", "../a", "ä", &long] {
        let dir = tempfile::tempdir().unwrap();
        let refused = create(name, PluginKind::Map, dir.path()).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("`{name}` is not a name for a plugin")), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    assert!(check_name(&long[..63]).is_ok());
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "precious").unwrap();
    let refused = create("mine", PluginKind::Aggregate, dir.path()).unwrap_err().to_string();
    assert!(refused.ends_with("is there already: take another name or folder"), "{refused}");
    assert_eq!(fs::read_to_string(dir.path().join("mine")).unwrap(), "precious");
}
