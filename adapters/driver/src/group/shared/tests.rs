use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::group::PoolGroup;
use crate::testing::Still;

fn endpoint(runtime: &Still) -> ClientPoolBuilder<Still> {
    ClientPool::builder("192.0.2.7:8443").capacity(1..=1).runtime(runtime.clone())
}

#[test]
fn nothing_is_spawned_under_the_lock() {
    let runtime = Still::new();
    let answers = |_| -> futures::future::BoxFuture<'static, _> {
        Box::pin(async { Ok(vec![SocketAddr::from(([192, 0, 2, 8], 8443))]) })
    };
    let name = ClientPool::builder("tunnel.example:8443").capacity(1..=1).resolver(answers);
    let builder = PoolGroup::builder().endpoint(endpoint(&runtime)).discover(name);
    let group = builder.runtime(runtime.clone()).connect().unwrap();
    let spawned = Arc::new(AtomicUsize::new(0));
    let (shared, counted) = (group.shared.clone(), spawned.clone());
    runtime.on_spawn(move || {
        assert!(shared.state.try_lock().is_ok(), "the lock is held");
        counted.fetch_add(1, Ordering::Relaxed);
    });
    group.add(endpoint(&runtime)).unwrap();
    assert_eq!(spawned.load(Ordering::Relaxed), 1, "its timer");
    runtime.advance(Duration::ZERO);
    assert_eq!(group.stats().endpoints.len(), 3, "the name has one too");
}

#[test]
fn a_resolver_that_panics_is_asked_again() {
    let runtime = Still::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let panics = move |_| -> futures::future::BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
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
