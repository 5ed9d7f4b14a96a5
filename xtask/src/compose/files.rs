//! What of docker-compose.yml and the files it mounts can be checked without an engine: that they exist, that they
//! name each other, and that those who read them take them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{first_line, run};
use crate::workspace::Workspace;

const COMPOSE: &str = "docker-compose.yml";
const PIPELINE: &str = "deploy/pipelines/sales-compose.toml";
const PROMETHEUS: &str = "deploy/prometheus/prometheus.yml";
const DATA_SOURCE: &str = "deploy/grafana/provisioning/datasources/prometheus.yml";

/// Checks everything; programs that are not installed are named and left out.
pub fn check(workspace: &Workspace) -> Result<()> {
    let root = workspace.root();
    let text =
        |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("read `{path}`"));
    let compose = text(COMPOSE)?;
    for path in paths(&compose) {
        if !root.join(path).exists() {
            bail!("`{COMPOSE}` mounts `{path}`, which is not there");
        }
    }
    let services = services(&compose);
    for file in [PIPELINE, PROMETHEUS, DATA_SOURCE] {
        let content = text(file)?;
        for address in addresses(&content) {
            if !services.contains(address) {
                bail!("`{file}` names `{address}`, which is not a service of `{COMPOSE}`");
            }
        }
    }
    check_pipeline(workspace)?;
    ask("promtool", &["--version"], &["check", "config", PROMETHEUS], root)?;
    ask("docker", &["compose", "version"], &["compose", "config", "--quiet"], root)
}

/// Has the host check the pipeline with the plugins where the image has them.
fn check_pipeline(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target().join("deployment");
    let (pipelines, plugins) = (folder.join("pipelines"), folder.join("plugins"));
    for made in [&pipelines, &plugins] {
        fs::create_dir_all(made).with_context(|| format!("create `{}`", made.display()))?;
    }
    let copied = pipelines.join("sales-compose.toml");
    fs::copy(workspace.root().join(PIPELINE), &copied).context("copy the pipeline file")?;
    for module in fs::read_dir(workspace.plugins()).context("list `target/plugins`")? {
        let module = module.context("list `target/plugins`")?;
        fs::copy(module.path(), plugins.join(module.file_name())).context("copy the plugins")?;
    }
    let mut host = Command::new(workspace.host_binary("debug"));
    host.arg("check").arg(copied).env("AWS_ENDPOINT_URL", "http://s3:7070");
    run(host.env("AWS_ACCESS_KEY_ID", "none").env("AWS_SECRET_ACCESS_KEY", "none"))
}

/// Runs a program if it is installed.
fn ask(program: &str, version: &[&str], arguments: &[&str], root: &Path) -> Result<()> {
    if first_line(program, version).is_none() {
        eprintln!("left out, because it is not installed: {program} {}", arguments.join(" "));
        return Ok(());
    }
    run(Command::new(program).args(arguments).current_dir(root))
}

/// Files and folders of the checkout that the compose file names: `./deploy/…`.
fn paths(compose: &str) -> BTreeSet<&str> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_'));
    let begins = compose.match_indices("./deploy/").map(|(at, _)| &compose[at..]);
    begins.map(|path| &path[..path.find(ends).unwrap_or(path.len())]).collect()
}

/// Keys two spaces deep below `services:`, with an anchor or without.
fn services(compose: &str) -> BTreeSet<&str> {
    let below = compose.lines().skip_while(|line| *line != "services:").skip(1);
    let block = below.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    block
        .filter_map(|line| line.strip_prefix("  ")?.split_once(':'))
        .filter(|(name, rest)| {
            let is_block = rest.is_empty() || rest.starts_with(" &");
            is_block && !name.starts_with([' ', '#'])
        })
        .map(|(name, _)| name)
        .collect()
}

/// Hosts of `host:port` in quotes or behind `//`, those of this machine apart.
fn addresses(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|line| line.split(['"', ' ', '[', ']', ',']));
    let address = |word: &'_ str| -> Option<(usize, usize)> {
        let from = word.find("//").map_or(0, |at| at + 2);
        let (host, port) = word[from..].split_once(':')?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = host.starts_with(|c: char| c.is_ascii_lowercase());
        (is_port && is_name).then_some((from, from + host.len()))
    };
    words.filter_map(|word| address(word).map(|(from, to)| &word[from..to])).collect()
}

#[cfg(test)]
mod tests {
    use super::{addresses, paths, services};

    const COMPOSE: &str = "\
services:
  # Not a service: this
  kafka:
    image: apache/kafka:4.3.1
  host: &host
    volumes:
      - ./deploy/pipelines:/opt/pipelines:ro
  host-2:
    <<: *host
networks:
  private:
secrets:
  token:
    file: ${TOKEN_FILE:-./deploy/secrets/demo-token} # DEMO
";

    #[test]
    fn mounted_files_are_found() {
        let found: Vec<_> = paths(COMPOSE).into_iter().collect();
        assert_eq!(found, ["./deploy/pipelines", "./deploy/secrets/demo-token"]);
    }

    #[test]
    fn services_are_told_from_what_else_is_two_spaces_deep() {
        assert_eq!(services(COMPOSE).into_iter().collect::<Vec<_>>(), ["host", "host-2", "kafka"]);
    }

    #[test]
    fn names_of_other_machines_are_found() {
        let text = "# not:1\nbrokers = \"kafka:9092\"\n- targets: [\"host:9100\"]\nurl: http://prometheus:9090\n\
                    - targets: [\"127.0.0.1:9090\"]\nsize = \"30s\"\n";
        let found: Vec<_> = addresses(text).into_iter().collect();
        assert_eq!(found, ["host", "kafka", "prometheus"]);
    }
}
