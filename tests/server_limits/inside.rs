//! What goes wrong inside, and what must not.

use super::*;

#[tokio::test]
async fn a_panic_is_a_500_and_nothing_else() {
    let server = start(generous());
    let mut socket = connect(server.addr).await;
    let answer = ask(&mut socket, "/panic").await;
    assert_eq!(status(&answer), 500);
    assert_eq!(problem(&answer)["type"], "urn:allclear:problem:internal");
    assert!(!answer.contains("on purpose"), "the message is for the log");
    assert_eq!(status(&ask(&mut socket, "/").await), 200, "the same connection goes on");
}

#[tokio::test]
async fn smuggling_does_not_work() {
    let server = start(generous());
    for request in [
        &b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde"[..],
        b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: +3\r\n\r\nabc",
        b"POST /length HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /length HTTP/1.0\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /length HTTP/1.1\r\nhost: test\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: test\r\nx: a\0b\r\n\r\n",
    ] {
        let answer = talk(server.addr, request).await;
        assert!(answer.contains(" 400 "), "{}: {answer}", String::from_utf8_lossy(request));
    }
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);

    // Both framings: chunked counts, and the connection ends, so that what follows is never taken for a request (RFC 9112, 6.3).
    let both = b"POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: test\r\n\r\n";
    let answer = talk(server.addr, both).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.ends_with("\r\n\r\n0"), "{answer}");
}
