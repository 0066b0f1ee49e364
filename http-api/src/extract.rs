//! What a request says: the name in its path, and its query. Those of the library answer in their own form,
//! read what is no UTF-8 as other characters, and take the last of two values.
//!
//! Every query is checked by the table of routes before anything reads it.

use std::borrow::Cow;

use axum::extract::{FromRequestParts, MatchedPath, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metricc_client::Parameters;
use metricc_client::wire::{Route, code};
use percent_encoding::percent_decode_str;

use crate::ApiError;

/// The name in a path.
#[derive(Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, code::REQUEST, "the name in the path is no UTF-8")
        })?;
        Ok(Name(name))
    }
}

/// The parameters of a query, in order; some may be there several times.
#[derive(Debug)]
pub struct Pairs(pub Parameters);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        pairs(parts.uri.query().unwrap_or_default()).map(Pairs)
    }
}

/// Refuses a query with parameters that its route does not have, or twice, or with values of another kind.
pub async fn check_query(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let checked = match path.and_then(|path| Route::of(request.method().as_str(), path.as_str())) {
        Some(route) => pairs(request.uri().query().unwrap_or_default())
            .and_then(|pairs| route.check_query(&pairs).map_err(ApiError::from)),
        None => Ok(()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The parameters of a query; `None` if it is not UTF-8.
pub fn parameters_of(query: &str) -> Option<Parameters> {
    pairs(query).ok()
}

fn pairs(query: &str) -> Result<Parameters, ApiError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(name)?, decoded(value)?))
    });
    pairs.collect()
}

fn decoded(text: &str) -> Result<String, ApiError> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().map(Cow::into_owned).map_err(|_| {
        let message = format!("`{text}` in the query is no UTF-8");
        ApiError::new(StatusCode::BAD_REQUEST, code::REQUEST, message)
    })
}
