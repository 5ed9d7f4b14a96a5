//! A server between the host and an S3 server that does not do with conditions what it should.
#![expect(
    clippy::disallowed_methods,
    reason = "who looks first and writes afterwards takes its time by the clock of the machine"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::{Client, Response};

/// Between a look at an object and the write: other requests of a round come meanwhile.
const MOMENT: Duration = Duration::from_millis(50);

/// What becomes of `If-None-Match: *`.
#[derive(Clone, Copy, Debug)]
pub enum Conditions {
    /// It is thrown away.
    Ignored,
    /// The object is looked for, and written a moment later if it was not there.
    LookedAtFirst,
}

/// Ends with the process.
pub struct Middleman {
    pub endpoint: String,
}

struct Request {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Middleman {
    /// In front of the server at an endpoint, `http://host:port`.
    pub fn before(endpoint: &str, conditions: Conditions) -> Self {
        let server = endpoint.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let http = Client::builder().timeout(None).build().unwrap();
            for client in listener.incoming() {
                let (client, server, http) = (client.unwrap(), server.clone(), http.clone());
                std::thread::spawn(move || serve(&client, &server, &http, conditions));
            }
        });
        Self { endpoint }
    }
}

fn serve(client: &TcpStream, server: &str, http: &Client, conditions: Conditions) {
    let mut from = BufReader::new(client);
    while let Some(mut request) = read(&mut from) {
        let all = request.headers.len();
        request.headers.retain(|(name, _)| name != "if-none-match");
        let is_conditional = all > request.headers.len();
        if is_conditional && matches!(conditions, Conditions::LookedAtFirst) {
            let there = http.head(format!("{server}{}", request.path)).send().unwrap();
            if there.status().is_success() {
                let refusal = "HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n";
                if (&*client).write_all(refusal.as_bytes()).is_err() {
                    return;
                }
                continue;
            }
            std::thread::sleep(MOMENT);
        }
        let mut sent = http.request(request.method.clone(), format!("{server}{}", request.path));
        for (name, value) in request.headers {
            if !matches!(&*name, "host" | "content-length" | "connection") {
                sent = sent.header(name, value);
            }
        }
        let answer = sent.body(request.body).send().unwrap();
        if write(client, answer, request.method == Method::HEAD).is_none() {
            return;
        }
    }
}

/// None if the client has gone.
fn read(from: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.parse().ok()?, words.next()?.to_owned());
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
        if name == "content-length" {
            length = value.parse().ok()?;
        }
        headers.push((name, value));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

/// None if the client has gone.
fn write(mut client: &TcpStream, answer: Response, is_head: bool) -> Option<()> {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status());
    for (name, value) in answer.headers() {
        let is_ours =
            matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection");
        if !is_ours || is_head {
            head += &format!("{name}: {}\r\n", value.to_str().ok()?);
        }
    }
    let body = answer.bytes().ok()?;
    if !is_head {
        head += &format!("content-length: {}\r\n", body.len());
    }
    client.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    client.write_all(&body).ok()
}
