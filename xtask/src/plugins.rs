//! Plugin crates → `target/plugins/*.wasm`: plain cargo for `wasm32-unknown-unknown`, and what to do where that target
//! is not installed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{self, apt_install, first_line, run, run_within};
use crate::workspace::Workspace;

/// What plugins are built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// rustup's server answers in 2 s where it is near, and took more than a minute where it was not.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// A compiler that builds for wasm without rustup: Debian's, made for its browsers, with the standard library's
/// source.
const DEBIAN_PACKAGES: [&str; 5] =
    ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];
const DEBIAN_LLVM: &str = "/usr/lib/llvm-22/bin";

/// Builds every plugin crate and copies the modules to [`Workspace::plugins`]. Returns their paths.
pub fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let crates = plugin_crates(workspace)?;
    let (mut cargo, target) = wasm_cargo(workspace)?;
    cargo.args(["build", "--release", "--target", TARGET]).current_dir(workspace.root());
    for name in &crates {
        cargo.args(["--package", name]);
    }
    run(&mut cargo).context("build the plugins")?;

    fs::create_dir_all(workspace.plugins()).context("create `target/plugins`")?;
    let mut modules = Vec::with_capacity(crates.len());
    for name in crates {
        let built =
            target.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
        let module = workspace.plugins().join(format!("{name}.wasm"));
        fs::copy(&built, &module)
            .with_context(|| format!("copy `{}` to `{}`", built.display(), module.display()))?;
        modules.push(module);
    }
    Ok(modules)
}

/// The names of all packages that are plugins: those of `plugins/`, and those of the tests.
fn plugin_crates(workspace: &Workspace) -> Result<Vec<String>> {
    let of_tests = ["evil-plugin", "greedy-plugin", "stumbling-plugin", "successor-plugin"];
    let mut folders = of_tests.map(|name| workspace.root().join("tests").join(name)).to_vec();
    let plugins = workspace.root().join("plugins");
    for entry in fs::read_dir(&plugins).with_context(|| format!("list `{}`", plugins.display()))? {
        folders.push(entry.context("list plugins")?.path());
    }
    let mut names = Vec::with_capacity(folders.len());
    for manifest in folders.iter().map(|folder| folder.join("Cargo.toml")) {
        if manifest.exists() {
            names.push(package_name(&manifest)?);
        }
    }
    names.sort();
    Ok(names)
}

fn package_name(manifest: &Path) -> Result<String> {
    let text =
        fs::read_to_string(manifest).with_context(|| format!("read `{}`", manifest.display()))?;
    text.lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .with_context(|| format!("`{}` has no line `name = \"…\"`", manifest.display()))
}

/// A cargo that can build for wasm, and the folder it builds into.
pub fn wasm_cargo(workspace: &Workspace) -> Result<(Command, PathBuf)> {
    if !target_is_installed() && first_line("rustup", &["--version"]).is_some() {
        let mut rustup = Command::new("rustup");
        // Failing is answered below, by what follows rustup.
        run_within(rustup.args(["target", "add", TARGET]), RUSTUP_LIMIT)?;
    }
    if target_is_installed() {
        return Ok((command::cargo(), workspace.target().to_path_buf()));
    }
    if !debian_compiler_is_installed() && !apt_install(&DEBIAN_PACKAGES)? {
        bail!(
            "no compiler for {TARGET}: `rustup target add {TARGET}`, or as root `apt-get install {}`",
            DEBIAN_PACKAGES.join(" ")
        );
    }
    Ok(debian_cargo(workspace))
}

fn target_is_installed() -> bool {
    first_line("rustc", &["--print", "target-libdir", "--target", TARGET])
        .is_some_and(|folder| Path::new(&folder).is_dir())
}

fn debian_compiler_is_installed() -> bool {
    Path::new("/usr/bin/cargo").exists()
        && Path::new("/usr/src").exists()
        && Path::new(DEBIAN_LLVM).join("wasm-ld").exists()
        && first_line("/usr/bin/rustc", &["--version"]).is_some()
}

/// Debian's compiler builds the standard library along, which is not a stable thing to do: hence the permission in
/// `RUSTC_BOOTSTRAP`. In a folder of its own, because artefacts of two compilers do not mix.
fn debian_cargo(workspace: &Workspace) -> (Command, PathBuf) {
    let target = workspace.target().join("debian");
    let mut search = OsString::from(DEBIAN_LLVM);
    for folder in ["/usr/local/bin", "/usr/bin", "/bin"] {
        search.push(":");
        search.push(folder);
    }
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
        .env("CARGO_TARGET_DIR", &target)
        .env("PATH", search)
        // rustup's proxies hand their choice of a tool chain on to what they start.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    (cargo, target)
}
