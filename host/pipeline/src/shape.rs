//! Compares a pipeline file with the JSON schema of its own types: unknown keys, missing keys, values of the wrong
//! type and words that are none of the possible ones, all at once. Serde would stop at the first.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use toml::de::{DeInteger, DeTable, DeValue};

use super::document::Key;
use super::problem::Problems;
use super::suggest;

/// Reports what does not have the shape of `schema`. `schema` holds no references.
pub(crate) fn compare(root: &DeTable<'_>, schema: &Json, problems: &mut Problems<'_>) {
    compare_table(&Key::default(), root, &[schema], problems);
}

/// `schemas` are what the value may be, at least one.
fn compare_value(key: &Key, value: &DeValue<'_>, schemas: &[&Json], problems: &mut Problems<'_>) {
    let all: Vec<&Json> = schemas.iter().copied().flat_map(alternatives).collect();
    let fitting: Vec<&Json> = all.iter().copied().filter(|one| takes(one, value)).collect();
    if fitting.is_empty() {
        let wanted = wanted(key, schemas[0], &all);
        problems.refuse(key, format!("write {wanted}, not {}", describe(value)));
        return;
    }
    match value {
        DeValue::Table(table) => compare_table(key, table, &fitting, problems),
        DeValue::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                if let Some(items) = fitting.iter().find_map(|one| one.get("items")) {
                    compare_value(&key.element(index), element.get_ref(), &[items], problems);
                }
            }
        }
        DeValue::String(text) => compare_word(key, text, &fitting, problems),
        DeValue::Integer(number) => compare_minimum(key, number, &fitting, problems),
        _ => {}
    }
}

/// `tables` are the possible forms of the table; a key of any of them is known. Which of them go together is not looked at
/// here: that is said together with what the values mean.
fn compare_table(key: &Key, table: &DeTable<'_>, tables: &[&Json], problems: &mut Problems<'_>) {
    let names = || tables.iter().filter_map(|one| one.get("properties")?.as_object());
    let mut meant = Vec::new();
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        let inner = key.child(name);
        let known = known(name, table, tables);
        if !known.is_empty() {
            compare_value(&inner, value.get_ref(), &known, problems);
            continue;
        }
        let mut additional = tables.iter().map(|one| one.get("additionalProperties"));
        if let Some(free) = additional.find(|one| *one != Some(&Json::Bool(false))) {
            if let Some(schema) = free {
                compare_value(&inner, value.get_ref(), &[schema], problems);
            }
            continue;
        }
        let absent: Vec<&str> = names()
            .flat_map(|properties| properties.keys().map(String::as_str))
            .filter(|candidate| !table.contains_key(*candidate))
            .collect();
        let nearest = suggest::nearest(name, absent.iter().copied());
        meant.extend(nearest);
        let fix = nearest.map_or_else(
            || {
                format!(
                    "possible here: {}",
                    quoted(names().flat_map(Map::keys).collect::<BTreeSet<_>>())
                )
            },
            |nearest| format!("did you mean `{nearest}`?"),
        );
        problems.refuse(&inner, format!("unknown key; {fix}"));
    }
    for name in required(tables) {
        if !table.contains_key(name) && !meant.contains(&name) {
            let known = known(name, table, tables);
            let all: Vec<&Json> = known.iter().copied().flat_map(alternatives).collect();
            let key = key.child(name);
            let fix = wanted(&key, known.first().unwrap_or(&&Json::Null), &all);
            problems.refuse(&key, format!("missing; write {fix}"));
        }
    }
}

/// What a key may be in these forms of a table: where a word tells the forms apart, in that of the table's word, and for
/// the word itself in all of them. Empty if it is in none.
fn known<'s>(name: &str, table: &DeTable<'_>, tables: &[&'s Json]) -> Vec<&'s Json> {
    let property = |form: &'s Json| form.get("properties")?.get(name);
    let says = |form: &Json, name: &str, value: &DeValue<'_>| {
        let word = form.get("properties").and_then(|all| all.get(name)?.get("const")?.as_str());
        word.is_some() && word == value.as_str()
    };
    let is_told =
        |form: &Json| table.iter().any(|(name, value)| says(form, name.get_ref(), value.get_ref()));
    let all: Vec<&Json> = tables.iter().copied().filter_map(property).collect();
    let own = tables.iter().copied().filter(|form| is_told(form)).find_map(property);
    match own {
        Some(own) => vec![own],
        None if all.iter().all(|schema| schema.get("const").is_some()) => all,
        None => all.into_iter().take(1).collect(),
    }
}

