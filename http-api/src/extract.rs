//! What a request says: the name in its path, and its query. Those of the library answer in their own form,
//! read what is no UTF-8 as other characters, and take the last of two values.

use std::borrow::Cow;

use axum::extract::{FromRequestParts, Path, Query as OfLibrary};
use axum::http::StatusCode;
use axum::http::request::Parts;
use metricc_client::wire::code;
use metricc_client::{Parameters, once};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::ApiError;

/// The name in a path.
#[derive(Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::new(error.status(), code::REQUEST, error.body_text()))?;
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

/// The parameters of a query as a type; each is given once.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        once(&pairs(parts.uri.query().unwrap_or_default())?, &[])?;
        let OfLibrary(parameters) = OfLibrary::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, code::REQUEST, error.body_text()))?;
        Ok(Query(parameters))
    }
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
