//! Two machines with a router between them, made of network namespaces, and a cable that can be cut in silence.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The server's IP address.
pub const SERVER: &str = "10.0.1.2";
/// The client's IP address.
pub const CLIENT: &str = "10.0.2.2";

/// A server's machine, a router and a client's machine. Dropped, they are gone.
#[derive(Debug)]
pub struct Network {
    name: String,
}

impl Network {
    /// Builds it. Needs root and iproute2.
    pub fn build() -> Self {
        sweep();
        static BUILT: AtomicU32 = AtomicU32::new(0);
        let number = BUILT.fetch_add(1, Ordering::Relaxed);
        let network = Self { name: format!("npws-{}-{number}", std::process::id()) };
        let [server, router, client] = network.namespaces();
        for namespace in [&server, &router, &client] {
            ip(&format!("netns add {namespace}"));
        }
        for (end, subnet, side) in [(&server, "10.0.1", "to-server"), (&client, "10.0.2", "to-client")] {
            ip(&format!("link add eth0 netns {end} type veth peer name {side} netns {router}"));
            ip(&format!("-n {end} addr add {subnet}.2/24 dev eth0"));
            ip(&format!("-n {router} addr add {subnet}.1/24 dev {side}"));
            for (namespace, interface) in [(end, "eth0"), (end, "lo"), (&router, side)] {
                ip(&format!("-n {namespace} link set {interface} up"));
            }
            ip(&format!("-n {end} route add default via {subnet}.1"));
        }
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        run(Command::new("ip").args(["netns", "exec", &router, "sh", "-c", forward]));
        network
    }

    /// `program` on the server's machine.
    pub fn on_server(&self, program: &str) -> Command {
        self.on(0, program)
    }

    /// `program` on the client's machine.
    pub fn on_client(&self, program: &str) -> Command {
        self.on(2, program)
    }

    fn on(&self, machine: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespaces()[machine], program]);
        command
    }

    /// From now on nothing gets to these addresses, and nobody is told: the links stay up, and the router says nothing.
    pub fn cut(&self, addresses: &[&str]) {
        self.routes("add", addresses);
    }

    /// What was cut gets through again.
    pub fn mend(&self, addresses: &[&str]) {
        self.routes("del", addresses);
    }

    fn routes(&self, verb: &str, addresses: &[&str]) {
        for address in addresses {
            ip(&format!("-n {} route {verb} blackhole {address}/32", self.namespaces()[1]));
        }
    }

    /// Panics if anybody was told of the cut, by an ICMP message or by a reset from the router.
    pub fn assert_silent(&self) {
        let [server, router, client] = self.namespaces();
        for end in [server, client] {
            assert_eq!(counter(&end, "Icmp:", "InMsgs"), 0, "{end} got an ICMP message");
        }
        assert_eq!(counter(&router, "Icmp:", "OutMsgs"), 0, "the router sent an ICMP message");
        assert_eq!(counter(&router, "Tcp:", "OutRsts"), 0, "the router sent a reset");
    }

    fn namespaces(&self) -> [String; 3] {
        ["server", "router", "client"].map(|machine| format!("{}-{machine}", self.name))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.namespaces() {
            // Not all of them may have come to be.
            let _ = Command::new("ip").args(["netns", "delete", &namespace]).output();
        }
    }
}

/// Removes what a run left behind that was killed before it could.
fn sweep() {
    let list = run(Command::new("ip").args(["netns", "list"]));
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let process = name.strip_prefix("npws-").and_then(|rest| rest.split_once('-')).map(|(process, _)| process);
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another test may have been quicker.
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

fn ip(arguments: &str) {
    run(Command::new("ip").args(arguments.split_whitespace()));
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} needs iproute2: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} needs root and namespaces: {errors}");
    String::from_utf8(output.stdout).expect("iproute2 writes text")
}

/// A counter of a namespace, as `/proc/net/snmp` has it: a line of names and a line of values for each protocol.
fn counter(namespace: &str, protocol: &str, name: &str) -> u64 {
    let text = run(Command::new("ip").args(["netns", "exec", namespace, "cat", "/proc/net/snmp"]));
    let mut lines = text.lines().filter(|line| line.starts_with(protocol)).map(str::split_whitespace);
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let value = names.zip(values).find(|(other, _)| *other == name).map(|(_, value)| value);
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {protocol} {name}"))
}
