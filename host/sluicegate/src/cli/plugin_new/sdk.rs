//! The SDK's sources inside this binary, and manifests for them that need no workspace of ours.

use toml::{Table, Value};

const WORKSPACE: &str = include_str!("../../../../../Cargo.toml");

macro_rules! sources {
    ($($path:literal)*) => {
        /// Path below `guest-sdk/` and text of every file that the SDK is built of, manifests apart.
        pub(super) const SOURCES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../../../../../guest-sdk/", $path)))),*];
    };
}

sources! {
    "README.md"
    "wit/plugin.wit"
    "src/lib.rs"
    "src/column.rs"
    "src/row.rs"
    "src/output/mod.rs"
    "src/output/decimals.rs"
    "src/memcmp.rs"
    "src/text.rs"
    "src/varlen.rs"
    "src/decimal/mod.rs"
    "src/decimal/arithmetic.rs"
    "src/decimal/comparison.rs"
    "src/decimal/text.rs"
    "src/moment.rs"
    "src/calendar.rs"
    "src/config.rs"
    "src/refused.rs"
    "src/replay.rs"
    "src/filter.rs"
    "src/map.rs"
    "src/aggregate.rs"
    "src/process/mod.rs"
    "src/process/instance.rs"
    "src/process/keyed.rs"
    "src/process/timers.rs"
    "src/state.rs"
    "src/description.rs"
    "src/level.rs"
    "src/host.rs"
    "src/testing/mod.rs"
    "src/testing/process.rs"
    "src/testing/table.rs"
    "src/bindings.rs"
    "src/glue.rs"
    "derive/src/lib.rs"
    "derive/src/fields.rs"
    "derive/src/row.rs"
    "derive/src/state.rs"
}

/// The files of the SDK for a crate of its own: path, text.
pub(super) fn files() -> Vec<(String, String)> {
    let manifests = [
        ("Cargo.toml", include_str!("../../../../../guest-sdk/Cargo.toml")),
        ("derive/Cargo.toml", include_str!("../../../../../guest-sdk/derive/Cargo.toml")),
    ];
    let manifests = manifests.map(|(path, text)| (path.to_owned(), standalone(text)));
    let sources = SOURCES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    manifests.into_iter().chain(sources).collect()
}

/// A manifest of our workspace with what it inherits written out.
fn standalone(manifest: &str) -> String {
    let workspace: Table = WORKSPACE.parse().expect("our own manifest is TOML");
    let mut manifest: Table = manifest.parse().expect("our own manifest is TOML");
    manifest.remove("lints");
    inherit(&mut manifest, "package", &workspace["workspace"]["package"]);
    let dependencies = &workspace["workspace"]["dependencies"];
    inherit(&mut manifest, "dependencies", dependencies);
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        for (_, target) in targets.iter_mut() {
            let target = target.as_table_mut().expect("a target has tables of dependencies");
            inherit(target, "dependencies", dependencies);
        }
    }
    toml::to_string(&manifest).expect("a table can be written")
}

/// Replaces the values `{ workspace = true }` in a section by those of the workspace.
fn inherit(manifest: &mut Table, section: &str, workspace: &Value) {
    let Some(Value::Table(section)) = manifest.get_mut(section) else {
        return;
    };
    for (name, value) in section.iter_mut() {
        if value.get("workspace").is_some() {
            *value = workspace[name.as_str()].clone();
        }
        if let Some(path) = value.get_mut("path") {
            // Ours are relative to the workspace, the copy's to the SDK.
            let inside = path.as_str().and_then(|path| path.strip_prefix("guest-sdk/"));
            *path = Value::from(inside.expect("the SDK depends on crates in its folder"));
        }
    }
}
