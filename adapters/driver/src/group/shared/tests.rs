use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::group::PoolGroup;
use crate::testing::Still;

#[test]
fn a_resolver_that_panics_is_asked_again() {
    let runtime = Still::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let panics = move |_| -> futures::future::BoxFuture<'static, io::Result<Vec<std::net::SocketAddr>>> {
        counted.fetch_add(1, Ordering::Relaxed);
        panic!("a resolver of the user's own");
    };
    let name = ClientPool::builder("tunnel.example:8443").capacity(1..=1).resolver(panics);
    let group = PoolGroup::builder().discover(name).runtime(runtime.clone()).connect().unwrap();
    for times in 1..4 {
        runtime.advance(Duration::from_secs(10));
        assert!(asked.load(Ordering::Relaxed) >= times, "it was not asked again");
        let failed = group.shared.lock().names.values().all(|name| name.last_error.is_some());
        assert!(failed, "nobody learns why there is no address");
    }
}
