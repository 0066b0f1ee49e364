//! Reading the body of a request, within limits of bytes and time, also for what it unpacks to.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use metricc_client::wire::code;
use metricc_http_api::ApiError;
use tokio::time::{Instant, timeout, timeout_at};

use super::headers::{single, too_long};
use super::limits::Limits;

/// How many times longer a body may become when it is unpacked.
const MAX_RATIO: usize = 256;

/// What a body may become, however short it is.
const ALWAYS: usize = 64 << 10;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// That of a `Content-Encoding`.
    ///
    /// # Errors
    /// [`ApiError`] if the node does not unpack it.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let encoding = single(headers, &header::CONTENT_ENCODING)?.unwrap_or("identity").trim();
        let known = [
            ("identity", Packing::None),
            ("gzip", Packing::Gzip),
            ("x-gzip", Packing::Gzip),
            ("zstd", Packing::Zstd),
        ];
        let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(encoding));
        found.map(|(_, packing)| *packing).ok_or_else(|| {
            let message =
                format!("content encoding `{encoding}` is not supported: send `gzip`, `zstd` or none");
            ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", message)
        })
    }
}

/// Reads a body, packed as it came.
pub(crate) async fn read(body: Body, limits: &Limits) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let end = Instant::now() + limits.request;
    loop {
        let next = timeout_at(end, timeout(limits.idle, chunks.next())).await;
        let Ok(Ok(next)) = next else {
            return Err(late(if next.is_ok() { limits.idle } else { limits.request }));
        };
        let Some(chunk) = next else { return Ok(bytes) };
        let chunk = chunk.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, "body", "the body ends early, or its chunks are not valid")
        })?;
        if bytes.len() + chunk.len() > limits.body_bytes {
            return Err(too_long(limits.body_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
}

fn late(limit: Duration) -> ApiError {
    let message = format!("the body did not arrive within {} s", limit.as_secs_f64());
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "late", message)
}

/// Unpacks a body.
///
/// # Errors
/// [`ApiError`] if it is not packed as it says, or becomes too long.
pub(crate) fn unpack(packing: Packing, bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, ApiError> {
    let expanded = bytes.len().saturating_mul(MAX_RATIO).max(ALWAYS);
    let most = limits.body_bytes.min(expanded);
    let (name, unpacked) = match packing {
        Packing::None => return Ok(bytes),
        Packing::Gzip => ("gzip", up_to(flate2::read::MultiGzDecoder::new(&bytes[..]), most)),
        Packing::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(&bytes[..]);
            ("zstd", decoder.and_then(|decoder| up_to(decoder, most)))
        }
    };
    match unpacked {
        Ok(unpacked) if unpacked.len() > limits.body_bytes => Err(too_long_unpacked(limits.body_bytes)),
        Ok(unpacked) if unpacked.len() > most => Err(expands(bytes.len(), most)),
        Ok(unpacked) => Ok(unpacked),
        Err(error) => {
            let problem = match error.kind() {
                ErrorKind::UnexpectedEof => ": it ends early",
                _ => "",
            };
            let message = format!("the body is not valid {name}{problem}");
            Err(ApiError::new(StatusCode::BAD_REQUEST, "encoding", message))
        }
    }
}

fn too_long_unpacked(most: usize) -> ApiError {
    let message =
        format!("the body unpacks to more than {most} bytes, which one request may have: send several");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, code::TOO_LARGE, message)
}

/// A body that expands too much is told so: fewer events in a request do not help.
fn expands(n_bytes: usize, most: usize) -> ApiError {
    let message = format!(
        "the body has {n_bytes} bytes and unpacks to more than {most}: it may become {MAX_RATIO} times longer, or \
         {ALWAYS} bytes; send it without `Content-Encoding`"
    );
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, code::TOO_LARGE, message)
}

/// Reads to the end, but at most one byte more than is allowed.
fn up_to(reader: impl Read, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
