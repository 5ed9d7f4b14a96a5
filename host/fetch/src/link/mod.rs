//! A connection to one broker: a question, its answer, the next question.

mod error;
mod stream;
mod tls;
mod sasl;

use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;

pub(crate) use error::LinkError;
pub use sasl::{Mechanism, Sasl};
pub(crate) use stream::Breaker;
use stream::Stream;
pub use tls::{Identity, Tls, TlsOptions, Verify};

use crate::buffers::Spare;
use crate::read::Reader;
use crate::wire::{API_VERSIONS, Dialect, Question, Writer};

/// What an alert of TLS 1.0 and later begins with, where a length of Kafka's has its upper half.
const TLS_ALERT: usize = 0x1503;

/// Answers are read into so much room at least: more of it follows bytes that came, and not what a length claims.
const ANSWER_ROOM: usize = 64 << 10;

/// How brokers are spoken to.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// Connections are encrypted.
    pub tls: Option<Tls>,
    /// Brokers want to know who we are.
    pub sasl: Option<Sasl>,
}

impl Security {
    /// As librdkafka's property calls it.
    fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }
}

/// How long to wait, and for how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a connection.
    pub(crate) connect: Duration,
    /// For the next bytes of an answer.
    pub(crate) answer: Duration,
    /// Bytes of an answer.
    pub(crate) largest: usize,
}

/// A connection that understands our questions.
pub(crate) struct Link {
    stream: Stream,
    client_id: String,
    largest: usize,
    correlation: i32,
    spare: Spare,
    dialect: Dialect,
}

impl Link {
    /// Connects, asks what the broker understands, and says who we are. Answers are read into buffers that go back to `spare`.
    pub(crate) fn open(
        host: &str,
        port: u16,
        client_id: &str,
        security: &Security,
        patience: Patience,
        spare: Spare,
    ) -> Result<Self, LinkError> {
        let at_once = |error| match error {
            LinkError::Closed => LinkError::ClosedAtOnce(security.protocol()),
            LinkError::TooLarge { size, .. } if size >> 16 == TLS_ALERT => {
                LinkError::SpeaksTls(security.protocol())
            }
            error => error,
        };
        let stream = Stream::open(host, port, security.tls.as_ref(), patience).map_err(at_once)?;
        let (client_id, largest) = (client_id.to_owned(), patience.largest);
        let dialect = Dialect::OLDEST;
        let mut link = Self { stream, client_id, largest, correlation: 0, spare, dialect };
        let answer = link.ask(API_VERSIONS, |_| {}).map_err(at_once)?;
        let answer = API_VERSIONS.body(&answer, link.correlation)?;
        link.dialect = Dialect::of(answer)?
            .map_err(|(question, newest)| LinkError::Lacks { question, newest })?;
        if let Some(sasl) = &security.sasl {
            sasl.authenticate(&mut link)?;
        }
        Ok(link)
    }

    /// The questions that the broker understands.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whoever holds it can break the connection, and with it an answer that is waited for.
    pub(crate) fn breaker(&self) -> io::Result<Breaker> {
        self.stream.breaker()
    }

    /// The whole answer; [`Link::body`] is what it says.
    pub(crate) fn ask(
        &mut self,
        question: Question,
        write: impl FnOnce(&mut Writer),
    ) -> Result<Bytes, LinkError> {
        self.send(question, write)?;
        self.answer()
    }

    /// Asks. The answer is to be taken before the next question.
    pub(crate) fn send(
        &mut self,
        question: Question,
        write: impl FnOnce(&mut Writer),
    ) -> Result<(), LinkError> {
        self.correlation = self.correlation.wrapping_add(1);
        let request = question.request(self.correlation, &self.client_id, write);
        Ok(self.stream.send(&request)?)
    }

    /// What the answer to the last question says.
    pub(crate) fn body<'a>(
        &self,
        question: Question,
        answer: &'a [u8],
    ) -> Result<Reader<'a>, LinkError> {
        Ok(question.body(answer, self.correlation)?)
    }

    /// The answer to the last question, whole.
    pub(crate) fn answer(&mut self) -> Result<Bytes, LinkError> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let size = u32::from_be_bytes(length) as usize;
        if size > self.largest {
            return Err(LinkError::TooLarge { size, limit: self.largest });
        }
        let mut answer = self.spare.buffer();
        while answer.len() < size {
            let room = (size - answer.len()).min(answer.free().max(ANSWER_ROOM));
            match self.stream.read(answer.room(room)) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(read) => answer.wrote(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(answer.kept().0)
    }
}
