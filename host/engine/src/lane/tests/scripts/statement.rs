//! The language of scripts: settings, which become a pipeline file, and statements, one a line.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::topic::Record;
use sluicegate_connect::source::NO_TIMESTAMP;
use sluicegate_pipeline::Pipeline;

/// What a line of a script does.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    /// `p0 12:00:01 key text`: a record of partition 0. `… sent 12:00:00`: Kafka's timestamp, which is the event time
    /// otherwise; `… sent -`: it has none. `-` for the event time: it is null. `p0 ! text`: a record that is no JSON.
    Record { partition: usize, record: Record },
    /// `idle 30s`: so long nothing comes. `idle 30s p1 lags`: of partition 1 because it is slow, not because there is
    /// nothing.
    Idle { length: Duration, lags: Option<usize> },
    /// `add partition`
    AddPartition,
    /// `restart`: a stop and a new beginning from the chain. Silence is counted anew.
    Restart,
    /// `crash`: `kill -9` and a new beginning from the chain. What was not committed is read again.
    Crash,
    /// `hold`: from here on nothing is committed; otherwise every statement is.
    Hold,
    /// `commit`: what was held, and every statement from here on.
    Commit,
    /// `state`: shows how many groups are open.
    State,
    /// `live`: shows what a listener is told, before it is committed.
    Live,
    /// `end`: of the input.
    End,
}

/// A pipeline as the head of a script describes it: `partitions 2`, `out-of-orderness 5s`, `idle-after 10s`,
/// `future-skew 1h`, `host-skew 1d`, `max-jump 1h`, `future-reference host`, `window …`, `lateness 20s`, `process …`.
/// Without a word: one partition, no out-of-orderness, never idle.
///
/// Before a window stands a filter that drops texts with an `x`; its aggregate writes down the texts of a group.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) partitions: usize,
    window: String,
    corrects: bool,
    global: bool,
    process: String,
    event_time: String,
    /// Name and type of the column behind the key.
    value: (&'static str, &'static str),
}

impl Settings {
    pub(super) fn new() -> Self {
        Self {
            partitions: 1,
            window: String::new(),
            corrects: false,
            global: false,
            process: String::new(),
            event_time: "max_out_of_orderness = \"0s\"\nidle_after = \"off\"\n".to_owned(),
            value: ("text", "string"),
        }
    }

