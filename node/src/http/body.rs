//! Reading the body of a request, within limits of bytes and time, also for what it unpacks to.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use metricc_http_api::ApiError;
use tokio::time::{Instant, timeout, timeout_at};

use super::server::Limits;

/// How many times longer a body may become when it is unpacked.
const MAX_RATIO: usize = 256;

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
        let chunk =
            chunk.map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "body", error.to_string()))?;
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

fn too_long(most: usize) -> ApiError {
    let message = format!("more than {most} bytes in one request: send several");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// Unpacks a body, by its `Content-Encoding`.
pub(crate) fn unpack(headers: &HeaderMap, bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, ApiError> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.to_str().unwrap_or("?"));
    let most = limits.body_bytes.min(bytes.len().saturating_mul(MAX_RATIO).max(64 << 10));
    let unpacked = match encoding {
        None | Some("identity") => return Ok(bytes),
        Some("gzip") => up_to(flate2::read::MultiGzDecoder::new(&bytes[..]), most),
        Some("zstd") => zstd::stream::read::Decoder::new(&bytes[..]).and_then(|decoder| up_to(decoder, most)),
        Some(other) => {
            let message = format!("content encoding `{other}` is not supported: send `gzip`, `zstd` or none");
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", message));
        }
    };
    match unpacked {
        Ok(bytes) if bytes.len() > most => Err(too_long(most)),
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            let message = format!("the body is not valid {}: {error}", encoding.unwrap_or_default());
            Err(ApiError::new(StatusCode::BAD_REQUEST, "encoding", message))
        }
    }
}

/// Reads to the end, but at most one byte more than is allowed.
fn up_to(reader: impl Read, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
