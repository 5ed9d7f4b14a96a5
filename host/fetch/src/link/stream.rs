//! The bytes of a connection: plain, or encrypted.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::tls::Tls;
use super::{LinkError, Patience};

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// To the first address of the host that answers.
    pub(super) fn open(
        host: &str,
        port: u16,
        tls: Option<&Tls>,
        patience: Patience,
    ) -> Result<Self, LinkError> {
        let stream = connect(host, port, patience.connect)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience.answer))?;
        stream.set_write_timeout(Some(patience.answer))?;
        let Some(Tls(config)) = tls else { return Ok(Self::Plain(stream)) };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| LinkError::Tls(format!("`{host}` is no name for a certificate")))?;
        let connection = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| LinkError::from(io::Error::other(error)))?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Encrypted(Box::new(stream)))
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => &stream.sock,
        }
    }

    pub(super) fn breaker(&self) -> io::Result<Breaker> {
        self.socket().try_clone().map(Breaker)
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Encrypted(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Encrypted(stream) => stream.read(into),
        }
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
