//! What is said to brokers and how they answer: few questions, each in one version.
//!
//! Versions are those of Kafka 3.1, which every later one still answers: Fetch 13 and Metadata 12 name a topic by its id, so
//! that a topic which was made anew under its name is never read as if it were the same. Older brokers are asked by its name,
//! with Fetch 12 and Metadata 9, which Kafka 2.7 was the first to answer. Both compare the epoch of the last record with the
//! log (KIP-320): nobody has to ask for that after a change of leaders.
//!
//! They are written by hand. The crate for it, `kafka-protocol`, generates all of Kafka's ninety messages in all versions,
//! and reserves memory for as many elements as an answer claims.

mod writer;
pub(crate) mod versions;
pub(crate) mod metadata;
pub(crate) mod fetch;
pub(crate) mod ends;
#[cfg(test)]
mod tests;

use crate::fault::Fault;
use crate::read::Reader;
pub(crate) use versions::Dialect;
pub(crate) use writer::Writer;

/// A kind of question, in the one version in which it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) key: i16,
    pub(crate) version: i16,
}

pub(crate) const FETCH: Question = Question { name: "Fetch", key: 1, version: 13 };
pub(crate) const FETCH_BY_NAME: Question = Question { name: "Fetch", key: 1, version: 12 };
pub(crate) const METADATA: Question = Question { name: "Metadata", key: 3, version: 12 };
pub(crate) const METADATA_BY_NAME: Question = Question { name: "Metadata", key: 3, version: 9 };
pub(crate) const LIST_OFFSETS: Question = Question { name: "ListOffsets", key: 2, version: 6 };
pub(crate) const API_VERSIONS: Question = Question { name: "ApiVersions", key: 18, version: 0 };
pub(crate) const SASL_HANDSHAKE: Question = Question { name: "SaslHandshake", key: 17, version: 1 };
pub(crate) const SASL_AUTHENTICATE: Question =
    Question { name: "SaslAuthenticate", key: 36, version: 1 };

impl Question {
    /// Whether heads and bodies may have tagged fields at their ends. Older versions have none.
    fn has_tags(self) -> bool {
        ![API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE].contains(&self)
    }

    /// The whole request behind its length, with the body that `write` appends.
    pub(crate) fn request(
        self,
        correlation: i32,
        client_id: &str,
        write: impl FnOnce(&mut Writer),
    ) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.int16(self.key);
        writer.int16(self.version);
        writer.int32(correlation);
        writer.text(client_id);
        if self.has_tags() {
            writer.no_tags();
        }
        write(&mut writer);
        writer.framed()
    }

    /// The body of an answer to the question with this number.
    pub(crate) fn body(self, answer: &[u8], correlation: i32) -> Result<Reader<'_>, Fault> {
        let mut reader = Reader::new(answer);
        let found = reader.int32()?;
        if found != correlation {
            return Err(Fault::Impossible {
                what: "the number of the question that an answer belongs to",
                value: i64::from(found),
            });
        }
        if self.has_tags() {
            reader.skip_tags()?;
        }
        Ok(reader)
    }
}

/// The id of a topic: another one if it is deleted and made again under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopicId(pub(crate) [u8; 16]);

impl TopicId {
    /// Stands for none in a question.
    pub(crate) const NONE: Self = Self([0; 16]);

    /// As Kafka's own tools print it.
    pub(crate) fn text(self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0)
    }
}
