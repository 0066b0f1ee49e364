//! Access control: tokens with scopes, and the host names under which the node answers.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metricc_client::wire::{Route, Scope, code};
use metricc_http_api::{ApiError, ReaderServing};

use super::access_entries;
use super::headers::{self, single};
use super::host::Hosts;
use crate::access_log::AccessLog;
use crate::config::Config;
use crate::error::NodeError;
use crate::listen::ListenAddress;
use crate::node::Node;
use crate::permission::{Permission, Permissions};
use crate::reading::NodeServing;

/// What a restricted reader is told of everything else.
const ONLY_METRICS: &str =
    "the token is one of a reader of some metrics: it reads their rows, and nothing else of the node";

/// Who may do what over HTTP, and under which host names.
#[derive(Debug)]
pub(crate) struct HttpAccess {
    permissions: Arc<Permissions>,
    hosts: Hosts,
    serving: NodeServing,
    log: Option<AccessLog>,
}

/// Checks that a node that others can reach has tokens.
///
/// # Errors
/// [`NodeError::Config`].
pub(crate) fn check_reachable(permissions: &Permissions, listen: &ListenAddress) -> Result<(), NodeError> {
    if permissions.has_tokens() || listen.address.ip().is_loopback() {
        return Ok(());
    }
    Err(NodeError::Config(format!(
        "`listen` is {listen}, which others can reach, and there is no token: add one under `[tokens]`, as in \
         `query = [\"file:query.token\"]`, or listen on 127.0.0.1"
    )))
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

/// The route of a request; what is no route has none.
fn route_of(request: &Request) -> Option<&'static Route> {
    let path = request.extensions().get::<MatchedPath>();
    path.and_then(|path| Route::of(request.method().as_str(), path.as_str()))
}

/// The token that a request sends: the name of the scheme may have any case.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(given) = single(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

/// Rejects requests that are not permitted, and adds headers to every response.
pub(crate) async fn check(
    State(access): State<Arc<HttpAccess>>,
    mut request: Request,
    next: Next,
) -> Response {
    let pending =
        access.log.as_ref().and_then(|log| access_entries::begin(log, route_of(&request), &request));
    let permitted = access.permitted(&request);
    let permission = permitted.as_ref().ok().cloned().or_else(|| access.holder(&request));
    let mut response = match permitted {
        Err(response) => *response,
        Ok(permission) => {
            if permission.access().reader().is_some() {
                let seen = access.serving.with_access(permission.access().clone());
                request.extensions_mut().insert(ReaderServing(Arc::new(seen)));
            }
            next.run(request).await
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    match pending {
        Some(pending) => pending.of_response(permission.as_ref(), response),
        None => response,
    }
}

impl HttpAccess {
    pub(crate) fn new(config: &Config, node: &Node) -> Result<Self, NodeError> {
        let (permissions, serving) = (node.permissions().clone(), node.serving().clone());
        check_reachable(&permissions, &config.listen)?;
        let (hosts, log) = (Hosts::new(&config.hosts, &config.listen), node.access_log().cloned());
        Ok(HttpAccess { permissions, hosts, serving, log })
    }

    /// Whoever a token is of, whatever it permits.
    fn holder(&self, request: &Request) -> Option<Arc<Permission>> {
        self.permissions.of_token(bearer(request.headers()).ok()??)
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// The response to a request that is not permitted.
    fn permitted(&self, request: &Request) -> Result<Arc<Permission>, Box<Response>> {
        let other_form = |error: ApiError| Box::new(error.into_response());
        headers::check(request).map_err(other_form)?;
        let host = self.hosts.check(request).map_err(other_form)?;
        single(request.headers(), &header::ORIGIN).map_err(other_form)?;
        if is_of_another_site(request.headers(), host) {
            let message = "requests from pages of other sites are rejected";
            return Err(other_form(ApiError::new(StatusCode::FORBIDDEN, code::OTHER_SITE, message)));
        }
        let route = route_of(request);
        // What is no route tells those alone that there is none who may read.
        let scope = route.map_or(Some(Scope::Query), |route| route.scope);
        let (Some(scope), None) = (scope, self.permissions.without_token()) else {
            return Ok(self.permissions.anyone());
        };
        let permission = self.check_token(request.headers(), scope)?;
        let is_of_rows = route.is_none_or(|route| route.endpoint.is_of_metrics());
        if permission.access().reader().is_some() && !is_of_rows {
            return Err(other_form(ApiError::new(StatusCode::FORBIDDEN, code::FORBIDDEN, ONLY_METRICS)));
        }
        Ok(permission)
    }

    fn check_token(&self, headers: &HeaderMap, scope: Scope) -> Result<Arc<Permission>, Box<Response>> {
        let given = bearer(headers).map_err(|error| Box::new(error.into_response()))?;
        let name = scope.name();
        let (status, code, message, challenge) = match given.map(|token| self.permissions.of_token(token)) {
            Some(Some(permission)) if permission.allows(scope) => return Ok(permission),
            Some(Some(_)) => (
                StatusCode::FORBIDDEN,
                code::FORBIDDEN,
                format!("the token does not have the scope `{name}`: use one of the node's {name} tokens"),
                format!("Bearer error=\"insufficient_scope\", scope=\"{name}\""),
            ),
            Some(None) => (
                StatusCode::UNAUTHORIZED,
                code::UNAUTHORIZED,
                format!("the token is not one of the node's; one with the scope `{name}` is required"),
                "Bearer error=\"invalid_token\"".to_owned(),
            ),
            None => (
                StatusCode::UNAUTHORIZED,
                code::UNAUTHORIZED,
                format!(
                    "a token with the scope `{name}` is required: send it as `Authorization: Bearer TOKEN`, or with \
                     `--token-file FILE` of the command"
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
