//! What a metric is.

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// One metric. `name` lacks the unit and the suffix that the text format adds (`_total`, `_info`, `_bucket`).
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) unit: Option<&'static str>,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

impl Metric {
    /// The name of its series as a query has it. A histogram's series add `_bucket`, `_sum` and `_count`.
    pub(super) fn series(&self) -> String {
        let unit = self.unit.map_or_else(String::new, |unit| format!("_{unit}"));
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{}{unit}{suffix}", self.name)
    }
}

pub(super) const fn counter(
    name: &'static str,
    unit: Option<&'static str>,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit, kind: Kind::Counter, labels, help }
}

pub(super) const fn gauge(
    name: &'static str,
    unit: Option<&'static str>,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit, kind: Kind::Gauge, labels, help }
}

pub(super) const fn seconds(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit: Some("seconds"), kind: Kind::Histogram, labels, help }
}

pub(super) const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit: None, kind: Kind::Info, labels, help }
}
