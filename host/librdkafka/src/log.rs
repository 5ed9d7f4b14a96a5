//! librdkafka's log as events of the target `kafka`.

use rdkafka::config::RDKafkaLogLevel;

/// The level of every client. Property `debug` says what of the finest there is: none without it.
pub const LEVEL: RDKafkaLogLevel = RDKafkaLogLevel::Debug;

/// What is said again and again while a broker is away. Whoever owns the client says it once.
const CONNECTION: [&str; 6] = ["FAIL", "ERROR", "REQTMOUT", "METADATA", "METADATAUPDATE", "GETPID"];

/// Writes a line of a client to the log: for [`rdkafka::ClientContext::log`].
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    match level {
        Emerg | Alert | Critical => tracing::error!(target: "kafka", facility, "{message}"),
        Error | Warning if !CONNECTION.contains(&facility) => {
            tracing::warn!(target: "kafka", facility, "{message}");
        }
        Error | Warning | Notice | Info => tracing::debug!(target: "kafka", facility, "{message}"),
        Debug => tracing::trace!(target: "kafka", facility, "{message}"),
    }
}
