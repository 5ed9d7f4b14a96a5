//! `sluicegate plugin new`: a crate that tests and builds at once, with the SDK inside and no checkout of ours.

mod lock;
mod sdk;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use sluicegate_model::module::PluginKind;

/// Longest name of a plugin, as everywhere in the system: it fits a file name and an URL with room to spare.
const NAME_BYTES_MAX: usize = 63;

/// Create the crate of a new plugin, with a test, in a folder of its name.
#[derive(Clone, Debug, clap::Args)]
pub struct NewArgs {
    /// Its name: a-z, 0-9 and `-`
    pub name: String,
    /// What it is: a filter keeps or drops rows, a map makes any number of rows of each, an aggregate adds up rows per window and key,
    /// a process plugin keeps state and timers per key
    #[arg(long, value_enum, default_value = "filter")]
    pub kind: NewKind,
    /// The folder in which the new folder is made; here if absent
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
}

/// The kinds of plugins, as the command line names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NewKind {
    /// Keeps or drops rows.
    Filter,
    /// Makes any number of rows of each.
    Map,
    /// Accumulates rows per group.
    Aggregate,
    /// Keeps state per key and acts in event time.
    Process,
}

/// Makes the crate and says what to do next.
pub fn new(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let NewArgs { name, kind, path } = args;
    let kind = match kind {
        NewKind::Filter => PluginKind::Filter,
        NewKind::Map => PluginKind::Map,
        NewKind::Aggregate => PluginKind::Aggregate,
        NewKind::Process => PluginKind::Keyed,
    };
    let path = path.clone().unwrap_or_default();
    create(name, kind, &path)?;
    let folder = path.join(name);
    let module = module_file(name);
    writeln!(stdout(), "made `{}`; now:", folder.display())?;
    writeln!(stdout(), "  cd {}", folder.display())?;
    writeln!(stdout(), "  cargo test")?;
    writeln!(stdout(), "  cargo build --release --target wasm32-unknown-unknown")?;
    writeln!(
        stdout(),
        "  sluicegate plugin push {name} target/wasm32-unknown-unknown/release/{module}"
    )?;
    writeln!(stdout(), "  sluicegate plugin activate PIPELINE STAGE {name}")?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the crate of a new plugin to the folder `name` in `dir`, which must not exist yet.
///
/// # Errors
/// The name breaks the rule `[a-z0-9][a-z0-9-]{0,62}`, there is something of that name, or the folder cannot be
/// written.
pub fn create(name: &str, kind: PluginKind, dir: &Path) -> anyhow::Result<()> {
    check_name(name)?;
    let folder = dir.join(name);
    if folder.exists() {
        bail!("`{}` is there already: take another name or folder", folder.display());
    }
    for (path, text) in files(name, kind) {
        write(&folder.join(path), &text)?;
    }
    Ok(())
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| letter(byte) || byte == b'-')
        && !name.starts_with('-');
    if !fits {
        bail!(
            "`{name}` is not a name for a plugin: use a-z, 0-9 and `-`, at most {NAME_BYTES_MAX}, the first no `-`"
        );
    }
    Ok(())
}

/// The files of the crate: path below its folder, text.
fn files(name: &str, kind: PluginKind) -> Vec<(String, String)> {
    let (kind, source) = match kind {
        PluginKind::Filter => ("filter", include_str!("template/filter.rs")),
        PluginKind::Map => ("map", include_str!("template/map.rs")),
        PluginKind::Aggregate => ("aggregate", include_str!("template/aggregate.rs")),
        PluginKind::Keyed => ("process", include_str!("template/process.rs")),
    };
    let own = [
        ("Cargo.toml", include_str!("template/manifest.txt")),
        (".gitignore", "/target\n"),
        ("README.md", include_str!("template/README.md")),
        ("src/lib.rs", source),
    ];
    let fill = |text: &str| {
        text.replace("PLUGIN-NAME", name)
            .replace("PACKAGE-NAME", &package(name))
            .replace("MODULE-FILE", &module_file(name))
            .replace("PLUGIN-KIND", kind)
    };
    let own = own.map(|(path, text)| (path.to_owned(), fill(text)));
    let lock = lock::lock_file(&package(name)).expect("no package that we use has this name");
    let lock = ("Cargo.lock".to_owned(), lock);
    let sdk = sdk::files().into_iter().map(|(path, text)| (format!("sluicegate-sdk/{path}"), text));
    own.into_iter().chain([lock]).chain(sdk).collect()
}

/// The name of the cargo package, which is stricter than we are: no digit in front, and no name of a package that the
/// crate depends on.
fn package(name: &str) -> String {
    let begins_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    if begins_with_digit || name == "std" || lock::lock_file(name).is_none() {
        format!("plugin-{name}")
    } else {
        name.to_owned()
    }
}

/// The file that cargo builds.
fn module_file(name: &str) -> String {
    format!("{}.wasm", package(name).replace('-', "_"))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().expect("every file of a crate lies in its folder");
    fs::create_dir_all(folder).with_context(|| format!("make folder `{}`", folder.display()))?;
    fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
}
