//! Where a node listens: an address, or a name of this machine.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

/// An address and port to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address.
    pub address: SocketAddr,
    /// The name that it was resolved from, under which clients may name the node as well.
    pub name: Option<String>,
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        ListenAddress { address, name: None }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Reads an address and port at which a node listens. A name is resolved; of several addresses the first of
/// IPv4 is taken.
///
/// # Errors
/// What to write instead.
pub fn listen_address(text: &str) -> Result<ListenAddress, String> {
    listen_address_like(text, 7171)
}

/// The same for another process, whose usual port is the one in examples.
///
/// # Errors
/// What to write instead.
pub fn listen_address_like(text: &str, usual: u16) -> Result<ListenAddress, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address.into());
    }
    let is_name = |name: &str| {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        !name.is_empty() && name.bytes().all(is_of_name)
    };
    let parts = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
    let Some((name, port)) = parts.filter(|(name, _)| is_name(name)) else {
        return Err(format!(
            "`{text}` is not an address to listen at: write an address or a name, and a port, such as \
             `127.0.0.1:{usual}` or `localhost:{usual}`; `0.0.0.0:{usual}` is every address of this machine"
        ));
    };
    let address = if name.eq_ignore_ascii_case("localhost") {
        // Whatever the system makes of it, this name is this machine.
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    } else {
        let found = (name, port).to_socket_addrs().map_err(|error| {
            format!("`{text}` is not an address to listen at: the name `{name}` is not known: {error}")
        })?;
        let found: Vec<SocketAddr> = found.collect();
        found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
    };
    let address = address.ok_or_else(|| format!("the name `{name}` has no address"))?;
    Ok(ListenAddress { address, name: Some(name.to_ascii_lowercase()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_and_kept() {
        let listen = listen_address("LocalHost:7373").unwrap();
        assert_eq!(
            (listen.to_string().as_str(), listen.name.as_deref()),
            ("127.0.0.1:7373", Some("localhost"))
        );
        assert_eq!(listen_address("[::1]:80").unwrap().to_string(), "[::1]:80");
        let unknown = listen_address("nowhere.invalid:80").unwrap_err();
        assert!(unknown.contains("the name `nowhere.invalid` is not known"), "{unknown}");
        for text in
            ["localhost", "7171", ":7171", "localhost:port", "localhost:99999", "a b:1", "http://a:1", ""]
        {
            let problem = listen_address(text).unwrap_err();
            assert!(problem.contains("an address or a name, and a port"), "{text}: {problem}");
        }
    }
}
