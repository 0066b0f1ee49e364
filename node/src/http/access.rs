//! Access control: tokens with scopes, and the host names under which the node answers.

use std::net::SocketAddr;
use std::path::Path;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metricc_client::wire::code;
use metricc_http_api::ApiError;
use metricc_ir::plain_file;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Tokens;
use crate::error::NodeError;

/// Shortest token, in characters: 32 random bytes in base64.
const MIN_TOKEN: usize = 43;

/// What a token permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Ingest,
    Query,
    Admin,
}

/// Tokens, which are kept as hashes, and host names.
#[derive(Debug)]
pub(crate) struct Access {
    tokens: Vec<([u8; 32], Scope)>,
    /// Lower case, without a port; empty if any name will do.
    hosts: Vec<String>,
    /// Whether the node listens at all addresses of the machine.
    is_everywhere: bool,
}

impl Access {
    /// Reads the tokens.
    pub(crate) fn new(tokens: &Tokens, hosts: &[String], address: SocketAddr) -> Result<Self, NodeError> {
        let mut known = Vec::new();
        let scopes =
            [(&tokens.ingest, Scope::Ingest), (&tokens.query, Scope::Query), (&tokens.admin, Scope::Admin)];
        for (references, scope) in scopes {
            for reference in references {
                known.push((Sha256::digest(token_of(reference)?).into(), scope));
            }
        }
        let is_local = address.ip().is_loopback();
        if known.is_empty() && !is_local {
            return Err(NodeError::Config(format!(
                "`listen` is {address}, which others can reach, and there is no token: add one under `[tokens]`, as in \
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

    /// Whether the token of a request permits a scope; `None` if there is no such token.
    fn grants(&self, headers: &HeaderMap, scope: Scope) -> Option<bool> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let digest: [u8; 32] = Sha256::digest(given.strip_prefix("Bearer ")?.trim()).into();
        let mut found: Option<bool> = None;
        for (known, granted) in &self.tokens {
            // Every token is compared, and in constant time, so that the duration gives nothing away.
            if known.ct_eq(&digest).into() {
                let is_granted = *granted == scope || *granted == Scope::Admin;
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
        // Anybody can make a name resolve to this address. An address is what it is.
        self.hosts.contains(&name.to_ascii_lowercase()) || self.is_everywhere && is_address()
    }
}

/// Whether a browser sends this on behalf of a page of another site. A page cannot keep its browser from
/// sending these headers, and a node without tokens would otherwise do what any page tells it.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = text("origin") {
        let own = text("host").map(|host| format!("http://{host}"));
        return own.is_none_or(|own| !own.eq_ignore_ascii_case(origin));
    }
    matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"))
}

/// The token that `file:PATH` or `env:NAME` refers to.
fn token_of(reference: &str) -> Result<String, NodeError> {
    let read = match reference.split_once(':') {
        Some(("file", path)) => {
            plain_file::read_text(Path::new(path), plain_file::MOST_TEXT).map_err(|error| error.to_string())
        }
        Some(("env", name)) => std::env::var(name).map_err(|error| error.to_string()),
        _ => Err("write it as `file:PATH` or `env:NAME`: a configuration must not contain the token itself"
            .to_owned()),
    };
    let token = read.map_err(|problem| NodeError::Config(format!("token `{reference}`: {problem}")))?;
    let token = token.trim().to_owned();
    if token.len() < MIN_TOKEN {
        return Err(NodeError::Config(format!(
            "token `{reference}` has {} characters: it takes at least {MIN_TOKEN}, as from `openssl rand -base64 32`",
            token.len()
        )));
    }
    Ok(token)
}

/// The scope that a request needs; `None` if it needs no token.
fn scope_of(path: &str) -> Option<Scope> {
    match path {
        "/healthz" | "/readyz" => None,
        path if path.starts_with("/v1/sources/") && is_of_ingestion(path) => Some(Scope::Ingest),
        path if path.starts_with("/v1/sources/") => Some(Scope::Admin),
        "/v1/audit" => Some(Scope::Admin),
        _ => Some(Scope::Query),
    }
}

/// Whether a client that sends events needs this path of a source.
fn is_of_ingestion(path: &str) -> bool {
    ["/events", "/requests", "/served"].iter().any(|end| path.ends_with(end))
}

/// Rejects requests that are not permitted, and adds headers to every response.
pub(crate) async fn check(
    State(access): State<std::sync::Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match access.rejection(&request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Access {
    /// The response to a request that is not permitted.
    fn rejection(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let reject = |status, code, message: &str| Some(ApiError::new(status, code, message).into_response());
        if !self.is_known_host(headers) {
            let message =
                "the node does not answer under this host name: add it to `hosts` in the configuration";
            return reject(StatusCode::MISDIRECTED_REQUEST, code::HOST, message);
        }
        if is_of_another_site(headers) {
            let message = "requests from pages of other sites are rejected";
            return reject(StatusCode::FORBIDDEN, code::OTHER_SITE, message);
        }
        if self.tokens.is_empty() {
            return None;
        }
        let scope = scope_of(request.uri().path())?;
        match self.grants(headers, scope) {
            Some(true) => None,
            Some(false) => reject(
                StatusCode::FORBIDDEN,
                code::FORBIDDEN,
                "the token does not have the scope of this request",
            ),
            None => {
                let message = "a token is required: send it as `Authorization: Bearer TOKEN`";
                let mut response = reject(StatusCode::UNAUTHORIZED, code::UNAUTHORIZED, message)?;
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                Some(response)
            }
        }
    }
}
