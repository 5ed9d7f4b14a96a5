//! The commands against a real server on a real socket: what they do, and how they fail.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, FromArgMatches};
use expect_test::expect;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cli::plugin::{activate, list, push};
use crate::cli::status::{health, role, status};
use crate::handle::fixture::{self, Fixture, guest};
use crate::http::tests::app;
use crate::http::{Server, ServerConfig};
use sluicegate_chain::record::Epoch;
use sluicegate_engine::counters::Commit;
use sluicegate_engine::lane::Command;
use sluicegate_engine::lead::Role;
use sluicegate_engine::status::{DeadLetterCount, PartitionView, Phase};
use sluicegate_model::module::ModuleDigest;

/// A server over pipeline `sales`, and the lane's ends of it.
struct Serving {
    address: SocketAddr,
    fixture: Fixture,
    shutdown: CancellationToken,
    runtime: tokio::runtime::Runtime,
}

fn serve(token: Option<&str>) -> Serving {
    let file = token.map(|token| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{token}").unwrap();
        file
    });
    let config = ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        observe: None,
        token_file: file.as_ref().map(|file| file.path().to_owned()),
        allow_hosts: Vec::new(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::bind(&config)).unwrap();
    let (address, fixture) = (server.local_addr().unwrap(), fixture::sales());
    let shutdown = CancellationToken::new();
    runtime.spawn(server.run(app(&fixture), shutdown.clone()));
    Serving { address, fixture, shutdown, runtime }
}

impl Serving {
    fn args<T: Args + FromArgMatches>(&self, line: &str) -> T {
        parse(&format!("{line} --url http://{}", self.address))
    }

