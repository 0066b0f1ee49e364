//! Headers that every request may have, and what is judged of a request before anything of its body is read:
//! a client that sends `Expect: 100-continue` is told to go on when the body is first read, and not before.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use metricc_client::wire::code;
use metricc_http_api::ApiError;

use super::limits::Limits;

/// Longest path and query, in bytes.
const MAX_URI: usize = 8 << 10;

/// Most headers, and most bytes of them. The library has the same limits, as far as it counts what it has
/// read.
pub(super) const MAX_HEADERS: usize = 100;
pub(super) const MAX_HEADER_BYTES: usize = 64 << 10;
pub(super) const TOO_MANY: &str = "the request has more than 100 headers, or more than 64 KiB of them";

/// The value of a header that a request has at most once.
///
/// # Errors
/// [`ApiError`] if it is there twice, or has characters that a header cannot have.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let invalid =
        |problem: &str| ApiError::new(StatusCode::BAD_REQUEST, code::REQUEST, format!("`{name}` {problem}"));
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    let value = value.transpose().map_err(|_| invalid("has characters beyond ASCII"))?;
    if values.next().is_some() { Err(invalid("is there twice: send it once")) } else { Ok(value) }
}

/// Checks what no request may have.
pub(super) fn check(request: &Request) -> Result<(), ApiError> {
    let n_bytes = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if n_bytes > MAX_URI {
        let message = format!("the path and the query have {n_bytes} bytes: they may have {MAX_URI}");
        return Err(ApiError::new(StatusCode::URI_TOO_LONG, code::URI, message));
    }
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    if request.headers().len() > MAX_HEADERS || fields.sum::<usize>() > MAX_HEADER_BYTES {
        return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, code::HEADERS, TOO_MANY));
    }
    match single(request.headers(), &header::EXPECT)? {
        Some(other) if !other.eq_ignore_ascii_case("100-continue") => {
            let message = format!("`Expect: {other}` is not known: the node knows `100-continue`");
            Err(ApiError::new(StatusCode::EXPECTATION_FAILED, code::EXPECTATION, message))
        }
        _ => Ok(()),
    }
}

/// The length of a body that its request states, which is at most what a body may have.
///
/// # Errors
/// [`ApiError`] if it is longer.
pub(super) fn stated_length(headers: &HeaderMap, limits: &Limits) -> Result<Option<usize>, ApiError> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    // The server has checked that it is a number; what has no place in ours is too long as well.
    let length = length.to_str().ok().and_then(|length| length.parse().ok()).unwrap_or(usize::MAX);
    if length > limits.body_bytes { Err(too_long(limits.body_bytes)) } else { Ok(Some(length)) }
}

pub(super) fn too_long(most: usize) -> ApiError {
    let message = format!("more than {most} bytes in one request: send several");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, code::TOO_LARGE, message)
}
