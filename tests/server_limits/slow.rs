//! Clients that are slow, or say nothing at all.

use super::*;

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = start(Limits { first_head: SOON, ..generous() });
    let mut silent = connect(server.addr).await;
    assert!(closed(&mut silent).await);
    assert_eq!(status(&get(server.addr, "/").await), 200);
}

#[tokio::test]
async fn half_a_preface_is_closed() {
    let server = start(Limits { first_head: SOON, ..generous() });
    let mut half = connect(server.addr).await;
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    assert!(closed(&mut half).await);
}

#[tokio::test]
async fn a_whole_preface_without_a_request_is_closed() {
    let server = start(Limits { first_head: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // The server's own settings come first; then the end.
    rest(&mut socket).await;
}

/// Writes a byte of an endless header now and then, until the server has had enough.
async fn drip(mut socket: TcpStream, beginning: &[u8]) {
    socket.set_nodelay(true).unwrap();
    socket.write_all(beginning).await.unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    within(async {
        loop {
            pace.tick().await;
            if socket.write_all(b"x").await.is_err() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_first_head_byte_by_byte_is_cut() {
    let server = start(Limits { first_head: SOON, ..generous() });
    drip(connect(server.addr).await, b"GET / HTTP/1.1\r\nhost: test\r\nx-slow: ").await;
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_later_head_byte_by_byte_is_cut() {
    let server = start(Limits { header_read: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
    drip(socket, b"GET / HTTP/1.1\r\nhost: test\r\nx-slow: ").await;
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_not_by_the_limit_for_heads() {
    let server = start(Limits { keep_alive_idle: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
    assert!(closed(&mut socket).await);

    // With both head limits far shorter than the idle one, a second request on the same connection still works.
    let server = start(Limits { first_head: LATER, header_read: SOON, ..generous() });
    let mut socket = connect(server.addr).await;
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
    let mut silent = connect(server.addr).await;
    assert!(closed(&mut silent).await, "the time for a head is over now");
    assert_eq!(status(&ask(&mut socket, "/").await), 200);
}

#[tokio::test]
async fn a_slow_body_is_refused() {
    let server = start(Limits { body_time: SOON, ..generous() });
    let answer = talk(server.addr, b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_eq!(status(&answer), 408);
    assert_eq!(problem(&answer)["type"], "urn:allclear:problem:request-timeout");
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_and_blocks_nobody() {
    let server = start(Limits { write_stall: SOON, ..generous() });
    let mut deaf = connect(server.addr).await;
    deaf.write_all(b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    for _ in 0..10 {
        assert_eq!(status(&get(server.addr, "/").await), 200);
    }
    within(server.meeting.dropped.notified()).await;
}
