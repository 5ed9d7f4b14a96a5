//! Connections on a real socket: slow, many, and at the end.

use std::net::SocketAddr;

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use sluicegate_engine::live::{LiveResults, LiveRows};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Listening {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    _fixture: Fixture,
}

async fn listen(limits: ConnectionLimits) -> Listening {
    let Api { router, fixture, shutdown, .. } = api();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(accept(listener, router, limits, shutdown.clone()));
    Listening { address, shutdown, serving, _fixture: fixture }
}

/// What comes until the server closes the connection.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await;
    match read.expect("the server keeps the connection") {
        Ok(_) => String::from_utf8(text).unwrap(),
        Err(error) => format!("{error}"),
    }
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_cut_off() {
    let limits = ConnectionLimits { headers: Duration::from_millis(50), ..Default::default() };
    let server = listen(limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
    assert!(!read_to_end(&mut stream).await.contains("200 OK"));
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    read_to_end(&mut silent).await;
}

#[tokio::test]
async fn one_address_does_not_get_all_connections() {
    let server = listen(ConnectionLimits { per_address: 1, ..Default::default() }).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    first.write_all(ask).await.unwrap();
    let mut head = [0; 15];
    first.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let mut second = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(read_to_end(&mut second).await, "");
    drop(first);
    // The server notices a moment later that the first is gone.
    let again = async {
        loop {
            let mut third = TcpStream::connect(server.address).await.unwrap();
            let sent = third.write_all(ask).await;
            let mut head = [0; 15];
            if sent.is_ok() && third.read_exact(&mut head).await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("its place is given back");
}

/// A client with hardly any buffer of its own, which asks and never reads.
async fn deaf(server: &Listening) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// Whether the only connection of an address comes free while `busy` keeps the other end of it writing.
async fn is_cut_off(server: &Listening, mut busy: impl AsyncFnMut()) {
    let again = async {
        loop {
            busy().await;
            let mut next = TcpStream::connect(server.address).await.unwrap();
            let ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
            let mut head = [0; 15];
            if next.write_all(ask).await.is_ok() && next.read_exact(&mut head).await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("its place is given back");
}

fn cut_soon() -> ConnectionLimits {
    let write = Duration::from_millis(200);
    // Nothing else may end the connection.
    ConnectionLimits { write, headers: PATIENCE * 10, per_address: 1, ..Default::default() }
}

#[tokio::test]
async fn a_client_that_never_reads_its_answers_is_cut_off() {
    let server = listen(cut_soon()).await;
    let (_unread, mut asking) = deaf(&server).await.into_split();
    let asking = tokio::spawn(async move {
        let ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        while asking.write_all(ask).await.is_ok() {}
    });
    is_cut_off(&server, async || tokio::task::yield_now().await).await;
    asking.abort();
}

#[tokio::test]
async fn a_live_view_that_nobody_reads_is_cut_off() {
    let server = listen(cut_soon()).await;
    let mut view = deaf(&server).await;
    view.write_all(b"GET /v1/pipelines/sales/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 15];
    view.read_exact(&mut head).await.unwrap();
    let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
    let rows = RecordBatch::try_from_iter([("store", long)]).unwrap();
    let results = Arc::new(LiveResults {
        pipeline: "sales".to_owned(),
        uncommitted_epoch: 10,
        columns: vec!["store".to_owned()],
        key_columns: 1,
        rows: LiveRows::last_of(vec![rows], 1),
        rows_left_out: 0,
        rows_gone: 0,
    });
    let live = server._fixture.live.clone();
    is_cut_off(&server, async || {
        // One that has ended has no view left to send to.
        let _ = live.send(Arc::clone(&results));
        tokio::task::yield_now().await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_live_views_at_once() {
    let server = listen(ConnectionLimits::default()).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let mut live = TcpStream::connect(server.address).await.unwrap();
    let ask = b"GET /v1/pipelines/sales/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    live.write_all(ask).await.unwrap();
    let mut head = [0; 15];
    live.read_exact(&mut head).await.unwrap();
    server.shutdown.cancel();
    tokio::time::timeout(PATIENCE, server.serving).await.expect("it ends").unwrap();
    assert!(read_to_end(&mut live).await.ends_with("0\r\n\r\n"), "the stream ends properly");
    drop(idle);
}

#[tokio::test]
async fn a_server_takes_its_address_before_it_serves() {
    let config = ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        observe: Some(([127, 0, 0, 1], 0).into()),
        token_file: None,
        allow_hosts: Vec::new(),
    };
    let server = Server::bind(&config).await.unwrap();
    let (address, observe) =
        (server.local_addr().unwrap(), server.observe_addr().unwrap().unwrap());
    let taken = Server::bind(&ServerConfig { listen: address, ..config }).await.unwrap_err();
    assert_eq!(taken.to_string(), format!("cannot listen on `{address}`"));
    let (fixture, shutdown) = (fixture::sales(), CancellationToken::new());
    let serving = tokio::spawn(server.run(app(&fixture), shutdown.clone()));
    for (address, path) in [(address, "/v1/pipelines"), (observe, "/metrics")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, serving).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_busy_sending() {
    let server = listen(ConnectionLimits::default()).await;
    let body = vec![0; 12 << 20];
    for (kind, status) in [("application/wasm", "413"), ("text/plain", "415")] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "PUT /v1/modules/valid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_is_refused_instead() {
    let server = listen(ConnectionLimits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "PUT /v1/modules/valid HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
                Content-Length: 12000000\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
}
