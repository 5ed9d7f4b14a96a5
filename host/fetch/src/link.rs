//! A connection to one broker: a question, its answer, the next question.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::Bytes;

use crate::buffers::Spare;
use crate::fault::Fault;
use crate::read::Reader;
use crate::wire::{API_VERSIONS, FETCH, METADATA, Question, Writer, versions};

/// Answers are read into so much room at least: more of it follows bytes that came, and not what a length claims.
const ANSWER_ROOM: usize = 64 << 10;

/// Why a broker gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// It cannot be reached, or has gone.
    #[error("{0}")]
    Away(#[from] io::Error),
    /// It ended the connection.
    #[error("it closed the connection")]
    Closed,
    /// Its answer cannot be read.
    #[error("its answer cannot be read: {0}")]
    Nonsense(#[from] Fault),
    /// Its answer is larger than we take.
    #[error("its answer has {size} bytes and {limit} are taken")]
    TooLarge {
        /// Bytes of the answer.
        size: usize,
        /// Bytes that are taken.
        limit: usize,
    },
    /// It is too old, or no Kafka.
    #[error("{}", words(.question, *.newest))]
    Lacks {
        /// What it does not understand.
        question: Question,
        /// The newest version that it does; none if it knows no version.
        newest: Option<i16>,
    },
}

fn words(question: &Question, newest: Option<i16>) -> String {
    let Question { name, version, .. } = question;
    match newest {
        Some(newest) => format!("it speaks {name} up to version {newest}, and {version} is needed"),
        None => format!("it does not speak {name}"),
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
    stream: TcpStream,
    client_id: String,
    largest: usize,
    correlation: i32,
    spare: Spare,
}

impl Link {
    /// Connects and asks what the broker understands. Answers are read into buffers that go back to `spare`.
    pub(crate) fn open(
        host: &str,
        port: u16,
        client_id: &str,
        patience: Patience,
        spare: Spare,
    ) -> Result<Self, LinkError> {
        let stream = connect(host, port, patience.connect)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience.answer))?;
        stream.set_write_timeout(Some(patience.answer))?;
        let (client_id, largest) = (client_id.to_owned(), patience.largest);
        let mut link = Self { stream, client_id, largest, correlation: 0, spare };
        let answer = link.ask(API_VERSIONS, |_| {})?;
        let answer = API_VERSIONS.body(&answer, link.correlation)?;
        match versions::lacking(answer, &[FETCH, METADATA])?.first() {
            Some(&(question, newest)) => Err(LinkError::Lacks { question, newest }),
            None => Ok(link),
        }
    }

    /// Whoever holds it can break the connection, and with it an answer that is waited for.
    pub(crate) fn breaker(&self) -> io::Result<Breaker> {
        self.stream.try_clone().map(Breaker)
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
        Ok(self.stream.write_all(&request)?)
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
        if let Err(error) = self.stream.read_exact(&mut length) {
            let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
            return Err(if is_end { LinkError::Closed } else { error.into() });
        }
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

/// Breaks a connection from another thread.
pub(crate) struct Breaker(TcpStream);

impl Breaker {
    pub(crate) fn cut(&self) {
        // It may be broken already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// To the first address of the host that answers.
fn connect(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::other(format!("`{host}` has no address"));
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
