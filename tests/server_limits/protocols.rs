//! HTTP/2, WebSockets, and what every answer carries.

use super::*;

#[tokio::test]
async fn http2_works_without_tls() {
    let server = start(generous());
    let mut socket = connect(server.addr).await;
    let authority = b"status.test";
    // GET /host as indexed fields of HPACK's static table, and two literals.
    let mut fields = vec![0x82, 0x86, 0x04, 5];
    fields.extend_from_slice(b"/host");
    fields.extend_from_slice(&[0x41, authority.len() as u8]);
    fields.extend_from_slice(authority);

    let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    hello.extend_from_slice(&[0, 0, fields.len() as u8, 0x01, 0x05, 0, 0, 0, 1]);
    hello.extend_from_slice(&fields);
    socket.write_all(&hello).await.unwrap();

    let (mut first_field, mut body) = (None, Vec::new());
    within(async {
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            socket.read_exact(&mut payload).await.unwrap();
            match (head[3], head[8]) {
                (0x01, 1) => first_field = payload.first().copied(),
                (0x00, 1) => body.extend(payload),
                _ => {}
            }
            if matches!(head[3], 0 | 1) && head[4] & 0x01 != 0 {
                break;
            }
        }
    })
    .await;
    assert_eq!(first_field, Some(0x88), ":status 200");
    assert_eq!(body, authority, "handlers find the host where HTTP/1 has it");
}

#[tokio::test]
async fn an_upgraded_connection_echoes() {
    // It outlives all limits that are about requests.
    let server = start(Limits { first_head: LATER, header_read: SOON, keep_alive_idle: SOON, ..generous() });
    let (mut socket, headers) = websocket(server.addr).await;
    assert!(headers.contains_key("x-request-id"));
    let mut silent = connect(server.addr).await;
    assert!(closed(&mut silent).await, "all of them are over now");
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let server = start(generous());
    for path in ["/", "/missing", "/panic"] {
        let answer = get(server.addr, path).await;
        for name in ["x-request-id", "content-security-policy", "x-content-type-options", "referrer-policy"] {
            assert!(answer.contains(&format!("\r\n{name}: ")), "{path} lacks {name}: {answer}");
        }
        assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{path}");
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_speaks_for_others() {
    let spoofed = b"GET /client HTTP/1.1\r\nhost: test\r\nconnection: close\r\nx-forwarded-for: 198.51.100.1\r\n\r\n";
    let named = b"GET /name HTTP/1.1\r\nhost: test\r\nconnection: close\r\nx-request-id: theirs\r\n\r\n";

    let direct = start(generous());
    assert!(talk(direct.addr, spoofed).await.ends_with("\r\n\r\n127.0.0.1"));
    assert!(!talk(direct.addr, named).await.ends_with("theirs"));

    let mut behind_proxy = Server::new(generous());
    behind_proxy.trusted_proxies = TrustedProxies::parse(&["127.0.0.1"]).unwrap();
    let behind_proxy = start_with(behind_proxy);
    assert!(talk(behind_proxy.addr, spoofed).await.ends_with("\r\n\r\n198.51.100.1"));
    assert!(talk(behind_proxy.addr, named).await.ends_with("\r\n\r\ntheirs"));
}

struct Cached;

impl FastPath for Cached {
    fn answer(&self, head: &Parts) -> Option<HttpResponse<Bytes>> {
        (head.uri.path() == "/cached").then(|| {
            let mut response = HttpResponse::new(Bytes::from_static(b"from memory"));
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        })
    }
}

#[tokio::test]
async fn a_cached_page_never_reaches_the_router() {
    let mut server = Server::new(generous());
    server.fast_path = Arc::new(Cached);
    let server = start_with(server);

    let mut socket = connect(server.addr).await;
    let answer = ask(&mut socket, "/cached").await;
    assert!(answer.ends_with("\r\n\r\nfrom memory"));
    assert!(answer.contains("content-length: 11"));
    let answer = talk(server.addr, b"HEAD /cached HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("content-length: 11") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(server.meeting.calls.load(Ordering::SeqCst), 0);
    assert!(ask(&mut socket, "/").await.ends_with("hello"), "the rest does");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let server = start(generous());
    let answer = talk(server.addr, b"HEAD / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}
