//! Where things lie: the one place that knows the folders of the workspace.

use std::path::{Path, PathBuf};

/// The checkout that this program was built from.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The checkout that this program was built from, with `CARGO_TARGET_DIR` respected.
    #[expect(clippy::disallowed_methods, reason = "cargo says by the environment where it builds")]
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the crate is a folder of the workspace")
            .to_path_buf();
        let target = match std::env::var("CARGO_TARGET_DIR") {
            Ok(folder) => root.join(folder),
            Err(_) => root.join("target"),
        };
        Self { root, target }
    }

    /// The folder of the workspace's `Cargo.toml`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Compiled guests: `<crate>.wasm`.
    pub fn plugins(&self) -> PathBuf {
        self.target.join("plugins")
    }

    /// Fetched services, one folder each.
    pub fn services(&self) -> PathBuf {
        self.target.join("services")
    }

    /// The host's binary in a profile's folder (`debug`, `release`). It need not exist.
    pub fn host_binary(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join("sluicegate")
    }
}
