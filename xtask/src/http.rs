//! A request without a body and its whole answer: all the HTTP that starting and asking services needs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A service that is there answers a small question at once.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Status line, headers and body of the answer of a server on the loopback address.
pub fn request(port: u16, method: &str, path: &str) -> std::io::Result<String> {
    ask(port, method, path, "")
}

/// The answer of a server that wants a token.
pub fn get_with_token(port: u16, path: &str, token: &str) -> std::io::Result<String> {
    ask(port, "GET", path, &format!("authorization: Bearer {token}\r\n"))
}

/// `headers`: lines, each with its end.
fn ask(port: u16, method: &str, path: &str, headers: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{headers}");
    stream.write_all(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
