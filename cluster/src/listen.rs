//! Where a process listens: found out before anything depends on it.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::ClusterError;

/// How long a port may stay taken by what this process had there before.
const FREED_WITHIN: Duration = Duration::from_secs(10);

/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_millis(300);

fn check(who: &'static str, address: SocketAddr) -> Result<(), ClusterError> {
    TcpListener::bind(address).map(|_| ()).map_err(|source| ClusterError::Listen { who, address, source })
}

/// Checks that a scheduler can listen at an address.
///
/// # Errors
/// [`ClusterError::Listen`].
pub fn check_scheduler(listen: SocketAddr) -> Result<(), ClusterError> {
    check("scheduler", listen)
}

/// Both addresses of an executor: that of its results, and the one after it, at which it takes tasks.
pub(crate) fn of_executor(listen: SocketAddr) -> Result<[SocketAddr; 2], ClusterError> {
    match listen.port().checked_add(1) {
        Some(next) => Ok([listen, SocketAddr::new(listen.ip(), next)]),
        None => Err(ClusterError::NoPort { address: listen }),
    }
}

/// Checks that an executor can listen.
///
/// # Errors
/// [`ClusterError::Listen`].
pub fn check_executor(listen: SocketAddr) -> Result<(), ClusterError> {
    of_executor(listen)?.into_iter().try_for_each(|address| check("executor", address))
}

/// Waits until an executor can listen again.
pub(crate) async fn wait_until_free(listen: SocketAddr) -> Result<(), ClusterError> {
    let until = std::time::Instant::now() + FREED_WITHIN;
    loop {
        match check_executor(listen) {
            Err(_) if std::time::Instant::now() < until => tokio::time::sleep(TRY_EVERY).await,
            checked => return checked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ports_of_an_executor_have_to_be_free() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        for next in [0, 1] {
            let taken = TcpListener::bind(address(0)).unwrap();
            let port = taken.local_addr().unwrap().port();
            let Some(listen) = port.checked_sub(next).map(address) else { continue };
            let error = check_executor(listen).unwrap_err();
            assert!(error.to_string().contains("cannot listen at 127.0.0.1:"), "{error}");
        }
        assert!(matches!(check_executor(address(u16::MAX)), Err(ClusterError::NoPort { .. })));
    }
}
