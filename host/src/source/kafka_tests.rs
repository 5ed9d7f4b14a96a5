//! Kafka keeps the promises of a source, against librdkafka's own mock of a broker.
