//! The JSON schema of pipeline files and the documentation page of every key, made from the types that read them.

use schemars::generate::SchemaSettings;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value as Json, json};

use super::column::RawColumnTable;
use super::raw::{
    RawCheckpoint, RawConsoleSink, RawDeadLetters, RawDeltaSink, RawEventTime, RawFailures,
    RawFiles, RawKafka, RawKafkaSink, RawLeadership, RawLimits, RawParquetSink, RawPipeline,
    RawProcess, RawStage, RawTable, RawWindow,
};

/// The JSON schema (draft 2020-12) of a pipeline file, without references.
pub fn schema() -> Json {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawPipeline>().to_value();
    drop_null(&mut schema);
    schema
}

/// TOML has no null: an optional key is left out.
fn drop_null(schema: &mut Json) {
    match schema {
        Json::Object(object) => {
            drop_null_here(object);
            object.values_mut().for_each(drop_null);
        }
        Json::Array(elements) => elements.iter_mut().for_each(drop_null),
        _ => {}
    }
}

fn drop_null_here(object: &mut Map<String, Json>) {
    let is_null = |form: &Json| form.get("type").and_then(Json::as_str) == Some("null");
    if object.get("default") == Some(&Json::Null) {
        object.remove("default");
    }
    if let Some(Json::Array(names)) = object.get_mut("type") {
        names.retain(|name| name != "null");
        if let [only] = names.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Json::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Json::Array(forms)) = object.get_mut("anyOf") else {
        return;
    };
    let before = forms.len();
    forms.retain(|form| !is_null(form));
    if forms.len() < before
        && let [Json::Object(only)] = forms.as_mut_slice()
    {
        let only = std::mem::take(only);
        object.remove("anyOf");
        for (name, value) in only {
            object.entry(name).or_insert(value);
        }
    }
}

/// A JSON value as TOML writes it in one line.
pub(super) fn as_toml(value: &Json) -> String {
    toml::Value::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string())
}

/// A section of the documentation page.
struct Section {
    /// As it stands in a file.
    heading: &'static str,
    /// Keys from the root of the schema to the section's table; `*` is an array's element or a table's value, `=word` the
    /// form of a table whose `type` is that word.
    path: &'static [&'static str],
    /// Its keys in the order of the type.
    keys: Vec<&'static str>,
}

