//! Whether one plugin may take another's place while the stream runs.

use super::Plugin;
use super::description::{Description, PluginColumn};
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::type_name;

/// Whether the new plugin may succeed the old, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on with the state as it is, or has none.
    AsIs,
    /// Its `migrate` takes the state first.
    Migrate {
        /// Version of the state that there is.
        from: u32,
    },
    /// It cannot; a sentence for the user says why.
    Incompatible(String),
}

/// Compares two plugins that were fitted to the same stage: that both find their inputs there is settled.
///
/// The layout of the state is its version *and* its fingerprint (docs/design/decisions.md#d9): a
/// changed struct with an unchanged version is refused, not misread. A plugin whose states are all
/// empty states its version all the same.
pub fn verdict(old: &Plugin, new: &Plugin) -> Verdict {
    compare(&old.description, &new.name, &new.description)
}

/// The same by descriptions: `was` runs, `is` describes the plugin `name` that is to follow.
pub fn compare(was: &Description, name: &str, is: &Description) -> Verdict {
    let no = |why: String| Verdict::Incompatible(format!("plugin `{name}` {why}"));
    if was.kind != is.kind {
        return no(format!(
            "is of kind {}, the stage runs one of kind {}",
            is.kind.name(),
            was.kind.name()
        ));
    }
    if let Some(difference) = difference(&was.outputs, &is.outputs) {
        return no(format!(
            "makes other columns than the one that runs: {difference}; tables and later stages depend on \
             them, so give it a new pipeline"
        ));
    }
    if was.keeps_other_columns != is.keeps_other_columns {
        let (is, was) =
            if is.keeps_other_columns { ("keeps", "drops") } else { ("drops", "keeps") };
        return no(format!("{is} the columns that it does not make, the one that runs {was} them"));
    }
    if !matches!(is.kind, PluginKind::Aggregate | PluginKind::Keyed) {
        return Verdict::AsIs;
    }
    let from = was.state_version;
    if is.state_version != from {
        return if is.migrates_from.contains(&from) {
            Verdict::Migrate { from }
        } else {
            no(format!(
                "has state version {} and cannot migrate from version {from}, which the stage holds; \
                 implement `migrate` for it",
                is.state_version
            ))
        };
    }
    if is.state_fingerprint != was.state_fingerprint {
        return no(format!(
            "has another layout of its state under the same state version {from}; give the new layout a new \
             version and implement `migrate` from {from}"
        ));
    }
    Verdict::AsIs
}

/// The first difference between two lists of columns.
fn difference(old: &[PluginColumn], new: &[PluginColumn]) -> Option<String> {
    let shown = |column: &PluginColumn| {
        let nullable = if column.nullable { ", nullable" } else { "" };
        format!("`{}` ({}{nullable})", column.name, type_name(&column.data_type))
    };
    let pairs = old.iter().zip(new).find(|(old, new)| old != new);
    if let Some((old, new)) = pairs {
        return Some(format!("{} instead of {}", shown(new), shown(old)));
    }
    match (old.get(new.len()), new.get(old.len())) {
        (Some(missing), _) => Some(format!("{} is missing", shown(missing))),
        (_, Some(added)) => Some(format!("{} is new", shown(added))),
        (None, None) => None,
    }
}
