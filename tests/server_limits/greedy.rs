//! Clients that want more than their share.

use super::*;

const MIB: usize = 1024 * 1024;

/// Posts so many bytes in one go, then reads the answer: what a simple client does.
async fn post(addr: SocketAddr, path: &str, framing: &str, body: Vec<u8>) -> String {
    let mut socket = connect(addr).await;
    socket.write_all(format!("POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{framing}\r\n\r\n").as_bytes()).await.unwrap();
    within(socket.write_all(&body)).await.unwrap();
    rest(&mut socket).await
}

fn chunked(bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..bytes / 65_536 {
        body.extend_from_slice(b"10000\r\n");
        body.extend_from_slice(&[b'x'; 65_536]);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

#[tokio::test]
async fn a_body_over_the_limit_gets_a_readable_413() {
    let server = start(generous());
    for (framing, body) in
        [(format!("content-length: {}", 6 * MIB), vec![b'x'; 6 * MIB]), ("transfer-encoding: chunked".to_owned(), chunked(6 * MIB))]
    {
        let answer = post(server.addr, "/length", &framing, body).await;
        assert_eq!(status(&answer), 413, "{framing}");
        let problem = problem(&answer);
        assert_eq!(problem["type"], "urn:allclear:problem:payload-too-large");
        assert_eq!(problem["status"], 413);
        assert!(answer.contains(&format!("x-request-id: {}", problem["request_id"].as_str().unwrap())));
    }
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_within_the_limit_arrives_whole() {
    let server = start(generous());
    assert!(post(server.addr, "/length", &format!("content-length: {MIB}"), vec![b'x'; MIB]).await.ends_with("\r\n\r\n1048576"));
    assert!(post(server.addr, "/length", "transfer-encoding: chunked", chunked(MIB)).await.ends_with("\r\n\r\n1048576"));
    assert_eq!(status(&post(server.addr, "/length", &format!("content-length: {}", MIB + 1), vec![b'x'; MIB + 1]).await), 413);
    assert!(post(server.addr, "/pages/p/logo", &format!("content-length: {}", 2 * MIB), vec![b'x'; 2 * MIB]).await.ends_with("2097152"));
}

#[tokio::test]
async fn who_asks_before_sending_is_told() {
    let server = start(generous());
    let mut polite = BufReader::new(connect(server.addr).await);
    polite
        .write_all(b"POST /length HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut line = String::new();
    within(polite.read_line(&mut line)).await.unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    polite.write_all(b"abc").await.unwrap();
    let mut answer = String::new();
    within(polite.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n3"), "{answer}");

    let answer =
        talk(server.addr, b"POST /length HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n").await;
    assert_eq!(status(&answer), 413, "without being invited to send it");
}

#[tokio::test]
async fn a_compressed_request_is_refused() {
    let server = start(generous());
    let answer = post(server.addr, "/length", "content-encoding: gzip\r\ncontent-length: 3", b"abc".to_vec()).await;
    assert_eq!(status(&answer), 415);
    assert!(post(server.addr, "/length", "content-encoding: identity\r\ncontent-length: 3", b"abc".to_vec()).await.ends_with("\r\n\r\n3"));
}

#[tokio::test]
async fn bodies_share_a_budget() {
    // Beside the first 16 KiB of each, which are free: the usual requests go on while a few hold large bodies.
    let server = start(Limits { body_budget: 1000, ..generous() });
    const FREE: usize = 16 * 1024;
    let mut holder = connect(server.addr).await;
    holder.write_all(format!("POST /wait HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", FREE + 900).as_bytes()).await.unwrap();
    holder.write_all(&[b'x'; FREE + 900]).await.unwrap();
    within(server.meeting.entered.notified()).await;

    let large = async || post(server.addr, "/length", &format!("content-length: {}", FREE + 200), vec![b'x'; FREE + 200]).await;
    let refused = large().await;
    assert_eq!(status(&refused), 503);
    assert!(refused.contains("retry-after: "));
    assert_eq!(status(&get(server.addr, "/").await), 200, "what needs no body goes on");
    let usual = post(server.addr, "/length", "content-length: 200", vec![b'x'; 200]).await;
    assert!(usual.ends_with("\r\n\r\n200"), "and so do usual bodies: {usual}");

    server.meeting.go_on.notify_one();
    let mut answer = [0; 15];
    within(holder.read_exact(&mut answer)).await.unwrap();
    // The share is given back before the answer is written.
    assert!(large().await.ends_with(&format!("\r\n\r\n{}", FREE + 200)));
}

#[tokio::test]
async fn heads_and_addresses_are_bounded() {
    let server = start(generous());
    assert_eq!(status(&get(server.addr, &format!("/{}", "a".repeat(8_192))).await), 414);
    assert_eq!(status(&get(server.addr, &format!("/{}", "a".repeat(8_000))).await), 404);

    let long = format!("GET / HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n", "a".repeat(40_000));
    assert_eq!(status(&talk(server.addr, long.as_bytes()).await), 431);
    let many = format!("GET / HTTP/1.1\r\nhost: test\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert_eq!(status(&talk(server.addr, many.as_bytes()).await), 431);
}
