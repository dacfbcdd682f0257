//! The original's pool, as `go/cmd/peer` runs it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::oneshot;
use npws::tokio::Tokio;
use npws::{ConnectionId, Runtime};
use npws_tests::testbed::{SOON, current, ms, sleep};

use crate::process::{Orders, Process};
use crate::tls::Mode;
use crate::tools::installed;

type Answer = Result<String, String>;
type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// A pool of the original's, in a process of its own. Dropping it kills the process.
#[derive(Debug)]
pub struct Original {
    process: Process,
    orders: Mutex<(Orders, u64)>,
    pending: Pending,
    address: SocketAddr,
}

impl Original {
    /// A client that keeps `count` idle connections to `address`.
    pub async fn client(mode: Mode, address: SocketAddr, count: usize) -> Self {
        let count = count.to_string();
        Self::start(&["client", &address.to_string(), mode.code(), &count, &count]).await.expect("it just dials")
    }

    /// A server for up to `count` idle connections; `None` if `address` cannot be had.
    pub async fn server(mode: Mode, address: SocketAddr, count: usize) -> Option<Self> {
        let (address, count) = (address.to_string(), count.to_string());
        let files = mode.server_files();
        let files = files.iter().flatten().map(String::as_str);
        let arguments: Vec<_> = ["server", &address, &count].into_iter().chain(files).collect();
        Self::start(&arguments).await
    }

    async fn start(arguments: &[&str]) -> Option<Self> {
        let mut process = Process::start(&installed("go/peer"), arguments);
        let greeting = process.next_line().await?;
        let address = greeting.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("it says its address");
        let pending = Pending::default();
        let (orders, mut lines) = process.split();
        tokio::spawn({
            let pending = pending.clone();
            async move {
                while let Some(line) = lines.next().await {
                    let mut words = line.splitn(3, ' ');
                    let number = words.next().and_then(|text| text.parse().ok()).expect("an answer has a number");
                    let (verdict, value) = (words.next(), words.next().unwrap_or_default().to_owned());
                    let sender = lock(&pending).remove(&number).expect("nobody answers twice");
                    // Who gave the order may have given up.
                    let _ = sender.send(if verdict == Some("ok") { Ok(value) } else { Err(value) });
                }
                // Nobody answers any more.
                lock(&pending).clear();
            }
        });
        Some(Self { process, orders: Mutex::new((orders, 0)), pending, address })
    }

    /// Where a server listens, and where a client dials.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Gives an order of `go/cmd/peer` and waits for its outcome.
    ///
    /// # Errors
    /// When it fails, with what the original says.
    pub async fn try_order(&self, order: &str) -> Result<String, String> {
        let (sender, answer) = oneshot::channel();
        {
            let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            orders.1 += 1;
            let number = orders.1;
            lock(&self.pending).insert(number, sender);
            orders.0.tell(&format!("{number} {order}"));
        }
        answer.await.unwrap_or_else(|_| panic!("{order}: the process ended"))
    }

    /// As [`try_order`](Self::try_order), of what must not fail.
    pub async fn order(&self, order: &str) -> String {
        self.try_order(order).await.unwrap_or_else(|error| panic!("{order}: {error}"))
    }

    /// `OutgoingGet`.
    pub async fn take(&self, id: ConnectionId) {
        self.order(&format!("take {id}")).await;
    }

    /// `IncomingGet`.
    pub async fn next(&self) -> ConnectionId {
        self.order("next").await.parse().expect("it is an ID")
    }

    /// Writes to a connection that was taken.
    pub async fn write(&self, id: ConnectionId, data: &[u8]) {
        self.order(&format!("write {id} {}", to_hex(data))).await;
    }

    /// Reads that much of a connection that was taken.
    pub async fn read(&self, id: ConnectionId, count: usize) -> Vec<u8> {
        from_hex(&self.order(&format!("read {id} {count}")).await)
    }

    /// Reads all of a connection that was taken.
    pub async fn rest(&self, id: ConnectionId) -> Vec<u8> {
        from_hex(&self.order(&format!("rest {id}")).await)
    }

    /// Waits until so many IDs are in its queue, and their connections stored, which it does not do at the same time.
    pub async fn filled(&self, count: usize) {
        let runtime = current::<Tokio>();
        let deadline = runtime.now() + SOON;
        loop {
            let active = self.order("active").await;
            if active == format!("{count} {count}") {
                return;
            }
            assert!(runtime.now() < deadline, "{active} instead of {count} idle connections after {SOON:?}");
            sleep::<Tokio>(ms(5)).await;
        }
    }

    /// As [`server`](Self::server), where another one has just gone.
    pub async fn server_again(mode: Mode, address: SocketAddr, count: usize) -> Self {
        let runtime = current::<Tokio>();
        let deadline = runtime.now() + SOON;
        loop {
            if let Some(server) = Self::server(mode, address, count).await {
                return server;
            }
            // An outgoing connection of another process may have been given the port meanwhile.
            assert!(runtime.now() < deadline, "{address} is still in use after {SOON:?}");
            sleep::<Tokio>(Duration::from_millis(100)).await;
        }
    }
}

fn lock(pending: &Pending) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("it is ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("it is hex")).collect()
}
