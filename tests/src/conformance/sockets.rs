//! TCP options, as the system sees them.

use std::time::Duration;

use npws::{ClientPool, ServerPool, TcpOptions};
use socket2::Socket;

use crate::spy::Spy;
use crate::testbed::{SOON, Testbed};

/// Makes a pair of pools with these options and looks at both sockets of their one connection.
async fn look<R: Testbed, T>(options: Option<TcpOptions>, look: impl Fn(&Socket) -> T) -> Vec<T> {
    let spy = Spy::<R>::on_sockets();
    let mut at_server = ServerPool::<Spy<R>>::builder().runtime(spy.clone());
    if let Some(options) = &options {
        at_server = at_server.tcp(options.clone());
    }
    let server = at_server.bind("127.0.0.1:0").await.unwrap();
    let mut at_client = ClientPool::<Spy<R>>::builder(server.local_addr().unwrap().to_string()).runtime(spy.clone());
    if let Some(options) = options {
        at_client = at_client.tcp(options);
    }
    let client = at_client.connect().unwrap();
    client.wait_ready(SOON).await.unwrap();
    server.wait_ready(SOON).await.unwrap();
    let seen = spy.look(look);
    assert_eq!(seen.len(), 2, "one socket at each end");
    seen
}

pub async fn small_writes_leave_at_once_unless_told<R: Testbed>() {
    assert_eq!(look::<R, _>(None, |socket| socket.tcp_nodelay().unwrap()).await, [true, true]);
    let options = TcpOptions { nodelay: false, ..TcpOptions::default() };
    assert_eq!(look::<R, _>(Some(options), |socket| socket.tcp_nodelay().unwrap()).await, [false, false]);
}

pub async fn tcp_keep_alive_is_on_with_the_times_asked_for<R: Testbed>() {
    let times = |socket: &Socket| {
        assert!(socket.keepalive().unwrap());
        (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap())
    };
    let quarter = Duration::from_secs(15);
    assert_eq!(look::<R, _>(None, times).await, [(quarter, quarter); 2]);
    let seven = Duration::from_secs(7);
    let options = TcpOptions { keepalive: Some(seven), ..TcpOptions::default() };
    assert_eq!(look::<R, _>(Some(options), times).await, [(seven, seven); 2]);
    let options = TcpOptions { keepalive: None, ..TcpOptions::default() };
    assert_eq!(look::<R, _>(Some(options), |socket| socket.keepalive().unwrap()).await, [false, false]);
}

pub async fn the_user_timeout_is_set_where_the_system_has_it<R: Testbed>() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let timeout = |socket: &Socket| socket.tcp_user_timeout().unwrap();
    assert_eq!(look::<R, _>(None, timeout).await, [Some(Duration::from_secs(30)); 2]);
    let options = TcpOptions { user_timeout: Some(Duration::from_secs(5)), ..TcpOptions::default() };
    assert_eq!(look::<R, _>(Some(options), timeout).await, [Some(Duration::from_secs(5)); 2]);
}
