//! The registry against what others hand things out with. Theirs are given back, ours is replaced: connections are
//! one-use.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use super::machine::Bed;
use crate::figures::report;
use crate::usage;

const SIZE: usize = 1000;
const PAIRS: usize = 200_000;

pub(super) fn run(player: &str) {
    match player {
        "npws/core" => {
            let bed = Mutex::new(Bed::new(SIZE, SIZE));
            measure(|| {
                let mut locked = bed.lock().expect("nobody panics");
                let key = locked.choose();
                locked.take(key);
                drop(locked);
                bed.lock().expect("nobody panics").release();
                bed.lock().expect("nobody panics").arrive();
            });
        }
        "bb8" => on_tokio(async {
            let size = u32::try_from(SIZE).expect("it is small");
            let pool = bb8::Pool::builder().max_size(size).min_idle(size).build(Thing).await.expect("nothing fails");
            measure_async(async || drop(pool.get().await.expect("one is idle"))).await;
        }),
        "deadpool" => on_tokio(async {
            let pool: deadpool::managed::Pool<Thing> =
                deadpool::managed::Pool::builder(Thing).max_size(SIZE).build().expect("it has a size");
            let all = futures::future::join_all((0..SIZE).map(|_| pool.get())).await;
            drop(all);
            measure_async(async || drop(pool.get().await.expect("one is idle"))).await;
        }),
        "dashmap" => {
            let map: dashmap::DashMap<u32, u32> = (0..SIZE as u32).map(|id| (id * 7919, 7)).collect();
            let mut next = 0;
            measure(|| {
                next = (next + 1) % SIZE as u32;
                let (id, thing) = map.remove(&(next * 7919)).expect("it is there");
                map.insert(id, thing);
            });
        }
        "crossbeam" => {
            let queue = crossbeam_queue::SegQueue::new();
            (0..SIZE).for_each(|_| queue.push(7_u32));
            measure(|| queue.push(queue.pop().expect("one is there")));
        }
        other => panic!("{other} is not measured here"),
    }
}

fn measure(mut pair: impl FnMut()) {
    (0..PAIRS / 10).for_each(|_| pair());
    let begin = usage::cpu();
    (0..PAIRS).for_each(|_| pair());
    finish(begin);
}

async fn measure_async(pair: impl AsyncFn()) {
    for _ in 0..PAIRS / 10 {
        pair().await;
    }
    let begin = usage::cpu();
    for _ in 0..PAIRS {
        pair().await;
    }
    finish(begin);
}

/// In CPU time, which a busy machine does not stretch.
fn finish(begin: Duration) {
    let spent = (usage::cpu() - begin).as_secs_f64();
    report("pair", spent * 1e9 / PAIRS as f64, spent);
}

fn on_tokio(run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("tokio starts").block_on(run);
}

/// What the pools of others manage: nothing that could fail.
struct Thing;

impl bb8::ManageConnection for Thing {
    type Connection = u32;
    type Error = Infallible;

    async fn connect(&self) -> Result<u32, Infallible> {
        Ok(7)
    }

    async fn is_valid(&self, _: &mut u32) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u32) -> bool {
        false
    }
}

impl deadpool::managed::Manager for Thing {
    type Type = u32;
    type Error = Infallible;

    async fn create(&self) -> Result<u32, Infallible> {
        Ok(7)
    }

    async fn recycle(
        &self,
        _: &mut u32,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}
