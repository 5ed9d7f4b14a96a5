//! Figures by name, with their aims: as a table for people, as JSON for machines.

use std::fmt::{self, Write};

/// What a figure is measured in.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Ratio,
    Nanos,
    Millis,
    Percent,
    Bytes,
    Mib,
    PerSecond,
}

/// A number with its name.
struct Figure {
    name: String,
    value: f64,
    unit: Unit,
    aim: Option<Aim>,
}

/// What a figure is held to.
#[derive(Clone, Copy)]
enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

/// Something with a number in each column of a table of its kind.
struct Row {
    table: &'static str,
    name: &'static str,
    columns: [Column; 3],
}

/// Name, unit, number.
type Column = (&'static str, Unit, f64);

/// All figures of a run, in the order measured.
#[derive(Default)]
pub(crate) struct Figures {
    figures: Vec<Figure>,
    rows: Vec<Row>,
}

/// What the jobs are held to.
const AIMS: [(&str, Aim); 20] = [
    ("files.ratio_to_arrow_json", Aim::AtMost(0.6)),
    ("files.ratio_to_duckdb", Aim::AtMost(0.4)),
    ("kafka.ratio_to_drain", Aim::AtMost(1.7)),
    ("kafka.direct.ratio_to_drain", Aim::AtMost(0.8)),
    ("kafka.direct.ratio_to_drain_of_direct", Aim::AtMost(2.5)),
    ("wasm_tax_percent", Aim::AtMost(3.0)),
    ("scaling.two_workers", Aim::AtLeast(1.8)),
    ("swap.gap_ms_p99", Aim::AtMost(50.0)),
    ("latency.p99_ms", Aim::AtMost(200.0)),
    ("idle.cpu_percent", Aim::AtMost(2.0)),
    ("idle.cpu_percent_none", Aim::AtMost(0.2)),
    ("idle.pipelines_50.cpu_percent", Aim::AtMost(5.0)),
    ("idle.pipelines_50.mib_each", Aim::AtMost(20.0)),
    ("state.bytes_per_group.10m", Aim::AtMost(400.0)),
    ("state.stop_ms.10m", Aim::AtMost(50.0)),
    ("state.checkpoint_bytes_percent.10m", Aim::AtMost(2.0)),
    ("firing.extra_memory_mib.10m", Aim::AtMost(256.0)),
    ("windows.sliding_30s_10s.ratio_to_tumbling", Aim::AtMost(2.0)),
    ("windows.sliding_3000s_10s.ratio_to_sliding_30s_10s", Aim::AtMost(1.3)),
    ("windows.session_1s.ratio_to_tumbling", Aim::AtMost(2.0)),
];

impl Aim {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

impl Figures {
    pub(crate) fn add(&mut self, name: impl Into<String>, unit: Unit, value: f64) {
        let name = name.into();
        let aim = AIMS.iter().find(|(aimed, _)| *aimed == name).map(|(_, aim)| *aim);
        self.figures.push(Figure { name, value, unit, aim });
    }

    /// A row of a table by itself. Its figures are named `table.name.column`.
    pub(crate) fn add_row(&mut self, table: &'static str, name: &'static str, row: [Column; 3]) {
        self.rows.push(Row { table, name, columns: row });
    }

    /// One line a figure: name, value, aim, verdict. Behind them the tables.
    pub(crate) fn table(&self) -> String {
        let mut text = if self.figures.is_empty() { String::new() } else { self.lines() };
        let mut table = "";
        for row in &self.rows {
            if row.table != table {
                table = row.table;
                let gap = if text.is_empty() { "" } else { "\n\n" };
                let _infallible = write!(text, "{gap}{table:<10}");
                for (column, ..) in &row.columns {
                    let _infallible = write!(text, "  {column:>22}");
                }
            }
            let _infallible = write!(text, "\n{:<10}", row.name);
            for (_, unit, value) in &row.columns {
                let _infallible = write!(text, "  {:>22}", unit.shown(*value));
            }
        }
        text
    }

    fn lines(&self) -> String {
        let names = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        let mut text = format!("{:names$}  {:>10}  {:<5}  aim", "figure", "value", "unit");
        for Figure { name, value, unit, aim } in &self.figures {
            let number = unit.shown(*value);
            let _infallible = write!(text, "\n{name:names$}  {number:>10}  {:<5}", unit.name());
            if let Some(aim) = aim {
                let verdict = if aim.is_met(*value) { "met" } else { "MISSED" };
                let _infallible = write!(text, "  {aim}: {verdict}");
            }
        }
        text
    }

    /// `{"name": value, …}`.
    pub(crate) fn json(&self) -> String {
        let figures = self.figures.iter().map(|figure| (figure.name.clone(), figure.value));
        let cells = self.rows.iter().flat_map(|row| {
            let Row { table, name, columns } = row;
            columns
                .iter()
                .map(move |(column, _, value)| (format!("{table}.{name}.{column}"), *value))
        });
        let values = figures.chain(cells).map(|(name, value)| (name, value.into()));
        let object: serde_json::Map<String, serde_json::Value> = values.collect();
        serde_json::to_string_pretty(&object).expect("names and numbers are JSON") + "\n"
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Ratio => "",
            Self::Nanos => "ns",
            Self::Millis => "ms",
            Self::Percent => "%",
            Self::Bytes => "bytes",
            Self::Mib => "MiB",
            Self::PerSecond => "1/s",
        }
    }

    fn shown(self, value: f64) -> String {
        match self {
            Self::Ratio | Self::Nanos => format!("{value:.2}"),
            Self::Percent if value < 1.0 => format!("{value:.3}"),
            Self::Millis | Self::Percent | Self::Mib => format!("{value:.1}"),
            Self::Bytes | Self::PerSecond => format!("{value:.0}"),
        }
    }
}

/// The value in the middle; the mean of the two for an even number. Zero of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// The value that `share` of the values do not exceed.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share).ceil() as usize;
    values.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
}
