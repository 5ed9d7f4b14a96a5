//! Which plugin may succeed which, and the sentence if it may not.

use std::sync::Arc;

use arrow::datatypes::DataType;
use expect_test::{Expect, expect};

use super::try_fit;
use crate::plugin::Plugin;
use crate::plugin::description::Description;
use crate::plugin::verdict::{Verdict, verdict};
use sluicegate_model::module::PluginKind::{Aggregate, Filter};

/// The evil aggregate (state version 2, migrates from 1) with its description changed.
fn aggregate(change: impl FnOnce(&mut Description)) -> Plugin {
    let mut plugin = try_fit(Aggregate, "").unwrap().plugin;
    change(Arc::make_mut(&mut plugin.description));
    plugin
}

fn is_incompatible(old: &Plugin, new: &Plugin, text: &Expect) {
    match verdict(old, new) {
        Verdict::Incompatible(reason) => text.assert_eq(&reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_state_goes_on() {
    let plugin = aggregate(|_| {});
    assert_eq!(verdict(&plugin, &plugin), Verdict::AsIs);
}

#[test]
fn an_older_state_is_migrated_if_the_plugin_can() {
    let new = aggregate(|_| {});
    let old = aggregate(|it| it.state_version = 1);
    assert_eq!(verdict(&old, &new), Verdict::Migrate { from: 1 });
    is_incompatible(
        &new,
        &old,
        &expect![
            "plugin `evil` has state version 1 and cannot migrate from version 2, which the stage holds; implement `migrate` for it"
        ],
    );
}

#[test]
fn a_changed_layout_under_the_same_version_is_refused() {
    let old = aggregate(|it| it.state_fingerprint = 8);
    is_incompatible(
        &old,
        &aggregate(|_| {}),
        &expect![
            "plugin `evil` has another layout of its state under the same state version 2; give the new layout a new version and implement `migrate` from 2"
        ],
    );
}

#[test]
fn other_columns_are_refused() {
    let new = aggregate(|_| {});
    is_incompatible(
        &aggregate(|it| it.outputs[0].data_type = DataType::Float64),
        &new,
        &expect![
            "plugin `evil` makes other columns than the one that runs: `hash` (int64) instead of `hash` (float64); tables and later stages depend on them, so give it a new pipeline"
        ],
    );
    is_incompatible(
        &aggregate(|it| drop(it.outputs.pop())),
        &new,
        &expect![
            "plugin `evil` makes other columns than the one that runs: `name` (string, nullable) is new; tables and later stages depend on them, so give it a new pipeline"
        ],
    );
    is_incompatible(
        &new,
        &aggregate(|it| drop(it.outputs.pop())),
        &expect![
            "plugin `evil` makes other columns than the one that runs: `name` (string, nullable) is missing; tables and later stages depend on them, so give it a new pipeline"
        ],
    );
}

#[test]
fn another_kind_is_refused() {
    let filter = try_fit(Filter, "").unwrap().plugin;
    is_incompatible(
        &aggregate(|_| {}),
        &filter,
        &expect!["plugin `evil` is of kind filter, the stage runs one of kind aggregate"],
    );
}
