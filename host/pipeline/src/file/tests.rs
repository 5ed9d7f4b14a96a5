//! A good file becomes the pipeline it writes; each wrong one gets its message, word for word.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::{ConfigError, load, parse};
use crate::{
    EventTimeFrom, FetchWay, OnFailure, Pipeline, PluginRef, SinkKind, SourceConfig, StartPosition,
    window_words,
};
use sluicegate_model::partition::PartitionBy;
use sluicegate_model::schema::{Column, ColumnType, Metadata};
use sluicegate_model::window::WindowKind;

/// The example, with shorter paths and the setting that it only shows.
pub(crate) static SALES: LazyLock<String> = LazyLock::new(|| {
    include_str!("../../../../deploy/pipelines/sales.toml")
        .replace("../../data/", "data/")
        .replace("# config =", "config =")
});

pub(crate) fn environment() -> BTreeMap<String, String> {
    BTreeMap::from([("KAFKA_PASSWORD".to_owned(), "geheim".to_owned())])
}

pub(crate) fn read(text: &str) -> Result<Pipeline, ConfigError> {
    parse(text, Path::new("pipelines/sales.toml"), &environment())
}

fn good(text: &str) -> Pipeline {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The sales pipeline with `from` replaced by `to`; `from` must be there.
fn with(from: &str, to: &str) -> String {
    assert!(SALES.contains(from), "{from}");
    SALES.replace(from, to)
}

#[track_caller]
fn refused(text: &str, expected: Expect) {
    let error = read(text).expect_err("it is refused");
    expected.assert_eq(&error.to_string());
}

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/pipelines").join(name)
}

#[test]
fn every_pipeline_of_the_deployment_makes_sense() {
    let mut folders = vec![deploy("")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                good(&std::fs::read_to_string(path).unwrap());
                read += 1;
            }
        }
    }
    assert!(read > 10, "only {read} pipelines were found");
}

#[test]
fn the_example_becomes_a_pipeline() {
    let pipeline = good(&SALES);
    assert_eq!(&*pipeline.name, "sales");
    let SourceConfig::Kafka(kafka) = &pipeline.source else { panic!("{:?}", pipeline.source) };
    assert_eq!(kafka.start, StartPosition::Earliest);
    assert_eq!(pipeline.event_time.from, EventTimeFrom::Column(3));
    assert_eq!(pipeline.event_time.max_future_skew, Some(Duration::from_secs(3_600)));
    let [valid] = pipeline.stages.as_slice() else { panic!("{:?}", pipeline.stages) };
    assert_eq!(valid.config, [("store-prefix".to_owned(), "store-".to_owned())]);
    let window = pipeline.window.expect("there is a window");
    assert_eq!(window.kind, WindowKind::Tumbling { size: 30_000_000, offset: 0 });
    assert_eq!(&*window.aggregate.id, "revenue");
    assert_eq!(pipeline.sinks.len(), 2);
}

#[test]
fn every_shipped_pipeline_loads() {
    for name in ["sales.toml", "sales-files.toml", "raw-sales.toml"] {
        let path = deploy(name);
        let pipeline = load(&path, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(format!("{}.toml", pipeline.name), name);
    }
    let raw = load(&deploy("raw-sales.toml"), &BTreeMap::new()).unwrap();
    let SinkKind::Table(table) = &raw.sinks[0].kind else { panic!("{:?}", raw.sinks) };
    assert!(table.partition_by == [PartitionBy::Date] && raw.window.is_none());
    let files = load(&deploy("sales-files.toml"), &BTreeMap::new()).unwrap();
    let expected = deploy("../../target/plugins/valid-sale.wasm");
    assert_eq!(files.stages[0].plugin, PluginRef::Path(expected));
    assert_eq!(files.event_time.max_future_skew, None);
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 3_600));
    let guards = |pipeline: &Pipeline| {
        let config = &pipeline.event_time;
        (config.max_future_skew_host, config.max_jump)
    };
    assert_eq!(guards(&files), (days(365), days(400)));
    assert_eq!(guards(&raw), (days(1), None));
}

#[test]
fn the_example_of_the_documentation_loads() {
    let page = include_str!("../reference/preamble.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let pipeline = good(text);
    assert_eq!(pipeline.schema.columns[4].path().unwrap(), ["address", "city"]);
}

#[test]
fn columns_keep_the_order_of_the_file() {
    let text = with("[schema]\n", "[schema]\nzebra = \"bool\"\n\"aard\" = 'date'\n");
    let pipeline = good(&text);
    let names: Vec<&str> =
        pipeline.schema.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["zebra", "aard", "store", "item", "price", "ts"]);
    assert_eq!(pipeline.schema.columns[1].kind, ColumnType::Date);
}

#[test]
fn properties_take_dotted_names_numbers_and_variables() {
    let text = with(
        "start = \"earliest\"\n",
        "[source.kafka.properties]\nsecurity.protocol = \"SASL_SSL\"\n\"session.timeout.ms\" = 6000\nsasl.password = \"${env:KAFKA_PASSWORD}\"\n",
    );
    let pipeline = good(&text);
    let SourceConfig::Kafka(kafka) = &pipeline.source else { panic!("{:?}", pipeline.source) };
    assert_eq!(kafka.properties["security.protocol"], "SASL_SSL");
    assert_eq!(kafka.properties["session.timeout.ms"], "6000");
    assert_eq!(kafka.properties["sasl.password"], "geheim");
    assert!(!format!("{pipeline:?}").contains("geheim"), "secrets are not shown");
}

#[test]
fn starts_are_read_in_every_form() {
    let start = |text: &str| {
        let pipeline = good(&with("start = \"earliest\"", text));
        let SourceConfig::Kafka(kafka) = pipeline.source else { panic!("{:?}", pipeline.source) };
        kafka.start
    };
    assert_eq!(start("start = \"latest\""), StartPosition::Latest);
    let time = start("start = { timestamp = \"1970-01-01T01:00:00.5+01:00\" }");
    assert_eq!(time, StartPosition::Timestamp(500_000));
    let offsets = start("start = { offsets = { 0 = 17, 3 = 0 } }");
    assert_eq!(offsets, StartPosition::Offsets(BTreeMap::from([(0, 17), (3, 0)])));
    assert_eq!(start(""), StartPosition::Earliest);
}

