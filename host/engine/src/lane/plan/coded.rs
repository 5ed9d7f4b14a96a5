//! Which texts are decoded to codes: those that nobody reads one by one.

use super::{FittedStage, Plan};
use sluicegate_model::module::PluginKind;

/// The declared columns that somebody reads, if all who do take codes: filters that ask for them, and the key. None where a map
/// makes other rows of them, or rows are written as they came.
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
    wanted.filter(|(place, _)| is_coded(*place)).map(|(_, column)| *column).collect()
}

/// Whether a filter takes codes of a column; none if it does not read it.
fn takes_codes(stage: &FittedStage, place: usize) -> Option<bool> {
    let input = stage.inputs.iter().position(|input| *input == place)?;
    Some(stage.plugin.code.by_code().contains(&input))
}