/// The keys that every form of a table has to have, in the order of the first.
fn required<'s>(tables: &[&'s Json]) -> Vec<&'s str> {
    let of = |form: &'s Json| {
        let names = form.get("required").and_then(Json::as_array).into_iter().flatten();
        names.filter_map(Json::as_str).collect::<Vec<_>>()
    };
    let [first, others @ ..] = tables else { return Vec::new() };
    let is_everywhere = |name: &&str| others.iter().all(|form| of(form).contains(name));
    of(first).into_iter().filter(is_everywhere).collect()
}

/// A string where only certain words are possible.
fn compare_word(key: &Key, text: &str, fitting: &[&Json], problems: &mut Problems<'_>) {
    let words: Vec<&str> = fitting.iter().flat_map(|one| words_of(one)).collect();
    let free = fitting.iter().any(|one| words_of(one).is_empty());
    if free || words.contains(&text) {
        return;
    }
    let hint = suggest::did_you_mean(text, words.iter().copied());
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    let words = quoted(words);
    problems.refuse(key, format!("\"{text}\" is none of {words}{hint}"));
}

fn compare_minimum(
    key: &Key,
    number: &DeInteger<'_>,
    fitting: &[&Json],
    problems: &mut Problems<'_>,
) {
    let least = fitting.iter().filter_map(|one| one.get("minimum")?.as_i64()).min();
    let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
    if let (Some(least), Some(value)) = (least, value)
        && value < least
    {
        problems.refuse(key, format!("write {least} or more, not {value}"));
    }
}

/// The forms that a value may have.
fn alternatives(schema: &Json) -> Vec<&Json> {
    let forms = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(name)?.as_array());
    match forms {
        Some(forms) => forms.iter().flat_map(alternatives).collect(),
        None => vec![schema],
    }
}

/// Whether the schema, an alternative, takes a value of this type.
fn takes(schema: &Json, value: &DeValue<'_>) -> bool {
    let names: &[&str] = match value {
        DeValue::String(_) => &["string"],
        DeValue::Integer(_) => &["integer", "number"],
        DeValue::Float(_) => &["number"],
        DeValue::Boolean(_) => &["boolean"],
        DeValue::Datetime(_) => &[],
        DeValue::Array(_) => &["array"],
        DeValue::Table(_) => &["object"],
    };
    match schema.get("type") {
        Some(Json::String(name)) => names.contains(&name.as_str()),
        Some(Json::Array(possible)) => {
            possible.iter().filter_map(Json::as_str).any(|name| names.contains(&name))
        }
        _ if schema.get("const").is_some() => matches!(value, DeValue::String(_)),
        _ => true,
    }
}

/// The words that a string may be; empty if any.
fn words_of(schema: &Json) -> Vec<&str> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Json::Array(words)), _) => words.iter().filter_map(Json::as_str).collect(),
        (_, Some(Json::String(word))) => vec![word],
        _ => Vec::new(),
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => format!("the boolean {value}"),
        DeValue::Datetime(time) => format!("the bare time {time}"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// What to write: the words, or the type and an example.
fn wanted(key: &Key, schema: &Json, all: &[&Json]) -> String {
    let words: Vec<&str> = all.iter().flat_map(|one| words_of(one)).collect();
    if !words.is_empty() {
        let one_of = if words.len() > 1 { "one of " } else { "" };
        return format!("{one_of}{}", quoted(words));
    }
    let title = schema.get("title").or_else(|| schema.get("type")).and_then(Json::as_str);
    let is_section = |forms: &[&Json]| forms.iter().all(|form| form.get("properties").is_some());
    let is_object = |form: &&Json| form.get("type").is_some_and(|name| name == "object");
    let kind = match title {
        Some("object") | None if is_section(all) => format!("a section `[{key}]`"),
        Some("object") | None => "a table".to_owned(),
        Some("array")
            if all.iter().any(|one| alternatives(&one["items"]).iter().any(is_object)) =>
        {
            format!("sections `[[{key}]]`")
        }
        Some(name) if name.starts_with(['a', 'e', 'i', 'o']) => format!("an {name}"),
        Some(name) => format!("a {name}"),
    };
    match schema.get("examples").and_then(|examples| examples.get(0)) {
        Some(example) => format!("{kind}, for example {}", super::reference::as_toml(example)),
        None => kind,
    }
}

fn quoted<'a, S: AsRef<str> + ?Sized + 'a>(words: impl IntoIterator<Item = &'a S>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect();
    words.join(", ")
}
