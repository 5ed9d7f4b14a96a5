//! Every type goes into a guest and comes back the same, whole or sliced.

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use proptest::prelude::*;

use super::{rows, runner_of};
use sluicegate_model::module::PluginKind::Map;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_map_copies_is_what_it_was_given(
        integers in prop::collection::vec(1_i64..1_000_000, 1..200),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let whole = rows(&integers);
        let (a, b) = (cut.0.index(integers.len() + 1), cut.1.index(integers.len() + 1));
        let batch = whole.slice(a.min(b), a.abs_diff(b));
        let outcome = runner_of(Map, "").map(&batch);
        let sources = UInt32Array::from(outcome.source_rows.clone());
        prop_assert_eq!(outcome.batch, take_record_batch(&batch, &sources).unwrap());
        let numbers = &integers[a.min(b)..a.max(b)];
        let expected: Vec<u32> = (0..)
            .zip(numbers)
            .filter(|(_, i)| **i != 13 && **i % 4 != 0)
            .flat_map(|(row, i)| vec![row; if i % 2 == 0 { 1 } else { 2 }])
            .collect();
        prop_assert_eq!(outcome.source_rows, expected);
    }
}
