//! Hosts in network namespaces of their own, on one network: a bridge to which each has a cable.
//!
//! They share the file system of this machine, as hosts share a mounted one. It takes the permission to make
//! namespaces: a test that does not have it fails, and says so.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers networks of this process.
static NETWORKS: AtomicU32 = AtomicU32::new(0);

/// A network, which is removed with its hosts when it is dropped.
pub(crate) struct Network {
    /// The namespace of the bridge; those of hosts have its name and a number.
    name: String,
    n_hosts: u8,
}

fn run(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap_or_else(|error| {
        panic!("`ip` of iproute2 is needed: {error}");
    });
    assert!(
        done.status.success(),
        "`ip {}`: {}(this test makes network namespaces, for which it needs to be root)",
        arguments.join(" "),
        String::from_utf8_lossy(&done.stderr)
    );
}

impl Network {
    /// A network of hosts `10.77.0.1`, `10.77.0.2` and so on.
    pub(crate) fn new(n_hosts: u8) -> Self {
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let name = format!("metricc-{}-{number}", std::process::id());
        let network = Network { name, n_hosts };
        let hub = &network.name;
        run(&["netns", "add", hub]);
        run(&["-n", hub, "link", "add", "bridge", "type", "bridge"]);
        run(&["-n", hub, "link", "set", "bridge", "up"]);
        for host in 1..=n_hosts {
            let (namespace, port) = (network.host(host), port(host));
            run(&["netns", "add", &namespace]);
            run(&[
                "-n", hub, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &namespace,
            ]);
            run(&["-n", hub, "link", "set", &port, "master", "bridge"]);
            network.connect(host);
            run(&["-n", &namespace, "address", "add", &format!("{}/24", address(host)), "dev", "eth0"]);
            run(&["-n", &namespace, "link", "set", "lo", "up"]);
            run(&["-n", &namespace, "link", "set", "eth0", "up"]);
        }
        network
    }

    /// The namespace of a host.
    pub(crate) fn host(&self, host: u8) -> String {
        format!("{}-{host}", self.name)
    }

    /// Plugs the cable of a host in.
    pub(crate) fn connect(&self, host: u8) {
        run(&["-n", &self.name, "link", "set", &port(host), "up"]);
    }

    /// Pulls the cable of a host out.
    pub(crate) fn cut(&self, host: u8) {
        run(&["-n", &self.name, "link", "set", &port(host), "down"]);
    }

    /// Makes the cable of a host slow, in both directions.
    pub(crate) fn slow(&self, host: u8, rate: &str) {
        for (namespace, link) in [(self.name.clone(), port(host)), (self.host(host), "eth0".to_owned())] {
            let line = ["netns", "exec", &namespace, "tc", "qdisc", "add", "dev", &link, "root", "tbf"];
            run(&[&line[..], &["rate", rate, "burst", "8kb", "latency", "500ms"]].concat());
        }
    }

    /// A command on a host.
    pub(crate) fn command(&self, host: u8, arguments: &[String]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host), env!("CARGO_BIN_EXE_metricc")]);
        command.args(arguments).env("NO_COLOR", "1").stdin(std::process::Stdio::null());
        command
    }

    /// Whether somebody on a host can reach a port of another one.
    pub(crate) fn reaches(&self, from: u8, to: u8, port: u16) -> bool {
        let connect = format!("exec 3<>/dev/tcp/{}/{port}", address(to));
        let mut shell = Command::new("ip");
        shell.args(["netns", "exec", &self.host(from), "timeout", "2", "bash", "-c", &connect]);
        shell.output().is_ok_and(|done| done.status.success())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in (1..=self.n_hosts).map(|host| self.host(host)).chain([self.name.clone()]) {
            // One that is not there any more is as good.
            let _ = Command::new("ip").args(["netns", "del", &namespace]).output();
        }
    }
}

/// The address of a host.
pub(crate) fn address(host: u8) -> String {
    format!("10.77.0.{host}")
}

/// The end of a host's cable at the bridge.
fn port(host: u8) -> String {
    format!("port{host}")
}
