//! Logs: `tracing` to standard error, as text for people or JSON lines for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is logged and how. Part of the command line.
#[derive(Clone, Debug, clap::Args)]
pub struct LogOptions {
    /// What to log: error, warn, info, debug, trace, or by module (`info,sluicegate_engine=debug`)
    #[arg(
        long,
        global = true,
        env = "SLUICEGATE_LOG",
        default_value = "info",
        value_name = "FILTER",
        hide_env_values = true,
        help_heading = "Logs"
    )]
    pub log: String,
    /// How to log
    #[arg(
        long,
        global = true,
        env = "SLUICEGATE_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Logs"
    )]
    pub log_format: LogFormat,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// What is quieter than the rest unless it is named: these report each of their retries.
const QUIET: [(&str, &str); 3] =
    [("librdkafka", "error"), ("object_store", "error"), ("hyper", "warn")];

/// The filter is no filter.
#[derive(Debug, thiserror::Error)]
#[error(
    "`--log {filter}` is not a filter: write a level (error, warn, info, debug, trace) or module=level, separated by commas"
)]
pub struct LogFilterError {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Begins to log. Once per program; a second call changes nothing.
///
/// # Errors
/// The filter cannot be read.
pub fn start(options: &LogOptions) -> Result<(), LogFilterError> {
    let filter = filter(&options.log)?;
    // Whoever reads the log may end first (`2>&1 | head`): what cannot be written is lost, and is not written about either,
    // which would panic.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // A failure is that logging has begun already, which is what is wanted.
    let _ = match options.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    Ok(())
}

fn filter(text: &str) -> Result<EnvFilter, LogFilterError> {
    let quiet = QUIET.iter().filter(|(module, _)| !text.contains(module));
    let parts: Vec<String> = quiet.map(|(module, level)| format!("{module}={level}")).collect();
    let all = if text.is_empty() { "info" } else { text };
    EnvFilter::try_new(format!("{},{all}", parts.join(",")))
        .map_err(|source| LogFilterError { filter: text.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn noisy_libraries_are_quiet_unless_named() {
        let plain = filter("debug").unwrap().to_string();
        assert!(plain.contains("librdkafka=error") && plain.contains("debug"), "{plain}");
        let named = filter("info,librdkafka=debug").unwrap().to_string();
        assert!(
            named.contains("librdkafka=debug") && !named.contains("librdkafka=error"),
            "{named}"
        );
    }

    #[test]
    fn what_is_no_filter_is_refused_with_an_example() {
        let error = filter("sluicegate=loud").unwrap_err().to_string();
        assert!(
            error.contains("`--log sluicegate=loud`") && error.contains("module=level"),
            "{error}"
        );
    }
}
