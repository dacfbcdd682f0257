//! What a log shows of a pool's life: each event with its ID and reason, and never what a user sends.
//!
//! A test binary of its own, since a process has one subscriber.
#![expect(clippy::unwrap_used, reason = "the helpers are tests as well")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use futures::{AsyncReadExt, AsyncWriteExt};
use npws::tokio::Tokio;
use npws_tests::pools::{pair, take_pair};
use npws_tests::testbed::{run, until};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines_with(&self, words: &[&str]) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

impl Write for Log {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn each_step_of_a_connections_life_is_told_without_its_payload() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    run::<Tokio, _>(|| async {
        let (server, client) = pair::<Tokio>(2).await;
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        let id = format!("id={}", accepted.id());
        accepted.write_all(b"a secret").await.unwrap();
        let mut data = [0; 8];
        dialed.read_exact(&mut data).await.unwrap();
        for words in [["dialed", &id], ["accepted", &id]] {
            assert_eq!(log.lines_with(&words), 1, "{words:?}");
        }
        assert_eq!(log.lines_with(&["taken", &id]), 2, "one at each end");
        assert!(log.lines_with(&["round", "capacity=2"]) > 0);
        server.flush();
        until::<Tokio>("the eviction is told", || log.lines_with(&["evicted", "reason=flushed"]) > 0).await;
        assert_eq!(log.lines_with(&["a secret"]), 0);
    });
}
