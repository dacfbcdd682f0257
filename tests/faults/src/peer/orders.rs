//! What a peer does when it is told to.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::lock::Mutex as AsyncMutex;
use futures::{AsyncReadExt, AsyncWriteExt};
use npws::{Connection, ConnectionId, StreamError, TakeError};
use npws_tests::pools::pattern;

use crate::pools::Pools;

#[derive(Debug)]
pub(crate) struct Orders {
    pools: Pools,
    taken: Mutex<HashMap<ConnectionId, Arc<AsyncMutex<Connection>>>>,
    /// Files that are open only so that nothing else can be.
    hogged: Mutex<Vec<File>>,
}

impl Orders {
    pub(crate) fn new(pools: Pools) -> Self {
        Self { pools, taken: Mutex::default(), hogged: Mutex::default() }
    }

    /// Carries out one order and says what came of it.
    pub(crate) async fn carry_out(&self, order: &str) -> String {
        let words: Vec<&str> = order.split_whitespace().collect();
        match words[..] {
            ["stats"] => self.pools.report(),
            ["take-next", timeout] => self.keep(self.pools.take_next(ms(timeout)).await),
            ["accept", timeout] => self.keep(self.pools.accept(ms(timeout)).await),
            ["take", id, timeout] => self.keep(self.pools.take(parse(id), ms(timeout)).await),
            ["write", id, length] => outcome(self.write(parse(id), number(length)).await),
            ["read", id, length] => outcome(self.read(parse(id), number(length)).await),
            ["end", id] => {
                self.taken.lock().unwrap().remove(&parse(id));
                "ok".to_owned()
            }
            ["drain", timeout] => {
                self.pools.drain(ms(timeout)).await;
                "ok".to_owned()
            }
            ["close"] => {
                let begin = Instant::now();
                self.pools.close();
                begin.elapsed().as_micros().to_string()
            }
            ["hog"] => self.hog(),
            ["release"] => {
                self.hogged.lock().unwrap().clear();
                "ok".to_owned()
            }
            _ => panic!("not an order: {order}"),
        }
    }

    fn keep(&self, taken: Result<Connection, TakeError>) -> String {
        match taken {
            Ok(connection) => {
                let id = connection.id();
                self.taken.lock().unwrap().insert(id, Arc::new(AsyncMutex::new(connection)));
                format!("taken {id}")
            }
            Err(error) => format!("error {error:?}"),
        }
    }

    fn taken(&self, id: ConnectionId) -> Arc<AsyncMutex<Connection>> {
        self.taken.lock().unwrap().get(&id).expect("it was taken").clone()
    }

    async fn write(&self, id: ConnectionId, length: usize) -> io::Result<()> {
        let connection = self.taken(id);
        let mut connection = connection.lock().await;
        connection.write_all(&pattern(length, seed(id))).await?;
        connection.flush().await
    }

    async fn read(&self, id: ConnectionId, length: usize) -> io::Result<()> {
        let connection = self.taken(id);
        let mut data = vec![0; length];
        connection.lock().await.read_exact(&mut data).await?;
        assert!(data == pattern(length, seed(id)), "{id} carries something else");
        Ok(())
    }

    /// Opens files until there is no descriptor left.
    fn hog(&self) -> String {
        let mut hogged = self.hogged.lock().unwrap();
        let error = loop {
            match File::open("/dev/null") {
                Ok(file) => hogged.push(file),
                Err(error) => break error,
            }
        };
        format!("{} {error}", hogged.len())
    }
}

/// Both ends know what the other sends.
fn seed(id: ConnectionId) -> u64 {
    u32::from_be_bytes(id.to_bytes()).into()
}

fn outcome(result: io::Result<()>) -> String {
    let Err(error) = result else { return "ok".to_owned() };
    let stream = error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>());
    match stream {
        Some(stream) if stream.is_safe_to_retry() => format!("retry {:?}", stream.reason()),
        Some(stream) => format!("error {:?}", stream.reason()),
        None => format!("error {error}"),
    }
}

fn ms(text: &str) -> Duration {
    Duration::from_millis(number(text) as u64)
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn parse(text: &str) -> ConnectionId {
    text.parse().expect("an ID")
}
