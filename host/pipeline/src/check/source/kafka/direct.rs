//! Properties of librdkafka that `fetch = "direct"` obeys too, or that say nothing about how records are read.

use crate::ClientProperties;
use crate::document::Key;
use crate::problem::Problems;

/// They mean the same to both ways to fetch.
const OBEYED: [&str; 12] = [
    "client.id",
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
];

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

/// Refuses what would silently mean nothing.
pub(super) fn check(properties: &ClientProperties, key: &Key, problems: &mut Problems<'_>) {
    for (name, value) in properties.iter() {
        let is_plain = name == "security.protocol" && value.eq_ignore_ascii_case("plaintext");
        if is_plain || OBEYED.contains(&name.as_str()) || ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        problems.refuse(
            &key.child("properties").child(name),
            "`fetch = \"direct\"` does not know this property, and speaks neither TLS nor SASL: remove one of the two",
        );
    }
}
