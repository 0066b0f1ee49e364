//! The host that a request is for. Anybody can make a name resolve to this machine, and a page of that name
//! would then be of the same site as the node; so the node answers under the names alone that it knows.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{StatusCode, Version, header};
use metricc_client::wire::code;
use metricc_http_api::ApiError;

use crate::listen::ListenAddress;

/// The names that are known.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Lower case, without a port; empty if any name will do.
    names: Vec<String>,
    /// Whether the node listens at all addresses of the machine.
    is_everywhere: bool,
}

impl Hosts {
    /// Those of the configuration, and the node's own.
    pub(super) fn new(configured: &[String], listen: &ListenAddress) -> Self {
        let mut names: Vec<String> = configured.iter().map(|host| host.to_ascii_lowercase()).collect();
        let address = listen.address.ip();
        if address.is_loopback() {
            names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        }
        if !names.is_empty() {
            names.push(address.to_string());
            names.extend(listen.name.clone());
        }
        Hosts { names, is_everywhere: address.is_unspecified() }
    }

    /// The host that a request is for, with its port; `None` if it names none. An absolute URI names it
    /// before the header `Host` does, and both must be known.
    ///
    /// # Errors
    /// [`ApiError`] for two hosts, for text that is no host, and for hosts that are not known.
    pub(super) fn check<'a>(&self, request: &'a Request) -> Result<Option<&'a str>, ApiError> {
        let mut given = request.headers().get_all(header::HOST).iter();
        let (first, second) = (given.next(), given.next());
        if second.is_some() {
            return Err(invalid("the request has two `Host` headers"));
        }
        let of_header = first.map(|host| host.to_str().map_err(|_| invalid("`Host` is not a host")));
        let of_header = of_header.transpose()?;
        if of_header.is_none() && request.version() == Version::HTTP_11 {
            return Err(invalid("a request of HTTP/1.1 has a `Host` header"));
        }
        let of_uri = request.uri().authority().map(Authority::as_str);
        for host in [of_uri, of_header].into_iter().flatten() {
            self.check_one(host)?;
        }
        let host = of_uri.or(of_header);
        if host.is_none() && !self.names.is_empty() {
            return Err(not_known());
        }
        Ok(host)
    }

    fn check_one(&self, host: &str) -> Result<(), ApiError> {
        let is_host = !host.contains('@') && (host.is_empty() || host.parse::<Authority>().is_ok());
        if !is_host {
            return Err(invalid("`Host` or the URI names no host"));
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let is_address = || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        // An address is what it is, whoever names it.
        let is_known = self.names.is_empty()
            || self.names.contains(&name.to_ascii_lowercase())
            || self.is_everywhere && is_address();
        if is_known { Ok(()) } else { Err(not_known()) }
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code::REQUEST, message)
}

fn not_known() -> ApiError {
    let message = "the node does not answer under this host name: add it to `hosts` in the configuration";
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, code::HOST, message)
}
