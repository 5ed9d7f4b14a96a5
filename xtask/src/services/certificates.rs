//! Certificates for services that speak TLS: an authority, and what it signed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{apt_install, first_line};

/// Makes, as PEM: `authority.pem`; `broker.pem` for 127.0.0.1 with its key; `client.pem` and `client-key.pem`; and
/// `stranger.pem`, an authority that has signed nothing.
pub(super) fn make(folder: &Path) -> Result<()> {
    if first_line("openssl", &["version"]).is_none() && !apt_install(&["openssl"])? {
        bail!("openssl is needed to make certificates: apt-get install openssl");
    }
    authority(folder, "authority")?;
    authority(folder, "stranger")?;
    signed(folder, "broker", "subjectAltName=IP:127.0.0.1")?;
    signed(folder, "client", "extendedKeyUsage=clientAuth")?;
    let read = |name: &str| fs::read_to_string(folder.join(name)).context("read a certificate");
    let whole = read("broker-key.pem")? + &read("broker.pem")?;
    fs::write(folder.join("broker.pem"), whole).context("write broker.pem")
}

fn authority(folder: &Path, name: &str) -> Result<()> {
    let subject = format!("/CN={name} of Sluicegate's tests");
    let mut openssl = new_key(name);
    openssl.args(["-x509", "-days", "3650", "-subj", &subject]);
    run(openssl.arg("-out").arg(format!("{name}.pem")), folder)
}

fn signed(folder: &Path, name: &str, extension: &str) -> Result<()> {
    let (subject, request) = (format!("/CN={name}"), format!("{name}.csr"));
    run(new_key(name).args(["-subj", &subject, "-addext", extension, "-out", &request]), folder)?;
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-req", "-days", "3650", "-copy_extensions", "copy", "-in", &request]);
    openssl.args(["-CA", "authority.pem", "-CAkey", "authority-key.pem", "-CAcreateserial"]);
    run(openssl.arg("-out").arg(format!("{name}.pem")), folder)
}

fn new_key(name: &str) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.arg("-keyout").arg(format!("{name}-key.pem"));
    openssl
}

fn run(openssl: &mut Command, folder: &Path) -> Result<()> {
    let output = openssl.current_dir(folder).output().context("run `openssl`")?;
    if !output.status.success() {
        bail!("openssl: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
