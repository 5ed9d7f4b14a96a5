//! The one job of a story, and where its objects lie.

use object_store::path::Path;
use sluicegate_chain::paths;

/// Names of the pipeline and of its lane.
pub(crate) const JOB: &str = "story";
pub(crate) const LANE: &str = "0";

/// Whether it is the path of a record of the chain.
pub(crate) fn is_record(path: &Path) -> bool {
    path.as_ref().contains(&format!("{}/{}/", paths::lane_folder(JOB, LANE), paths::CHAIN_FOLDER))
}

/// Whether it is the path of a commit of a table's log.
pub(crate) fn is_commit(path: &Path) -> bool {
    path.as_ref().contains("/_delta_log/") && path.as_ref().ends_with(".json")
}

/// Whether it is the path of a piece of a state.
pub(crate) fn is_piece(path: &Path) -> bool {
    path.as_ref().contains(&format!("/{}/", paths::STATE_FOLDER))
}
