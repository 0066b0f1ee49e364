//! Access control: tokens with scopes, and the host names under which the node answers.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metricc_client::wire::{Route, Scope, code};
use metricc_http_api::ApiError;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::headers::{self, single};
use super::host::Hosts;
use crate::config::Tokens;
use crate::error::NodeError;
use crate::listen::ListenAddress;

/// Tokens, which are kept as hashes, and host names.
#[derive(Debug)]
pub(crate) struct Access {
    tokens: Vec<([u8; 32], Scope)>,
    hosts: Hosts,
}

impl Access {
    /// Reads the tokens.
    pub(crate) fn new(tokens: &Tokens, hosts: &[String], listen: &ListenAddress) -> Result<Self, NodeError> {
        let mut known = Vec::new();
        let scopes =
            [(&tokens.ingest, Scope::Ingest), (&tokens.query, Scope::Query), (&tokens.admin, Scope::Admin)];
        for (references, scope) in scopes {
            for (index, reference) in references.iter().enumerate() {
                let name = scope.name();
                let problem =
                    |problem| NodeError::Config(format!("token {} of `tokens.{name}` {problem}", index + 1));
                known.push((Sha256::digest(reference.read().map_err(problem)?).into(), scope));
            }
        }
        if known.is_empty() && !listen.address.ip().is_loopback() {
            return Err(NodeError::Config(format!(
                "`listen` is {listen}, which others can reach, and there is no token: add one under `[tokens]`, as in \
                 `query = [\"file:query.token\"]`, or listen on 127.0.0.1"
            )));
        }
        Ok(Access { tokens: known, hosts: Hosts::new(hosts, listen) })
    }

    /// Whether the token of a request permits a scope; `None` if there is no such token.
    fn grants(&self, token: &str, scope: Scope) -> Option<bool> {
        let digest: [u8; 32] = Sha256::digest(token).into();
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
}

/// Whether a browser sends this on behalf of a page of another site. A page cannot keep its browser from
/// sending these headers, and a node without tokens would otherwise do what any page tells it. A proxy may
/// speak HTTPS for this host.
fn is_of_another_site(headers: &HeaderMap, host: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = text("origin") {
        let page = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
        return !matches!((page, host), (Some(page), Some(host)) if page.eq_ignore_ascii_case(host));
    }
    matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"))
}

/// The scope that a request needs; `None` if it needs no token.
fn scope_of(request: &Request) -> Option<Scope> {
    let path = request.extensions().get::<MatchedPath>();
    // What is no route tells those alone that there is none who may read.
    let route = path.and_then(|path| Route::of(request.method().as_str(), path.as_str()));
    route.map_or(Some(Scope::Query), |route| route.scope)
}

/// The token that a request sends: the name of the scheme may have any case.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(given) = single(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

/// Rejects requests that are not permitted, and adds headers to every response.
pub(crate) async fn check(
    State(access): State<std::sync::Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match access.rejection(&request) {
        Err(response) => *response,
        Ok(()) => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Access {
    /// The response to a request that is not permitted.
    fn rejection(&self, request: &Request) -> Result<(), Box<Response>> {
        let other_form = |error: ApiError| Box::new(error.into_response());
        headers::check(request).map_err(other_form)?;
        let host = self.hosts.check(request).map_err(other_form)?;
        single(request.headers(), &header::ORIGIN).map_err(other_form)?;
        if is_of_another_site(request.headers(), host) {
            let message = "requests from pages of other sites are rejected";
            return Err(other_form(ApiError::new(StatusCode::FORBIDDEN, code::OTHER_SITE, message)));
        }
        match scope_of(request) {
            Some(scope) if !self.tokens.is_empty() => self.check_token(request.headers(), scope),
            _ => Ok(()),
        }
    }

    fn check_token(&self, headers: &HeaderMap, scope: Scope) -> Result<(), Box<Response>> {
        let given = bearer(headers).map_err(|error| Box::new(error.into_response()))?;
        let (status, code, message, challenge) = match given.map(|token| self.grants(token, scope)) {
            Some(Some(true)) => return Ok(()),
            Some(Some(false)) => (
                StatusCode::FORBIDDEN,
                code::FORBIDDEN,
                format!(
                    "the token does not have the scope `{0}`: use one of the node's {0} tokens",
                    scope.name()
                ),
                format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scope.name()),
            ),
            Some(None) => (
                StatusCode::UNAUTHORIZED,
                code::UNAUTHORIZED,
                format!(
                    "the token is not one of the node's; one with the scope `{}` is required",
                    scope.name()
                ),
                "Bearer error=\"invalid_token\"".to_owned(),
            ),
            None => (
                StatusCode::UNAUTHORIZED,
                code::UNAUTHORIZED,
                format!(
                    "a token with the scope `{}` is required: send it as `Authorization: Bearer TOKEN`, or with \
                     `--token-file FILE` of the command",
                    scope.name()
                ),
                "Bearer".to_owned(),
            ),
        };
        let mut response = ApiError::new(status, code, message).into_response();
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        Err(Box::new(response))
    }
}
