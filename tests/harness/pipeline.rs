//! Pipeline files of the tests: the sales pipeline, with what a test wants otherwise.

use std::fmt::Write;
use std::path::PathBuf;

use super::place::Place;
use super::services::plugin;
use super::topic::Topic;

/// What a pipeline file says. [`Pipeline::sales`] makes one; tests change fields.
#[derive(Clone)]
pub struct Pipeline {
    /// The `[source]` sections.
    pub source: String,
    /// Lines of `[event_time]` beside the column.
    pub event_time: String,
    /// Module of the filter: a path or a name.
    pub filter: String,
    /// Its configuration, as an inline table.
    pub filter_config: String,
    /// Window size; none: a raw sink of what the filter lets through.
    pub window: Option<&'static str>,
    /// Other windows than tumbling ones of that size: the lines of `[window]` but for the key.
    pub windows: Option<&'static str>,
    /// Between two commits.
    pub checkpoint: &'static str,
    /// What the tables are: `parquet` or `delta`.
    pub tables: &'static str,
    /// More lines of the sink that is a table.
    pub of_sink: &'static str,
    /// Anything else, as it stands.
    pub more: String,
}

impl Pipeline {
    /// Store prefix, revenue per store in windows of 30 s, lateness of 5 s, a commit every 200 ms.
    pub fn sales(source: String) -> Self {
        Self {
            source,
            event_time: "max_out_of_orderness = \"5s\"\nidle_after = \"off\"\n".to_owned(),
            filter: plugin("valid-sale").display().to_string(),
            filter_config: "{ store-prefix = \"store-\" }".to_owned(),
            window: Some("30s"),
            windows: None,
            checkpoint: "200ms",
            tables: "parquet",
            of_sink: "",
            more: String::new(),
        }
    }

    /// The same from another source.
    pub fn reading(&self, source: String) -> Self {
        Self { source, ..self.clone() }
    }

    /// Writes the file for a place; its tables are `revenue`, `dead` and `late`, the chain is `chain`.
    pub fn write(&self, place: &Place) -> PathBuf {
        self.write_as(place, "sales.toml")
    }

    /// The same under another name: hosts of one place may have a file each.
    pub fn write_as(&self, place: &Place, file: &str) -> PathBuf {
        let (url, tables) = (&place.url, self.tables);
        let mut text = format!("name = \"sales\"\n{}\n", self.source);
        text += "[schema]\nstore = \"string\"\nitem = { type = \"string\", nullable = true }\n";
        text += "price = \"decimal(18,2)\"\nts = \"timestamp(s)\"\n";
        let _infallible = write!(text, "[event_time]\ncolumn = \"ts\"\n{}", self.event_time);
        text += &stage("valid", "filter", &self.filter, &self.filter_config);
        if let Some(size) = self.window {
            let module = plugin("revenue").display().to_string();
            text += &stage("revenue", "aggregate", &module, "{}");
            let tumbling = format!("type = \"tumbling\"\nsize = \"{size}\"\n");
            let windows = self.windows.unwrap_or(&tumbling);
            let _infallible = write!(text, "[window]\nkey = [\"store\"]\n{windows}");
            let _infallible =
                write!(text, "[late]\nformat = \"{tables}\"\npath = \"{url}/late\"\n");
        }
        let _infallible = write!(
            text,
            "[[sinks]]\nid = \"revenue\"\ntype = \"{tables}\"\npath = \"{url}/revenue\"\n{}\
             [dead_letters]\nformat = \"{tables}\"\npath = \"{url}/dead\"\n\
             [checkpoint]\ninterval = \"{}\"\npath = \"{url}/chain\"\n{}",
            self.of_sink,
            self.checkpoint,
            patient(&self.more)
        );
        let path = place.folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// An endless Kafka source.
pub fn kafka(topic: &Topic) -> String {
    kafka_at(&topic.brokers, &topic.name, "")
}

/// A Kafka source that ends where the topic ends when the job first starts.
pub fn kafka_bounded(topic: &Topic) -> String {
    kafka_at(&topic.brokers, &topic.name, "end = \"latest\"\n")
}

/// A Kafka source at any address, with more lines.
pub fn kafka_at(brokers: &str, topic: &str, more: &str) -> String {
    format!(
        "[source]\ntype = \"kafka\"\n[source.kafka]\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"\n\
         start = \"earliest\"\n{more}"
    )
}

/// The same sections with a deadline for calls that no slow machine meets, unless they have one of their own.
fn patient(more: &str) -> String {
    const PATIENT: &str = "[limits]\ncall_deadline = \"60s\"\n";
    if more.contains("call_deadline") {
        more.to_owned()
    } else if more.contains("[limits]\n") {
        more.replace("[limits]\n", PATIENT)
    } else {
        format!("{more}\n{PATIENT}")
    }
}

fn stage(id: &str, kind: &str, plugin: &str, config: &str) -> String {
    format!(
        "[[stages]]\nid = \"{id}\"\nkind = \"{kind}\"\nplugin = \"{plugin}\"\nconfig = {config}\n"
    )
}

/// A pipeline that copies the lines of the files in `in`, an `id` and a `ts` each, to the table `out`.
pub fn copying(name: &str) -> String {
    format!(
        r#"
name = "{name}"
[source]
type = "files"
[source.files]
path = "in"
[schema]
id = "int64"
ts = "timestamp(s)"
[event_time]
column = "ts"
max_out_of_orderness = "0s"
[[sinks]]
id = "rows"
type = "parquet"
path = "out"
[checkpoint]
path = "chain"
"#
    )
}
