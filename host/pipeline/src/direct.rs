//! Properties of librdkafka that connections of our own obey too, or that say nothing about how records are read.

use crate::ClientProperties;

/// They mean the same to both ways to fetch.
const OBEYED: [&str; 26] = [
    "client.id",
    "client.rack",
    "fetch.wait.max.ms",
    "fetch.min.bytes",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "receive.message.max.bytes",
    "queued.max.messages.kbytes",
    "socket.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "security.protocol",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
    SASL_MECHANISM,
    SASL_MECHANISMS,
    "sasl.username",
    "sasl.password",
];

const SASL_MECHANISM: &str = "sasl.mechanism";
const SASL_MECHANISMS: &str = "sasl.mechanisms";

/// Ways to say who we are that connections of our own know.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// librdkafka obeys them where it is still used: questions about the topic, offsets for dashboards, its own log.
const ELSEWHERE: [&str; 9] = [
    "debug",
    "log.connection.close",
    "statistics.interval.ms",
    "metadata.max.age.ms",
    "topic.metadata.refresh.interval.ms",
    "queued.min.messages",
    "fetch.queue.backoff.ms",
    "fetch.error.backoff.ms",
    "socket.keepalive.enable",
];

/// The properties that keep connections of our own from reading a topic, each with the reason. None: they can.
pub fn unsupported_by_direct_fetch(properties: &ClientProperties) -> Vec<(&str, &'static str)> {
    let reason = |(name, value): (&'_ String, &'_ String)| match name.as_str() {
        SASL_MECHANISM | SASL_MECHANISMS => {
            let is_known = MECHANISMS.iter().any(|known| known.eq_ignore_ascii_case(value));
            (!is_known).then_some("it knows PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 only")
        }
        name if OBEYED.contains(&name) || ELSEWHERE.contains(&name) => None,
        _ => Some("it does not know this property"),
    };
    let of = |(name, value)| reason((name, value)).map(|reason| (String::as_str(name), reason));
    properties.iter().filter_map(of).collect()
}
