//! Who may do what: tokens with scopes, and names under which the node may be asked for.

use std::net::SocketAddr;
use std::path::Path;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Refusal;
use crate::config::Tokens;
use crate::error::NodeError;

/// Shortest token, in characters: 32 random bytes in base64.
const MIN_TOKEN: usize = 43;

/// What a token lets do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Ingest,
    Query,
    Admin,
}

/// Who may do what. Tokens are kept as hashes.
#[derive(Debug)]
pub(crate) struct Access {
    tokens: Vec<([u8; 32], Scope)>,
    /// Lower case, without a port; empty where any name is as good.
    hosts: Vec<String>,
    /// Whether it is listened at all addresses of the machine.
    is_everywhere: bool,
}

impl Access {
    /// Reads the tokens.
    pub(crate) fn new(tokens: &Tokens, hosts: &[String], address: SocketAddr) -> Result<Self, NodeError> {
        let mut known = Vec::new();
        let scopes =
            [(&tokens.ingest, Scope::Ingest), (&tokens.query, Scope::Query), (&tokens.admin, Scope::Admin)];
        for (places, scope) in scopes {
            for place in places {
                known.push((Sha256::digest(token_at(place)?).into(), scope));
            }
        }
        let is_local = address.ip().is_loopback();
        if known.is_empty() && !is_local {
            return Err(NodeError::Config(format!(
                "`listen` is {address}, which others can reach, and there is no token: name some under `[tokens]`, as in \
                 `query = [\"file:query.token\"]`, or listen on 127.0.0.1"
            )));
        }
        let mut hosts: Vec<String> = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        if is_local {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
            hosts.push(address.ip().to_string());
        } else if !hosts.is_empty() {
            hosts.push(address.ip().to_string());
        }
        Ok(Access { tokens: known, hosts, is_everywhere: address.ip().is_unspecified() })
    }

    /// Whether a token gives a scope; none where there is no such token.
    fn grants(&self, headers: &HeaderMap, scope: Scope) -> Option<bool> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let digest: [u8; 32] = Sha256::digest(given.strip_prefix("Bearer ")?.trim()).into();
        let mut found: Option<bool> = None;
        for (known, of) in &self.tokens {
            // Every token is looked at, and every byte of it: how long it takes says nothing.
            let difference = known.iter().zip(&digest).fold(0, |all, (known, given)| all | (known ^ given));
            if difference == 0 {
                let is_granted = *of == scope || *of == Scope::Admin;
                found = Some(found.unwrap_or(false) || is_granted);
            }
        }
        found
    }

    fn is_known_host(&self, headers: &HeaderMap) -> bool {
        if self.hosts.is_empty() {
            return true;
        }
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let is_address =
            || name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok();
        // Names can be made to lead here; addresses cannot.
        self.hosts.contains(&name.to_ascii_lowercase()) || self.is_everywhere && is_address()
    }
}

/// Whether a browser sends this on behalf of a page of another site. A page cannot keep its browser from saying so, and a
/// node without tokens would otherwise do what any page asks of it.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = text("origin") {
        let own = text("host").map(|host| format!("http://{host}"));
        return own.is_none_or(|own| !own.eq_ignore_ascii_case(origin));
    }
    matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"))
}

fn token_at(place: &str) -> Result<String, NodeError> {
    let read = match place.split_once(':') {
        Some(("file", path)) => std::fs::read_to_string(Path::new(path)).map_err(|error| error.to_string()),
        Some(("env", name)) => std::env::var(name).map_err(|error| error.to_string()),
        _ => Err("write it as `file:PATH` or `env:NAME`: tokens themselves do not belong here".to_owned()),
    };
    let token = read.map_err(|problem| NodeError::Config(format!("token `{place}`: {problem}")))?;
    let token = token.trim().to_owned();
    if token.len() < MIN_TOKEN {
        return Err(NodeError::Config(format!(
            "token `{place}` has {} characters: it takes at least {MIN_TOKEN}, as from `openssl rand -base64 32`",
            token.len()
        )));
    }
    Ok(token)
}

/// What a request needs; none if it needs nothing.
fn scope_of(path: &str) -> Option<Scope> {
    match path {
        "/healthz" | "/readyz" => None,
        path if path.starts_with("/v1/sources/") && path.ends_with("/events") => Some(Scope::Ingest),
        path if path.starts_with("/v1/sources/") => Some(Scope::Admin),
        "/v1/audit" => Some(Scope::Admin),
        _ => Some(Scope::Query),
    }
}

/// Lets through what is allowed, and marks every answer.
pub(crate) async fn check(
    State(access): State<std::sync::Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let refused = if !access.is_known_host(headers) {
        let message = "this node is not known by that name: add it to `hosts` in its configuration";
        Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "host", message).into_response())
    } else if is_of_another_site(headers) {
        let message = "this node does nothing for pages of other sites";
        Some(Refusal::new(StatusCode::FORBIDDEN, "other_site", message).into_response())
    } else if access.tokens.is_empty() {
        None
    } else {
        scope_of(request.uri().path()).and_then(|scope| match access.grants(headers, scope) {
            Some(true) => None,
            Some(false) => {
                let message = "the token does not allow this";
                Some(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message).into_response())
            }
            None => {
                let message = "a token is needed: send it as `Authorization: Bearer TOKEN`";
                let mut response =
                    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message).into_response();
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                Some(response)
            }
        })
    };
    let mut response = match refused {
        Some(response) => response,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
