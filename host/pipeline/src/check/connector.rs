//! Tables whose `type` says which other keys they may have. The JSON schema knows: a form for each type.

use serde_json::Value as Json;

use crate::document::{Document, Key};

/// A key that belongs to other types.
pub(super) struct Foreign<'c> {
    pub(super) name: String,
    /// Those that it belongs to, at least one, in the order of the forms.
    pub(super) types: Vec<&'c str>,
    /// The type that the table itself has.
    pub(super) this: &'c str,
}

/// The keys of the table `key` that its type does not have and others do. `forms` is the schema of such tables.
pub(super) fn foreign<'c>(forms: &'c Json, key: &Key, document: &Document<'_>) -> Vec<Foreign<'c>> {
    let forms = forms["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(table) = document.table(key) else { return Vec::new() };
    let written = table.get("type").and_then(|written| written.get_ref().as_str());
    let own = forms.iter().find(|form| word(form).is_some() && word(form) == written);
    let Some((own, this)) = own.and_then(|own| Some((own, word(own)?))) else { return Vec::new() };
    let has = |form: &Json, name: &str| form["properties"].get(name).is_some();
    let names = table.keys().map(|name| name.get_ref().to_string());
    let foreign = |name: String| {
        let types = forms.iter().filter(|form| has(form, &name)).filter_map(word).collect();
        Foreign { name, types, this }
    };
    names.filter(|name| !has(own, name)).map(foreign).collect()
}

/// The word of `type` for which a form stands.
fn word(form: &Json) -> Option<&str> {
    form["properties"]["type"]["const"].as_str()
}
