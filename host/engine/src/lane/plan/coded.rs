//! Which texts are decoded to codes: those that nobody reads one by one.

use super::{FittedStage, Plan};
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::ColumnType;

/// The declared texts that somebody reads, if all who do take codes: filters that ask for them, and the key. None where a map makes
/// other rows of them, or no row is grouped. Late rows are few, and get their values back.
pub(super) fn columns(plan: &Plan) -> Vec<usize> {
    let Some(grouped) = plan.logic.grouped() else { return Vec::new() };
    if plan.stages.iter().any(|stage| stage.kind == PluginKind::Map) {
        return Vec::new();
    }
    let is_coded = |place: usize| {
        let is_key = grouped.key.contains(&place);
        let mut reads = plan.stages.iter().filter_map(|stage| takes_codes(stage, place)).peekable();
        let is_read = is_key || reads.peek().is_some();
        is_read && reads.all(|takes_codes| takes_codes) && !grouped.stage.inputs.contains(&place)
    };
    let wanted = plan.wanted.iter().enumerate();
    let is_text = |column: usize| plan.schema.columns[column].kind == ColumnType::String;
    let coded = wanted.filter(|(place, column)| is_text(**column) && is_coded(*place));
    coded.map(|(_, column)| *column).collect()
}

/// Whether a filter takes codes of a column; none if it does not read it.
fn takes_codes(stage: &FittedStage, place: usize) -> Option<bool> {
    let input = stage.inputs.iter().position(|input| *input == place)?;
    Some(stage.plugin.code.by_code().contains(&input))
}