    /// Takes a line of the head; false if it is none.
    pub(super) fn take(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["partitions", count] => self.partitions = count.parse().unwrap(),
            ["window", kind, rest @ ..] => self.take_window(kind, rest),
            ["lateness", length] => {
                let _infallible = writeln!(self.window, "allowed_lateness = \"{length}\"");
                self.corrects = true;
            }
            ["process", plugin, rest @ ..] => self.take_process(plugin, rest),
            ["out-of-orderness", length] => self.set("max_out_of_orderness", length),
            ["idle-after", length] => self.set("idle_after", length),
            ["future-skew", length] => self.set("max_future_skew", length),
            ["max-jump", length] => self.set("max_jump", length),
            ["host-skew", length] => self.set("max_future_skew_host", length),
            ["future-reference", of] => self.set("future_reference", of),
            _ => return false,
        }
        true
    }

    fn set(&mut self, key: &str, length: &str) {
        let lines = self.event_time.lines().filter(|line| !line.starts_with(&format!("{key} ")));
        let mut text: String = lines.map(|line| format!("{line}\n")).collect();
        let _infallible = writeln!(text, "{key} = \"{length}\"");
        self.event_time = text;
    }

    /// `window tumbling 10s`, `window sliding 10s every 3s`, `window session 10s up-to 1m`, `window global every 30s`,
    /// each with further keys as they stand in the file: `offset 3s`.
    fn take_window(&mut self, kind: &str, rest: &[&str]) {
        let first = if kind == "session" { "gap" } else { "size" };
        let has_first = rest.len() % 2 == 1;
        let mut text = format!("type = \"{kind}\"\n");
        if has_first {
            let _infallible = writeln!(text, "{first} = \"{}\"", rest[0]);
        }
        for pair in rest[usize::from(has_first)..].chunks(2) {
            let key = match (kind, pair[0]) {
                ("global", "every") => "trigger",
                (_, "every") => "slide",
                (_, "up-to") => "max_length",
                (_, key) => key,
            };
            let quote = if key == "gaps" { "" } else { "\"" };
            let _infallible = writeln!(text, "{key} = {quote}{}{quote}", pair[1]);
        }
        self.global = kind == "global";
        self.corrects |= self.global;
        self.window.insert_str(0, &text);
    }

    /// `process PLUGIN key value …`: `ttl` goes to `[process]`, the others are the plugin's.
    fn take_process(&mut self, plugin: &str, rest: &[&str]) {
        let (mut ttl, mut config) = (String::new(), Vec::new());
        for pair in rest.chunks(2) {
            match pair[0] {
                "ttl" => ttl = format!("ttl = \"{}\"\n", pair[1]),
                key => config.push(format!("{key} = \"{}\"", pair[1])),
            }
        }
        let module = match plugin {
            "diary" => plugin.to_owned(),
            module => format!("../../target/plugins/{module}.wasm"),
        };
        self.value = match plugin {
            "fraud-velocity" => ("amount", "decimal(18,2)"),
            "sessionize-clicks" => ("page", "string"),
            "greedy-plugin" => ("timers", "int64"),
            _ => self.value,
        };
        self.process = format!(
            "[[stages]]\nid = \"{plugin}\"\nkind = \"process\"\nplugin = \"{module}\"\nconfig = {{ {} }}\n\
             [process]\nkey = [\"key\"]\n{ttl}",
            config.join(", ")
        );
    }

    /// The pipeline, read as any other is.
    pub(super) fn pipeline(&self) -> Pipeline {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("script.toml");
        let text = self.toml();
        let read = sluicegate_pipeline::file::parse(&text, &path, &BTreeMap::new());
        read.unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn toml(&self) -> String {
        let (name, kind) = self.value;
        let mut text = format!(
            "name = \"texts\"\n[source]\ntype = \"kafka\"\n\
             [source.kafka]\nbrokers = \"127.0.0.1:9092\"\ntopic = \"rows\"\n\
             [schema]\nkey = \"string\"\n{name} = \"{kind}\"\nat = {{ type = \"timestamp(us)\", nullable = true }}\n\
             [event_time]\ncolumn = \"at\"\n{}",
            self.event_time
        );
        if name == "text" {
            text += "[[stages]]\nid = \"drop\"\nkind = \"filter\"\nplugin = \"drop\"\n";
        }
        if !self.window.is_empty() {
            text += "[[stages]]\nid = \"join\"\nkind = \"aggregate\"\nplugin = \"join\"\n";
            text += "[window]\nkey = [\"key\"]\n";
            text += &self.window;
            if !self.global {
                text += "[late]\npath = \"unused-late\"\n";
            }
        }
        text += &self.process;
        text += "[[sinks]]\nid = \"results\"\ntype = \"parquet\"\npath = \"unused-results\"\n";
        if self.corrects {
            text += "corrections = \"append\"\n";
        }
        text + "[dead_letters]\npath = \"unused-dead\"\n[checkpoint]\npath = \"unused-chain\"\n"
    }

    pub(super) fn statement(&self, line: &str) -> Statement {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["idle", length, ref lags @ ..] => Statement::Idle {
                length: humantime::parse_duration(length).unwrap(),
                lags: lags.first().map(|partition| partition[1..].parse().unwrap()),
            },
            ["add", "partition"] => Statement::AddPartition,
            ["restart"] => Statement::Restart,
            ["crash"] => Statement::Crash,
            ["hold"] => Statement::Hold,
            ["commit"] => Statement::Commit,
            ["state"] => Statement::State,
            ["live"] => Statement::Live,
            ["end"] => Statement::End,
            [partition, ref rest @ ..] if partition.starts_with('p') => {
                let partition = partition[1..].parse().unwrap();
                Statement::Record { partition, record: self.record(rest) }
            }
            _ => panic!("no statement: `{line}`"),
        }
    }

    fn record(&self, words: &[&str]) -> Record {
        let ([at, key, value], sent) = match *words {
            ["!", ref rest @ ..] => return Record { value: rest.join(" "), timestamp: noon() },
            [at, key, value] => ([at, key, value], None),
            [at, key, value, "sent", sent] => ([at, key, value], Some(sent)),
            _ => panic!("no record: {words:?}"),
        };
        let at = (at != "-").then(|| time(at));
        let sent = sent.map(|sent| if sent == "-" { NO_TIMESTAMP } else { time(sent) });
        let timestamp = sent.or(at).unwrap_or_else(noon);
        let at = at.map_or("null".to_owned(), |at| at.to_string());
        let (name, kind) = self.value;
        let quote = if kind == "string" { "\"" } else { "" };
        let value = format!(r#"{{"key":"{key}","{name}":{quote}{value}{quote},"at":{at}}}"#);
        Record { value, timestamp }
    }
}

/// The day on which scripts play.
fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 5, 1).unwrap()
}

/// When they begin, µs.
pub(super) fn noon() -> i64 {
    time("12:00:00")
}

/// `12:00:01` of the day of the scripts, `1969-12-31T23:59:58.5`, or `-9223372036854775808us` since 1970.
fn time(text: &str) -> i64 {
    if let Some(micros) = text.strip_suffix("us") {
        return micros.parse().unwrap();
    }
    let time = match text.contains('T') {
        true => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap(),
        false => day().and_time(NaiveTime::parse_from_str(text, "%H:%M:%S%.f").unwrap()),
    };
    time.and_utc().timestamp_micros()
}

/// As scripts write it.
pub(super) fn show_time(micros: i64) -> String {
    match chrono::DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc()) {
        Some(time) if time.date() == day() => time.format("%H:%M:%S%.f").to_string(),
        Some(time) if time.date().format("%Y").to_string().len() == 4 => {
            time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
        }
        _ => format!("{micros}us"),
    }
}
