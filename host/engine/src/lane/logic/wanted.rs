//! Which keys somebody wants to see who asks for open groups.

use sluicegate_formats::json::encode::json_value;
use sluicegate_state::window::key;

use crate::lane::asked::WindowsAsked;
use crate::lane::plan::Grouped;

/// Which of some keys are wanted, as indexes: all, or those of which a column as text has the text that was asked for.
pub(super) fn is_wanted<'k>(
    grouped: &Grouped,
    asked: &WindowsAsked,
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Vec<usize> {
    let count = keys.clone().count();
    let Some(text) = &asked.key else { return (0..count).collect() };
    let columns = key::decode(&grouped.key_fields, keys);
    let has_it = |row: &usize| {
        columns.iter().any(|column| match json_value(column, *row) {
            serde_json::Value::String(value) => value.contains(text.as_str()),
            value => value.to_string().contains(text.as_str()),
        })
    };
    (0..count).filter(has_it).collect()
}
