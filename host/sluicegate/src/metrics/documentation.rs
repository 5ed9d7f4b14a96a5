//! The page `docs/metrics.md`, made from the catalog.

use std::fmt::Write;

use super::catalog::ALL;

/// The page `docs/metrics.md`.
pub fn documentation() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `sluicegate serve` answers `GET /metrics` in the OpenMetrics text format ([http.md](http.md) says on which address). \
         Counters count since the process started. Gauges are as old as the last published status, about a second at most.\n\n\
         The label `partition` has at most 512 values a pipeline: its first partitions. All others together stand under \
         `stream=\"other\"`. The labels `module` and `digest` are those of the module that the stage runs, with the digest \
         cut to 12 digits. The series of a module end when another takes its place. A histogram's series are `_bucket`, \
         `_sum` and `_count`. [operate.md](operate.md) says what to make of them.\n\n\
         This page is made from `host/sluicegate/src/metrics/catalog.rs`; `UPDATE_EXPECT=1 cargo test -p sluicegate --lib metrics` \
         writes it again.\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in ALL {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (series, labels) = (metric.series(), labels.join(", "));
        writeln!(page, "| `{series}` | {kind} | {labels} | {} |", metric.help)
            .expect("a string takes everything");
    }
    page
}
