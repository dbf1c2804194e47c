//! Very many clients.

use super::*;

#[tokio::test]
async fn a_full_house_evicts_the_oldest_who_said_nothing() {
    let server = start(Limits { max_connections: 2, ..generous() });
    let mut oldest = connect(server.addr).await;
    let mut second = connect(server.addr).await;
    let mut third = connect(server.addr).await;

    assert_eq!(status(&ask(&mut third, "/").await), 200);
    assert!(closed(&mut oldest).await);
    assert_eq!(status(&ask(&mut second, "/").await), 200, "one newcomer costs one place");
}

#[tokio::test]
async fn an_address_has_its_share() {
    let server = start(Limits { per_address: 2, loopback_exempt: false, ..generous() });
    let mut first = connect(server.addr).await;
    let mut second = connect(server.addr).await;
    assert_eq!(status(&ask(&mut first, "/").await), 200);
    assert_eq!(status(&ask(&mut second, "/").await), 200);

    let mut third = connect(server.addr).await;
    assert!(closed(&mut third).await);
    assert_eq!(status(&ask(&mut first, "/").await), 200);
}

#[tokio::test]
async fn a_websocket_keeps_its_place() {
    let server = start(Limits { max_connections: 1, ..generous() });
    let (mut socket, _) = websocket(server.addr).await;
    socket.send(Message::text("before")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("before"));

    let mut second = connect(server.addr).await;
    assert!(closed(&mut second).await, "there is no place, and the upgraded connection is not idle");
    socket.send(Message::text("after")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("after"));
}

const CROWD: usize = 10_000;
const CROWD_ADDRESS: &str = "ALLCLEAR_TEST_CROWD_ADDRESS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_sockets_leave_room_for_others() {
    let fds = raise_fd_limit().unwrap();
    assert!(fds > CROWD as u64 + 500, "this needs a hard limit of more than 10,500 open files (ulimit -Hn); it is {fds}");
    let server = start(Limits { max_connections: CROWD + 100, ..generous() });

    // The clients' ends live in another process, this same test program, since a process has no 20,000 descriptors everywhere.
    let mut crowd = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crowd::the_crowd", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CROWD_ADDRESS, server.addr.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(crowd.stdout.take().unwrap()).lines();
    within(async { while !said.next_line().await.unwrap().expect("the crowd gave up").contains("everyone is here") {} }).await;

    let mut regular = connect(server.addr).await;
    for _ in 0..100 {
        assert_eq!(status(&ask(&mut regular, "/").await), 200);
    }
    assert_eq!(status(&get(server.addr, "/").await), 200, "a newcomer too");

    drop(crowd.stdin.take());
    assert!(within(crowd.wait()).await.unwrap().success());
}

/// The other process of the test above: opens the sockets, says so, and waits until it is told to go.
#[tokio::test]
#[ignore = "started by ten_thousand_idle_sockets_leave_room_for_others"]
async fn the_crowd() {
    let Ok(addr) = std::env::var(CROWD_ADDRESS) else { return };
    let addr: SocketAddr = addr.parse().unwrap();
    raise_fd_limit().unwrap();
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD / 250 {
        let some = futures_util::future::join_all((0..250).map(|_| connect(addr))).await;
        crowd.extend(some);
    }
    println!("\neveryone is here");
    // Blocking is fine: the sockets have nothing to do, and that is the point.
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
    assert_eq!(crowd.len(), CROWD);
}
