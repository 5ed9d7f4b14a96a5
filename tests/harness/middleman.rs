//! A server between hosts and an S3 server, by which a test decides what becomes of each request.
#![expect(
    clippy::disallowed_methods,
    reason = "what is delayed takes its time by the clock of the machine"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::{Client, Response};

/// Between a look at an object and the write: other requests of a round come meanwhile.
const MOMENT: Duration = Duration::from_millis(50);
/// How soon a request that hangs notices that it need not any more.
const NOTICED: Duration = Duration::from_millis(20);

const PRECONDITION_FAILED: &str = "HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The server gets it, and its answer comes back.
    Passed,
    /// Its `If-None-Match: *` is thrown away.
    ConditionIgnored,
    /// If it creates an object, that is looked for, and written a moment later if it was not there.
    LookedAtFirst,
    /// The server does it, and the connection ends without an answer.
    AnswerLost,
    /// The server does it, and nobody answers until the rule changes.
    Unheard,
    /// The server does it, and the answer comes later.
    Delayed(Duration),
    /// The connection ends without an answer; the server gets it later.
    Late(Duration),
    /// The server does not get it; the answer is `409 ConditionalRequestConflict`.
    Conflict,
    /// The server does not get it; the answer is `503 SlowDown`.
    SlowDown,
    /// Nobody gets it, and nobody answers until the rule changes.
    Hung,
}

/// Says what becomes of a request.
type Rule = Arc<dyn Fn(&Request) -> Fate + Send + Sync>;

/// Ends with the process.
pub struct Middleman {
    pub endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    rule: Mutex<Rule>,
    counts: Mutex<BTreeMap<Fate, u64>>,
}

/// What a client asks of the server.
pub struct Request {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Whether it creates an object under a free name.
    pub fn creates(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == "if-none-match")
    }

    /// Whether it writes an object whose path has that part.
    pub fn puts(&self, part: &str) -> bool {
        self.method == Method::PUT && self.is_for(part)
    }

    /// Whether it deletes an object, or many.
    pub fn deletes(&self) -> bool {
        self.method == Method::DELETE || self.method == Method::POST && self.is_for("?delete")
    }

    /// Whether its path has that part.
    pub fn is_for(&self, part: &str) -> bool {
        self.path.contains(part)
    }
}

impl Middleman {
    /// In front of the server at an endpoint, `http://host:port`; everything passes.
    pub fn before(endpoint: &str) -> Self {
        let shared = Arc::new(Shared {
            server: endpoint.to_owned(),
            rule: Mutex::new(Arc::new(|_| Fate::Passed)),
            counts: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            let http = Client::builder().timeout(None).build().unwrap();
            for client in listener.incoming() {
                let (client, own, http) = (client.unwrap(), Arc::clone(&own), http.clone());
                std::thread::spawn(move || own.serve(&client, &http));
            }
        });
        Self { endpoint, shared }
    }

    /// From now on this becomes of requests. Those that hang end.
    pub fn rule(&self, rule: impl Fn(&Request) -> Fate + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap() = Arc::new(rule);
    }

    /// Everything passes.
    pub fn pass(&self) {
        self.rule(|_| Fate::Passed);
    }

    /// How many requests had each fate so far.
    pub fn counts(&self) -> BTreeMap<Fate, u64> {
        self.shared.counts.lock().unwrap().clone()
    }

    /// How many requests had a fate that `of` picks.
    pub fn count(&self, of: impl Fn(&Fate) -> bool) -> u64 {
        self.counts().iter().filter(|(fate, _)| of(fate)).map(|(_, count)| count).sum()
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream, http: &Client) {
        let mut from = BufReader::new(client);
        while let Some(request) = read(&mut from) {
            let rule = Arc::clone(&self.rule.lock().unwrap());
            let fate = rule(&request);
            if fate != Fate::Unheard {
                self.count(fate);
            }
            if self.meet(fate, request, &rule, client, http).is_none() {
                return;
            }
        }
    }

    /// None if the connection is to end.
    fn meet(
        &self,
        fate: Fate,
        mut request: Request,
        rule: &Rule,
        client: &TcpStream,
        http: &Client,
    ) -> Option<()> {
        let is_head = request.method == Method::HEAD;
        match fate {
            Fate::Passed => write(client, self.forward(request, http)?, is_head),
            Fate::ConditionIgnored => {
                request.headers.retain(|(name, _)| name != "if-none-match");
                write(client, self.forward(request, http)?, is_head)
            }
            Fate::LookedAtFirst => {
                if request.creates() {
                    let url = format!("{}{}", self.server, request.path);
                    if http.head(url).send().ok()?.status().is_success() {
                        return say(client, PRECONDITION_FAILED);
                    }
                    std::thread::sleep(MOMENT);
                    request.headers.retain(|(name, _)| name != "if-none-match");
                }
                write(client, self.forward(request, http)?, is_head)
            }
            Fate::AnswerLost => {
                self.forward(request, http)?;
                None
            }
            Fate::Delayed(by) => {
                let answer = self.forward(request, http)?;
                std::thread::sleep(by);
                write(client, answer, is_head)
            }
            Fate::Late(by) => {
                // The client is not to wait for it.
                let _gone_already = client.shutdown(std::net::Shutdown::Both);
                std::thread::sleep(by);
                self.forward(request, http)?;
                None
            }
            Fate::Conflict => refuse(client, "409 Conflict", "ConditionalRequestConflict"),
            Fate::SlowDown => refuse(client, "503 Slow Down", "SlowDown"),
            Fate::Unheard => {
                self.forward(request, http)?;
                // Whoever sees it counted knows that it is done.
                self.count(fate);
                self.hang(rule)
            }
            Fate::Hung => self.hang(rule),
        }
    }

    fn count(&self, fate: Fate) {
        *self.counts.lock().unwrap().entry(fate).or_default() += 1;
    }

    /// Until there is another rule.
    fn hang(&self, rule: &Rule) -> Option<()> {
        while Arc::ptr_eq(rule, &self.rule.lock().unwrap()) {
            std::thread::sleep(NOTICED);
        }
        None
    }

    /// None if the server is away.
    fn forward(&self, request: Request, http: &Client) -> Option<Response> {
        let url = format!("{}{}", self.server, request.path);
        let mut sent = http.request(request.method, url);
        for (name, value) in request.headers {
            if !matches!(&*name, "host" | "content-length" | "connection") {
                sent = sent.header(name, value);
            }
        }
        sent.body(request.body).send().ok()
    }
}

/// An answer of the middleman's own, as S3 words it.
fn refuse(client: &TcpStream, status: &str, code: &str) -> Option<()> {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    let head = "content-type: application/xml\r\ncontent-length";
    say(client, &format!("HTTP/1.1 {status}\r\n{head}: {}\r\n\r\n{body}", body.len()))
}

fn say(mut client: &TcpStream, text: &str) -> Option<()> {
    client.write_all(text.as_bytes()).ok()
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
