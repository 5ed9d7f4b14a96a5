//! Virtual environments of Python, with packages from PyPI.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{apt_install, first_line, run};
use crate::workspace::Workspace;

/// Where the environment with these packages is, or will be. Its name begins with the first of them and changes with each, so that
/// others are fetched.
pub(super) fn home(workspace: &Workspace, requirements: &[&str]) -> PathBuf {
    let mut all = DefaultHasher::new();
    requirements.hash(&mut all);
    let first = requirements.first().map_or_else(String::new, |it| it.replace("==", "-"));
    workspace.services().join(format!("{first}-{:08x}", all.finish() as u32))
}

/// Makes a virtual environment in `home` and installs `requirements` as pip reads them. `what` is for messages.
pub(super) fn environment(home: &Path, what: &str, requirements: &[&str]) -> Result<()> {
    if first_line("python3", &["-c", "import venv, ensurepip; print('there')"]).is_none()
        && !apt_install(&["python3", "python3-venv"])?
    {
        bail!("Python's venv is needed to install {what}: apt-get install python3-venv");
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(home))?;
    let mut pip = Command::new(home.join("bin").join("pip"));
    pip.args(["install", "-q", "--disable-pip-version-check"]).args(requirements);
    run(&mut pip).with_context(|| format!("fetch {what} from PyPI"))
}
