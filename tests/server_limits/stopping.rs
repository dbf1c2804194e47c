//! Stopping without cutting anyone off.

use super::*;

#[tokio::test]
async fn stopping_lets_requests_finish_and_refuses_new_clients() {
    let server = start(generous());
    let mut idle = connect(server.addr).await;
    assert_eq!(status(&ask(&mut idle, "/").await), 200);
    let addr = server.addr;
    let running = tokio::spawn(async move { get(addr, "/wait").await });
    within(server.meeting.entered.notified()).await;

    server.shutdown.begin();
    assert!(closed(&mut idle).await);
    // The kernel may have queued a client just before the socket closed; the first refusal is what we wait for.
    within(async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await
        }
    })
    .await;
    assert!(!running.is_finished());

    server.meeting.go_on.notify_one();
    let answer = within(running).await.unwrap();
    assert_eq!(status(&answer), 200);
    assert!(answer.ends_with("waited"));
    server.stopped().await;
}

#[tokio::test]
async fn stopping_ends_streams_and_websockets_properly() {
    let server = start(generous());
    let addr = server.addr;
    let stream = tokio::spawn(async move { get(addr, "/stream").await });
    within(server.meeting.entered.notified()).await;
    let (mut socket, _) = websocket(addr).await;
    socket.send(Message::text("up")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("up"));

    server.shutdown.begin();
    let streamed = within(stream).await.unwrap();
    assert!(streamed.contains("begun;") && streamed.contains("ended") && streamed.ends_with("0\r\n\r\n"), "{streamed}");
    assert!(matches!(within(socket.next()).await, Some(Ok(Message::Close(_)))));
    drop(socket);
    server.stopped().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server = start(Limits { drain_grace: SOON, ..generous() });
    let mut stuck = connect(server.addr).await;
    stuck.write_all(b"GET /wait HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    within(server.meeting.entered.notified()).await;

    server.shutdown.begin();
    server.stopped().await;
    assert!(closed(&mut stuck).await);
}
