use std::sync::{Arc, Mutex};
use std::time::Duration;

use npws_core::{DialFailure, TakeError};

use super::connect::Part;
use super::observer::DialObserver;
use super::*;
use crate::testing::{Still, poll_once};

#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Vec<DialFailure>>>);

impl DialObserver for Told {
    fn dialed(&self) {}

    fn dial_failed(&self, failure: DialFailure, _: usize) {
        self.0.lock().unwrap().push(failure);
    }

    fn asked_back(&self) {}

    fn closed(&self) {}
}

fn pool(runtime: &Still, told: &Told) -> ClientPool<Still> {
    let builder = ClientPool::builder("192.0.2.7:8443").capacity(1..=1).runtime(runtime.clone());
    builder.prepare(Some(Part { observer: Box::new(told.clone()), address: None })).unwrap().start()
}

#[test]
fn a_dial_whose_time_ends_just_as_it_is_done_has_failed() {
    let (runtime, told) = (Still::new(), Told::default());
    let pool = pool(&runtime, &told);
    runtime.advance(Duration::ZERO);
    // Its task is done with it, and has not told the machine yet.
    assert_eq!(std::mem::take(&mut *pool.shared.driven.under_way.lock().unwrap()).len(), 1);
    runtime.advance(Duration::from_secs(10));
    assert_eq!(*told.0.lock().unwrap(), [DialFailure::Timeout]);
}

#[test]
fn who_waits_no_more_leaves_nothing_behind() {
    let runtime = Still::new();
    let pool = pool(&runtime, &Told::default());
    let observers = || pool.shared.lock().observers.len();
    let mut dropped = Box::pin(pool.wait_ready(Duration::MAX));
    for _ in 0..3 {
        assert!(poll_once(&mut dropped).is_pending());
        assert_eq!(observers(), 1);
    }
    let mut late = Box::pin(pool.wait_ready(Duration::from_secs(1)));
    assert!(poll_once(&mut late).is_pending());
    assert_eq!(observers(), 2);
    drop(dropped);
    assert_eq!(observers(), 1);
    runtime.advance(Duration::from_secs(1));
    assert_eq!(poll_once(late), std::task::Poll::Ready(Err(TakeError::Timeout)));
    assert_eq!(observers(), 0);
}