#[test]
fn several_mistakes_of_shape_are_told_together() {
    let text = with("name = \"sales\"", "naem = \"sales\"")
        .replace("max_out_of_orderness = \"5s\"", "max_out_of_orderiness = 5")
        .replace("kind = \"filter\"", "kind = \"filtre\"")
        .replace("size = \"30s\"", "size = 30")
        .replace("[[sinks]]\nid = \"screen\"", "[[sinks]]\nparallelism = 3");
    refused(
        &text,
        expect![[r#"
        pipelines/sales.toml:7: `naem`: unknown key; did you mean `name`?
        pipelines/sales.toml:25: `event_time.max_out_of_orderiness`: unknown key; did you mean `max_out_of_orderness`?
        pipelines/sales.toml:31: `stages[0].kind`: "filtre" is none of `filter`, `map`, `aggregate`, `process`; did you mean `filter`?
        pipelines/sales.toml:42: `window.size`: write a duration, for example "30s", not the number 30
        pipelines/sales.toml:50: `sinks[1].id`: missing; write a string, for example "revenue"
        pipelines/sales.toml:51: `sinks[1].parallelism`: unknown key; possible here: `brokers`, `compact_after_files`, `compact_file_bytes`, `corrections`, `emit`, `epoch_column`, `every`, `file_bytes_max`, `id`, `key`, `partition_by`, `path`, `properties`, `rows`, `topic`, `type`"#]],
    );
}

#[test]
fn several_mistakes_of_meaning_are_told_together() {
    let text = with("name = \"sales\"", "name = \"My Sales\"")
        .replace("price = \"decimal(18,2)\"", "price = \"decimal\"\nrevision = \"int\"")
        .replace("column = \"ts\"", "column = \"tz\"")
        .replace("size = \"30s\"", "size = \"0s\"\noffset = \"1 week\"")
        .replace("path = \"data/dead\"", "path = \"./data/revenue/dead\"")
        .replace("path = \"data/chain\"", "path = \"s4://bucket/chain\"");
    refused(
        &text,
        expect![[r#"
            pipelines/sales.toml:7: `name`: "My Sales" is not a name: write 1 to 63 of `a-z`, `0-9` and `-`, beginning with a letter or digit, for example "my-sales"
            pipelines/sales.toml:20: `schema.price`: `decimal` is not a decimal type: write decimal(precision,scale) with 1 <= precision <= 38 and scale <= precision, for example "decimal(18,2)"
            pipelines/sales.toml:21: `schema.revision`: the name is reserved for a column that results and late rows get (window_start, window_end, revision, watermark): choose another one, and point to the field with `pointer = "/revision"`
            pipelines/sales.toml:21: `schema.revision`: `int` is not a column type: string, json, int64, float64, bool, date, timestamp(s | ms | us | rfc3339 | local) or decimal(precision,scale); did you mean "int64"?
            pipelines/sales.toml:43: `window.size`: "0s" cannot be the size of a window: write more than zero, for example "30s"
            pipelines/sales.toml:44: `window.offset`: `1 week` is not a duration: write a whole number with its unit (us, ms, s, m, h or d), for example "30s" or "1h 30m"
            pipelines/sales.toml:59: `dead_letters.path`: "./data/revenue/dead" and `sinks[0].path` ("data/revenue") lie in each other: give each table a folder of its own
            pipelines/sales.toml:63: `checkpoint.path`: "s4://bucket/chain" has the unknown scheme `s4`: file, s3, gs and az are known; did you mean `s3://`?"#]],
    );
}

#[test]
fn what_is_no_toml_names_its_line() {
    refused(
        "name = \"sales\"\n[source\n",
        expect!["pipelines/sales.toml:2: no TOML: unclosed table, expected `]`"],
    );
    refused(
        "name = \"sales\"\nname = \"again\"\n",
        expect!["pipelines/sales.toml:2: no TOML: duplicate key"],
    );
}

#[test]
fn an_empty_file_lacks_what_is_required() {
    refused(
        "",
        expect![[r#"
            pipelines/sales.toml:1: `name`: missing; write a string, for example "sales"
            pipelines/sales.toml:1: `source`: missing; write a section `[source]`
            pipelines/sales.toml:1: `schema`: missing; write a table, for example { price = "decimal(18,2)", store = "string" }
            pipelines/sales.toml:1: `event_time`: missing; write a section `[event_time]`
            pipelines/sales.toml:1: `sinks`: missing; write sections `[[sinks]]`
            pipelines/sales.toml:1: `checkpoint`: missing; write a section `[checkpoint]`"#]],
    );
}

#[test]
fn a_number_out_of_range_names_its_key() {
    refused(
        &(SALES.clone() + "\n[limits]\nturn_records = 5000000000\n"),
        expect![
            "pipelines/sales.toml:64: `limits.turn_records`: 5000000000 is out of bounds: write 1 to 4194304"
        ],
    );
    refused(
        &(SALES.clone() + "\n[limits]\ncall_rows = 0\nplugin_memory = \"1KiB\"\n"),
        expect![[r#"
            pipelines/sales.toml:64: `limits.call_rows`: 0 is out of bounds: write 1 to 1048576
            pipelines/sales.toml:65: `limits.plugin_memory`: 1KiB is out of bounds: write 1MiB to 4GiB"#]],
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load(Path::new("missing.toml"), &BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "read the pipeline file `missing.toml`");
}

#[test]
fn an_aggregate_and_its_window_go_together() {
    let (before, rest) = SALES.split_once("[window]").unwrap();
    let (_, after) = rest.split_once("[[sinks]]").unwrap();
    refused(
        &format!("{before}[[sinks]]{after}"),
        expect![[
            r#"pipelines/sales.toml:37: `stages[1].kind`: stage "revenue" accumulates rows per window: add a section `[window]` with `type`, `size` and `key`"#
        ]],
    );
    refused(
        &with("kind = \"aggregate\"", "kind = \"map\""),
        expect![[
            r#"pipelines/sales.toml:40: `window`: a window needs an aggregate: end `[[stages]]` with one of `kind = "aggregate"`, or remove `[window]`"#
        ]],
    );
    let two = "[[stages]]\nid = \"first\"\nkind = \"aggregate\"\nplugin = \"stats\"\n[[stages]]\nid = \"valid\"";
    refused(
        &with("[[stages]]\nid = \"valid\"", two),
        expect![
            "pipelines/sales.toml:31: `stages[0].kind`: an aggregate ends the stages: move this one to the end; only one can be there"
        ],
    );
}

#[test]
fn keys_are_checked_against_the_schema_unless_a_map_may_make_them() {
    refused(
        &with("key = [\"store\"]", "key = [\"sotre\", \"item\", \"item\", \"window_end\"]"),
        expect![[r#"
            pipelines/sales.toml:43: `window.key[0]`: `[schema]` has no column `sotre`; did you mean `store`?
            pipelines/sales.toml:43: `window.key[2]`: column `item` is named twice: remove one
            pipelines/sales.toml:43: `window.key[3]`: the name is reserved for a column that results and late rows get (window_start, window_end, revision, watermark): choose another one, and point to the field with `pointer = "/window_end"`"#]],
    );
    let map = "[[stages]]\nid = \"split\"\nkind = \"map\"\nplugin = \"split-basket\"\n[[stages]]\nid = \"valid\"";
    good(&with("[[stages]]\nid = \"valid\"", map).replace("key = [\"store\"]", "key = [\"sku\"]"));
}

#[test]
fn inputs_are_connected_with_columns_that_are_there_unless_a_map_may_make_them() {
    let filter = "plugin = \"valid-sale\"\n";
    let columns = "columns = { amount = \"prise\", store = \"city\" }\n";
    let text = with(filter, &format!("{filter}{columns}"));
    refused(
        &text,
        expect![[r#"
        pipelines/sales.toml:33: `stages[0].columns.amount`: `[schema]` has no column `prise`; did you mean `price`?
        pipelines/sales.toml:33: `stages[0].columns.store`: `[schema]` has no column `city`; there are `store`, `item`, `price`, `ts`"#]],
    );
    let map = "[[stages]]\nid = \"map\"\nkind = \"map\"\nplugin = \"map\"\n\n";
    let first = "[[stages]]\nid = \"valid\"";
    assert!(text.contains(first));
    let pipeline = good(&text.replace(first, &format!("{map}{first}")));
    assert_eq!(pipeline.stages[1].place().column_of("amount"), "prise");
    assert_eq!(pipeline.stages[1].place().column_of("item"), "item");
}

#[test]
fn ids_are_unique_and_their_own() {
    refused(
        &with("id = \"revenue\"", "id = \"valid\""),
        expect![[
            r#"pipelines/sales.toml:36: `stages[1].id`: "valid" is the id of another stage: each needs its own"#
        ]],
    );
    refused(
        &with("id = \"screen\"", "id = \"late\""),
        expect![[
            r#"pipelines/sales.toml:51: `sinks[1].id`: "late" names the table of the section `[late]`: choose another id"#
        ]],
    );
}

#[test]
fn event_time_is_a_timestamp_that_somebody_has() {
    refused(
        &with("column = \"ts\"", "column = \"price\""),
        expect![[
            r#"pipelines/sales.toml:24: `event_time.column`: column `price` is of type decimal(18,2), and event time needs a timestamp: declare it as "timestamp(s)", "timestamp(ms)", "timestamp(us)" or "timestamp(rfc3339)""#
        ]],
    );
    refused(
        &with("column = \"ts\"", "from = \"record\"\ncolumn = \"ts\""),
        expect![[
            r#"pipelines/sales.toml:25: `event_time.column`: no column is read with `from = "record"`: remove one of the two"#
        ]],
    );
    refused(
        &with("column = \"ts\"\n", ""),
        expect![[
            r#"pipelines/sales.toml:23: `event_time.column`: missing; write the name of a timestamp column of `[schema]`, or `from = "record"` for the Kafka timestamp"#
        ]],
    );
    let pipeline = good(&with("column = \"ts\"", "from = \"record\""));
    assert_eq!(pipeline.event_time.from, EventTimeFrom::RecordTimestamp);
    let pipeline = good(&with("idle_after = \"10s\"", "idle_after = \"off\""));
    assert_eq!(pipeline.event_time.idle_after, None);
}

#[test]
fn partitions_may_wait_for_others_where_that_ends() {
    let ahead = |lines: &str| with("idle_after = \"10s\"", lines);
    let pipeline = good(&ahead("max_ahead = \"10m\""));
    assert_eq!(pipeline.event_time.max_ahead, Some(Duration::from_secs(600)));
    assert_eq!(good(&ahead("max_ahead = \"off\"")).event_time.max_ahead, None);
    refused(
        &ahead("max_ahead = \"0s\""),
        expect![[
            r#"pipelines/sales.toml:26: `event_time.max_ahead`: partitions are never at the very same time: write how far one may be ahead, for example "10m", or "off""#
        ]],
    );
    let forever = ahead("idle_after = \"off\"\nmax_ahead = \"10m\"");
    refused(
        &forever,
        expect![[
            r#"pipelines/sales.toml:27: `event_time.max_ahead`: with `idle_after = "off"` a partition that falls silent would stop the others for good: give `idle_after` a time, or remove this"#
        ]],
    );
    good(&forever.replace("start = \"earliest\"", "end = \"latest\""));
    let files = std::fs::read_to_string(deploy("sales-files.toml")).unwrap();
    let files = files.replace("column = \"ts\"", "column = \"ts\"\nmax_ahead = \"10m\"");
    good(&files.replace("column = \"ts\"", "column = \"ts\"\nidle_after = \"off\""));
    let (rows, _) = files.split_once("[[stages]]\nid = \"revenue\"").unwrap();
    let (_, sinks) = files.split_once("[[sinks]]").unwrap();
    refused(
        &format!("{rows}[[sinks]]{sinks}"),
        expect![
            "pipelines/sales.toml:22: `event_time.max_ahead`: only windows fill while a partition runs ahead: remove it or add a `[window]`"
        ],
    );
}

#[test]
fn files_have_no_kafka_settings() {
    let files = std::fs::read_to_string(deploy("sales-files.toml")).unwrap();
    let with_files = |from: &str, to: &str| files.replace(from, to);
    refused(
        &with_files("data/sales\"", "data/sales\"\nstart = \"earliest\""),
        expect![
            "pipelines/sales.toml:13: `source.files.start`: unknown key; possible here: `finish_after`, `order`, `path`, `watch`"
        ],
    );
    refused(
        &with_files("max_out_of_orderness", "max_jump = \"0s\"\nmax_out_of_orderness"),
        expect![[
            r#"pipelines/sales.toml:22: `event_time.max_jump`: every event that moves the clock is ahead of those before it: write how far one may be, for example "30d", or "off""#
        ]],
    );
    refused(
        &with_files("max_out_of_orderness", "max_future_skew = \"1h\"\nmax_out_of_orderness"),
        expect![[
            r#"pipelines/sales.toml:22: `event_time.max_future_skew`: lines of a file have no timestamp to compare with: remove it, or set `future_reference = "host"`"#
        ]],
    );
    refused(
        &with_files("[source.files]\npath", "[source.kafka]\nbrokers = \"b\"\ntopic"),
        expect![[r#"
            pipelines/sales.toml:8: `source.files`: missing; write a section `[source.files]` with `path`
            pipelines/sales.toml:11: `source.kafka`: the source is of type "files": remove `[source.kafka]`, or set `source.type = "kafka"`"#]],
    );
    refused(
        &with_files("column = \"ts\"", "from = \"record\""),
        expect![
            "pipelines/sales.toml:21: `event_time.from`: lines of a file have no timestamp of their own: remove it and name a `column`"
        ],
    );
}

#[test]
fn a_direct_fetch_takes_no_property_that_it_does_not_obey() {
    let fetched = |properties: &str| {
        let more = format!("fetch = \"direct\"\n[source.kafka.properties]\n{properties}");
        with("start = \"earliest\"", &more)
    };
    let obeyed = "\"fetch.max.bytes\" = 1000\n\"security.protocol\" = \"SASL_SSL\"\n\
                  \"sasl.mechanism\" = \"scram-sha-256\"\ndebug = \"fetch\"";
    let SourceConfig::Kafka(kafka) = good(&fetched(obeyed)).source else { panic!("no topic") };
    assert_eq!(kafka.fetch, FetchWay::Direct);
    refused(
        &fetched("\"sasl.mechanism\" = \"GSSAPI\"\n\"client.dns.lookup\" = \"use_all_dns_ips\""),
        expect![[r#"
            pipelines/sales.toml:17: `source.kafka.properties."sasl.mechanism"`: `fetch = "direct"`: it knows PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 only; remove one of the two
            pipelines/sales.toml:18: `source.kafka.properties."client.dns.lookup"`: `fetch = "direct"`: it does not know this property; remove one of the two"#]],
    );
}

#[test]
fn kafka_settings_that_cannot_work_are_refused() {
    let properties = "[source.kafka.properties]\n\"enable.auto.commit\" = true\n\"sasl.password\" = \"x${env:TOKEN}\"";
    refused(
        &with("start = \"earliest\"", properties),
        expect![[r#"
        pipelines/sales.toml:16: `source.kafka.properties."enable.auto.commit"`: Sluicegate sets this property itself: positions are kept in the commit chain
        pipelines/sales.toml:17: `source.kafka.properties."sasl.password"`: the environment variable `TOKEN` is not set: set it, or write the value itself"#]],
    );
    refused(
        &with("127.0.0.1:9092", "localhost"),
        expect![[
            r#"pipelines/sales.toml:13: `source.kafka.brokers`: "localhost" is not a broker: write host:port, separated by commas, for example "127.0.0.1:9092""#
        ]],
    );
    refused(
        &with("start = \"earliest\"", "start = { offsets = { zero = 1, 1 = -2 } }"),
        expect![[r#"
            pipelines/sales.toml:15: `source.kafka.start.offsets.1`: -2 is not an offset: write 0 or more (what others call -2 and -1 is `start = "earliest"` and "latest", for all partitions)
            pipelines/sales.toml:15: `source.kafka.start.offsets.zero`: `zero` is not a partition: write its number, 0 or more
            pipelines/sales.toml:15: `source.kafka.start.offsets`: no partition is named: write { 0 = 17 }, or `start = "earliest"`"#]],
    );
    refused(
        &with("start = \"earliest\"", "start = { timestamp = \"yesterday\" }"),
        expect![[
            r#"pipelines/sales.toml:15: `source.kafka.start.timestamp`: "yesterday" is not a time: write it as RFC 3339, for example "2026-11-21T00:00:00Z""#
        ]],
    );
    refused(
        &with("start = \"earliest\"", "start = \"beginning\""),
        expect![[
            r#"pipelines/sales.toml:15: `source.kafka.start`: "beginning" is none of `earliest`, `latest`"#
        ]],
    );
}

#[test]
fn no_client_of_a_pipeline_loads_native_code_or_runs_commands() {
    let properties = "\"plugin.library.paths\" = \"x\"\n\"sasl.kerberos.kinit.cmd\" = \"rm\"";
    let source = format!("[source.kafka.properties]\n{properties}");
    refused(
        &with("start = \"earliest\"", &source),
        expect![[r#"
            pipelines/sales.toml:16: `source.kafka.properties."plugin.library.paths"`: a pipeline file must not load native code: remove it
            pipelines/sales.toml:17: `source.kafka.properties."sasl.kerberos.kinit.cmd"`: a pipeline file must not run commands: remove it"#]],
    );
    let sink = format!(
        "[[sinks]]\nid = \"t\"\ntype = \"kafka\"\nbrokers = \"b:1\"\ntopic = \"t\"\n[sinks.properties]\n{properties}\n[dead_letters]"
    );
    refused(
        &with("[dead_letters]", &sink),
        expect![[r#"
            pipelines/sales.toml:61: `sinks[2].properties."plugin.library.paths"`: a pipeline file must not load native code: remove it
            pipelines/sales.toml:62: `sinks[2].properties."sasl.kerberos.kinit.cmd"`: a pipeline file must not run commands: remove it"#]],
    );
}

#[test]
fn names_are_one_whatever_their_case() {
    refused(
        &with(
            "[schema]\n",
            "[schema]\nStore = { type = \"string\", pointer = \"/other\" }\nWindow_Start = \"string\"\n",
        ),
        expect![[r#"
            pipelines/sales.toml:19: `schema.Window_Start`: the name is reserved for a column that results and late rows get (window_start, window_end, revision, watermark): choose another one, and point to the field with `pointer = "/Window_Start"`
            pipelines/sales.toml:20: `schema.store`: it differs from column `Store` in its case only, and many readers of tables do not tell them apart: rename one of them, and point to its field with `pointer = "/store"`"#]],
    );
    let by_date =
        with("path = \"data/revenue\"", "path = \"data/revenue\"\npartition_by = \"date\"");
    let keyed = by_date.replace("[\"store\"]", "[\"store\", \"Date\"]");
    let late = "[late]\npath = \"data/late\"\npartition_by = \"date\"\n[checkpoint]";
    refused(
        &keyed.replace("[schema]\n", "[schema]\nDate = \"string\"\n").replace("[checkpoint]", late),
        expect![[r#"
            pipelines/sales.toml:50: `sinks[0].partition_by`: the folders `date=…` would clash with the column `Date`: name the column otherwise (with `pointer = "/Date"`), or remove it
            pipelines/sales.toml:63: `late.partition_by`: the folders `date=…` would clash with the column `Date`: name the column otherwise (with `pointer = "/Date"`), or remove it"#]],
    );
}

#[test]
fn tables_are_parted_by_hours_of_days_where_a_log_tells_of_their_files() {
    let by = |by: &str| {
        let sink = "path = \"data/revenue\"";
        with(sink, &format!("{sink}\npartition_by = {by}"))
    };
    let parted = |text: &str| match &good(text).sinks[0].kind {
        SinkKind::Table(table) => table.partition_by.clone(),
        other => panic!("{other:?}"),
    };

    assert_eq!(parted(&by("\"date\"")), [PartitionBy::Date]);
    assert_eq!(parted(&by("\"hour\"")), [PartitionBy::Date, PartitionBy::Hour]);
    let store = PartitionBy::Column("store".to_owned());
    assert_eq!(
        parted(&by(r#"["store", "hour", "date"]"#)),
        [store, PartitionBy::Hour, PartitionBy::Date]
    );
    refused(
        &by(r#"["hour", "store"]"#),
        expect![[
            r#"pipelines/sales.toml:49: `sinks[0].partition_by`: the same hour of all days would lie together: write "date" before "hour""#
        ]],
    );
    refused(
        &by("\"store\""),
        expect![[
            r#"pipelines/sales.toml:49: `sinks[0].partition_by`: "store" is neither "date" nor "hour": write ["store"] for a column of the rows"#
        ]],
    );
    let plain = by("\"hour\"").replacen("type = \"delta\"", "type = \"parquet\"", 1);
    let late = "[late]\npath = \"data/late\"\npartition_by = \"hour\"\n[checkpoint]";
    refused(
        &plain.replace("[checkpoint]", late),
        expect![[r#"
        pipelines/sales.toml:49: `sinks[0].partition_by`: every start looks into each folder of a plain table, and of hours there would be too many: write "date", or make it a Delta table
        pipelines/sales.toml:62: `late.partition_by`: every start looks into each folder of a plain table, and of hours there would be too many: write "date", or make it a Delta table"#]],
    );
    let keyed = by("\"hour\"").replace("[\"store\"]", "[\"store\", \"Hour\"]");
    refused(
        &keyed.replace("[schema]\n", "[schema]\nHour = \"int64\"\n"),
        expect![[
            r#"pipelines/sales.toml:50: `sinks[0].partition_by`: the folders `hour=…` would clash with the column `Hour`: name the column otherwise (with `pointer = "/Hour"`), or remove it"#
        ]],
    );
}

#[test]
fn dead_letters_have_a_table_unless_the_file_says_otherwise() {
    let none = with("[dead_letters]\nformat = \"delta\"\npath = \"data/dead\"\n", "");
    let beside = |pipeline: Pipeline| pipeline.dead_letters.map(|table| table.written);
    assert_eq!(beside(good(&none)).as_deref(), Some("data/chain/sales/dead-letters"));
    let slash = none.replace("path = \"data/chain\"", "path = \"s3://bucket/chain/\"");
    assert_eq!(beside(good(&slash)).as_deref(), Some("s3://bucket/chain/sales/dead-letters"));
    let text =
        |more: &str| with("[dead_letters]\nformat = \"delta\"\npath = \"data/dead\"\n", more);
    assert_eq!(beside(good(&text("[dead_letters]\nenabled = false\n"))), None);
    let said = "[dead_letters]\npath = \"data/chain/sales/dead-letters\"\n";
    assert_eq!(good(&text(said)).dead_letters, good(&none).dead_letters);
    refused(
        &text("[dead_letters]\nenabled = false\npath = \"data/dead\"\n"),
        expect![[
            r#"pipelines/sales.toml:57: `dead_letters.path`: nothing is written there with `enabled = false`: remove one of the two"#
        ]],
    );
}

#[test]
fn failures_become_dead_letters_unless_the_file_says_halt() {
    assert_eq!(good(&SALES).failures, crate::Failures::default());
    let text = with("[checkpoint]", "[failures]\non_breaker = \"halt\"\n[checkpoint]");
    assert_eq!(good(&text).failures.on_breaker, OnFailure::Halt);
    assert_eq!(good(&text).failures.on_group_failure, OnFailure::DeadLetter);
}

#[test]
fn tables_do_not_lie_in_each_other_or_around_the_chain() {
    refused(
        &with("path = \"data/dead\"", "path = \"data/revenue/\""),
        expect![[
            r#"pipelines/sales.toml:57: `dead_letters.path`: "data/revenue/" and `sinks[0].path` ("data/revenue") lie in each other: give each table a folder of its own"#
        ]],
    );
    refused(
        &with("path = \"data/dead\"", "path = \"data\""),
        expect![[r#"
            pipelines/sales.toml:57: `dead_letters.path`: "data" and `sinks[0].path` ("data/revenue") lie in each other: give each table a folder of its own
            pipelines/sales.toml:57: `dead_letters.path`: "data" and `checkpoint.path` ("data/chain") lie in each other: give the table a folder of its own"#]],
    );
    refused(
        &with("path = \"data/dead\"", "path = \"data/chain/sales/dead\""),
        expect![[
            r#"pipelines/sales.toml:57: `dead_letters.path`: "data/chain/sales/dead" and `checkpoint.path` ("data/chain") lie in each other: give the table a folder of its own"#
        ]],
    );
    good(&with("path = \"data/dead\"", "path = \"data/chain/dead\""));
    good(&with("path = \"data/dead\"", "path = \"data/revenue-dead\""));
}

#[test]
fn sinks_have_the_settings_of_their_type() {
    refused(
        &with("every = \"5s\"", "path = \"x\"\nrows = 0"),
        expect![[r#"
            pipelines/sales.toml:53: `sinks[1].path`: belongs to sinks of type "parquet" or "delta", and this one is "console": remove it
            pipelines/sales.toml:54: `sinks[1].rows`: 0 rows show nothing: write 1 or more, or remove the sink"#]],
    );
    refused(
        &with("path = \"data/revenue\"", "every = \"1s\""),
        expect![[r#"
            pipelines/sales.toml:45: `sinks[0].path`: missing; write the folder of the table, for example "data/revenue" or "s3://bucket/revenue"
            pipelines/sales.toml:48: `sinks[0].every`: belongs to sinks of type "console", and this one is "delta": remove it"#]],
    );
    let (before, _) = SALES.split_once("[[sinks]]").unwrap();
    refused(
        &format!("{before}[checkpoint]\npath = \"data/chain\"\n[late]\npath = \"l\"\n[sinks]\n"),
        expect!["pipelines/sales.toml:49: `sinks`: write sections `[[sinks]]`, not a table"],
    );
}

const TOPIC: &str =
    "[[sinks]]\nid = \"out\"\ntype = \"kafka\"\nbrokers = \"b:9092\"\ntopic = \"revenue\"\n";

/// The sales pipeline with a topic before its other sinks, which begins at line 44.
fn with_topic(more: &str) -> String {
    SALES.replacen("[[sinks]]", &format!("{TOPIC}{more}\n[[sinks]]"), 1)
}

#[test]
fn topics_have_the_settings_of_a_topic() {
    let pipeline = good(&with_topic("properties = { compression.type = \"zstd\" }"));
    let SinkKind::Kafka(kafka) = &pipeline.sinks[0].kind else { panic!("{:?}", pipeline.sinks) };
    assert_eq!((&*kafka.brokers, &*kafka.topic, kafka.updates), ("b:9092", "revenue", false));
    assert_eq!(kafka.properties["compression.type"], "zstd");
    assert!(!pipeline.sinks[0].corrections);
    assert!(good(&with_topic("emit = \"updates\"")).sinks[0].corrections);
    refused(
        &with_topic("path = \"x\"\nemit = \"often\"\nproperties = { acks = \"1\" }"),
        expect![[
            r#"pipelines/sales.toml:51: `sinks[0].emit`: "often" is none of `final`, `updates`"#
        ]],
    );
    refused(
        &with_topic("path = \"x\"\nkey = [\"store\"]\nproperties = { acks = \"1\" }"),
        expect![[r#"
            pipelines/sales.toml:50: `sinks[0].path`: belongs to sinks of type "parquet" or "delta", and this one is "kafka": remove it
            pipelines/sales.toml:52: `sinks[0].properties.acks`: Sluicegate sets this property itself: a result is sent when all replicas have it"#]],
    );
    refused(
        &with_topic("").replace("brokers = \"b:9092\"\n", ""),
        expect![[
            r#"pipelines/sales.toml:45: `sinks[0].brokers`: missing; write it, for example "127.0.0.1:9092""#
        ]],
    );
    refused(
        &with_topic("").replace("b:9092", "b"),
        expect![[
            r#"pipelines/sales.toml:48: `sinks[0].brokers`: "b" is not a broker: write host:port, separated by commas, for example "127.0.0.1:9092""#
        ]],
    );
    refused(
        &with_topic("key = [\"store\"]"),
        expect![
            "pipelines/sales.toml:50: `sinks[0].key`: the results have a key, that of the window or process plugin: remove it"
        ],
    );
    refused(
        &with_topic(&TOPIC.replace("\"out\"", "\"again\"")),
        expect![
            "pipelines/sales.toml:54: `sinks[1].topic`: sink `out` sends to this topic: its readers could not tell repeats; give each sink a topic of its own"
        ],
    );
    refused(
        &with_topic("properties = { max.in.flight = 5 }"),
        expect![[
            r#"pipelines/sales.toml:50: `sinks[0].properties."max.in.flight"`: Sluicegate sets this property itself: results stay in order and none is left out"#
        ]],
    );
    // A topic that fed itself would never end.
    let fed = with_topic("")
        .replace("b:9092", "127.0.0.1:9092")
        .replace("\"revenue\"\n\n", "\"sales\"\n\n");
    refused(
        &fed,
        expect![
            "pipelines/sales.toml:49: `sinks[0].topic`: the source reads this topic: results would come back as records; give them a topic of their own"
        ],
    );
}

#[test]
fn updates_need_a_group_that_stays_the_same() {
    let session = with_topic("emit = \"updates\"")
        .replace("type = \"tumbling\"\nsize = \"30s\"", "type = \"session\"\ngap = \"1m\"");
    refused(
        &session,
        expect![[
            r#"pipelines/sales.toml:50: `sinks[0].emit`: a session changes its bounds while it is open, so that an update could not name what it takes the place of: write "final", or remove it"#
        ]],
    );
    let raw = std::fs::read_to_string(deploy("raw-sales.toml")).unwrap();
    let raw =
        |more: &str| raw.replacen("[dead_letters]", &format!("{TOPIC}{more}\n[dead_letters]"), 1);
    refused(
        &raw("emit = \"updates\""),
        expect![[
            r#"pipelines/sales.toml:40: `sinks[1].emit`: without `[window]` every row is final: write "final", or remove it"#
        ]],
    );
    refused(
        &raw("key = [\"store\", \"store\"]"),
        expect![
            "pipelines/sales.toml:40: `sinks[1].key[1]`: column `store` is named twice: remove one"
        ],
    );
    refused(
        &raw("key = []"),
        expect![
            "pipelines/sales.toml:40: `sinks[1].key`: no column is named: write the columns of the message's key, or remove it"
        ],
    );
    assert!(good(&raw("key = [\"store\"]")).window.is_none());
    let late =
        with_topic("").replace("size = \"30s\"", "size = \"30s\"\nallowed_lateness = \"1m\"");
    refused(
        &late,
        expect![[r#"
        pipelines/sales.toml:46: `sinks[0].corrections`: lateness without a sink that can take corrections: write `corrections = "append"` if the readers of this topic take of each key and window the rows with the highest `revision`
        pipelines/sales.toml:52: `sinks[1].corrections`: lateness without a sink that can take corrections: write `corrections = "append"` if the readers of this table take of each key and window the rows with the highest `revision`"#]],
    );
}

#[test]
fn without_a_window_there_is_no_console_no_late_and_no_date_beside_date() {
    let raw = std::fs::read_to_string(deploy("raw-sales.toml")).unwrap();
    let text = raw.replace(
        "[dead_letters]",
        "[late]\npath = \"l\"\n[[sinks]]\nid = \"s\"\ntype = \"console\"\n[dead_letters]",
    );
    refused(
        &text,
        expect![[r#"
        pipelines/sales.toml:35: `late`: only windows make rows late: remove `[late]` or add a `[window]`
        pipelines/sales.toml:39: `sinks[1].type`: the console shows groups of windows, and there is no `[window]`: use `parquet`"#]],
    );
    refused(
        &raw.replace("item = {", "date = \"date\"\nitem = {"),
        expect![[
            r#"pipelines/sales.toml:34: `sinks[0].partition_by`: the folders `date=…` would clash with the column `date`: name the column otherwise (with `pointer = "/date"`), or remove it"#
        ]],
    );
}

#[test]
fn columns_have_a_type_and_a_place_of_their_own() {
    let text = with(
        "item = { type = \"string\", nullable = true }",
        "item = { type = \"string\", nulable = true }\ncity = { pointer = \"address\" }\nzip = { type = \"int64\", pointer = \"/store/zip\" }\nclass = 5",
    );
    refused(
        &text,
        expect![[r#"
        pipelines/sales.toml:19: `schema.item.nulable`: unknown key; did you mean `nullable`?
        pipelines/sales.toml:20: `schema.city.type`: missing; write a column type, for example "decimal(18,2)"
        pipelines/sales.toml:22: `schema.class`: write a column type or table, not the number 5"#]],
    );
    let text = with(
        "item = { type = \"string\", nullable = true }",
        "item-name = \"string\"\ncity = { type = \"text\", pointer = \"address\" }\nzip = { type = \"int64\", pointer = \"/store/zip\" }",
    );
    refused(
        &text,
        expect![[r#"
            pipelines/sales.toml:19: `schema.item-name`: "item-name" is not a column name: write letters, digits and `_`, beginning with a letter or `_`; a field of another name is reached with `pointer`
            pipelines/sales.toml:20: `schema.city`: `text` is not a column type: string, json, int64, float64, bool, date, timestamp(s | ms | us | rfc3339 | local) or decimal(precision,scale); did you mean "string"?
            pipelines/sales.toml:20: `schema.city.pointer`: `address` does not begin with `/`: write a JSON pointer (RFC 6901) such as "/address/city"
            pipelines/sales.toml:21: `schema.zip`: it stands at /store/zip in the JSON and column `store` at /store: one lies within the other, which is then no object; the outer one may be of type json"#]],
    );
}

#[test]
fn a_column_may_hold_what_a_record_has_beside_its_json() {
    let pipeline = good(&with(
        "ts = \"timestamp(s)\"",
        "ts = \"timestamp(s)\"\n\
         topic = { type = \"string\", from = \"topic\" }\n\
         part = { type = \"int64\", from = \"partition\" }\n\
         sent = { type = \"timestamp(ms)\", from = \"timestamp\", nullable = true }\n\
         who = { type = \"binary\", from = \"key\" }\n\
         trace = { type = \"string\", from = \"header:trace-id\", nullable = true }\n\
         headers = { type = \"json\", from = \"headers\" }\n\
         place = { type = \"int64\", from = \"offset\" }",
    ));
    let beside = pipeline.schema.columns.iter().filter_map(Column::metadata);
    let beside: Vec<String> = beside.map(Metadata::to_string).collect();
    let expected =
        ["topic", "partition", "timestamp", "key", "header:trace-id", "headers", "offset"];
    assert_eq!(beside, expected);
    assert!(pipeline.schema.reads_headers() && !good(&SALES).schema.reads_headers());
}

#[test]
fn what_a_source_does_not_know_of_a_record_is_no_column() {
    refused(
        &with(
            "ts = \"timestamp(s)\"",
            "ts = \"timestamp(s)\"\n\
             file = { type = \"string\", from = \"path\" }\n\
             part = { type = \"string\", from = \"Partition\" }\n\
             place = { type = \"string\", from = \"offset\", pointer = \"/offset\" }\n\
             who = { type = \"int64\", from = \"key\", quoted = true }\n\
             sent = { type = \"timestamp(s)\", from = \"timestamp\", zone = \"UTC\" }\n\
             raw = \"binary\"",
        ),
        expect![[r#"
            pipelines/sales.toml:22: `schema.file.from`: a record of a topic lies in no file: it has `topic`, `partition` and `offset`
            pipelines/sales.toml:23: `schema.part.from`: "Partition" is nothing that a record has beside its JSON: topic, partition, offset, timestamp, key, headers, header:NAME or path; did you mean "partition"?
            pipelines/sales.toml:24: `schema.place.type`: what is made from `offset` cannot be string: write "int64"
            pipelines/sales.toml:24: `schema.place.pointer`: is for columns that stand in the JSON, and this one is made `from = "offset"`: leave one of the two out
            pipelines/sales.toml:25: `schema.who.type`: what is made from `key` cannot be int64: write "string" or "binary"
            pipelines/sales.toml:25: `schema.who.quoted`: is for columns that stand in the JSON, and this one is made `from = "key"`: leave one of the two out
            pipelines/sales.toml:26: `schema.sent.type`: what is made from `timestamp` cannot be timestamp(s): write "timestamp(ms)"
            pipelines/sales.toml:26: `schema.sent.zone`: is for columns that stand in the JSON, and this one is made `from = "timestamp"`: leave one of the two out
            pipelines/sales.toml:27: `schema.raw.type`: JSON has no bytes: write "string", or "json" for a value as it stands; binary is for keys and headers (`from = "key"`)"#]],
    );
    let files = std::fs::read_to_string(deploy("sales-files.toml")).unwrap();
    let with_columns = |order: &str, columns: &str| {
        assert!(files.contains("[source.files]\n") && files.contains("[schema]\n"));
        files
            .replace("[source.files]\n", &format!("[source.files]\n{order}"))
            .replace("[schema]\n", &format!("[schema]\n{columns}"))
    };
    let of_lines = "file = { type = \"string\", from = \"path\" }\nbyte = { type = \"int64\", from = \"offset\" }\n";
    good(&with_columns("", of_lines));
    refused(
        &with_columns(
            "order = \"sequential\"\n",
            &format!(
                "{of_lines}who = {{ type = \"string\", from = \"key\" }}\ntrace = {{ type = \"string\", from = \"header:trace\" }}\n"
            ),
        ),
        expect![[r#"
            pipelines/sales.toml:16: `schema.file.from`: with `source.files.order = "sequential"` all files are one, and a line does not know its own: leave the column out, or choose another order
            pipelines/sales.toml:18: `schema.who.from`: a line of a file has no `key`: it has `path` and `offset`, the byte at which it begins
            pipelines/sales.toml:19: `schema.trace.from`: a line of a file has no `header:trace`: it has `path` and `offset`, the byte at which it begins"#]],
    );
    refused(
        &SALES
            .replace("store = \"string\"", "store = { type = \"string\", from = \"key\" }")
            .replace("item = { type = \"string\", nullable = true }", "")
            .replace("price = \"decimal(18,2)\"", "")
            .replace(
                "ts = \"timestamp(s)\"",
                "ts = { type = \"timestamp(ms)\", from = \"timestamp\" }",
            ),
        expect![
            "pipelines/sales.toml:17: `schema`: no column stands in the JSON of a record, and a record is a JSON object: declare one of its fields"
        ],
    );
}

/// The same time has the same guards, warnings and fingerprint, however it is named.
#[test]
fn a_column_of_the_records_timestamp_is_event_time_as_from_record_is() {
    let sent = "ts = { type = \"timestamp(ms)\", from = \"timestamp\" }";
    let pipeline = good(&with("ts = \"timestamp(s)\"", sent));
    assert_eq!(pipeline.event_time.from, EventTimeFrom::RecordTimestamp);
}

#[test]
fn a_column_says_how_its_texts_are_read_where_that_is_open() {
    let pipeline = good(&with(
        "ts = \"timestamp(s)\"",
        "ts = { type = \"timestamp(local)\", zone = \"+02:00\", format = \"%d.%m.%Y %H:%M\" }\n\
         n = { type = \"int64\", quoted = true }",
    ));
    let [.., ts, n] = pipeline.schema.columns.as_slice() else { panic!("{:?}", pipeline.schema) };
    assert_eq!(ts.kind.to_string(), "timestamp(local)");
    assert_eq!(ts.form.zone, 7_200);
    assert!(ts.form.format.is_some());
    assert!(n.form.quoted);
    refused(
        &with(
            "ts = \"timestamp(s)\"",
            "ts = { type = \"timestamp(s)\", zone = \"UTC\", format = \"%Y\" }\n\
             local = { type = \"timestamp(local)\", zone = \"Europe/Berlin\", quoted = true }\n\
             day = { type = \"date\", format = \"dd.MM.yyyy\" }",
        ),
        expect![[r#"
            pipelines/sales.toml:21: `schema.ts.zone`: is for timestamp(local), and this column is timestamp(s): leave it out
            pipelines/sales.toml:21: `schema.ts.format`: is for timestamp(local) and date, and this column is timestamp(s): leave it out
            pipelines/sales.toml:21: `schema.ts.format`: `%Y` does not tell the day: a year, a month and a day belong to it
            pipelines/sales.toml:22: `schema.local.quoted`: is for int64, float64 and timestamp(s | ms | us), and this column is timestamp(local): leave it out
            pipelines/sales.toml:22: `schema.local.zone`: `Europe/Berlin` is not a distance from UTC: write "UTC", "+02:00" or "-03:30" (names of zones are not taken; let the sender write UTC)
            pipelines/sales.toml:23: `schema.day.format`: `dd.MM.yyyy` has no letter of strftime: write "%Y-%m-%d %H:%M:%S" for what others call yyyy-MM-dd HH:mm:ss"#]],
    );
}

#[test]
fn windows_have_the_keys_of_their_type_and_lengths_that_make_sense() {
    let size = "type = \"tumbling\"\nsize = \"30s\"";
    refused(
        &with(size, "type = \"tumbling\"\nslide = \"10s\"\ngaps = true"),
        expect![[r#"
        pipelines/sales.toml:40: `window.size`: missing; write how long, for example "30s"
        pipelines/sales.toml:42: `window.slide`: windows of type "tumbling" have no `slide`: remove it, or change the type
        pipelines/sales.toml:43: `window.gaps`: windows of type "tumbling" have no `gaps`: remove it, or change the type"#]],
    );
    refused(
        &with(size, "type = \"sliding\"\nsize = \"30s\"\nslide = \"0s\""),
        expect![[
            r#"pipelines/sales.toml:43: `window.slide`: "0s" cannot be the slide of a window: write more than zero, for example "10s""#
        ]],
    );
    refused(
        &with(size, "type = \"sliding\"\nsize = \"30s\"\nslide = \"1m\""),
        expect![
            "pipelines/sales.toml:43: `window.slide`: windows of 30s that begin every 1m leave out rows between them: write a slide of at most the size, or `gaps = true` if that is meant"
        ],
    );
    refused(
        &with(size, "type = \"sliding\"\nsize = \"30d\"\nslide = \"1ms\""),
        expect![
            "pipelines/sales.toml:43: `window.slide`: a row would belong to 2592000000 windows; at most 100000: write a slide of 25s 920ms 1us or more"
        ],
    );
    let sliding = "type = \"sliding\"\nsize = \"30s\"\nslide = \"7s\"\noffset = \"7s\"";
    refused(
        &with(size, sliding),
        expect![
            "pipelines/sales.toml:44: `window.offset`: the offset must be less than the slide, 7s: windows repeat after that"
        ],
    );
    let sliding = "type = \"sliding\"\nsize = \"30s\"\nslide = \"7s\"\noffset = \"1s\"";
    let window = good(&with(size, sliding)).window.unwrap();
    assert_eq!(window_words(window.kind), "sliding 30s every 7s offset 1s");
    refused(
        &with(size, "type = \"session\"\ngap = \"0s\"\nsize = \"1m\""),
        expect![[r#"
        pipelines/sales.toml:42: `window.gap`: "0s" cannot be the gap of a window: write more than zero, for example "30m"
        pipelines/sales.toml:43: `window.size`: windows of type "session" have no `size`: remove it, or change the type"#]],
    );
    refused(
        &with(size, "type = \"session\"\ngap = \"1h\"\nmax_length = \"1m\""),
        expect![
            "pipelines/sales.toml:43: `window.max_length`: a session of a single row is as long as the gap, 1h: write that or more"
        ],
    );
    let session = good(&with(size, "type = \"session\"\ngap = \"30m\"")).window.unwrap();
    assert_eq!(window_words(session.kind), "session gap 30m up to 1d");
    let gaps = "type = \"sliding\"\nsize = \"30s\"\nslide = \"1m\"\ngaps = true";
    assert!(good(&with(size, gaps)).window.is_some());
}

#[test]
fn lengths_of_windows_are_more_than_nothing_and_never_negative() {
    let size = "type = \"tumbling\"\nsize = \"30s\"";
    for window in [
        "type = \"tumbling\"\nsize = \"LENGTH\"",
        "type = \"sliding\"\nsize = \"LENGTH\"\nslide = \"10s\"",
        "type = \"sliding\"\nsize = \"30s\"\nslide = \"LENGTH\"",
        "type = \"session\"\ngap = \"LENGTH\"",
        "type = \"session\"\ngap = \"10s\"\nmax_length = \"LENGTH\"",
        "type = \"global\"\ntrigger = \"LENGTH\"",
    ] {
        let told = |length: &str| {
            let text = with(size, &window.replace("LENGTH", length));
            read(&text).expect_err(window).to_string()
        };
        assert!(told("0s").contains("of a window: write more than zero"), "{window}");
        assert!(told("-10s").contains("`-10s` is not a duration"), "{window}");
    }
    for key in ["offset", "allowed_lateness"] {
        let error =
            read(&with(size, &format!("{size}\n{key} = \"-10s\""))).unwrap_err().to_string();
        assert!(error.contains(&format!("`window.{key}`: `-10s` is not a duration")), "{error}");
    }
}

#[test]
fn results_that_change_need_a_sink_that_takes_corrections() {
    let size = "type = \"tumbling\"\nsize = \"30s\"";
    let late = format!("{size}\nallowed_lateness = \"1m\"");
    refused(
        &with(size, &late),
        expect![[
            r#"pipelines/sales.toml:46: `sinks[0].corrections`: lateness without a sink that can take corrections: write `corrections = "append"` if the readers of this table take of each key and window the rows with the highest `revision`"#
        ]],
    );
    let late =
        with(size, &late).replace("type = \"delta\"", "type = \"delta\"\ncorrections = \"append\"");
    assert!(good(&late).window.unwrap().corrects());
    let append = |text: &str| {
        with(size, text).replace("type = \"delta\"", "type = \"delta\"\ncorrections = \"append\"")
    };
    refused(
        &append("type = \"global\"\nallowed_lateness = \"1m\""),
        expect![[r#"
        pipelines/sales.toml:40: `window.trigger`: missing; write how long, for example "30s"
        pipelines/sales.toml:42: `window.allowed_lateness`: windows of type "global" have no `allowed_lateness`: remove it, or change the type"#]],
    );
    refused(
        &with(size, "type = \"global\"\ntrigger = \"1m\""),
        expect![[
            r#"pipelines/sales.toml:45: `sinks[0].corrections`: results that change without a sink that can take corrections: write `corrections = "append"` if the readers of this table take of each key and window the rows with the highest `revision`"#
        ]],
    );
    assert!(good(&append("type = \"global\"\ntrigger = \"1m\"")).window.unwrap().is_global());
}
