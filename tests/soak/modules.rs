//! The filter of the soak is swapped for one that stumbles, and back: whoever leads is told until it has said yes.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::blocking::Client;
use serde_json::json;

use super::plan::Stumble;
use crate::harness::services;

/// The honest one, as it is uploaded.
const HONEST: &str = "valid";
/// An activation is answered when its record is durable, which may take a sick store this long.
const ANSWERED: Duration = Duration::from_secs(5);

/// Which filter runs, and which is to run.
pub struct Modules {
    /// By name.
    all: Arc<[(&'static str, Vec<u8>)]>,
    wanted: &'static str,
    /// When the honest one is to run again.
    until: Option<Duration>,
    /// Whoever led last has said that the wanted one runs.
    is_answered: bool,
    /// They are in the store.
    are_uploaded: bool,
    /// What is being asked for, an activation or none: all of them are uploaded. Whether it was granted.
    asked: Option<(Option<&'static str>, JoinHandle<bool>)>,
    /// How often one that stumbles ran.
    pub ran: [u64; 2],
}

impl Modules {
    pub fn new() -> Self {
        let read = |plugin| std::fs::read(services::plugin(plugin)).unwrap();
        let stumbling = |how| (name(how), stumbling(read("stumbling-plugin"), name(how)));
        let [traps, spins] = Stumble::ALL.map(stumbling);
        Self {
            all: Arc::new([(HONEST, read("valid-sale")), traps, spins]),
            wanted: HONEST,
            until: None,
            is_answered: true,
            are_uploaded: false,
            asked: None,
            ran: [0; 2],
        }
    }

    /// One that stumbles is to run for a while. False if none is there yet, or one runs.
    pub fn stumble(&mut self, how: Stumble, until: Duration) -> bool {
        if !self.are_uploaded || self.wanted != HONEST {
            return false;
        }
        (self.wanted, self.until, self.is_answered) = (name(how), Some(until), false);
        true
    }

    /// The honest one is to run.
    pub fn go_back(&mut self) {
        if self.wanted != HONEST {
            (self.wanted, self.until, self.is_answered) = (HONEST, None, false);
        }
    }

    /// Whether whoever leads has to be asked something.
    pub fn are_due(&mut self, now: Duration) -> bool {
        if self.until.is_some_and(|until| until <= now) && self.is_answered {
            self.go_back();
        }
        if let Some((what, asked)) = self.asked.take_if(|(_, asked)| asked.is_finished()) {
            self.heard(what, asked.join().unwrap());
        }
        self.asked.is_none() && (!self.are_uploaded || !self.is_answered)
    }

    fn heard(&mut self, activated: Option<&'static str>, granted: bool) {
        let Some(what) = activated else {
            self.are_uploaded = granted;
            return;
        };
        if granted && what == self.wanted {
            self.is_answered = true;
            if let Some(how) = Stumble::ALL.iter().position(|how| name(*how) == what) {
                self.ran[how] += 1;
            }
        }
    }

    /// Asks whoever leads for what is due.
    pub fn ask(&mut self, leader: String) {
        let what = self.are_uploaded.then_some(self.wanted);
        let all = Arc::clone(&self.all);
        let ask = move || {
            let http = Client::builder().timeout(ANSWERED).build().unwrap();
            match what {
                Some(what) => activate(&http, &leader, what),
                None => upload(&http, &leader, &all),
            }
        };
        self.asked = Some((what, std::thread::spawn(ask)));
    }
}

fn name(how: Stumble) -> &'static str {
    match how {
        Stumble::Traps => "traps",
        Stumble::Spins => "spins",
    }
}

fn upload(http: &Client, leader: &str, modules: &[(&str, Vec<u8>)]) -> bool {
    modules.iter().all(|(name, module)| {
        let put = http.put(format!("{leader}/v1/modules/{name}"));
        let put = put.header("content-type", "application/wasm").body(module.clone());
        put.send().is_ok_and(|answer| answer.status().is_success())
    })
}

/// How it stumbles stands in its bytes.
fn stumbling(mut module: Vec<u8>, how: &str) -> Vec<u8> {
    let text = b"stumbles:traps";
    let at = module.windows(text.len()).position(|bytes| bytes == text).unwrap();
    let by = format!("stumbles:{how}");
    module[at..at + text.len()].copy_from_slice(by.as_bytes());
    module
}

fn activate(http: &Client, leader: &str, module: &str) -> bool {
    let post = http.post(format!("{leader}/v1/pipelines/sales/releases"));
    let sent = post.json(&json!({ "stage": "valid", "module": module })).send();
    sent.is_ok_and(|answer| answer.status().is_success())
}