fn sections() -> Vec<Section> {
    let section =
        |heading, path, keys: &[&'static str]| Section { heading, path, keys: keys.to_vec() };
    // What tells the sinks apart is no field of theirs.
    let sink = |heading, path, keys: &[&'static str]| {
        section(heading, path, &[&["type"][..], keys].concat())
    };
    vec![
        section("The file", &[], keys_of::<RawPipeline>()),
        section("`[source]`", &["source"], &["type", "kafka", "files"]),
        section("`[source.kafka]`", &["source", "kafka"], keys_of::<RawKafka>()),
        section("`[source.files]`", &["source", "files"], keys_of::<RawFiles>()),
        section("`[schema]`, a column's table", &["schema", "*"], keys_of::<RawColumnTable>()),
        section("`[event_time]`", &["event_time"], keys_of::<RawEventTime>()),
        section("`[[stages]]`", &["stages", "*"], keys_of::<RawStage>()),
        section("`[window]`", &["window"], keys_of::<RawWindow>()),
        section("`[process]`", &["process"], keys_of::<RawProcess>()),
        sink("`[[sinks]]`, a Delta table", &["sinks", "*", "=delta"], keys_of::<RawDeltaSink>()),
        sink(
            "`[[sinks]]`, a plain table",
            &["sinks", "*", "=parquet"],
            keys_of::<RawParquetSink>(),
        ),
        sink("`[[sinks]]`, a topic", &["sinks", "*", "=kafka"], keys_of::<RawKafkaSink>()),
        sink("`[[sinks]]`, the console", &["sinks", "*", "=console"], keys_of::<RawConsoleSink>()),
        section("`[dead_letters]`", &["dead_letters"], keys_of::<RawDeadLetters>()),
        section("`[late]`", &["late"], keys_of::<RawTable>()),
        section("`[checkpoint]`", &["checkpoint"], keys_of::<RawCheckpoint>()),
        section("`[leadership]`", &["leadership"], keys_of::<RawLeadership>()),
        section("`[failures]`", &["failures"], keys_of::<RawFailures>()),
        section("`[limits]`", &["limits"], keys_of::<RawLimits>()),
    ]
}

/// What stands above the keys.
const PREAMBLE: &str = include_str!("preamble.md");

/// The documentation page: every key with its type, default, an example, and below the table what it means.
pub fn markdown() -> String {
    let schema = schema();
    let mut page = PREAMBLE.to_owned();
    for Section { heading, path, keys } in sections() {
        let table = path.iter().fold(schema.clone(), |table, name| step(&table, name));
        let table = united(&table);
        page.push_str(&format!("\n## {heading}\n\n"));
        if let (Some(text), false) = (table["description"].as_str(), path.is_empty()) {
            page.push_str(&format!("{}\n\n", unwrapped(text)));
        }
        page.push_str("| key | type | default | example |\n|---|---|---|---|\n");
        for key in &keys {
            let is_required =
                table["required"].as_array().is_some_and(|all| all.contains(&Json::from(*key)));
            page.push_str(&row(key, &table["properties"][key], is_required));
        }
        page.push('\n');
        for key in keys {
            page.push_str(&meaning(key, &table["properties"][key]));
        }
    }
    page
}

/// One key deeper into a schema without references.
fn step(schema: &Json, name: &str) -> Json {
    let inner = match (name, name.strip_prefix('=')) {
        (_, Some(word)) => {
            let forms = schema["oneOf"].as_array();
            forms.into_iter().flatten().find(|form| form["properties"]["type"]["const"] == word)
        }
        ("*", None) => schema.get("items").or_else(|| schema.get("additionalProperties")),
        (name, None) => return united(schema)["properties"][name].clone(),
    };
    let inner = inner.unwrap_or(&Json::Null);
    // Of a column's two forms the table is the one with keys.
    let forms = inner.get("anyOf").and_then(Json::as_array);
    let table = forms.and_then(|forms| forms.iter().find(|form| form.get("properties").is_some()));
    table.unwrap_or(inner).clone()
}

/// A table that has several forms as one with the keys of all, of which only those are required that are so in each. Any
/// other schema as it is.
fn united(schema: &Json) -> Json {
    let Some(forms) = schema["oneOf"].as_array() else { return schema.clone() };
    let (mut properties, mut words) = (Map::new(), Vec::new());
    for form in forms {
        for (name, property) in form["properties"].as_object().into_iter().flatten() {
            properties.entry(name).or_insert_with(|| property.clone());
        }
        words.extend(form["properties"]["type"].get("const").cloned());
    }
    if let Some(Json::Object(r#type)) = properties.get_mut("type") {
        r#type.remove("const");
        r#type.insert("enum".to_owned(), Json::Array(words));
    }
    let is_everywhere = |name: &&Json| {
        forms.iter().all(|form| form["required"].as_array().is_some_and(|all| all.contains(name)))
    };
    let required = forms[0]["required"].as_array().into_iter().flatten().filter(is_everywhere);
    let required: Vec<Json> = required.cloned().collect();
    json!({ "description": schema["description"], "properties": properties, "required": required })
}

fn row(key: &str, schema: &Json, is_required: bool) -> String {
    let cell = |text: String| text.replace('|', "\\|");
    let default = match schema.get("default") {
        _ if is_required => "required".to_owned(),
        Some(Json::Object(_) | Json::Null) | None => "–".to_owned(),
        Some(Json::String(text)) if text.contains(" (") => text.clone(),
        Some(value) => format!("`{}`", as_toml(value)),
    };
    let example = schema.get("examples").and_then(|examples| examples.get(0));
    let example = example.map(|value| format!("`{key} = {}`", as_toml(value))).unwrap_or_default();
    format!("| `{key}` | {} | {} | {} |\n", cell(type_name(schema)), cell(default), cell(example))
}

fn meaning(key: &str, schema: &Json) -> String {
    format!("* **`{key}`**: {}\n", unwrapped(schema["description"].as_str().unwrap_or_default()))
}

/// The type of a key in words.
fn type_name(schema: &Json) -> String {
    let words = words(schema);
    if !words.is_empty() {
        return words.join(" or ");
    }
    if let Some(title) = schema["title"].as_str() {
        return title.to_owned();
    }
    match schema["type"].as_str() {
        Some("array")
            if ["properties", "oneOf"].iter().any(|it| schema["items"].get(it).is_some()) =>
        {
            "tables".to_owned()
        }
        Some("array") => format!("array of {}s", type_name(&schema["items"])),
        Some("object") => "table".to_owned(),
        Some(name) => name.to_owned(),
        None if is_told_by_type(schema) => "table".to_owned(),
        None => "–".to_owned(),
    }
}

/// Whether it is a table of which the key `type` says which others it has.
fn is_told_by_type(schema: &Json) -> bool {
    let forms = schema["oneOf"].as_array();
    forms.is_some_and(|forms| forms.iter().all(|form| form["properties"]["type"].is_object()))
}

/// The words and tables of an enumeration.
fn words(schema: &Json) -> Vec<String> {
    let quoted = |word: &Json| format!("`{}`", as_toml(word));
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(quoted).collect();
    }
    if let Some(word) = schema.get("const") {
        return vec![quoted(word)];
    }
    let Some(forms) = schema["oneOf"].as_array().filter(|_| !is_told_by_type(schema)) else {
        return Vec::new();
    };
    let table = |form: &Json| {
        let names =
            form["properties"].as_object()?.keys().map(|name| format!("`{{ {name} = … }}`"));
        Some(names.collect::<Vec<_>>())
    };
    forms.iter().flat_map(|form| table(form).unwrap_or_else(|| words(form))).collect()
}

/// A doc comment's lines as one, but for the items of a list: those stay items of what stands above them.
fn unwrapped(text: &str) -> String {
    let mut page = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let between = match line.starts_with("* ") {
            true => "\n  ",
            false if page.is_empty() => "",
            false => " ",
        };
        page.push_str(between);
        page.push_str(line);
    }
    page
}

/// The keys of a struct in the order of its declaration: what serde would ask a table for. The JSON schema keeps
/// them in the order of the alphabet only.
fn keys_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    let asked = T::deserialize(KeyCollector { keys: &mut keys });
    debug_assert!(asked.is_err(), "the collector holds no values");
    keys
}

/// A deserializer that holds nothing and remembers which fields it was asked for.
struct KeyCollector<'k> {
    keys: &'k mut &'static [&'static str],
}

impl<'de> serde::Deserializer<'de> for KeyCollector<'_> {
    type Error = ValueError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ValueError> {
        *self.keys = fields;
        Err(ValueError::custom("no value"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ValueError> {
        Err(ValueError::custom("no struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