    /// Every activation is durable in epoch 8.
    fn commit(&mut self) {
        let mut commands = std::mem::replace(&mut self.fixture.commands, mpsc::channel(1).1);
        self.runtime.spawn(async move {
            while let Some(Command::Activate { reply, .. }) = commands.recv().await {
                reply.send(Ok(Epoch(8))).unwrap();
            }
        });
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn parse<T: Args + FromArgMatches>(line: &str) -> T {
    let command = T::augment_args(clap::Command::new("test"));
    let words = ["test"].into_iter().chain(line.split_whitespace());
    T::from_arg_matches(&command.get_matches_from(words)).unwrap()
}

#[track_caller]
fn succeeds(code: anyhow::Result<ExitCode>) {
    assert_eq!(format!("{:?}", code.unwrap()), format!("{:?}", ExitCode::SUCCESS));
}

/// What `main` prints.
#[track_caller]
fn sentence(failed: anyhow::Result<ExitCode>) -> String {
    format!("{:#}", failed.unwrap_err())
}

/// A plugin file of the test's own.
fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn a_plugin_is_pushed_listed_and_activated() {
    let mut server = serve(None);
    server.commit();
    let module = file(&fixture::another(&guest("valid-sale")));
    let path = module.path().display();
    succeeds(push(&server.args(&format!("valid-sale {path}"))));
    succeeds(push(&server.args(&format!("valid-sale {path} --json"))));
    succeeds(list(&server.args("")));
    succeeds(list(&server.args("valid-sale --json")));
    succeeds(activate(&server.args("sales valid valid-sale")));
    succeeds(activate(&server.args("sales valid valid-sale --version 1 --json")));
    let stored = server.runtime.block_on(server.fixture.modules.list()).unwrap();
    assert_eq!(stored.len(), 1, "{stored:?}");
    succeeds(status(&server.args("sales")));
    succeeds(status(&server.args("--json")));
}

#[test]
fn the_list_says_for_whom_a_host_stands_by() {
    let mut leadership = crate::api::pipelines::Leadership {
        role: Role::Leader,
        term: Some(4),
        leader: Some("host-1/17".to_owned()),
        url: None,
        since: "2026-11-27T02:00:00Z".to_owned(),
        took_over: None,
    };
    assert_eq!(role(&leadership), "leader");
    leadership.role = Role::Standby;
    assert_eq!(role(&leadership), "standby of host-1/17");
    leadership.leader = None;
    assert_eq!(role(&leadership), "standby");
}

#[test]
fn what_the_server_refuses_is_a_sentence() {
    let server = serve(None);
    let text = file(b"#!/bin/sh");
    let line = format!("valid-sale {}", text.path().display());
    expect![[r#"plugin `valid-sale`: this is not a WebAssembly module; upload the .wasm file of `cargo build --release --target wasm32-unknown-unknown`"#]].assert_eq(&sentence(push(&server.args(&line))));
    expect![[r#"there is no module `stats` in memory://store; upload it with `sluicegate plugin push stats FILE`"#]]
        .assert_eq(&sentence(activate(&server.args("sales valid stats"))));
    expect![[r#"there is no pipeline `buys`: this host runs `sales`"#]]
        .assert_eq(&sentence(status(&server.args("buys"))));
    expect![[r#"`../../etc` is not a name for a module: use a-z, 0-9 and `-`, first a letter or digit, at most 63"#]].assert_eq(&sentence(list(&server.args("../../etc"))));
}

#[test]
fn what_cannot_be_sent_is_a_sentence() {
    let server = serve(None);
    expect![[r#"cannot read `no/such.wasm`: No such file or directory (os error 2)"#]]
        .assert_eq(&sentence(push(&server.args("valid no/such.wasm"))));
    let giant = file(&vec![0; (10 << 20) + 1]);
    let path = giant.path().display().to_string();
    let refused = sentence(push(&server.args(&format!("valid {path}"))));
    expect![[
        r#"`FILE` has 10485761 bytes, a server takes at most 10485760: build it with --release"#
    ]]
    .assert_eq(&refused.replace(&path, "FILE"));
    expect![[
        r#"`ftp://localhost` is not a URL of a server; it should look like http://127.0.0.1:8080"#
    ]]
    .assert_eq(&sentence(status(&parse("--url ftp://localhost"))));
    let nobody = sentence(status(&parse("--url http://127.0.0.1:1")));
    assert!(
        nobody.starts_with(
            "no server answers at `http://127.0.0.1:1/`: start one with `sluicegate serve`"
        ),
        "{nobody}"
    );
}

#[test]
fn a_server_with_a_token_is_asked_with_the_token() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let server = serve(Some(TOKEN));
    expect!["this server wants a token: `Authorization: Bearer …`; --token-file names the file that has it"].assert_eq(&sentence(list(&server.args(""))));
    let right = file(format!("# of the test\n{TOKEN}\n").as_bytes());
    succeeds(list(&server.args(&format!("--token-file {}", right.path().display()))));
    let wrong = file(TOKEN.to_uppercase().as_bytes());
    let refused = list(&server.args(&format!("--token-file {}", wrong.path().display())));
    expect!["the token is not one of this server's; --token-file names the file that has it"]
        .assert_eq(&sentence(refused));
}

#[test]
fn health_is_an_exit_code() {
    let server = serve(None);
    succeeds(health(&server.args("")));
    server.fixture.publish(|status| status.phase = Phase::BackingOff);
    let code = health(&server.args("")).unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    succeeds(health(&server.args("--live")));
}

#[test]
fn the_status_is_read_at_a_glance() {
    let server = serve(None);
    server.fixture.publish(|status| {
        status.problem = Some("broker 127.0.0.1:9092 is not reachable\u{1b}[2J".to_owned());
        for module in &mut status.modules {
            module.digest = ModuleDigest([0xab; 32]);
        }
        status.state_bytes = 900 << 20;
        status.dead_letters.push(DeadLetterCount {
            kind: "decode".to_owned(),
            count: 1,
            first_stage: "sluicegate".to_owned(),
            first_reason: "not JSON".to_owned(),
            first_record: None,
        });
        let other = PartitionView {
            partition: 1,
            holds_watermark: false,
            idle: true,
            jumps: 2,
            ..status.partitions[0].clone()
        };
        status.partitions.push(other);
    });
    server.fixture.handle.metrics().commits.push(Commit {
        epoch: Epoch(7),
        at_micros: 1_003_000_000,
        took: Duration::from_millis(84),
        files: 2,
        rows: 30,
        bytes: 4_000,
        messages: 5,
        state_bytes: 500,
        activated: Vec::new(),
    });
    let url = format!("http://{}/v1/pipelines/sales", server.address);
    let json = reqwest::blocking::get(url).unwrap().text().unwrap();
    expect![[r#"
        pipeline:     sales
        phase:        running
        problem:      broker 127.0.0.1:9092 is not reachable\u{1b}[2J
        leadership:   leads term 1 since 1970-01-01T00:00:00Z
        fetched by:   librdkafka, because broker `kafka:9092` cannot be used
        epoch:        7
        watermark:    1970-01-01T00:16:40Z (4.0 s behind)
        lag:          10
        records:      10 read = 7 accepted + 2 filtered + 0 late + 1 dead-lettered
        dead letters: 1 decode, the first at sluicegate: not JSON
        table log:    revenue at version 41, 2 epochs behind: the store is away; 100 small files became 2
        open groups:  3 (943718400 bytes)
        memory:       8.00 MiB of 64.00 MiB; this pipeline: 120 B state, 1.00 MiB plugins, 7.00 MiB input, 4.00 KiB staged
        last commit:  epoch 7 at 1970-01-01T00:16:43Z, took 0.08 s: 30 rows in 2 files (4000 bytes), state 500 bytes, 5 messages
        near limit:   state: 943718400 of 1073741824 bytes. Keys and accumulators of open groups. With more than `limits.state_bytes`, or than `--memory` has room for, the pipeline halts.

        STAGE    MODULE      VERSION  DIGEST        GENERATION  ROWS  DROPPED  PER ROW
        valid    valid-sale  -        abababababab  1           0     0        -
        revenue  revenue     -        abababababab  1           0     0        -

        PARTITION  NEXT  END  LAG  WATERMARK
        sales/0    10    15   5    1970-01-01T00:16:40Z  holds the watermark
        sales/1    10    15   5    1970-01-01T00:16:40Z  moved 2 times, idle
    "#]]
    .assert_eq(&crate::cli::status::describe(&serde_json::from_str(&json).unwrap()));
}

#[test]
fn a_host_that_stands_by_names_the_leader_and_shows_no_zeroes() {
    let server = serve(None);
    let url = format!("http://{}/v1/pipelines/sales", server.address);
    let mut answer: serde_json::Value = reqwest::blocking::get(url).unwrap().json().unwrap();
    answer["phase"] = "standby".into();
    answer["leadership"] = serde_json::json!({
        "role": "standby", "term": 4, "leader": "host-1/17", "url": "http://host-1:8080", "since": "1970-01-01T00:00:00Z"
    });
    let of = |answer: &serde_json::Value| {
        crate::cli::status::describe(&serde_json::from_value(answer.clone()).unwrap())
    };
    expect![[r#"
        pipeline:     sales
        phase:        standing by
        leadership:   stands by since 1970-01-01T00:00:00Z; host-1/17 leads term 4
        stream:       the leader tells: sluicegate status sales --url http://host-1:8080
    "#]]
    .assert_eq(&of(&answer));
    answer["leadership"]["url"] = serde_json::Value::Null;
    assert!(of(&answer).ends_with("stream:       the leader tells\n"), "{}", of(&answer));
}
