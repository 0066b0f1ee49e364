//! The address of a scheduler: `HOST:PORT`, or `df://HOST:PORT`.

use std::fmt;
use std::str::FromStr;

/// The scheme of addresses of a cluster, which may be left out.
const SCHEME: &str = "df://";

/// Where a scheduler listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address of a scheduler: write `df://HOST:PORT`, such as `df://127.0.0.1:50050`")]
pub struct AddressError {
    /// The text.
    pub text: String,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError { text: text.to_owned() };
        let bare = text.strip_prefix(SCHEME).unwrap_or(text).trim_end_matches('/');
        let (host, port) = bare.rsplit_once(':').ok_or_else(wrong)?;
        let is_host = |host: &str| {
            let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            match inner {
                Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
                None => !host.is_empty() && host.chars().all(allowed),
            }
        };
        match port.parse() {
            Ok(port) if port > 0 && is_host(host) => Ok(Address { host: host.to_owned(), port }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for (text, host, port) in [
            ("df://127.0.0.1:50050", "127.0.0.1", 50050),
            ("scheduler.internal:1/", "scheduler.internal", 1),
            ("df://[::1]:7", "[::1]", 7),
        ] {
            assert_eq!(text.parse(), Ok(Address { host: host.to_owned(), port }), "{text}");
        }
        for text in ["", "df://", "host", ":1", "host:0", "host:70000", "http://host:1", "a b:1", "[x]:1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
