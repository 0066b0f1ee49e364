//! Connections: how many there are at a time, in all and from one address.
//!
//! Beyond either limit, a few connections are kept for probes, and for a short time only: whoever watches a
//! node must be able to ask it, however many connections somebody holds open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections that are kept for probes.
const FOR_PROBES: usize = 64;

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    most_of_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    n: usize,
    n_for_probes: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// Every request.
    All,
    /// Probes alone, because of a limit.
    Probes(Limit),
}

/// The limit that a connection is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    OfAll(usize),
    OfAddress(usize),
}

impl Limit {
    /// The status of a request beyond it, and what it is told.
    pub(crate) fn told(self) -> (u16, String) {
        match self {
            Limit::OfAll(most) => {
                (503, format!("the node has {most} connections, as many as it allows: try again"))
            }
            Limit::OfAddress(most) => (
                429,
                format!(
                    "this address has {most} connections, as many as the node allows: try again, or use connections for \
                     several requests; `max_connections_per_address` under `[http]` in the configuration of the node allows \
                     more"
                ),
            ),
        }
    }
}

/// A connection that counts, until it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    all: Arc<Connections>,
    address: IpAddr,
    pub(super) admitted: Admitted,
}

impl Connections {
    pub(super) fn new(most: usize, most_of_address: usize) -> Self {
        Connections { most, most_of_address, taken: Mutex::default() }
    }

    /// Counts a connection.
    ///
    /// # Errors
    /// The limit that it is beyond, if there is no place for probes either.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Connection, Limit> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = taken.of_address.get(&address).copied().unwrap_or(0);
        let limit = if of_address >= self.most_of_address {
            Some(Limit::OfAddress(self.most_of_address))
        } else {
            (taken.n >= self.most).then_some(Limit::OfAll(self.most))
        };
        let admitted = match limit {
            None => {
                taken.n += 1;
                taken.of_address.insert(address, of_address + 1);
                Admitted::All
            }
            Some(limit) if taken.n_for_probes < FOR_PROBES => {
                taken.n_for_probes += 1;
                Admitted::Probes(limit)
            }
            Some(limit) => return Err(limit),
        };
        Ok(Connection { all: self.clone(), address, admitted })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut taken = self.all.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.admitted != Admitted::All {
            taken.n_for_probes -= 1;
            return;
        }
        taken.n -= 1;
        match taken.of_address.get(&self.address).map_or(0, |n| n - 1) {
            0 => taken.of_address.remove(&self.address),
            left => taken.of_address.insert(self.address, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, n])
    }

    #[test]
    fn f38_beyond_a_limit_there_are_connections_for_probes_and_places_come_back() {
        let all = Arc::new(Connections::new(5, 3));
        let first: Vec<Connection> = (0..3).map(|_| all.admit(address(1)).expect("a place")).collect();
        let beyond = all.admit(address(1)).expect("one for probes");
        assert_eq!(beyond.admitted, Admitted::Probes(Limit::OfAddress(3)));
        let other: Vec<Connection> = (0..2).map(|_| all.admit(address(2)).expect("a place")).collect();
        assert!(other.iter().all(|connection| connection.admitted == Admitted::All));
        let probes: Vec<Connection> =
            (1..FOR_PROBES).map(|_| all.admit(address(3)).expect("a place")).collect();
        assert!(probes.iter().all(|connection| connection.admitted == Admitted::Probes(Limit::OfAll(5))));
        assert_eq!(all.admit(address(3)).expect_err("it is full"), Limit::OfAll(5));
        drop((first, beyond));
        assert_eq!(all.admit(address(1)).expect("a place").admitted, Admitted::All);
        drop((other, probes));
        let taken = all.taken.lock().expect("not poisoned");
        assert_eq!((taken.n, taken.n_for_probes, taken.of_address.len()), (0, 0, 0));
    }
}
