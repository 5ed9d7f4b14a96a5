//! Virtual environments of Python, with packages from PyPI.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{apt_install, first_line, run};

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
