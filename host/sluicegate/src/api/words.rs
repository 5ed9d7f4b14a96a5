//! Closed sets of words whose types stand in crates that know nothing of HTTP, as the document of the API lists them.

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use sluicegate_engine::lead;
use sluicegate_engine::status;
use sluicegate_model::dead_letter;
use sluicegate_model::module;

/// The schema of [`status::Phase`].
pub(crate) struct Phase;
/// The schema of [`lead::Role`].
pub(crate) struct Role;
/// The schema of [`lead::TakeOverKind`].
pub(crate) struct TakeOverKind;
/// The schema of [`module::PluginKind`].
pub(crate) struct PluginKind;
/// The schema of [`dead_letter::DeadLetterKind`].
pub(crate) struct DeadLetterKind;

impl PartialSchema for Phase {
    fn schema() -> RefOr<Schema> {
        one_of("Where a pipeline is in its life.", status::Phase::ALL)
    }
}

impl PartialSchema for Role {
    fn schema() -> RefOr<Schema> {
        one_of("What a host is to a pipeline.", lead::Role::ALL)
    }
}

impl PartialSchema for TakeOverKind {
    fn schema() -> RefOr<Schema> {
        one_of("Why another host had to lead.", lead::TakeOverKind::ALL)
    }
}

impl PartialSchema for PluginKind {
    fn schema() -> RefOr<Schema> {
        one_of("What kind of stage a plugin can be.", module::PluginKind::ALL)
    }
}

impl PartialSchema for DeadLetterKind {
    fn schema() -> RefOr<Schema> {
        let words = dead_letter::DeadLetterKind::ALL.map(dead_letter::DeadLetterKind::as_str);
        one_of(
            "Why something became a dead letter: docs/tables.md says what to do about each.",
            words,
        )
    }
}

impl ToSchema for Phase {}
impl ToSchema for Role {}
impl ToSchema for TakeOverKind {}
impl ToSchema for PluginKind {}
impl ToSchema for DeadLetterKind {}

fn one_of<W: Serialize, const N: usize>(means: &str, words: [W; N]) -> RefOr<Schema> {
    let words = words.map(|word| serde_json::to_value(word).expect("a word is a text"));
    let set = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    set.description(Some(means)).build().into()
}
